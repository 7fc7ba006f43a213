#!/usr/bin/python3
"""The interactive flows of stepvault-oauth, spoken to by its lines alone, against the fault server. TAP.

sanitize: yes
limit: 150
"""

import atexit
import json
import re
import socket
import tempfile
import time
from urllib.parse import parse_qsl, urlsplit

from flow import Helper, provider_document, status_of
from rig import CANARY, Tap, Web

tap = Tap()
folder = tempfile.TemporaryDirectory()
fault = Web(["/usr/bin/python3", "fault_server.py"], folder.name)
atexit.register(fault.stop)


def provider(**more):
    return provider_document(fault.origin, **more)


def by_issuer(issuer, **facts):
    """One of whom only the issuer is known."""
    nothing = {name: None for name in ("authorize_url", "token_url", "device_url", "grants", "client_auth")}
    return provider(**{**nothing, "issuer": issuer, **facts})


def failed(name, answer, verdict, reason):
    tap.ok(name, answer.get("answer") == "failed" and answer.get("verdict") == verdict and reason in answer.get("reason", "") and
           CANARY not in json.dumps(answer), answer)


def got_tokens(name, answer):
    return tap.ok(name, answer.get("answer") == "tokens" and answer["properties"].get("oauth_access_token", "").startswith("at-"), answer)


def last_request(path="/token"):
    return fault.requests(path)[-1]


# ---- the browser brings the code ----
run = Helper(provider(), scopes=["a:b", "c/d"]).opened()
tap.same("the address has what the standard asks for",
         {name: run.asked.get(name) for name in ("response_type", "client_id", "redirect_uri", "code_challenge_method", "scope")},
         {"response_type": "code", "client_id": "public", "redirect_uri": run.uri, "code_challenge_method": "S256", "scope": "a:b c/d"})
tap.ok("state and challenge are 256 bits that nobody can guess",
       all(re.fullmatch(r"[A-Za-z0-9_-]{43}", run.asked.get(name, "")) for name in ("state", "code_challenge")), run.asked)
tap.same("it comes back to 127.0.0.1, where something listens", run.uri, f"http://127.0.0.1:{run.port}/callback")
good = run.back()
forgeries = {
    "a wrong state": lambda: run.send(run.target(code="x", state="guess")),
    "error= without state": lambda: run.send(run.target(error="access_denied")),
    "error= with a wrong state": lambda: run.send(run.target(error="access_denied", state="guess")),
    "a wrong path": lambda: run.send("/?" + good.split("?")[1]),
    "a wrong Host": lambda: run.send(good, host="attacker.example"),
    "POST": lambda: run.send(good, method="POST", headers=["Content-Length: 0"]),
    "a POST of 1 MB": lambda: run.send(good, method="POST", headers=["Content-Length: 1000000"], body=b"x" * 1000000),
    "a head of 1 MB": lambda: run.send(good, headers=["X: " + "y" * 1000] * 1000),
    "a picture": lambda: run.send(good, headers=["Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"]),
    "a frame": lambda: run.send(good, headers=["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"]),
}
for name, forgery in forgeries.items():
    reply = forgery()
    tap.ok(f"{name} gets 404 and nothing of what it said", status_of(reply) == 404 and run.state.encode() not in reply, reply)
slow = socket.create_connection(("127.0.0.1", run.port))
slow.sendall(b"GET /callback?code=")
fault.forget()
fault.set(delay=1)
started = time.monotonic()
page = run.send(good, headers=["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"])
tap.ok("the page comes once the tokens are there, and says so",
       status_of(page) == 200 and b"Access was given" in page and time.monotonic() - started >= 1, page, time.monotonic() - started)
fault.set(delay=0)
slow.close()
answer = run.end()
got_tokens("after all of that the real answer succeeds", answer)
tap.same("... by one token request", fault.count(), 1)
form = last_request()["form"]
tap.same("... with the code, the same address and the client, and no scope",
         (form.get("grant_type"), form.get("redirect_uri"), form.get("client_id"), form.get("scope"), "state" in form),
         ("authorization_code", run.uri, "public", None, False))
tap.same("... and who it was", answer.get("identity"), {"id": "id-of-alice", "name": "Alice"})
head, _, body = page.partition(b"\r\n\r\n")
tap.ok("the page may load nothing, is not kept, and tells nobody its address",
       all(part in head for part in (b"Content-Security-Policy: default-src 'none'", b"Cache-Control: no-store",
                                     b"Referrer-Policy: no-referrer", b"X-Frame-Options: DENY")), head)
tap.ok("... names nothing outside itself", not re.search(rb"(?i)<script|<link|<img|src=|href=|url\(|://", body), body)

# ---- the page says what happened ----
run = Helper(provider()).opened()
page = run.send(run.target(error="access_denied", error_description=f"<b>{CANARY}</b>", state=run.state))
tap.ok("who said no is shown that", b"Access was not given" in page and CANARY.encode() not in page, page)
answer = run.end()
failed("... and it is the end", answer, "refused", "It did not give access: access_denied")
tap.same("... with its code", answer.get("code"), "access_denied")
run = Helper(provider()).opened()
run.send(run.target(error="temporarily_unavailable", state=run.state))
failed("a provider that is busy may be asked later", run.end(), "transient", "temporarily_unavailable")
run = Helper(provider()).opened()
run.send(run.target(error=f"<script>{CANARY}", state=run.state))
failed("an error that is no code is not repeated", run.end(), "refused", "It did not give access")
run = Helper(provider()).opened()
page = run.send(run.target(state=run.state))
tap.ok("an answer without code is shown as a failure", b"Connecting failed" in page, page)
failed("... and it is the end", run.end(), "refused", "the answer of It has neither a code nor an error")
run = Helper(provider()).opened()
fault.script("invalid_grant")
page = run.send(run.back())
tap.ok("a code that the provider does not take is shown as a failure", status_of(page) == 200 and b"Connecting failed" in page, page)
failed("... and told", run.end(), "dead", "invalid_grant")

# ---- whose answer it is (RFC 9207) ----
for name, changes, verdict in (("another issuer", {"iss": "https://attacker.example"}, "refused"), ("no issuer", {"iss": None}, "refused"),
                               ("the issuer with a slash", {"iss": fault.origin + "/"}, "refused"), ("the right issuer", {}, None)):
    fault.set(iss=True)
    run = Helper(provider(issuer=fault.origin, iss="required")).opened()
    fault.forget()
    given = {**dict(parse_qsl(urlsplit(run.back()).query)), **changes}
    run.send(run.target(**{key: value for key, value in given.items() if value is not None}))
    answer = run.end()
    if verdict is None:
        got_tokens(f"an answer of {name} is taken", answer)
    else:
        failed(f"an answer of {name} is the end", answer, verdict, "issuer")
        tap.same("... and its code goes nowhere", fault.count(), 0)
fault.set(iss=False)
run = Helper(provider(issuer=fault.origin)).opened()
run.send(run.back())
got_tokens("where it is not known to be always said, it may be missing", run.end())

# ---- by hand ----
run = Helper(provider(), flow="paste").opened()
tap.same("pasted: nothing listens", run.port, None)
location = run.consent()
for name, pasted, reason in (("another address", "https://example.com/", "has no state"),
                             ("an answer to another attempt", location.replace(run.state, "guess"), "has the state of another attempt"),
                             ("error= of another attempt", "http://127.0.0.1/?error=access_denied&state=guess", "has the state of another attempt"),
                             ("the address that was to be opened", run.url, "has neither a code nor an error"),
                             ("no address", "", "has no state")):
    run.paste(pasted)
    tap.same(f"pasted: {name} is refused, and another may follow", run.hear(), {"notice": "refused", "reason": f"the pasted address {reason}"})
run.say(["no", "object"])
tap.same("pasted: what is no message is refused", run.hear(), {"notice": "refused", "reason": "the pasted address has no state"})
run.paste(f"  {location}#_=_ ")
got_tokens("pasted: the right one is taken", run.end())
run = Helper(provider()).opened()
fault.set(delay=1)
run.paste(run.consent())
time.sleep(0.5)
tap.same("... and nothing listens any more", run.raw(b"GET / HTTP/1.1\r\n\r\n"), b"")
fault.set(delay=0)
got_tokens("a listener does not keep anybody from pasting", run.end())
run = Helper(provider(), flow="paste", early={"url": "https://example.com/?state=1"})
tap.same("what is pasted before there is anything to open is refused", [run.hear().get("notice"), run.hear()],
         ["open", {"notice": "refused", "reason": "the pasted address has the state of another attempt"}])
run.process.stdin.close()
run.end()
run = Helper(provider(redirect="https", redirect_ports=None), redirect_uri="https://app.example/done?x=1").opened()
tap.same("a registered address elsewhere is sent as it is, and nothing listens", (run.uri, run.port), ("https://app.example/done?x=1", None))
run.paste(run.consent())
got_tokens("... and what the browser ends on there is pasted", run.end())
run = Helper(provider(redirect="https", redirect_ports=None))
failed("... and without one there is no way back", run.end(), "refused", "registered address only")

# ---- the end that is no answer ----
run = Helper(provider(), seconds=1).opened()
failed("nobody came back in time", run.end(), "cancelled", "nobody came back from It within 1 s")
for flow in ("browser", "paste"):
    run = Helper(provider(), flow=flow).opened()
    started = time.monotonic()
    run.process.stdin.close()
    failed(f"whoever asked has gone ({flow})", run.end(), "cancelled", "given up")
    tap.ok("... and it ends at once", time.monotonic() - started < 2)

# ---- where it listens ----
run = Helper(provider(redirect_host="localhost")).opened()
tap.same("localhost where the provider takes no numbers", run.uri, f"http://localhost:{run.port}/callback")
tap.same("... on both addresses", [status_of(run.send("/", family=family)) for family in (socket.AF_INET, socket.AF_INET6)], [404, 404])
run.send(run.back(), family=socket.AF_INET6)
got_tokens("... and the answer may come by either", run.end())
run = Helper(provider(redirect_host="[::1]")).opened()
tap.same("or the other address alone, where the provider takes that", (run.uri, run.send("/", family=socket.AF_INET)),
         (f"http://[::1]:{run.port}/callback", b""))
run.send(run.back(), family=socket.AF_INET6)
got_tokens("... and the answer comes by it", run.end())
busy = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
ports = [server.getsockname()[1] for server in busy]
run = Helper(provider(redirect_ports=ports))
failed("ports that others have", run.end(), "refused", "each of the 2 ports")
busy.pop().close()
run = Helper(provider(redirect_ports=ports, redirect_path="/own")).opened()
tap.same("the first that is free is taken, with the provider's path", run.uri, f"http://127.0.0.1:{ports[1]}/own")
run.send(run.back())
got_tokens("... and works", run.end())
run = Helper(provider(), redirect_uri=f"http://127.0.0.1:{ports[1]}/reg").opened()
tap.same("a registered address with a port is listened on as it is, right after", (run.uri, run.port), (f"http://127.0.0.1:{ports[1]}/reg", ports[1]))
run.process.stdin.close()
run.end()
busy[0].close()

# ---- what providers want otherwise ----
run = Helper(provider(fields={"realm": {"title": "Realm", "hidden": False, "pattern": "[0-9]+", "from": "redirect", "as": "realmId"}},
                      rename={"client_id": "client_key"}, authorize_rename={"state": "opaque"}, code_parameter="auth_code",
                      scope_separator="comma", scopes=["always"], user_scope_parameter="user_scope", repeat_state=True,
                      pkce="off", authorize_params={"prompt": "consent", "login": "{oauth_uid}"},
                      token_url=fault.origin + "/token?realm={realm}"), scopes=["one", "always"], user_scopes=["u1", "u2"])
notice = run.hear()
asked = dict(parse_qsl(urlsplit(notice["url"]).query))
tap.same("parameters are renamed, joined and added", asked,
         {"response_type": "code", "client_key": "public", "redirect_uri": notice["redirect_uri"], "opaque": asked.get("opaque"),
          "scope": "always,one", "user_scope": "u1,u2", "prompt": "consent"})
run.uri, run.port, run.path, run.state = notice["redirect_uri"], notice["port"], "/callback", asked["opaque"]
fault.script("good", path="/token")
run.send(run.target(auth_code="c0de", state=run.state, realmId="123"))
answer = run.end()
got_tokens("a code of another name is taken", answer)
tap.same("... and what the redirect says besides is kept", answer.get("properties", {}).get("realm"), "123")
request = last_request()
tap.same("... and used in the address of the token endpoint", request["query"], {"realm": "123"})
tap.same("... the state is said once more, and no verifier", (request["form"].get("state"), request["form"].get("code_verifier")), (run.state, None))
run = Helper(provider(fields={"realm": {"title": "Realm", "pattern": "[0-9]+", "from": "redirect"}})).opened()
fault.forget()
run.send(run.target(code="c0de", state=run.state, realm=f"evil.example/{CANARY}"))
failed("what does not fit its field ends the attempt, and is not repeated", run.end(), "refused", "realm")
tap.same("... before anything is asked of the provider", fault.count(), 0)

# ---- device ----
fault.set(interval=1)
run = Helper(provider(), flow="device", scopes=["a", "b"])
notice = run.hear()
tap.same("device: the code is shown with its address", {name: notice.get(name) for name in ("notice", "url", "complete_url")},
         {"notice": "code", "url": fault.origin + "/activate", "complete_url": f"{fault.origin}/activate?user_code={notice.get('code')}"})
tap.same("... and how long it is good", notice.get("seconds"), 60)
tap.same("... what was asked for", (last_request("/device")["form"].get("client_id"), last_request("/device")["form"].get("scope")), ("public", "a b"))
fault.forget()
fault.script("drop", "503", "html")
time.sleep(1.5)
fault.ask("/control/approve", {"user_code": notice["code"]})
answer = run.end(40)
got_tokens("device: asked until it was approved, whatever the network did meanwhile", answer)
times = [request["at"] for request in fault.requests("/token")]
tap.ok("... later and later, while nothing came", len(times) == 4 and times[1] - times[0] > 2 and times[2] - times[1] > 4, times)
fault.forget()
run = Helper(provider(), flow="device")
notice = run.hear()
fault.ask("/control/approve", {"user_code": notice["code"], "deny": True})
answer = run.end()
failed("device: a no is a no", answer, "refused", "access_denied")
fault.forget()
run = Helper(provider(), flow="device")
run.hear()
fault.script({"status": 400, "body": '{"error":"authorization_declined"}'})
failed("device: ... in Microsoft's word, too", run.end(), "refused", "authorization_declined")
fault.forget()
run = Helper(provider(), flow="device")
run.hear()
fault.script({"status": 400, "body": '{"error":"slow_down"}'})
time.sleep(3)
tap.same("device: slow_down is heeded", fault.count(), 1)
run.process.stdin.close()
failed("... and giving up ends it", run.end(5), "cancelled", "given up")
run = Helper(provider(), flow="device", seconds=2)
run.hear()
failed("device: the time runs out", run.end(), "cancelled", "was not used in time")
fault.script({"status": 400, "body": '{"error":"invalid_client"}'}, path="/device")
run = Helper(provider(), flow="device")
failed("device: what the provider does not take is told", run.end(), "refused", "invalid_client")
fault.script({"body": json.dumps({"device_code": "d", "user_code": "u", "verification_uri": f"http://{CANARY}.example/"})}, path="/device")
run = Helper(provider(), flow="device")
failed("device: an address that may not be opened is not shown", run.end(), "transient", "no address that may be opened")
run = Helper(provider(device_url=None), flow="device")
failed("device: a provider without it is told", run.end(), "refused", "device_url")
fault.forget()

# ---- discovery ----
place = "/.well-known/oauth-authorization-server"
run = Helper(by_issuer(fault.origin)).opened()
run.send(run.back())
answer = run.end()
got_tokens("by the issuer alone", answer)
document = json.loads(answer.get("provider", "{}"))
facts = document.get("methods", {}).get("oauth", {}).get("oauth", {})
tap.same("what was found is handed back for the account to keep", {name: facts.get(name) for name in ("issuer", "authorize_url", "token_url", "device_url",
                                                                                                   "revoke_url", "client_auth", "pkce")},
         {"issuer": fault.origin, "authorize_url": fault.origin + "/authorize", "token_url": fault.origin + "/token", "device_url": fault.origin + "/device",
          "revoke_url": fault.origin + "/revoke", "client_auth": "none", "pkce": "required"})
fault.forget()
run = Helper(answer.get("provider", "{}")).opened()
run.send(run.back())
answer = run.end()
tap.same("... and nothing is looked up again with it", (answer.get("answer"), "provider" in answer, [r for r in fault.requests() if "well-known" in r["path"]]),
         ("tokens", False, []))
fault.set(iss=True)
run = Helper(by_issuer(fault.origin)).opened()
run.send(run.target(code="x", state=run.state))
failed("an issuer that says who it is in each answer must", run.end(), "refused", "does not say which issuer")
fault.set(iss=False)
for status, what in ((404, "no"), (503, "busy")):
    fault.forget()
    fault.script({"status": status, "body": what}, path=place)
    run = Helper(by_issuer(fault.origin)).opened()
    tap.ok(f"the document may be at OpenID's place, where the other answers {status}", fault.requests("/.well-known/openid-configuration"))
    run.process.stdin.close()
    run.end()
fault.forget()
fault.script({"status": 503, "body": "busy"}, path=place)
fault.script({"status": 404, "body": "no"}, path="/.well-known/openid-configuration")
failed("nobody knows what a place has that is down", Helper(by_issuer(fault.origin)).end(), "transient", "status 503")
fault.forget()
answers = {
    "another issuer's": ({"issuer": f"https://{CANARY}.example"}, "refused", "another issuer"),
    "nobody's": ({"token_endpoint": fault.origin}, "refused", "whose it is"),
    "with an address that is no https": ({"issuer": fault.origin, "authorization_endpoint": f"http://{CANARY}.example/",
                                          "token_endpoint": fault.origin + "/token"}, "refused", "authorization_endpoint"),
    "with an address for a shell": ({"issuer": fault.origin, "authorization_endpoint": f"https://a.example/`{CANARY}`",
                                     "token_endpoint": fault.origin + "/token"}, "refused", "authorization_endpoint"),
    "without endpoints": ({"issuer": fault.origin}, "refused", "authorize_url"),
}
for name, (document, verdict, reason) in answers.items():
    fault.script({"body": json.dumps(document)}, path=place)
    run = Helper(by_issuer(fault.origin))
    failed(f"a document that is {name}", run.end(), verdict, reason)
fault.script({"status": 302, "headers": {"Location": "/elsewhere"}, "body": ""}, path=place)
fault.script({"status": 302, "headers": {"Location": "/elsewhere"}, "body": ""}, path="/.well-known/openid-configuration")
run = Helper(by_issuer(fault.origin))
failed("redirects are not followed to one", run.end(), "refused", "no document")
tap.same("... not once", fault.requests("/elsewhere"), [])
fault.script("503", path=place)
fault.script("503", path="/.well-known/openid-configuration")
run = Helper(by_issuer(fault.origin))
failed("an issuer that is down may be asked later", run.end(), "transient", "503")
run = Helper(by_issuer("http://issuer.example"))
failed("an issuer without https is none", run.end(), "refused", "https")

tap.same("the helper always ended well, and said nothing on its standard error", Helper.noise, [])
tap.finish()
