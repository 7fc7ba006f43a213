#!/usr/bin/python3
"""An authorization server that can be told to misbehave, for the replies that a certified one never gives.

    fault_server.py [--certificate PEM]     on a free port of 127.0.0.1; prints `port N`

Untold, it is a small honest one: /authorize consents at once, /token knows the grants authorization_code (with PKCE),
refresh_token (rotated; a used one kills the family), device_code and client_credentials; /device, /revoke, /me, and
both discovery documents under /.well-known/. All tokens and codes end in the canary. Anything under /as/NAME/ is
answered by the reply NAME of the table below, always; /t/NAME/ before a path changes nothing.

    POST /control           {"lifetime": 3, "rotate": false, ...}: settings, as SETTINGS has them; gives all of them
    POST /control/script    {"path": "/token", "replies": [REPLY...]}: what the next requests of the path get instead,
                            one each. A reply is a name of the table, or an object as the table has them, which may have
                            "name" (what it does not say is taken from that one) and "times" (0: from now on always)
    POST /control/approve   {"user_code": CODE, "deny": false}: what a person does about a device's code
    POST /control/grant     {"user": "alice"}: a grant as if somebody had consented elsewhere: {"access": .., "refresh": ..}
    POST /control/end       every grant given so far is over (a person revoked the app)
    POST /control/forget    counts and scripts begin anew
    GET  /control/count     ?path=/token: how many requests of that path came; a number alone
    GET  /control/requests  ?path=/token: all of them: method, path, query, headers, form, at (seconds), what was answered

The body of a reply may have {access} and {refresh}: new tokens, which are good ever after, as the one that {refresh}
takes the place of is not. Its other members: status, type, headers, delay (seconds before the first byte), every
(seconds before each byte of the body), cut (bytes of the body that are sent before the connection is closed), drop
(closed without a byte), reset (the same by RST), rotate (the refresh token is replaced although the body does not say so).
"""

import argparse
import base64
import hashlib
import itertools
import json
import ssl
import struct
import socket
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

FORM = "application/x-www-form-urlencoded"
GOOD = {"access_token": "{access}", "refresh_token": "{refresh}", "token_type": "Bearer", "expires_in": 3600}
GOOD_FORM = "access_token={access}&refresh_token={refresh}&token_type=bearer&expires_in=3600&scope=read%2Cwrite"
HTML = "<!doctype html><title>Blocked</title><p>Access denied by the corporate gateway {canary}"


def but(**changes):
    """The good reply with other members; None takes one out."""
    body = {**GOOD, **changes}
    return {"body": json.dumps({name: value for name, value in body.items() if value is not None})}


def error(code, status=400, **more):
    """What RFC 6749 5.2 has, with a description that must never be shown."""
    return {"status": status, "body": json.dumps({"error": code, "error_description": "because of {canary}", **more})}


REPLIES = {
    "good": but(),
    "form": {"type": FORM, "body": GOOD_FORM},
    "form_as_text": {"type": "text/plain; charset=utf-8", "body": GOOD_FORM},
    "json_as_text": {"type": "text/plain", "body": json.dumps(GOOD)},
    "json_as_html": {"type": "text/html; charset=UTF-8", "body": json.dumps(GOOD)},
    "json_as_form": {"type": FORM, "body": json.dumps(GOOD)},
    "json_untyped": {"type": None, "body": "\n  " + json.dumps(GOOD, indent=4)},
    "form_untyped": {"type": None, "body": GOOD_FORM},
    "more": but(id_token="x.y.z", refresh_token_expires_in=15811200, team={"id": "T1"}, list=[1, None], unknown=None),
    "created": {"status": 201, **but()},
    # odd types
    "expiry_text": but(expires_in="3600"),
    "expiry_fraction": but(expires_in=3600.5),
    "expiry_zero": but(expires_in=0),
    "expiry_negative": but(expires_in=-1),
    "expiry_absurd": but(expires_in=10**30),
    "expiry_words": but(expires_in="soon"),
    "expiry_null": {"body": json.dumps({**GOOD, "expires_in": None})},
    "expiry_missing": but(expires_in=None),
    "scope_list": but(scope=["read", "write"]),
    "type_bot": but(token_type="bot"),
    "type_missing": but(token_type=None),
    "access_number": but(access_token=12345),
    "access_empty": but(access_token=""),
    "access_missing": but(access_token=None),
    "access_nul": but(access_token="a\0b{canary}"),
    "access_newline": but(access_token="a\r\nX-Injected: {canary}"),
    "refresh_missing": but(refresh_token=None),
    "refresh_empty": but(refresh_token=""),
    "refresh_null": {"body": json.dumps({**GOOD, "refresh_token": None})},
    # errors where they belong
    "invalid_grant": error("invalid_grant"),
    "invalid_grant_401": error("invalid_grant", 401),
    "invalid_grant_form": {"status": 400, "type": FORM, "body": "error=invalid_grant&error_description={canary}"},
    "invalid_client": error("invalid_client", 401),
    "invalid_request": error("invalid_request"),
    "invalid_scope": error("invalid_scope"),
    "unauthorized_client": error("unauthorized_client"),
    "unsupported_grant_type": error("unsupported_grant_type"),
    "temporarily_unavailable": error("temporarily_unavailable"),
    "server_error": error("server_error"),
    "unknown_error": error("weird_thing"),
    "shouting_error": error("<script>{canary}</script>"),
    # errors where they do not belong
    "ok_invalid_grant": error("invalid_grant", 200),
    "ok_bad_refresh_token": error("bad_refresh_token", 200),
    "ok_bad_refresh_token_form": {"type": FORM, "body": "error=bad_refresh_token&error_description=x"},
    "ok_false": {"body": '{"ok":false,"error":"invalid_refresh_token"}'},
    "ok_false_busy": {"body": '{"ok":false,"error":"ratelimited"}'},
    "ok_error_and_token": {"body": json.dumps({**GOOD, "error": "invalid_grant"})},
    "ok_error_object": {"body": '{"error":{"code":190,"message":"{canary}"}}'},
    "ok_error_number": {"body": '{"error":7}'},
    # no OAuth at all
    "html": {"type": "text/html", "body": HTML},
    "html_400": {"status": 400, "type": "text/html", "body": HTML},
    "html_403": {"status": 403, "type": "text/html", "body": HTML},
    "json_400": {"status": 400, "body": '{"message":"{canary}"}'},
    "empty": {"body": ""},
    "empty_400": {"status": 400, "body": ""},
    "empty_401": {"status": 401, "body": ""},
    "not_found": {"status": 404, "type": "text/plain", "body": "not here"},
    "array": {"body": "[1,2,3]"},
    "text": {"type": "text/plain", "body": "all is well"},
    "half_json": {"body": '{"access_token":"{access}","refresh_tok'},
    "not_utf8": {"body": '{"access_token":"\udcff{access}","expires_in":3600}'},
    "deep": {"body": "[" * 100000},
    "doubled": {"body": '{"access_token":"first{canary}","access_token":"{access}"}'},
    "huge": {"body": '{"access_token":"{access}","padding":"' + "x" * (3 << 20) + '"}'},
    "huge_token": but(access_token="{access}" + "x" * 70000),
    # a provider that is busy or down
    "429": {"status": 429, "headers": {"Retry-After": "2"}, "body": ""},
    "429_long": {"status": 429, "headers": {"Retry-After": "86400000"}, "body": ""},
    "429_date": {"status": 429, "headers": {"Retry-After": "{date+2}"}, "body": ""},
    "429_words": {"status": 429, "headers": {"Retry-After": "later"}, "body": ""},
    "429_invalid_grant": {**error("invalid_grant", 429), "headers": {"Retry-After": "2"}},
    "500": {"status": 500, "type": "text/html", "body": HTML},
    "502": {"status": 502, "type": "text/html", "body": HTML},
    "503": {"status": 503, "headers": {"Retry-After": "2"}, "body": '{"error":"temporarily_unavailable"}'},
    "500_invalid_grant": error("invalid_grant", 500),
    "redirect": {"status": 307, "headers": {"Location": "/elsewhere"}, "body": ""},
    "redirect_get": {"status": 302, "headers": {"Location": "/elsewhere"}, "body": ""},
    # the wire
    "slow": {"delay": 15, **but()},
    "never": {"delay": 3600, **but()},
    "trickle": {"every": 0.02, **but()},
    "cut": {"cut": 20, **but()},
    "cut_at_once": {"cut": 0, **but()},
    "drop": {"drop": True, "body": ""},
    "reset": {"reset": True, "body": ""},
    "rotate_then_drop": {"drop": True, "rotate": True, "body": ""},
    "rotate_then_cut": {"cut": 20, **but()},
    "rotate_then_wait": {"delay": 15, **but()},
    "rotate_then_500": {"status": 500, "rotate": True, "type": "text/html", "body": HTML},
}

SETTINGS = {
    "canary": "c4n4ry",        # what all tokens, codes and descriptions end in
    "lifetime": 3600,          # of access tokens; null: replies have no expires_in
    "rotate": True,            # each refresh gives a new refresh token
    "leeway": 0,               # seconds for which a used one is still taken
    "refresh_token": True,     # there are refresh tokens at all
    "kills_access": False,     # refreshing ends the access tokens of before
    "user": "alice",           # who consents
    "deny": False,             # nobody does
    "iss": False,              # redirects have the issuer (RFC 9207)
    "redirect": {},            # more parameters of redirects
    "client": None,            # {"id": .., "secret": .., "auth": "basic"|"body"|"none"}: only this client, only so
    "scope": None,             # what the reply says was granted
    "interval": 1,             # of the device flow; null: not said
    "delay": 0,                # of every honest reply of /token, in seconds
    "extra": {},               # more members of token replies
}


class Refused(Exception):
    """An error of RFC 6749 5.2."""

    def __init__(self, code, status=400):
        super().__init__(code)
        self.code = code
        self.status = status


class Provider:
    """What the server knows. Its lock is held for the state, never for a delay."""

    def __init__(self):
        self.lock = threading.RLock()
        self.numbers = itertools.count(1)
        self.settings = dict(SETTINGS)
        self.codes = {}            # code: what was asked for
        self.devices = {}          # device code: what was asked for, and what became of it
        self.access = {}           # token: (family, when it ends)
        self.refresh = {}          # token: (family, when it was used or None)
        self.users = {}            # family: user
        self.dead = set()          # families
        self.seen = []
        self.scripts = {}          # path: [(reply, times left)]

    def make(self, kind):
        unique = hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:16]
        return "-".join([kind, str(next(self.numbers)), unique, self.settings["canary"]])

    def new_family(self, user):
        family = next(self.numbers)
        self.users[family] = user
        return family

    def new_access(self, family):
        token = self.make("at")
        lifetime = self.settings["lifetime"]
        self.access[token] = (family, time.time() + (10**9 if lifetime is None else lifetime))
        return token

    def new_refresh(self, family):
        token = self.make("rt")
        self.refresh[token] = (family, None)
        return token

    def use_refresh(self, token):
        """The family of a refresh token that may still be used."""
        family, used = self.refresh.get(token, (None, None))
        if family is None or family in self.dead:
            raise Refused("invalid_grant")
        if used is not None and time.time() - used > self.settings["leeway"]:
            self.dead.add(family)
            raise Refused("invalid_grant")
        return family

    def spend(self, token):
        """Its place is taken; within the leeway its first use counts."""
        family, used = self.refresh[token]
        self.refresh[token] = (family, time.time() if used is None else used)
        if self.settings["kills_access"]:
            self.access = {name: value for name, value in self.access.items() if value[0] != family}

    def user_of(self, token):
        family, ends = self.access.get(token, (None, 0))
        return self.users[family] if family is not None and family not in self.dead and time.time() < ends else None

    def fill(self, reply, form):
        """A reply of the table with its tokens; what it takes the place of is used up."""
        text = reply.get("body", "")
        presented = form.get("refresh_token", "")
        family = self.refresh.get(presented, (None, None))[0]
        if family is None:
            family = self.new_family(self.settings["user"])
        elif "{refresh}" in text or reply.get("rotate"):
            self.spend(presented)
        if "{access}" in text:
            text = text.replace("{access}", self.new_access(family))
        if "{refresh}" in text:
            text = text.replace("{refresh}", self.new_refresh(family))
        return text.replace("{canary}", self.settings["canary"])

    def next_reply(self, path):
        replies = self.scripts.get(path)
        if not replies:
            return None
        reply, times = replies[0]
        if times == 1:
            replies.pop(0)
        elif times > 1:
            replies[0] = (reply, times - 1)
        return reply

    # ---- honest ----

    def authenticate(self, form, authorization):
        """Which client it is, if only one is let in."""
        wanted = self.settings["client"]
        if wanted is None:
            return
        got = {"auth": "none", "id": form.get("client_id"), "secret": None}
        if authorization.startswith("Basic "):
            name, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            got = {"auth": "basic", "id": unquote_plus(name), "secret": unquote_plus(secret)}
            if "client_secret" in form:
                raise Refused("invalid_request")
        elif "client_secret" in form:
            got = {"auth": "body", "id": form.get("client_id"), "secret": form["client_secret"]}
        if got != {"auth": "none", "secret": None, **wanted}:
            raise Refused("invalid_client", 401)

    def grant_code(self, form):
        asked = self.codes.pop(form.get("code"), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri") or asked.get("code_challenge") != challenge:
            raise Refused("invalid_grant")
        return self.new_family(asked["user"])

    def grant_device(self, form):
        device = self.devices.get(form.get("device_code"))
        if device is None or device["state"] == "spent":
            raise Refused("invalid_grant")
        if device["state"] != "approved":
            raise Refused({"denied": "access_denied"}.get(device["state"], "authorization_pending"))
        device["state"] = "spent"
        return self.new_family(device["user"])

    def token(self, form, authorization):
        """The honest reply to a token request."""
        self.authenticate(form, authorization)
        grant = form.get("grant_type", "")
        presented = form.get("refresh_token", "")
        if grant == "refresh_token":
            family = self.use_refresh(presented)
        elif grant == "authorization_code":
            family = self.grant_code(form)
        elif grant.endswith(":device_code"):
            family = self.grant_device(form)
        elif grant == "client_credentials":
            family = self.new_family(form.get("client_id", "service"))
        else:
            raise Refused("unsupported_grant_type")
        reply = {"access_token": self.new_access(family), "token_type": "Bearer", **self.settings["extra"]}
        if self.settings["lifetime"] is not None:
            reply["expires_in"] = self.settings["lifetime"]
        if self.settings["scope"] is not None:
            reply["scope"] = self.settings["scope"]
        if grant == "refresh_token" and self.settings["rotate"]:
            self.spend(presented)
        if self.settings["refresh_token"] and grant != "client_credentials" and (grant != "refresh_token" or self.settings["rotate"]):
            reply["refresh_token"] = self.new_refresh(family)
        return {"body": json.dumps(reply), "delay": self.settings["delay"]}

    def authorize(self, query, origin):
        asked = {**query, "user": self.settings["user"]}
        back = {**self.settings["redirect"], "state": query.get("state", "")}
        if self.settings["iss"]:
            back["iss"] = origin
        if self.settings["deny"]:
            back["error"] = "access_denied"
        else:
            back["code"] = self.make("code")
            self.codes[back["code"]] = asked
        target = query.get("redirect_uri", "/")
        return {"status": 302, "headers": {"Location": target + ("&" if "?" in target else "?") + urlencode(back)}, "body": ""}

    def device(self, origin):
        code, user_code = self.make("dc"), f"CODE-{next(self.numbers):04}"
        self.devices[code] = {"state": "pending", "user_code": user_code, "user": self.settings["user"]}
        reply = {"device_code": code, "user_code": user_code, "verification_uri": origin + "/activate", "expires_in": 60,
                 "verification_uri_complete": f"{origin}/activate?user_code={user_code}"}
        if self.settings["interval"] is not None:
            reply["interval"] = self.settings["interval"]
        return {"body": json.dumps(reply)}

    def revoke(self, form):
        family = self.refresh.get(form.get("token"), self.access.get(form.get("token"), (None, 0)))[0]
        if family is not None:
            self.dead.add(family)
        return {"body": "", "type": None}

    def me(self, authorization):
        user = self.user_of(authorization[7:] if authorization.startswith("Bearer ") else "")
        if user is None:
            return {"status": 401, "body": '{"error":"invalid_token"}'}
        return {"body": json.dumps({"id": "id-of-" + user, "name": user.title()})}

    def discovery(self, origin):
        return {"body": json.dumps({
            "issuer": origin, "authorization_endpoint": origin + "/authorize", "token_endpoint": origin + "/token",
            "device_authorization_endpoint": origin + "/device", "revocation_endpoint": origin + "/revoke",
            "userinfo_endpoint": origin + "/me", "code_challenge_methods_supported": ["S256"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials",
                                      "urn:ietf:params:oauth:grant-type:device_code"],
            "response_types_supported": ["code"],
            "authorization_response_iss_parameter_supported": bool(self.settings["iss"]),
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"]})}

    def answer(self, path, query, form, authorization, origin):
        """The reply of the table, of a script, or the honest one."""
        if path.startswith("/t/"):
            path = "/" + path.split("/", 3)[3]
        scripted = self.next_reply(path)
        if scripted is None and path.startswith("/as/"):
            scripted = REPLIES.get(path.split("/")[2])
        if scripted is not None:
            return {**scripted, "body": self.fill(scripted, form)}
        try:
            if path == "/token":
                return self.token(form, authorization)
            if path == "/authorize":
                return self.authorize(query, origin)
            if path == "/device":
                return self.device(origin)
            if path == "/revoke":
                return self.revoke(form)
            if path == "/me":
                return self.me(authorization)
            if path.startswith("/.well-known/"):
                return self.discovery(origin)
        except Refused as refused:
            reply = error(refused.code, refused.status)
            return {**reply, "body": reply["body"].replace("{canary}", self.settings["canary"])}
        return {"status": 404, "type": "text/plain", "body": "not here"}

    # ---- what a test does ----

    def control(self, name, query, given):
        if name == "":
            unknown = set(given) - set(SETTINGS)
            if unknown:
                return {"status": 400, "body": json.dumps(f"no such setting: {', '.join(unknown)}")}
            self.settings.update(given)
            return {"body": json.dumps(self.settings)}
        if name == "script":
            self.scripts[given["path"]] = [read_reply(reply) for reply in given["replies"]]
        elif name == "approve":
            for device in self.devices.values():
                if device["user_code"] == given["user_code"]:
                    device["state"] = "denied" if given.get("deny") else "approved"
        elif name == "grant":
            family = self.new_family(given.get("user", self.settings["user"]))
            return {"body": json.dumps({"access": self.new_access(family), "refresh": self.new_refresh(family)})}
        elif name == "end":
            self.dead.update(self.users)
        elif name == "forget":
            self.seen.clear()
            self.scripts.clear()
        elif name in ("count", "requests"):
            seen = [request for request in self.seen if query.get("path") in (None, request["path"])]
            return {"body": json.dumps(len(seen) if name == "count" else seen) + "\n"}
        else:
            return {"status": 404, "body": '"no such control"'}
        return {"body": "{}"}


def read_reply(given):
    """A reply as a script has it, and how often it is given (0: always)."""
    if isinstance(given, str):
        return REPLIES[given], 1
    named = REPLIES[given["name"]] if "name" in given else {}
    own = {name: value for name, value in given.items() if name not in ("name", "times")}
    return {**named, **own}, given.get("times", 1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format, *arguments):
        pass

    def read_body(self):
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        if self.headers.get("Content-Type", "").startswith("application/json"):
            return text, json.loads(text or "{}")
        return text, dict(parse_qsl(text, keep_blank_values=True))

    def serve(self):
        self.close_connection = True
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        _, form = self.read_body()
        provider = self.server.provider
        if parts.path.split("/")[1] == "control":
            with provider.lock:
                self.send(provider.control(parts.path[len("/control"):].lstrip("/"), query, form))
            return
        request = {"method": self.command, "path": parts.path, "query": query, "headers": dict(self.headers), "form": form,
                   "at": time.time()}
        with provider.lock:
            provider.seen.append(request)
            reply = provider.answer(parts.path, query, form, self.headers.get("Authorization", ""), self.server.origin)
            request["status"] = reply.get("status", 200)
        self.send(reply)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = serve

    def send(self, reply):
        time.sleep(reply.get("delay") or 0)
        if reply.get("reset"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if reply.get("drop") or reply.get("reset"):
            return
        body = reply.get("body", "").encode("utf-8", "surrogateescape")
        headers = {"Content-Type": reply.get("type", "application/json"), "Content-Length": str(len(body)),
                   "Cache-Control": "no-store", "Connection": "close", **reply.get("headers", {})}
        status = reply.get("status", 200)
        head = f"HTTP/1.1 {status} {self.responses.get(status, ('Odd',))[0]}\r\n" + "".join(
            f"{name}: {value.replace('{date+2}', formatdate(time.time() + 2, usegmt=True))}\r\n"
            for name, value in {"Date": formatdate(usegmt=True), **headers}.items() if value is not None) + "\r\n"
        try:
            self.wfile.write(head.encode())
            if reply.get("every"):
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(reply["every"])
            else:
                self.wfile.write(body[:reply.get("cut", len(body))])
        except OSError:
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """A client that goes away, or sends what is no HTTP, is part of the tests."""


def main():
    parser = argparse.ArgumentParser(description="An authorization server that can be told to misbehave.")
    parser.add_argument("--certificate", help="a PEM file with key and certificate: https")
    options = parser.parse_args()
    server = Server(("127.0.0.1", 0), Handler)
    server.provider = Provider()
    server.origin = f"{'https' if options.certificate else 'http'}://127.0.0.1:{server.server_port}"
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(f"port {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
