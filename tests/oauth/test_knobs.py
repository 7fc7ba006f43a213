#!/usr/bin/python3
"""What providers want differently, said by an entry of the catalogue alone: second tokens, other names, other separators,
bodies in JSON, facts that come with a reply or a redirect, variables in addresses, ends in other units. TAP.

sanitize: yes
limit: 120
"""

import base64
import json
import time
import urllib.parse

from rig import CANARY, SECRET, Rig, Tap

tap = Tap()
rig = Rig()
fault = rig.fault()


def make(slug, secret=None, fields=None, base=None, **oauth):
    rig.app(slug, fault.origin, **oauth)
    path = f"{rig.apps}/{slug}.json"
    with open(path, encoding="utf-8") as file:
        entry = json.load(file)
    if fields is not None:
        entry["methods"]["oauth"]["fields"] = fields
    if base is not None:
        entry["methods"]["oauth"]["request"]["base"] = base
    with open(path, "w", encoding="utf-8") as file:
        json.dump(entry, file)
    done = rig.client(slug, "the-client", secret)
    if done.status != 0:
        raise AssertionError(str(done))


def connect(slug, *words, reply=None):
    """What connecting did, what the authorize address asked for, and the token request."""
    fault.forget()
    connecting = rig.start("connect", slug, "--no-browser", *words)
    url = connecting.address(fault.origin)
    if reply is not None:
        fault.script(reply)
    fault.opener.open(url, timeout=20).read()
    done = connecting.wait()
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    requests = [request for request in fault.requests() if request["path"].endswith("/token")]
    return done, asked, requests[0] if requests else None


def environment(slug):
    """The variables that a step gets of an account."""
    rig.run("bind", f"knob/{slug}", slug)
    done = rig.run("run", f"knob/{slug}", "--", "env", prints=True)
    prefix = slug.upper() + "_"
    return {name[len(prefix):]: value for name, _, value in (line.partition("=") for line in done.out.splitlines())
            if name.startswith(prefix)}


# ---- Slack: scopes with commas, a second set of them, a second token, no PKCE, ok: false ----
make("slackish", SECRET, client_auth="body", pkce="off", scope_separator="comma", user_scope_parameter="user_scope", ok_path="ok",
     second_token={"path": "authed_user.access_token", "property": "user_access_token", "refresh_property": "user_refresh_token"},
     fields={"team_id": {"title": "Team", "hidden": False, "from": "token", "as": "team.id"},
             "user_access_token": {"title": "The user's token", "optional": True},
             "user_refresh_token": {"title": "What it is refreshed with", "optional": True}})
reply = {"ok": True, "access_token": "{access}", "refresh_token": "{refresh}", "token_type": "bot", "expires_in": 43200,
         "team": {"id": "T123"}, "authed_user": {"id": "U1", "access_token": "xoxp-{access}", "refresh_token": "xoxe-user-" + CANARY,
                                                 "expires_in": 43200}}
done, asked, request = connect("slackish", "--scope", "chat:write", "--scope", "users:read", "--user-scope", "search:read",
                               reply={"body": json.dumps(reply)})
tap.same("Slack's way: connected", done.status, 0, done)
tap.same("... scopes have commas", (asked.get("scope"), asked.get("user_scope")), ("chat:write,users:read", "search:read"))
tap.ok("... no PKCE is sent where it is off", "code_challenge" not in asked and "code_verifier" not in request["form"], asked)
got = environment("slackish")
tap.ok("... both tokens are the step's", got.get("OAUTH_ACCESS_TOKEN", "").startswith("at-") and
       got.get("USER_ACCESS_TOKEN", "").startswith("xoxp-"), sorted(got))
tap.same("... and what came with them", got.get("TEAM_ID"), "T123")
tap.ok("... no refresh token is", not any("REFRESH" in name for name in got), sorted(got))
fault.forget()
fault.script({"body": json.dumps(reply)}, {"body": json.dumps({**reply, "access_token": "xoxp-new-{access}", "refresh_token": "xoxe-2-" + CANARY})})
done = rig.run("account", "refresh", "slackish")
sent = sorted(request["form"].get("refresh_token", "").split("-")[0] for request in fault.requests("/token"))
tap.same("... each grant is refreshed by its own", (done.status, sent), (0, ["rt", "xoxe"]), done)
done, _, _ = connect("slackish", "--label", "no", reply={"body": '{"ok":false,"error":"invalid_code"}'})
tap.ok("... ok: false is an error", done.status == 1 and "invalid_code" in done.err, done)

# ---- Salesforce: where the API is comes with the token, and nobody says when it ends ----
pem = rig.make_certificate()
secure = rig.fault("--certificate", pem)
rig.trust_certificate(pem)
make("forceful", fields={"instance_url": {"title": "Instance", "hidden": False, "pattern": "https://127[.]0[.]0[.]1:[0-9]+", "from": "token"}},
     base="{instance_url}", expires="session", lifetime_seconds=7200)
done, _, _ = connect("forceful", reply={"body": json.dumps({"access_token": "{access}", "refresh_token": "{refresh}", "issued_at": "1",
                                                           "instance_url": secure.origin, "id": "x"})})
tap.same("Salesforce's way: connected", done.status, 0, done)
tap.same("... and the address is kept", environment("forceful").get("INSTANCE_URL"), secure.origin)
secure.forget()
rig.run("account", "test", "forceful")
# That server knows nothing of the token: whoever meets a 401 has it renewed, and asks once more.
tap.same("... and asked", [request["path"] for request in secure.requests()], ["/me", "/me"])
done, _, _ = connect("forceful", "--label", "bad", reply={"body": json.dumps({"access_token": "{access}", "instance_url": "https://evil.example"})})
tap.ok("... one that does not fit its pattern is not taken", "evil" not in json.dumps(rig.account("forceful:bad") or {}) and
       rig.run("account", "test", "forceful:bad").status == 1, done)

# ---- QuickBooks: an id comes with the redirect ----
make("bookish", fields={"realm_id": {"title": "Company", "hidden": False, "from": "redirect", "as": "realmId"}})
fault.set(redirect={"realmId": "4620816365"})
done, _, _ = connect("bookish")
tap.same("QuickBooks' way: what came with the redirect is kept", (done.status, environment("bookish").get("REALM_ID")), (0, "4620816365"), done)
fault.set(redirect={})

# ---- Shopify, Zendesk: whoever connects says the tenant ----
tenant = {"tenant": {"title": "Tenant", "hidden": False, "pattern": "[a-z0-9-]+", "example": "acme"}}
make("tenanted", fields=tenant, authorize_url=fault.origin + "/t/{tenant}/authorize", token_url=fault.origin + "/t/{tenant}/token")
done, _, request = connect("tenanted", "--var", "tenant=acme")
tap.same("a variable of the account is in its addresses", (done.status, (request or {}).get("path")), (0, "/t/acme/token"), done)
done = rig.run("account", "refresh", "tenanted")
tap.same("... when refreshing, too", (done.status, fault.requests()[-1]["path"]), (0, "/t/acme/token"), done)
for value in ("evil.example/", "a/../../x", "A", "", "a b", "a%2fb", "a\nb"):
    done = rig.run("connect", "tenanted", "--no-browser", "--label", "bad", "--var", f"tenant={value}")
    tap.ok(f"... {value!r} is refused", done.status in (1, 2) and fault.origin not in done.out + done.err, done)
done = rig.run("connect", "tenanted", "--no-browser", "--label", "bad", text="")
tap.ok("... none is asked for, or refused", done.status in (1, 2), done)

# ---- TikTok and others: other names, fixed parameters, JSON ----
make("renamed", SECRET, client_auth="body", rename={"client_id": "client_key"}, body_format="json", repeat_state=True,
     authorize_params={"prompt": "consent", "access_type": "offline"}, token_params={"type": "web_server"},
     refresh_params={"type": "refresh"}, scope_parameter="permissions")
done, asked, request = connect("renamed", "--scope", "a")
tap.same("the client id has another name where it must", (asked.get("client_key"), asked.get("client_id")), ("the-client", None), done)
tap.same("... scopes, too, and fixed parameters are there", (asked.get("prompt"), asked.get("access_type"), asked.get("permissions")),
         ("consent", "offline", "a"))
form = (request or {}).get("form", {})
tap.same("the token request is JSON", (request or {}).get("headers", {}).get("Content-Type", "").split(";")[0], "application/json", done)
tap.same("... with the renamed client, the state once more, and what is fixed",
         (form.get("client_key"), form.get("state"), form.get("type"), form.get("client_secret")), ("the-client", asked.get("state"), "web_server", SECRET))
fault.forget()
rig.run("account", "refresh", "renamed")
form = fault.requests("/token")[-1]["form"]
tap.same("... and the refresh has its own", (form.get("type"), form.get("grant_type")), ("refresh", "refresh_token"))

# ---- how a client says who it is ----
for auth, wanted in (("basic", urllib.parse.quote_plus("the-client") + ":" + urllib.parse.quote(SECRET, safe="")),
                     ("basic_raw", f"the-client:{SECRET}"), ("secret_key", f"{SECRET}:")):
    make(auth + "_auth", SECRET, client_auth=auth)
    done, _, request = connect(auth + "_auth")
    said = base64.b64decode((request or {}).get("headers", {}).get("Authorization", "Basic ")[6:]).decode()
    said = said.replace("+", "%20") if auth == "basic" else said
    tap.same(f"{auth}: the header is what it should be", said, wanted, done)
    tap.ok(f"{auth}: ... and the secret is not in the body", "client_secret" not in (request or {}).get("form", {}))

# ---- ends in other units, tokens at other places ----
for name, changes, reply in (
        ("milliseconds", {"expires": "ms"}, {"access_token": "{access}", "refresh_token": "{refresh}", "expires_in": 3600000}),
        ("a moment", {"expires": "at"}, {"access_token": "{access}", "refresh_token": "{refresh}", "expires_at": int(time.time()) + 3600}),
        ("a date", {"expires": "at"}, {"access_token": "{access}", "refresh_token": "{refresh}",
                                       "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))}),
        ("another place", {"token_paths": ["data.0.token"]}, {"data": [{"token": "{access}", "refresh_token": "{refresh}", "expires_in": 3600}]})):
    slug = "unit_" + name.split()[-1]
    make(slug, **changes)
    done, _, _ = connect(slug, reply={"body": json.dumps(reply)})
    account = rig.account(slug) or {}
    wanted = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 3600))
    near = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 3540))
    tap.ok(f"{name}: the token, and that it is good for an hour", done.status == 0 and account.get("token_expires", "")[:16] in (wanted, near), done, account)
make("nested", ok_path="ok", error_path="error.code", error_synonyms=["token_expired"])
connect("nested")
fault.script({"body": '{"ok":false,"error":{"code":"token_expired"}}'})
done = rig.run("account", "refresh", "nested")
tap.same("an error at another place, by another name, is the verdict that it means", (done.status, rig.health("nested")), (1, "needs reconnect"), done)

# ---- addresses ----
make("plain_http", token_url="http://example.com/token")
done = rig.run("connect", "plain_http", "--no-browser")
tap.ok("an address that is neither https nor loopback is refused, whatever the entry says", done.status == 1 and "http" in done.err, done)
rig.finish(tap)
