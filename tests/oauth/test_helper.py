#!/usr/bin/python3
"""stepvault-oauth by itself, driven by lines of JSON as the agent drives it: what it sends, how it takes what comes back,
what it says of it, and what it cannot do. TAP.

sanitize: yes
"""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

from rig import BIN, CANARY, SECRET, Tap, Web

tap = Tap()
folder = tempfile.TemporaryDirectory(prefix="helper-")
server = Web(["/usr/bin/python3", "fault_server.py"], folder.name)
SANITIZED = "sanitize" in BIN
UNTIL = {}


def document(test={"method": "GET", "url": "/me", "id": "id", "name": "name"}, fields=None, base=None, whoami=None, **facts):
    method = {"kind": "oauth2", "title": "O", "fields": fields,
              "request": {"base": base or server.origin, "headers": {"Authorization": "Bearer {oauth_access_token}"}},
              "test": test, "whoami": whoami,
              "oauth": {"loopback": True, "authorize_url": server.origin + "/authorize", "token_url": server.origin + "/token",
                        "revoke_url": server.origin + "/revoke", **facts}}
    method = {name: value for name, value in method.items() if value is not None}
    method["oauth"] = {name: value for name, value in method["oauth"].items() if value is not None}
    return json.dumps({"slug": "x", "title": "Example", "methods": {"oauth": method}})


def start(**environment):
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.Popen([BIN + "/stepvault-oauth"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env={**kept, **environment})


def run(job, **environment):
    """(the answer, exit status, stderr, the lines of the standard output)."""
    process = start(**environment)
    out, err = process.communicate(job if isinstance(job, str) else json.dumps(job) + "\n", timeout=60)
    lines = out.splitlines()
    answer = json.loads(lines[-1]) if lines else None
    return answer, process.returncode, err, lines


def refresh(token=None, provider=None, client=None, properties=None, **environment):
    properties = {"oauth_refresh_token": token or server.grant(), **(properties or {})}
    job = {"job": "refresh", "provider": provider or document(), "client": client or {"id": "the id"}, "properties": properties}
    return run(job, **environment)[0]


def connect(flow, provider=None, client=None, **more):
    return run({"job": "connect", "flow": flow, "provider": provider or document(), "client": client or {"id": "the id"}, **more})[0]


def last(path="/token"):
    return server.requests(path)[-1]


# A reply that never comes, in the background: 30 s.
def wait_for_nothing():
    other = Web(["/usr/bin/python3", "fault_server.py"], folder.name)
    other.script("never")
    began = time.monotonic()
    UNTIL["answer"] = refresh("x", document(token_url=other.origin + "/token"))
    UNTIL["seconds"] = time.monotonic() - began
    other.stop()


waiting = threading.Thread(target=wait_for_nothing)
waiting.start()

# ---- what is sent ----
answer = refresh()
request = last()
tap.same("a refresh gives tokens, and when they end and are due", (answer["answer"], sorted(answer["properties"]), answer["lifetime_ms"], answer["due_ms"]),
         ("tokens", ["oauth_access_token", "oauth_client_id", "oauth_refresh_token"], 3600000, 3300000), answer)
tap.same("it sends a form with the token and the client, and no scope", sorted(request["form"]), ["client_id", "grant_type", "refresh_token"])
headers = {name.lower(): value for name, value in request["headers"].items()}
tap.same("it says what it is and what it wants", (headers.get("accept"), headers.get("content-type"), headers.get("user-agent", "").split("/")[0]),
         ("application/json", "application/x-www-form-urlencoded", "stepvault"))
tap.ok("it says nothing else", not set(headers) - {"host", "accept", "content-type", "content-length", "user-agent"}, headers)

ID = "an id/with: all"
for auth, wanted in (("basic", urllib.parse.quote(ID, safe="") + ":" + urllib.parse.quote(SECRET, safe="")), ("basic_raw", f"{ID}:{SECRET}"),
                     ("secret_key", f"{SECRET}:")):
    refresh(provider=document(client_auth=auth), client={"id": ID, "secret": SECRET})
    header = last()["headers"].get("Authorization", "Basic ")
    tap.same(f"{auth}: the header", base64.b64decode(header[6:]).decode(), wanted)
    tap.ok(f"{auth}: nothing of the client in the body", not {"client_id", "client_secret"} & set(last()["form"]), last())
refresh(provider=document(client_auth="body"), client={"id": ID, "secret": SECRET})
tap.same("body: both in the body", (last()["form"]["client_id"], last()["form"]["client_secret"]), (ID, SECRET))
refresh(provider=document(), client={"id": ID, "secret": SECRET})
tap.same("nothing said: the body", last()["form"].get("client_secret"), SECRET)
refresh(provider=document(client_auth="none"), client={"id": ID, "secret": SECRET})
tap.ok("none: the id alone", last()["form"].get("client_id") == ID and "client_secret" not in last()["form"], last())
refresh(provider=document(client_auth="basic"), client={"id": ID})
tap.ok("a client without secret shows its id alone", last()["form"].get("client_id") == ID and "Authorization" not in last()["headers"], last())
refresh(provider=document(client_auth="basic"), client={"id": ID, "secret": ""})
tap.ok("... an empty secret is none", "Authorization" not in last()["headers"], last())

tenant = {"tenant": {"title": "T", "hidden": False}, "other": {"title": "O", "hidden": False, "optional": True}}
refresh(provider=document(fields=tenant, body_format="json", rename={"client_id": "client_key"}, token_rename={"refresh_token": "rt"},
                          token_params={"type": "first"}, refresh_params={"type": "again {tenant}", "gone": "{other}"}),
        properties={"tenant": 'a"b'})
request = last()
tap.same("JSON, other names, fixed parameters; what needs what is not there is left out",
         (request["headers"]["Content-Type"], sorted(request["form"]), request["form"]["type"]),
         ("application/json", ["client_key", "grant_type", "rt", "type"], 'again a"b'))
refresh(provider=document(fields=tenant, token_url=server.origin + "/t/{tenant}/token"), properties={"tenant": "a/b"})
tap.same("a property in a path is encoded", server.requests()[-1]["path"], "/t/a%2Fb/token")
refresh(provider=document(refresh_url=server.origin + "/elsewhere"))
tap.same("refresh_url is where a refresh goes", server.requests()[-1]["path"], "/elsewhere")
service = {"scopes": ["always"], "token_params": {"type": "first"}, "refresh_url": server.origin + "/elsewhere"}
connect("client_credentials", document(**service, grants=["client_credentials"]), {"id": ID, "secret": SECRET}, scopes=["a", "b", "always"])
tap.same("a client's own token: with scopes and the other fixed parameters", (last()["form"]["scope"], last()["form"]["type"]), ("always a b", "first"))
connect("client_credentials", document(**service), {"id": ID, "secret": SECRET}, scopes=["a", "b"])
tap.same("... but what people are asked for always is not for it", last()["form"]["scope"], "a b")
server.forget()
answer = run({"job": "refresh", "flow": "client_credentials", "provider": document(), "client": {"id": ID}, "scopes": ["a"], "properties": {}})[0]
tap.same("... and when it ends, it asks for the next one, and nobody who it is",
         (answer["answer"], [request["form"].get("grant_type") for request in server.requests()], last()["form"]["scope"]),
         ("tokens", ["client_credentials"], "a"), answer)

# ---- what comes back ----
server.forget()
DEAD, REFUSED, TRANSIENT = "dead", "refused", "transient"
for name, verdict, code in (("invalid_grant", DEAD, "invalid_grant"), ("ok_bad_refresh_token_form", DEAD, "bad_refresh_token"),
                            ("ok_false", DEAD, "invalid_refresh_token"), ("invalid_client", REFUSED, "invalid_client"),
                            ("500_invalid_grant", TRANSIENT, "invalid_grant"), ("shouting_error", TRANSIENT, None), ("html_403", TRANSIENT, None),
                            ("cut", TRANSIENT, None), ("drop", TRANSIENT, None), ("reset", TRANSIENT, None), ("huge", TRANSIENT, None),
                            ("redirect", TRANSIENT, None), ("redirect_get", TRANSIENT, None), ("empty", TRANSIENT, None)):
    server.forget()
    server.script(name)
    answer = refresh("r-" + CANARY)
    tap.same(f"{name}: {verdict}, and it was sent once", (answer.get("verdict"), answer.get("code"), answer.get("sent"), len(server.requests())),
             (verdict, code, True, 1), answer)
    tap.ok(f"{name}: a sentence without anything of the provider's", CANARY not in json.dumps(answer) and "gateway" not in answer.get("reason", ""), answer)
for name, least, most in (("429", 2000, 2000), ("429_date", 1000, 3000), ("429_long", 3600000, 3600000), ("503", 2000, 2000), ("429_words", 0, 0)):
    server.script(name)
    answer = refresh()
    tap.ok(f"{name}: how long to wait", answer["verdict"] == TRANSIENT and least <= answer.get("retry_ms", 0) <= most, answer)
for after in ("7200", "Fri, 31 Dec 2100 23:59:59 GMT"):
    server.script({"status": 429, "headers": {"Retry-After": after}, "body": ""})
    tap.same(f"Retry-After: {after}: an hour at most", refresh().get("retry_ms"), 3600000)
server.forget()
server.script("refresh_missing")
tap.ok("no refresh token in the reply: none in the answer", "oauth_refresh_token" not in refresh()["properties"])
server.script("scope_list")
tap.same("scopes as one text", refresh()["scopes"], "read write")
server.script({"status": 200, "headers": {f"X-{number}": "x" * 4000 for number in range(20)}, "body": '{"access_token":"at"}'})
answer = refresh()
tap.ok("more headers than anybody needs are not read, and that is said",
       answer.get("verdict") == TRANSIENT and "more headers than can be kept" in answer.get("reason", ""), answer)
server.script("trickle")
tap.same("a reply that comes in drops", refresh()["answer"], "tokens")

# ---- two tokens ----
second = {"user_token": {"title": "U", "optional": True}, "user_refresh_token": {"title": "R", "optional": True}}
two = document(fields=second, ok_path="ok", second_token={"path": "authed_user.access_token", "property": "user_token",
                                                         "refresh_property": "user_refresh_token"})
both = {"body": json.dumps({"ok": True, "access_token": "bot", "refresh_token": "bot-r", "expires_in": 43200,
                            "authed_user": {"access_token": "user", "refresh_token": "user-r", "expires_in": 43200}})}
server.forget()
server.script(both)
answer = connect("import", two, properties={"oauth_refresh_token": "x"})
tap.same("a second token in the reply is a property", (answer["properties"].get("user_token"), answer["properties"].get("user_refresh_token")), ("user", "user-r"), answer)
mine = {"body": json.dumps({"ok": True, "access_token": "user-2", "refresh_token": "user-r-2", "expires_in": 7200})}
server.forget()
server.script(both, mine)
answer = refresh("bot-r", two, properties={"user_refresh_token": "user-r"})
tap.same("each is refreshed by its own", [request["form"]["refresh_token"] for request in server.requests("/token")], ["bot-r", "user-r"])
tap.same("... and is due when the first of them is", (answer["properties"]["oauth_access_token"], answer["properties"]["user_token"],
                                                     answer["properties"]["user_refresh_token"], answer["due_ms"]), ("bot", "user-2", "user-r-2", 6900000), answer)
server.forget()
server.script(both, "503")
answer = refresh("bot-r", two, properties={"user_refresh_token": "user-r"})
tap.same("if the second one fails, the first is told, and tried again soon", (answer["answer"], answer["properties"]["oauth_refresh_token"], answer["due_ms"]),
         ("tokens", "bot-r", 60000), answer)
server.forget()

# ---- whose account it is ----
answer = connect("import", properties={"oauth_refresh_token": server.grant()})
tap.same("connecting tells whose account it is", (answer["identity"], answer["properties"]["oauth_uid"]), ({"id": "id-of-alice", "name": "Alice"}, "id-of-alice"), answer)
server.script({"body": json.dumps({"user": {"n": 7}, "login": "bob\u202e\n"})}, path="/who")
answer = connect("import", document(whoami={"method": "GET", "url": "/who", "id": "user.n", "name": "login"},
                                    fields={"login": {"title": "L", "from": "userinfo"}}), properties={"oauth_refresh_token": server.grant()})
tap.same("... by whoami where there is one, plainly", (answer["identity"]["id"], answer["properties"]["login"], answer["identity"]["name"].isprintable()),
         ("7", "bob\u202e\n", True), answer)
server.script({"delay": 1, "body": "{}"}, path="/me")
answer = connect("import", properties={"oauth_refresh_token": server.grant()})
tap.ok("... and how long before that the tokens were asked for", 1000 <= answer["age_ms"] < 30000, answer)
server.script("500", path="/me")
answer = connect("import", properties={"oauth_refresh_token": server.grant()})
tap.ok("... and if that fails, the tokens are there all the same", answer["answer"] == "tokens" and "identity" not in answer, answer)
server.script({"body": json.dumps({"access_token": "t", "refresh_token": "r", "instance_url": "https://evil.example/"})})
answer = connect("import", document(fields={"instance_url": {"title": "I", "pattern": "http://127[.]0[.]0[.]1:[0-9]+", "from": "token"}}),
                 properties={"oauth_refresh_token": "x"})
tap.ok("what does not fit its field is not taken", answer["answer"] == "tokens" and "instance_url" not in answer["properties"], answer)

# ---- does it work ----
token = refresh()["properties"]["oauth_access_token"]


def test(provider=None, **properties):
    return run({"job": "test", "provider": provider or document(), "properties": {"oauth_access_token": token, **properties}})[0]


answer = test()
tap.same("an account that works", (answer["answer"], answer["works"], answer["status"], answer["identity"]["name"]), ("tested", True, 200, "Alice"), answer)
answer = test(oauth_access_token="over")
tap.same("one that does not", (answer["works"], answer["status"], "401" in answer["reason"]), (False, 401, True), answer)
answer = test(document(test={"method": "GET", "url": "/me", "expect": "team.ok"}))
tap.same("one that answers 200 and is not what it should be", (answer["works"], answer["status"]), (False, 200), answer)
answer = test(document(test={"method": "POST", "url": "/me", "headers": {"authorization": "Bearer {oauth_access_token}", "X-Own": "a"},
                             "body": {"query": "{ viewer { id } }"}}))
request = last("/me")
tap.same("a test as the entry says it", (request["method"], request["form"], request["headers"].get("X-Own"), answer["works"]),
         ("POST", {"query": "{ viewer { id } }"}, "a", True), request)
test(document(test={"method": "GET", "url": "/me", "headers": {"authorization": "Token {oauth_access_token}"}}))
said = [value for name, value in last("/me")["headers"].items() if name.lower() == "authorization"]
tap.same("... whose headers take the place of the request's", said, ["Token " + token])
answer = test(document(test=None))
tap.same("no test is known", (answer["answer"], answer["verdict"], answer["sent"]), ("failed", REFUSED, False), answer)
answer = test(oauth_access_token="a\r\nX-Injected: b")
tap.ok("a token that would end a header is not sent", answer["answer"] == "failed" and "X-Injected" not in json.dumps(server.requests()), answer)

# ---- revoking ----
TOKENS = {"oauth_refresh_token": "r", "oauth_access_token": "a"}


def revoke(provider=None, **properties):
    server.forget()
    return run({"job": "revoke", "provider": provider or document(), "client": {"id": "the id", "secret": SECRET}, "properties": properties or TOKENS})[0]


def sent():
    return [(request["method"], request["path"], request["form"].get("token", request["query"].get("token")), request["headers"].get("Authorization"))
            for request in server.requests()]


BASIC = "Basic " + base64.b64encode(f"the%20id:{urllib.parse.quote(SECRET, safe='')}".encode()).decode()
answer = revoke(document(client_auth="basic", revoke_page="https://x.example/apps"))
tap.same("RFC 7009: the refresh token first, by the client", sent(), [("POST", "/revoke", "r", BASIC), ("POST", "/revoke", "a", BASIC)])
tap.same("... and what was revoked", answer, {"answer": "revoked", "revoked": ["refresh_token", "access_token"], "page": "https://x.example/apps"})
revoke(document(revoke_style="bearer"))
tap.same("bearer", sent(), [("POST", "/revoke", None, "Bearer a")])
answer = revoke(document(revoke_style="delete", revoke_url=server.origin + "/revoke/{oauth_refresh_token}"))
tap.same("delete", sent(), [("DELETE", "/revoke/r", None, None)], answer)
tap.same("... of which the status tells that nothing was", (answer["answer"], answer.get("verdict")), ("failed", TRANSIENT), answer)
revoke(document(revoke_style="get"))
tap.same("get", sent(), [("GET", "/revoke", "r", None), ("GET", "/revoke", "a", None)])
answer = revoke(document(revoke_url=None))
tap.same("no way to revoke: nothing is sent, nothing was", (answer, sent()), ({"answer": "revoked", "revoked": []}, []))
server.forget()
server.script({"body": '{"ok":false,"error":"no"}'}, "good", path="/revoke")
answer = run({"job": "revoke", "provider": document(), "client": {"id": "i"}, "properties": TOKENS})[0]
tap.same("what the provider did not take is not said to be revoked", answer["revoked"], ["access_token"], answer)

# ---- where nothing may go ----
server.forget()
for name, provider in (("plain http to another host", document(token_url="http://example.com/token")), ("no facts that say loopback", document(loopback=None))):
    answer = refresh("x", provider)
    tap.same(f"{name}: refused, and nothing is sent", (answer["verdict"], answer["sent"], server.requests()), (REFUSED, False, []), answer)
host = document(fields={"host": {"title": "H", "hidden": False, "pattern": "[a-z0-9./@:?]+"}}, token_url="https://{host}.example/token")
for value in ("evil.com/", "a@evil.com", "evil.com?", "evil.com:443/x"):
    answer = refresh("x", host, properties={"host": value})
    tap.same(f"a host that would be another: {value}", (answer["verdict"], answer["sent"]), (REFUSED, False), answer)
with socket.socket() as closed:
    closed.bind(("127.0.0.1", 0))
    nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/token"
answer = refresh("x", document(token_url=nobody))
tap.same("nobody there: later, perhaps; nothing was sent", (answer["verdict"], answer["sent"]), (TRANSIENT, False), answer)
answer = refresh("x", document(token_url="https://nowhere.invalid/token"))
tap.same("no such host", (answer["verdict"], answer["sent"]), (TRANSIENT, False), answer)
answer = refresh(http_proxy=nobody, HTTP_PROXY=nobody, ALL_PROXY=nobody)
tap.same("this machine is reached without a proxy", answer["answer"], "tokens", answer)

pem = folder.name + "/server.pem"
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                "subjectAltName=IP:127.0.0.1", "-keyout", pem, "-out", pem + ".crt"], capture_output=True, check=True)
with open(pem, "a", encoding="ascii") as one, open(pem + ".crt", encoding="ascii") as other:
    one.write(other.read())
secure = Web(["/usr/bin/python3", "fault_server.py", "--certificate", pem], folder.name, "https")
answer = refresh("x", document(token_url=secure.origin + "/token"))
tap.same("a certificate that nobody vouches for: nothing was sent", (answer["verdict"], answer["sent"]), (TRANSIENT, False), answer)
answer = refresh(secure.grant(), document(token_url=secure.origin + "/token"), SSL_CERT_FILE=pem + ".crt")
tap.same("... with SSL_CERT_FILE it is trusted", answer["answer"], "tokens", answer)
secure.stop()

# ---- jobs that are none, and the ends of input ----
for name, text in (("no JSON", "{\n"), ("an unknown job", '{"job":"x"}\n'), ("an unknown member", json.dumps({"job": "test", "provider": document(), "x": 1}) + "\n"),
                   ("a provider that breaks the catalogue's rules", json.dumps({"job": "test", "provider": '{"slug":"x"}'}) + "\n")):
    answer, status, err, _ = run(text)
    tap.same(f"{name}: refused in a sentence", (answer["answer"], answer["verdict"], answer["sent"], status, err), ("failed", REFUSED, False, 0, ""), answer)
for name, text in (("nothing", ""), ("a line that does not end", '{"job":'), ("a line over 256 KiB", "x" * 300000 + "\n")):
    answer, status, err, _ = run(text)
    tap.ok(f"{name}: no answer, one line on stderr", answer is None and status == 1 and err.count("\n") == 1, err)


def await_request():
    end = time.monotonic() + 20
    while not server.requests("/token") and time.monotonic() < end:
        time.sleep(0.02)


server.forget()
server.script({"name": "good", "delay": 1.5})
process = start()
process.stdin.write(json.dumps({"job": "refresh", "provider": document(), "client": {"id": "i"}, "properties": {"oauth_refresh_token": server.grant()}}) + "\n")
process.stdin.close()
await_request()
with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
    state = file.read()
with open(f"/proc/{process.pid}/limits", encoding="ascii") as file:
    limits = file.read()
with open(f"/proc/{process.pid}/environ", "rb") as one, open(f"/proc/{process.pid}/cmdline", "rb") as two_files:
    shown = one.read() + two_files.read()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    process.send_signal(number)
out = process.stdout.read()
tap.ok("a refresh that is under way goes on when its session ends", '"answer":"tokens"' in out, out)
tap.ok("no new privileges, a list of system calls" + (" (not under a sanitizer)" if SANITIZED else ""),
       SANITIZED or re.search(r"NoNewPrivs:\t1\n.*Seccomp:\t2\n", state, re.DOTALL), state)
tap.ok("no core file", re.search(r"Max core file size +0 +0 ", limits), limits)
tap.ok("nothing secret in its arguments and environment", CANARY.encode() not in shown)
process.wait()

server.forget()
server.script({"name": "good", "delay": 1})
process = start()
process.stdin.write(json.dumps({"job": "refresh", "provider": document(), "client": {"id": "i"}, "properties": {"oauth_refresh_token": server.grant()}}) + "\n")
process.stdin.flush()
process.stdout.close()
with contextlib.suppress(subprocess.TimeoutExpired):
    process.wait(20)
tap.same("whoever asked may have gone: it ends all the same", process.returncode, 0)

waiting.join()
answer = UNTIL["answer"]
tap.ok("a reply that never comes is waited for 30 s, once", answer["verdict"] == TRANSIENT and answer["sent"] and 28 < UNTIL["seconds"] < 45, answer, UNTIL["seconds"])
server.stop()
tap.finish()
