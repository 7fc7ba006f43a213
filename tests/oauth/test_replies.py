#!/usr/bin/python3
"""Every reply that token endpoints were seen to give, and many that they were not, through the real agent: what a refresh
makes of it, what the account is afterwards, what a step gets, and whether anybody asks again. TAP.

sanitize: yes
limit: 300
"""

import os
import socket
import subprocess
import time
import urllib.parse

from rig import CANARY, Rig, Tap, eventually

tap = Tap()
rig = Rig()
fault = rig.fault()
rig.app("fault", fault.origin, error_synonyms=["bad_refresh_token", "invalid_refresh_token"])
rig.client("fault", "public")

# What each reply of fault_server.py's table is: `new` the new token is used; `dead` a true verdict, the account needs to
# be connected anew and nobody asks again; `refused` another permanent answer; `down` not the account's fault, tried again.
ROWS = {
    "good": "new", "created": "new", "more": "new",
    # form-encoded or text/plain reply: by the first byte, then by the type
    "form": "new", "form_as_text": "new", "json_as_text": "new", "json_as_html": "new", "json_as_form": "new",
    "json_untyped": "new", "form_untyped": "new",
    # odd types
    "expiry_text": "new", "expiry_fraction": "new", "expiry_zero": "new", "expiry_negative": "new",
    "expiry_absurd": "new", "expiry_words": "new", "expiry_null": "new", "expiry_missing": "new", "scope_list": "new",
    "type_bot": "new", "type_missing": "new", "refresh_missing": "new", "refresh_empty": "new", "refresh_null": "new",
    # a key that stands twice: the last one, as everybody reads it; a second rotation could not be had
    "doubled": "new",
    # what is no token
    "access_number": "down", "access_empty": "down", "access_missing": "down", "access_nul": "down",
    "access_newline": "down", "huge_token": "down",
    # true verdicts
    "invalid_grant": "dead", "invalid_grant_401": "dead", "invalid_grant_form": "dead", "ok_invalid_grant": "dead",
    "ok_bad_refresh_token": "dead", "ok_bad_refresh_token_form": "dead", "ok_false": "dead", "ok_error_and_token": "dead",
    # permanent, and not the grant's fault
    "invalid_client": "refused", "unauthorized_client": "refused", "invalid_scope": "refused",
    "unsupported_grant_type": "refused", "invalid_request": "refused",
    # codes that say nothing for good, or nothing we know
    "temporarily_unavailable": "down", "server_error": "down", "ok_false_busy": "down", "unknown_error": "down",
    "shouting_error": "down", "ok_error_object": "down", "ok_error_number": "down",
    # 4xx that is not OAuth
    "html_400": "down", "html_403": "down", "json_400": "down", "empty_400": "down", "empty_401": "down", "not_found": "down",
    "html": "down", "empty": "down", "array": "down", "text": "down", "half_json": "down", "not_utf8": "down", "deep": "down",
    "huge": "down", "redirect": "down", "redirect_get": "down",
    # 429, 5xx: whatever their body says
    "429": "down", "429_long": "down", "429_date": "down", "429_words": "down", "429_invalid_grant": "down",
    "500": "down", "502": "down", "503": "down", "500_invalid_grant": "down",
    # the wire
    "cut": "down", "cut_at_once": "down", "drop": "down", "reset": "down", "rotate_then_drop": "down",
    "rotate_then_cut": "down", "rotate_then_500": "down", "trickle": "new",
}
HEALTH = {"new": {"healthy"}, "dead": {"needs reconnect"}, "refused": {"failing"}, "down": {"failing", "in doubt"}}


def made(label, lifetime=3600):
    """An account of its own with a token of that lifetime, bound to the step reply/LABEL; its token."""
    fault.set(lifetime=lifetime)
    done = rig.imported("fault", fault.grant(), "--label", label)
    if done.status != 0:
        raise AssertionError(str(done))
    rig.bound(f"reply/{label}", f"fault:{label}")
    return rig.token(f"reply/{label}", "fault")[1]


def row(name, wanted):
    label = name.replace("_", "-")
    account = f"fault:{label}"
    before = made(label)
    fault.forget()
    fault.script(name)
    done = rig.run("account", "refresh", account)
    status, token, err = rig.token(f"reply/{label}", "fault")
    got = (done.status, rig.health(account) in HEALTH[wanted], status, bool(token) and (token != before) == (wanted == "new"),
           fault.count())
    tap.same(f"{name}: {wanted}", got, (0 if wanted == "new" else 1, True, 0, True, 1), done, rig.account(account), err)
    if wanted != "new":
        tap.ok(f"{name}: ... in one sentence without anything of the provider's text",
               done.err.count("\n") == 1 and CANARY not in done.err and "gateway" not in done.err and "<" not in done.err, done)
    fault.forget()
    if wanted == "dead":
        again = rig.run("account", "refresh", account)
        tap.same(f"{name}: ... and nobody asks again", (again.status, fault.count()), (1, 0), again)
        tap.ok(f"{name}: ... and the way out is said", "stepvault connect" in again.err and "--reconnect" in again.err, again)
    elif name == "good":
        tap.same("good: the rotated refresh token is the one that is sent next", rig.run("account", "refresh", account).status, 0)


for name, wanted in ROWS.items():
    row(name, wanted)
known = set(subprocess.run(["/usr/bin/python3", "-c", "import fault_server; print(*fault_server.REPLIES)"], capture_output=True,
                           text=True, check=True, cwd=os.path.dirname(os.path.abspath(__file__))).stdout.split())
tap.same("every reply of the table is a row", known - set(ROWS) - {"slow", "never", "rotate_then_wait"}, set())

# ---- while the provider is down, the current token is served as long as it is good; not a moment longer ----
names = {"429": 2, "429_date": 2, "503": 2}
labels = {name: f"wait-{name.replace('_', '-')}" for name in names}
for name, label in labels.items():
    made(label, 3)
time.sleep(3)
fault.set(lifetime=3600)
for name, label in labels.items():
    fault.forget()
    fault.script(name)
    status, token, err = rig.token(f"reply/{label}", "fault")
    started = time.monotonic()
    tap.ok(f"{name}: a token that is over is not handed out", status == 125 and token == "" and err.count("\n") == 1, status, err)
    second = rig.token(f"reply/{label}", "fault")[0]
    early = time.monotonic() - started < 1.2
    tap.ok(f"{name}: before Retry-After is over nobody asks again", second == 125 and (fault.count() == 1 or not early), fault.requests())
    time.sleep(max(0.0, 3.2 - (time.monotonic() - started)))
    tap.same(f"{name}: ... and then it goes on by itself", (rig.token(f"reply/{label}", "fault")[0], fault.count()), (0, 2))
    tap.same(f"{name}: ... healthy", rig.health(f"fault:{label}"), "healthy")

made("down", 12)
ends = time.monotonic() + 12
time.sleep(10.5)
fault.forget()
fault.script({"name": "500", "times": 0})
status, token, err = rig.token("reply/down", "fault")
tap.ok("a provider that is down: the current token, while it is good", status == 0 and token or time.monotonic() > ends, err, fault.requests())
tap.ok("... and it was asked", fault.count() >= 1)
tap.ok("... which account list says", rig.health("fault:down") == "failing" or time.monotonic() > ends, rig.account("fault:down"))
time.sleep(max(0.0, ends - time.monotonic() + 0.1))
status, token, err = rig.token("reply/down", "fault")
tap.ok("... and then none", status == 125 and token == "", status, err)
fault.forget()

# ---- the wrong code for a dead token: it is not tried again at once (and, over an hour, not for ever: tests/unit) ----
made("wrong-code", 1)
time.sleep(1.1)
fault.forget()
fault.script({"name": "invalid_request", "times": 0})
for _ in range(12):
    rig.token("reply/wrong-code", "fault")
tap.same("a step that starts again and again does not make the agent ask as often", fault.count(), 1, rig.account("fault:wrong-code"))
fault.forget()

# ---- no expires_in ----
made("endless", None)
account = rig.account("fault:endless")
tap.ok("no expires_in: nobody claims to know when the token ends", "token_expires" not in account and rig.health("fault:endless") == "healthy", account)
made("odd", 3)
fault.script("expiry_missing")
rig.run("account", "refresh", "fault:odd")
first = rig.token("reply/odd", "fault")[1]
time.sleep(3.1)
fault.set(lifetime=3600)
fault.forget()
status, token, err = rig.token("reply/odd", "fault")
tap.ok("no expires_in when refreshing: the last lifetime holds, and then it is refreshed again",
       status == 0 and token != first and fault.count() == 1, err, fault.count(), rig.account("fault:odd"))

# ---- clock skew: a token that has just come is used however short it lives ----
made("short", 1)
time.sleep(1.1)
fault.set(lifetime=1)
status, token, err = rig.token("reply/short", "fault")
tap.ok("a token of one second is handed out when it has just come", status == 0 and token, err)
fault.set(lifetime=3600)

# ---- a code is exchanged once, whatever comes back ----
for name in ("429", "503", "drop", "html_403"):
    fault.forget()
    connecting = rig.start("connect", "fault", "--no-browser", "--label", "code-" + name.replace("_", "-"))
    url = connecting.address(fault.origin)
    fault.script(name)
    fault.opener.open(url, timeout=20).read()
    done = connecting.wait()
    tap.same(f"a code that is answered by {name} is not sent again", (done.status, fault.count()), (1, 1), done)
fault.forget()
fault.script("refresh_missing")
connecting = rig.start("connect", "fault", "--no-browser", "--label", "no-refresh")
fault.opener.open(connecting.address(fault.origin), timeout=20).read()
done = connecting.wait()
tap.ok("no refresh token when connecting is said aloud", "refresh token" in done.out + done.err, done)

# ---- scopes: none are sent on refresh; both kinds are kept ----
fault.forget()
fault.set(scope="read")
connecting = rig.start("connect", "fault", "--no-browser", "--label", "scopes", "--scope", "read", "--scope", "write")
fault.opener.open(connecting.address(fault.origin), timeout=20).read()
done = connecting.wait()
account = rig.account("fault:scopes") or {}
tap.ok("the scopes that were given are shown", done.status == 0 and "read" in str(account.get("scopes")), account)
tap.ok("... and the one that was asked for and not given, when connecting",
       account.get("missing_scopes") == "write" and "was not given write" in done.err, account, done)
tap.ok("... and later", "without write" in rig.run("account", "list").out and
       "scopes not given" in rig.run("account", "show", "fault:scopes").out)
fault.set(scope="read write admin")
connecting = rig.start("connect", "--reconnect", "fault:scopes", "--no-browser", "--scope", "admin")
url = connecting.address(fault.origin)
fault.opener.open(url, timeout=20).read()
done = connecting.wait()
account = rig.account("fault:scopes") or {}
tap.same("connecting anew adds a scope, and takes none away", urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["scope"], ["read write admin"])
tap.ok("... and what is given then is no longer missing", done.status == 0 and "missing_scopes" not in account, account)
fault.forget()
rig.run("account", "refresh", "fault:scopes")
tap.ok("no scope is sent when refreshing", all("scope" not in request["form"] for request in fault.requests("/token")))
fault.set(scope=None)

# ---- the network: refused, no such name, TLS ----
with socket.socket() as closed:
    closed.bind(("127.0.0.1", 0))
    nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
pem = rig.make_certificate()
secure = rig.fault("--certificate", pem)
for name, origin in (("refused", nobody), ("nowhere", "https://nowhere.invalid"), ("untrusted", secure.origin)):
    rig.app(name, fault.origin)
    rig.client(name, "public")
    done = rig.imported(name, fault.grant())
    rig.app(name, fault.origin, token_url=origin + "/token")
    fresh = rig.imported(name, fault.grant(), "--label", "fresh")
    tap.ok(f"{name}: nothing is connected, and that is said", fresh.status == 1 and fresh.err.count("\n") == 1, fresh)
rig.trust_certificate(pem)
rig.app("trusted", secure.origin)
rig.client("trusted", "public")
done = rig.imported("trusted", secure.grant())
tap.same("over TLS that is trusted it works", done.status, 0, done)
rig.finish(tap)
