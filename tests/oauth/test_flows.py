#!/usr/bin/python3
"""Each way to connect an account, against oidc-provider, a certified server, by a person without a browser. TAP.

limit: 150
"""

import re
import urllib.parse

from rig import CANARY, SECRET, Rig, Tap, person

tap = Tap()
rig = Rig()
op = rig.op()


def query(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


def connected(name, done, account, step):
    """An account was made, a step that is bound to it gets its token, and the provider knows the token."""
    if not tap.ok(name, done.status == 0, done):
        return
    rig.bound(step, account)
    status, token, err = rig.token(step, account.split(":")[0])
    tap.ok("... a step that is bound to it gets the token", status == 0 and len(token) > 20, status, err)
    done = rig.run("account", "test", account)
    tap.ok("... and the provider takes it", done.status == 0, done)


# ---- code flow, the browser on this machine ----
rig.op_app("native", op.origin)
done = rig.client("native", "native")
tap.same("a public client is registered", done.status, 0, done)
connecting = rig.start("connect", "native", "--no-browser")
url = connecting.address(op.origin)
asked = query(url)
tap.same("PKCE is S256", asked.get("code_challenge_method"), "S256")
tap.ok("... with a challenge of 256 bits", re.fullmatch(r"[A-Za-z0-9_-]{43}", asked.get("code_challenge", "")))
tap.ok("the state cannot be guessed", len(asked.get("state", "")) >= 22, asked)
tap.ok("the way back is this machine's own address, not a name",
       re.fullmatch(r"http://127\.0\.0\.1:\d+/callback", asked.get("redirect_uri", "")), asked)
person(url)
connected("code flow: the account is connected", connecting.wait(), "native", "flow/code")
account = rig.account("native")
tap.same("... the provider says who it is", account.get("identity"), "alice")
tap.same("... and it is healthy", account.get("health"), "healthy", account)
tap.same("... the provider was asked once", op.count(), 1, op.requests())

# ---- a client with a secret; both ways to say it ----
for client in ("basic", "body"):
    rig.op_app(client, op.origin, client_auth=client)
    rig.client(client, client, SECRET)
    connecting = rig.start("connect", client, "--no-browser")
    person(connecting.address(op.origin), "--user", "bob")
    connected(f"a client that authenticates by {client}, its secret full of signs", connecting.wait(), client, f"flow/{client}")
    op.forget()
    done = rig.run("account", "refresh", client)
    tap.same("... refreshes", (done.status, op.count()), (0, 1), done, op.requests())
rig.op_app("wrong", op.origin, client_auth="basic")
rig.client("wrong", "basic", "not the secret " + CANARY)
op.forget()
connecting = rig.start("connect", "wrong", "--no-browser")
person(connecting.address(op.origin))
done = connecting.wait()
tap.ok("a wrong secret of the client is said as what it is", done.status == 1 and "invalid_client" in done.err, done)
tap.same("... after one request", op.count(), 1, op.requests())
tap.same("... and no account is made", rig.account("wrong"), None)

# ---- the address is pasted ----
connecting = rig.start("connect", "native", "--label", "pasted", "--paste")
url = connecting.address(op.origin)
back = person(url, "--user", "carol", "--stay")
connecting.type("https://example.com/?code=1&state=2")
refused = connecting.await_text("stepvault: .*")
tap.ok("a pasted address of something else is refused, and another may follow", refused is not None, connecting.said())
connecting.type(back.replace(query(back)["state"], "x" * len(query(back)["state"])))
connecting.type(back)
connected("paste: the account is connected", connecting.wait(), "native:pasted", "flow/pasted")
rig.op_app("remote", op.origin, device_url=None, grants=["authorization_code"])
rig.client("remote", "native")
connecting = rig.start("connect", "remote", terminal=True, SSH_CONNECTION="192.0.2.1 5000 192.0.2.7 22")
url = connecting.address(op.origin)
back = person(url, "--user", "dave", "--stay")
port = urllib.parse.urlsplit(query(url)["redirect_uri"]).port
tap.ok("over SSH the line for ssh -L is there, ready to copy",
       connecting.await_text(rf"ssh [^\n]*-L {port}:127\.0\.0\.1:{port} \S*192\.0\.2\.7", 2), connecting.said())
connecting.type(back)
connected("... or the address is pasted at the terminal", connecting.wait(), "remote", "flow/remote")
rig.op_app("web", op.origin, redirect="https", redirect_ports=None)
done = rig.client("web", "web", None, "--redirect-uri", "https://app.example/oauth/done")
connecting = rig.start("connect", "web", "--no-browser")
url = connecting.address(op.origin)
tap.same("a registered address that is no loopback is the one used", query(url).get("redirect_uri"), "https://app.example/oauth/done")
connecting.type(person(url, "--stay"))
connected("... and what the browser ended on is pasted", connecting.wait(), "web", "flow/web")

# ---- somebody says no, or goes away ----
connecting = rig.start("connect", "native", "--label", "no", "--no-browser")
person(connecting.address(op.origin), "--deny")
done = connecting.wait()
tap.ok("who does not consent is told so", done.status == 1 and "access_denied" in done.err, done)
connecting = rig.start("connect", "native", "--label", "no", "--no-browser")
connecting.address(op.origin)
connecting.process.terminate()
connecting.wait()
tap.same("an attempt that is given up leaves no account", rig.account("native:no"), None)

# ---- device ----
connecting = rig.start("connect", "native", "--label", "device", SSH_CONNECTION="192.0.2.1 5000 192.0.2.7 22")
code = connecting.await_text(r"\b([A-Z]{4}-[A-Z]{4})\b")
tap.ok("over SSH, where the provider has it, a device's code is shown with the address", code and connecting.await_text(re.escape(op.origin) + "/device"),
       connecting.said())
person(op.origin + "/device", "--code", code[1], "--user", "erin")
connected("... and the account is connected when it was typed", connecting.wait(), "native:device", "flow/device")
connecting = rig.start("connect", "native", "--label", "denied", "--device")
code = connecting.await_text(r"\b([A-Z]{4}-[A-Z]{4})\b")
person(op.origin + "/device", "--code", code[1], "--deny")
done = connecting.wait()
tap.ok("device flow: a no is a no", done.status == 1 and "access_denied" in done.err, done)
tap.same("... without an account", rig.account("native:denied"), None)

# ---- no person ----
rig.op_app("service", op.origin, client_auth="basic", grants=["client_credentials"], scopes=None)
rig.client("service", "service", SECRET)
done = rig.run("connect", "service", "--client-credentials", "--scope", "read")
if tap.ok("client credentials: the account is connected", done.status == 0, done):
    rig.bound("flow/service", "service")
    op.set(lifetime=2)
    done = rig.run("account", "refresh", "service")
    tap.same("... its token is got anew by the same grant", done.status, 0, done)
    first = rig.token("flow/service", "service")[1]
    op.forget()
    tap.ok("... when it is over, too", rig.token("flow/service", "service")[0] == 0)
    op.set(lifetime=3600)

# ---- by the issuer alone ----
done = rig.client("elsewhere", "native")
connecting = rig.start("connect", "elsewhere", "--issuer", op.origin, "--no-browser", "--scope", "read")
try:
    person(connecting.address(op.origin), "--user", "frank")
    done = connecting.wait()
    tap.ok("--issuer: an app that the catalogue does not have is connected", done.status == 0, done)
except AssertionError as error:
    tap.ok("--issuer: an app that the catalogue does not have is connected", False, error)
    connecting.process.kill()
    connecting.wait()
rig.op_app("found", op.origin, issuer=op.origin, authorize_url=None, token_url=None, device_url=None)
rig.client("found", "native")
connecting = rig.start("connect", "found", "--device")
code = connecting.await_text(r"\b([A-Z]{4}-[A-Z]{4})\b")
if code:
    person(op.origin + "/device", "--code", code[1], "--user", "grace")
connected("--device: where codes are typed is looked up at the issuer", connecting.wait(), "found", "flow/found")

done = rig.run("client", "list", "--json")
tap.ok("clients are listed", done.status == 0 and "native" in done.out, done)
tap.ok("... without their secrets", CANARY not in done.out)
rig.finish(tap)
