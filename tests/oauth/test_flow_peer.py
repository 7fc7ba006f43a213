#!/usr/bin/python3
"""The interactive flows of stepvault-oauth, spoken to by its lines alone, against oidc-provider, a certified server that
demands PKCE, says in each answer who it is (RFC 9207), and has discovery documents. TAP.

limit: 150
"""

import atexit
import json
import tempfile
from urllib.parse import parse_qsl, urlencode, urlsplit

from flow import Helper, provider_document
from rig import CANARY, SECRET, Tap, Web, person

tap = Tap()
folder = tempfile.TemporaryDirectory()
op = Web(["node", "op.mjs"], folder.name)
atexit.register(op.stop)
nothing = {name: None for name in ("authorize_url", "token_url", "device_url", "client_auth")}


def issuer(**facts):
    return provider_document(op.origin, **{**nothing, "issuer": op.origin, "authorize_params": {"prompt": "consent"}, **facts})


def got(name, answer):
    return tap.ok(name, answer.get("answer") == "tokens" and len(answer["properties"].get("oauth_refresh_token", "")) > 20, answer)


everything = ["openid", "offline_access"]
run = Helper(issuer(), client={"id": "native"}, scopes=everything).opened()
tap.same("by its issuer alone: the endpoint is its own", run.url.split("?")[0], op.origin + "/auth")
person(run.url, "--user", "alice")
answer = run.end()
got("the browser's way back brings tokens", answer)
tap.same("... by one request", op.count(), 1)
facts = json.loads(answer.get("provider", "{}")).get("methods", {}).get("oauth", {}).get("oauth", {})
tap.same("... and what was found stays with the account", (facts.get("iss"), facts.get("pkce"), facts.get("client_auth"), facts.get("revoke_url")),
         ("required", "required", "none", op.origin + "/token/revocation"))
tap.same("... and whose it is", answer.get("identity", {}).get("id"), "id-of-alice")

for method in ("basic", "body"):
    run = Helper(issuer(client_auth=method), client={"id": method, "secret": SECRET}, scopes=everything).opened()
    person(run.url)
    got(f"a secret full of signs, by {method}", run.end())

run = Helper(issuer(), client={"id": "native"}, scopes=everything).opened()
back = person(run.url, "--stay")
given = dict(parse_qsl(urlsplit(back).query))
tap.same("its answers say who it is", given.get("iss"), op.origin)
op.forget()
run.paste(back.replace(urlencode({"iss": op.origin}), urlencode({"iss": "https://attacker.example"})))
answer = run.end()
tap.ok("one of another issuer is refused, and its code goes nowhere", answer.get("verdict") == "refused" and op.count() == 0, answer)

run = Helper(issuer(), flow="paste", client={"id": "native"}, scopes=everything).opened()
run.paste(person(run.url, "--stay"))
got("what the browser ended on is pasted", run.end())
run = Helper(issuer(redirect="https", redirect_ports=None), client={"id": "web"}, scopes=everything,
             redirect_uri="https://app.example/oauth/done").opened()
run.paste(person(run.url, "--stay"))
got("... also on a page elsewhere", run.end())

run = Helper(issuer(), client={"id": "native"}, scopes=everything).opened()
person(run.url, "--deny")
answer = run.end()
tap.same("who cancels is told so", (answer.get("verdict"), answer.get("code")), ("refused", "access_denied"))

run = Helper(issuer(), flow="device", client={"id": "native"}, scopes=everything)
notice = run.hear()
person(op.origin + "/device", "--code", notice["code"], "--user", "erin")
answer = run.end(40)
got("a device's code is typed", answer)
tap.same("... by whom", answer.get("identity", {}).get("id"), "id-of-erin")
run = Helper(issuer(), flow="device", client={"id": "native"}, scopes=everything)
person(op.origin + "/device", "--code", run.hear()["code"], "--deny")
answer = run.end(40)
tap.same("... or refused", (answer.get("verdict"), answer.get("code")), ("refused", "access_denied"))
run = Helper(issuer(client_auth="basic"), flow="device", client={"id": "basic", "secret": SECRET}, scopes=everything)
person(op.origin + "/device", "--code", run.hear()["code"])
got("... for a client with a secret", run.end(40))
run = Helper(issuer(), client={"id": "nobody-" + CANARY}).opened()
run.process.stdin.close()
run.end()
tap.same("the helper always ended well, and said nothing on its standard error", Helper.noise, [])
tap.finish()
