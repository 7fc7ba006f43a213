#!/usr/bin/python3
"""What a connected account goes through: fresh tokens on demand, refresh and test by hand, a grant that is over,
connecting anew in place, several accounts, disconnecting, locking while a request is under way. TAP.

sanitize: yes
limit: 150
"""

import os
import signal
import subprocess
import time

from rig import BIN, CANARY, TOKEN, Rig, Tap, eventually, person

tap = Tap()
rig = Rig()
fault = rig.fault()
rig.app("fault", fault.origin)
rig.client("fault", "public")


def connect(*words, user="alice"):
    """Connects at the fault server, which consents at once."""
    fault.set(user=user)
    connecting = rig.start("connect", "fault", "--no-browser", *words)
    person(connecting.address(fault.origin))
    return connecting.wait()


def leaves(action):
    return [leaf for leaf in rig.leaves() if leaf["action"] == action]


# ---- fresh on demand ----
fault.set(lifetime=3)
done = connect()
tap.same("an account is connected", done.status, 0, done)
rig.bound("job", "fault")
before = rig.account("fault")
first = rig.token("job", "fault")[1]
fault.forget()
tap.same("while the token is fresh, a step gets it", rig.token("job", "fault")[:2], (0, first))
tap.same("... and nobody asks the provider", fault.count(), 0)
time.sleep(3)
fault.set(lifetime=3600)
status, second, err = rig.token("job", "fault")
tap.ok("when it is over, the step gets a new one", status == 0 and second not in ("", first), status, err)
tap.same("... for one request", fault.count(), 1)
(request,) = fault.requests("/token")
tap.same("... which says what RFC 6749 6 has and no more", sorted(request["form"]), ["client_id", "grant_type", "refresh_token"])
tap.same("... and asks for JSON", request["headers"].get("Accept"), "application/json")
after = rig.account("fault")
tap.ok("account list says when it was refreshed", after.get("refreshed", "") > before.get("refreshed", ""), before, after)
tap.ok("... and when it is over", after.get("token_expires", "") > before.get("token_expires", ""), before, after)
tap.same("... and that it is healthy", after.get("health"), "healthy")
said = rig.run("account", "list").out
tap.ok("... to people, too", "healthy" in said, said)
document = rig.run("run", "job", "--deliver", "auths", "--", "sh", "-c", 'cat "$STEPVAULT_AUTHS"', prints=True)
tap.ok("the refresh token is not delivered", "oauth_refresh_token" not in document.out and second in document.out, document)
tap.same("refreshing keeps no old values", rig.run("account", "history", "fault", "--json").out.count('"revision"') <= 1, True)

# ---- by hand ----
fault.forget()
done = rig.run("account", "refresh", "fault")
third = rig.token("job", "fault")[1]
tap.same("account refresh asks for a new token though the old one is good", (done.status, fault.count(), third not in ("", second)),
         (0, 1, True), done)
done = rig.run("account", "test", "fault")
tap.ok("account test says that it works, and for whom", done.status == 0 and "Alice" in done.out + done.err, done)
tap.same("... with one request of the app's", len(fault.requests("/me")), 1)

# ---- the log comes first ----
fault.forget()
fault.script({"name": "good", "delay": 3})
count = len(leaves("refresh"))
waiting = rig.start("account", "refresh", "fault")
eventually(lambda: fault.count() == 1)
tap.same("the refresh is in the log while the request is under way", len(leaves("refresh")), count + 1)
waiting.wait()
tap.ok("... and how it ended is, after it", eventually(lambda: len(leaves("refreshed")) > 0), rig.leaves()[-3:])
for action in ("authorize", "connect"):
    tap.same(f"connecting left a leaf `{action}`", len(leaves(action)), 1)

# ---- the provider ends the grant ----
fault.set(lifetime=2)
rig.run("account", "refresh", "fault")
fault.end()
fault.forget()
done = rig.run("account", "test", "fault")
tap.ok("account test fails when the grant is over", done.status == 1 and "401" in done.err and "invalid_grant" in done.err, done)
tap.same("... after one request of the app's and one for a new token", (len(fault.requests("/me")), len(fault.requests("/token"))), (1, 1))
tap.same("... and account list knows before the token has ended", rig.health("fault"), "needs reconnect")
time.sleep(2)
fault.forget()
status, token, err = rig.token("job", "fault")
tap.ok("a step is refused then, with one sentence and the way out",
       status == 125 and token == "" and err.count("\n") == 1 and "stepvault connect" in err and "--reconnect" in err, status, err)
tap.same("... for no request", fault.count(), 0)
tap.same("... nor for one by hand", (rig.run("account", "refresh", "fault").status, fault.count()), (1, 0))
account = rig.account("fault")
tap.same("account list says that it needs to be connected anew", rig.health("fault"), "needs reconnect", account)
tap.ok("... and why", "invalid_grant" in account.get("reason", ""), account)
tap.ok("... to people, too", "reconnect" in rig.run("account", "list").out)

# ---- connecting anew ----
fault.set(lifetime=3600)
done = connect("--reconnect", "fault")
tap.same("it is connected anew in its place", done.status, 0, done)
again = rig.account("fault")
tap.same("... with the same id and label", (again["id"], again["label"]), (account["id"], account["label"]))
tap.same("... healthy", again.get("health"), "healthy", again)
tap.ok("... and the step bound before gets a token", rig.token("job", "fault")[0] == 0)
done = connect("--reconnect", "fault", user="mallory")
tap.ok("somebody else's account does not take its place without a word",
       done.status != 0 or "mallory" in (done.out + done.err).lower(), done)
if done.status == 0:
    connect("--reconnect", "fault")

# ---- several ----
done = connect("--label", "work", user="bob")
tap.same("a second account of the app is connected", done.status, 0, done)
rig.bound("work", "fault:work")
one, other = rig.token("job", "fault")[1], rig.token("work", "fault")[1]
tap.ok("each step has the token of its own", one and other and one != other)
rig.run("account", "refresh", "fault:work")
tap.same("refreshing one leaves the other as it is", rig.token("job", "fault")[1], one)
tap.same("identities are told apart", [(rig.account(name) or {}).get("identity") for name in ("fault:default", "fault:work")],
         ["Alice", "Bob"])
done = connect("--label", "twin", user="bob")
tap.ok("connecting somebody a second time is said", done.status != 0 or "work" in done.out + done.err, done)
done = rig.run("connect", "fault", "--no-browser", "--label", "work")
tap.ok("a label that is taken is refused before anything is asked for", done.status == 1 and fault.origin not in done.err, done)

# ---- a missing refresh token ----
fault.set(refresh_token=False, lifetime=3)
done = connect("--label", "bare", user="carol")
tap.ok("no refresh token, and a token that ends: that is said when connecting", "refresh" in done.out + done.err, done)
fault.set(refresh_token=True, lifetime=3600, rotate=False)
fault.forget()
done = rig.run("account", "refresh", "fault:work")
done = rig.run("account", "refresh", "fault:work")
sent = [request["form"].get("refresh_token") for request in fault.requests("/token")]
tap.same("a reply without a refresh token keeps the old one", (done.status, len(sent), len(set(sent))), (0, 2, 1), done)
fault.set(rotate=True)

done = connect("--label", "google", user="gina")
fault.set(refresh_token=False)
done = connect("--reconnect", "fault:google", user="gina")
fault.set(refresh_token=True)
done = rig.run("account", "refresh", "fault:google")
tap.same("connecting anew without a refresh token keeps the one that is there", (done.status, rig.health("fault:google")), (0, "healthy"), done)

# ---- import ----
grant = fault.grant("dora")
done = rig.imported("fault", grant, "--label", "dora")
tap.same("a refresh token from elsewhere is imported", done.status, 0, done)
tap.same("... and used at once, so that it is known to be good", rig.health("fault:dora"), "healthy")
fault.set(rotate=False)
rig.imported("fault", fault.grant("fred"), "--label", "fred")
fault.forget()
done = rig.run("account", "refresh", "fault:fred")
tap.same("one that the provider never replaces is kept", (done.status, fault.count()), (0, 1), done)
fault.set(rotate=True)
done = rig.imported("fault", "rt-nothing-" + CANARY, "--label", "nobody")
tap.ok("one that is not good makes no account", done.status == 1 and rig.account("fault:nobody") is None, done)

# ---- locking while a request is under way: nothing is lost ----
for name, end in (("lock", lambda: rig.run("lock")), ("SIGTERM", lambda: os.kill(rig.agent(), signal.SIGTERM))):
    fault.forget()
    fault.script({"name": "good", "delay": 2})
    waiting = rig.start("account", "refresh", "fault:work")
    eventually(lambda: fault.count() == 1)
    end()
    waiting.wait()
    eventually(lambda: not rig.agents() or name == "lock", 20)
    rig.unlock()
    new = rig.token("work", "fault")[1]
    fault.forget()
    done = rig.run("account", "refresh", "fault:work")
    tap.ok(f"{name} while a request is under way loses nothing", done.status == 0 and new and rig.health("fault:work") == "healthy",
           done, rig.account("fault:work"))

# ---- by hand, beside us ----
rig.run("account", "set", "fault:dora", "oauth_access_token", text=f"by-hand-{CANARY}\n")
rig.bound("dora", "fault:dora")
fault.forget()
tap.same("a token that was set by hand is what the step gets", rig.token("dora", "fault")[1], f"by-hand-{CANARY}")

# ---- disconnecting ----
done = rig.run("client", "remove", "fault")
tap.same("a client that accounts use is not removed", done.status, 1, done)
rig.run("unbind", "work", "fault")
fault.forget()
done = rig.run("disconnect", "fault:work")
revoked = [request["form"].get("token_type_hint") for request in fault.requests("/revoke")]
tap.same("disconnecting revokes at the provider, the refresh token first", (done.status, revoked[:1]), (0, ["refresh_token"]), done)
tap.ok("... and says so", "end its refresh token" in done.err, done)
tap.same("... and removes the account here", rig.account("fault:work"), None)
rig.run("unbind", "dora", "fault")
fault.script({"name": "503", "times": 0}, path="/revoke")
done = rig.run("disconnect", "fault:dora")
tap.ok("a provider that is down is said, and the account is removed here all the same",
       rig.account("fault:dora") is None and "nothing was revoked" in done.err, done)
tap.ok("... both in the log", len(leaves("disconnect")) >= 2, [leaf["action"] for leaf in rig.leaves()[-8:]])

# ---- many at once, on a key of a vault that no agent holds ----
environment = {**rig.environment, "XDG_RUNTIME_DIR": rig.folder("other-run"), "STEPVAULT_VAULT": rig.folder("other") + "/vault.db",
               "STEPVAULT_KEY_FILE": rig.scratch + "/key"}


def keyed(*words, text=None):
    return subprocess.run([BIN + "/stepvault", *words], env=environment, input=text, capture_output=True,
                          text=True, timeout=60, check=False)


keyed("init", "--no-recovery", "--key-file", environment["STEPVAULT_KEY_FILE"])
keyed("lock")
keyed("client", "add", "fault", "--client-id", "public", "--public")
fault.set(lifetime=2, delay=0)
done = keyed("connect", "fault", "--import", text=fault.grant() + "\n")
tap.ok("an agent of one command connects, too", done.returncode == 0, done.stderr)
keyed("bind", "job", "fault")
time.sleep(2)
fault.set(lifetime=3600)
fault.forget()
done = keyed("run", "job", "--", "printenv", "FAULT_" + TOKEN)
tap.same("... and refreshes before its step is started", (done.returncode, fault.count(), done.stdout[:3]), (0, 1, "at-"), done.stderr)
rig.finish(tap)
