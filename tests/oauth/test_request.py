#!/usr/bin/python3
"""`stepvault request`: where the credentials go, and where they do not; what is in the log before anything is sent; bodies in
and out; servers that hang up, wait, send too much; a token that ended early; processes that are killed midway. TAP.

sanitize: yes
limit: 150
"""

import base64
import json
import os
import resource
import signal
import subprocess
import time

from api_server import BINARY, CHUNK, TEXT, Api
from rig import BIN, CANARY, Rig, Tap, eventually

tap = Tap()
rig = Rig()
pem = rig.make_certificate()
api = Api(pem)
plain = Api()
fault = rig.fault()
rig.trust_certificate(pem)

KEY = f"key-{CANARY}"
FIELDS = {"api_key": {"title": "Key"}}


def write_app(slug, request, kind="api_key", fields=None, **more):
    entry = {"slug": slug, "title": f"The app {slug}", "methods": {"key": {
        "kind": kind, "title": "Key", "fields": fields or FIELDS, "request": request, **more}}}
    with open(f"{rig.apps}/{slug}.json", "w", encoding="utf-8") as file:
        json.dump(entry, file)


def add(app, *words, **properties):
    done = rig.run("account", "add", app, *words, text=json.dumps(properties))
    if done.status != 0:
        raise AssertionError(str(done))


class Sent:
    """What a request came to."""

    def __init__(self, words, done):
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr.decode("utf-8", "replace")
        self.words = words
        if CANARY in self.err:
            rig.leaks.append(f"{' '.join(words)}: {self.err}")

    def __str__(self):
        return f"request {' '.join(self.words)}: status {self.status}\nstdout: {self.out[:600]!r}\nstderr: {self.err}"


def ask(*words, data=b"", **changes):
    done = subprocess.run([BIN + "/stepvault", "request", *words], env={**rig.environment, **changes}, cwd=rig.work, input=data,
                          capture_output=True, timeout=100, check=False)
    return Sent(words, done)


def begin(*words, stdout=subprocess.PIPE):
    return subprocess.Popen([BIN + "/stepvault", "request", *words], env=rig.environment, cwd=rig.work, stdin=subprocess.DEVNULL,
                            stdout=stdout, stderr=subprocess.PIPE)


def requests_logged():
    return [leaf for leaf in rig.leaves() if leaf["action"] == "request"]


def refused(name, words, sentence, server=api):
    """Nothing reaches the server, nothing is logged as sent, and the sentence says why."""
    server.forget()
    before = len([leaf for leaf in requests_logged() if leaf["outcome"] == "granted"])
    done = ask(*words)
    after = len([leaf for leaf in requests_logged() if leaf["outcome"] == "granted"])
    tap.ok(name, done.status not in (0, 125) and sentence in done.err and not server.requests and before == after and not done.out,
           done, f"{len(server.requests)} requests, {after - before} entries")


def helpers():
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file, open(f"/proc/{entry}/environ", "rb") as environment:
                if b"stepvault-oauth" in file.read().split(b"\0")[0] and os.fsencode(pem) in environment.read():
                    found.append(int(entry))
        except OSError:
            pass
    return found


# ---- where the credentials go ----
write_app("headed", {"base": api.origin + "/v1", "headers": {"X-Api-Key": "{api_key}", "X-Version": "{version}", "Accept": "a/b"},
                     "caller": {"version": {"title": "Version", "example": "2020-01-01"}}})
write_app("queried", {"base": api.origin, "query": {"key": "{api_key}", "format": "json"}})
write_app("basic", {"base": api.origin, "basic": {"user": "{email}/token", "password": "{api_key}"}}, "basic",
          {**FIELDS, "email": {"title": "E-mail", "hidden": False}})
for slug in ("headed", "queried"):
    add(slug, api_key=KEY)
add("basic", api_key=KEY, email="me@example.org")

api.look = lambda: json.loads(rig.run("audit", "log", "--json").out.splitlines()[-1])
done = ask("headed", "/users/me?page=2")
api.look = None
(request,) = api.requests
tap.same("a request is answered, and the body printed", (done.status, json.loads(done.out)["path"]), (0, "/v1/users/me?page=2"), done)
tap.same("the credential is in the header that the entry says", request["headers"].get("X-Api-Key"), KEY)
tap.same("what only callers know has its example", request["headers"].get("X-Version"), "2020-01-01")
tap.same("the entry's other headers are there", request["headers"].get("Accept"), "a/b")
leaf = request["seen"]
tap.same("its entry was in the log when the server saw it", [leaf.get(name) for name in ("action", "outcome", "method", "host", "app")],
         ["request", "granted", "GET", api.host, "headed"])
tap.same("... with the names of what left", leaf.get("properties"), ["api_key"])
tap.ok("... and neither path nor query", "users" not in json.dumps(leaf) and "page" not in json.dumps(leaf), leaf)
tap.ok("audit who knows of it", "helper" in rig.run("audit", "who", "headed").out, rig.run("audit", "who", "headed"))

api.forget()
ask("queried", "/a?b=c")
tap.same("... in the parameter", api.requests[0]["path"], f"/a?b=c&key={KEY}&format=json")
api.forget()
ask("queried", "/a?format=xml")
tap.same("... where a caller's own takes the place of what is no credential", api.requests[0]["path"], f"/a?format=xml&key={KEY}")
api.forget()
ask("basic", "/a")
tap.same("... as user and password", base64.b64decode(api.requests[0]["headers"]["Authorization"].split()[1]).decode(),
         f"me@example.org/token:{KEY}")
api.forget()
done = ask("headed", f"{api.origin.upper().replace('HTTPS', 'https')}/elsewhere", "-H", "x-version: 7", "-H", "Accept: c/d", "-H", "X-More: 1")
tap.same("a whole address of the same host leads to where it says", (done.status, api.requests[0]["path"]), (0, "/elsewhere"), done)
tap.same("a caller's header takes the place of the entry's", [api.requests[0]["headers"].get(name) for name in ("X-Version", "Accept", "X-More")],
         ["7", "c/d", "1"])
tap.same("... and is there once", len(api.requests[0]["headers"].get_all("X-Version")), 1)

# ---- what is refused ----
other = Api(pem)
port = api.host.split(":")[1]
for name, words, sentence in (
        ("another port is refused", ["headed", other.origin + "/"], "is not that of"),
        ("another host is refused", ["headed", f"https://localhost:{port}/"], "is not that of"),
        ("http is refused", ["headed", f"http://127.0.0.1:{port}/"], "not https"),
        ("a user is refused", ["headed", f"https://127.0.0.1:{port}@evil.example/"], "a user before its host"),
        ("a fragment is refused", ["headed", "/a#b"], "a fragment"),
        ("a step up is refused", ["headed", "/a/%2e%2e/b"], "in its path"),
        ("an encoded slash in the host is refused", ["headed", "https://127.0.0.1%2f/"], "an encoded byte in its host"),
        ("a name that is not ASCII is refused", ["headed", "https://b\u00fccher.example/"], "ASCII"),
        ("a second line in a header is refused", ["headed", "/a", "-H", "X-A: b\r\nX-B: c"], "control character"),
        ("Authorization is refused", ["headed", "/a", "-H", "authorization: Bearer x"], "authorization"),
        ("Host is refused", ["headed", "/a", "-H", "Host: evil.example"], "the header Host"),
        ("the credential's own header is refused", ["headed", "/a", "-H", "x-api-key: x"], "X-Api-Key is the credential's own"),
        ("the credential's own parameter is refused", ["queried", "/a?key=x"], "key is the credential's own"),
        ("a method that is none is refused", ["headed", "get", "/a"], "capital letters"),
        ("TRACE is refused", ["headed", "TRACE", "/a"], "TRACE"),
        ("an unknown account is refused", ["nobody", "/a"], "nobody"),
        ("several data that are no form's are refused", ["headed", "/a", "-d", '{"a":1}', "-d", '{"b":2}'], "a form's"),
        ("a file that is not there is refused", ["headed", "/a", "-d", "@missing"], "missing")):
    refused(name, words, sentence)
tap.same("... and the other server saw nothing", other.requests, [])
add("headed", "--label", "second", api_key=KEY)
refused("an account that may be one of two is refused", ["headed", "/a"], "headed:second")
rig.run("account", "remove", "headed:second")
write_app("signed", {"base": api.origin, "signature": "aws_sigv4"}, "custom")
write_app("database", {"connection": "mysql://{api_key}"}, "custom")
for slug in ("signed", "database"):
    add(slug, api_key=KEY)
refused("an app whose requests are signed is refused by name", ["signed", "/a"], "aws_sigv4")
refused("an app that is no API is refused by name", ["database", "/a"], "where requests to The app database go")
with open(f"{rig.work}/large", "wb") as file:
    file.write(bytes(128 * 1024 + 1))
refused("data over 128 KiB are refused", ["headed", "/a", "-d", "@large"], "large")

write_app("pathed", {"base": api.origin + "/ex/{site}/v1", "headers": {"X-Api-Key": "{api_key}"}, "caller": {"site": {"title": "Site"}}})
add("pathed", api_key=KEY)
refused("what follows a base of which something is missing is refused by name", ["pathed", "/a"], "site")
api.forget()
done = ask("pathed", api.origin + "/sites")
tap.same("... a whole address is not", (done.status, [request["path"] for request in api.requests]), (0, ["/sites"]), done)

# ---- the helper by itself, which holds the entry to all of its rules ----
def drive(url, origin, base="https://{place}", place=api.host, **more):
    """The helper's lines; its input stays open until it has answered."""
    fields = {**FIELDS, "place": {"title": "Place", "hidden": False, "pattern": "127.0.0.1:[0-9]+"}}
    entry = {"slug": "x", "title": "X", "methods": {"key": {"kind": "api_key", "title": "K", "fields": fields, "request": {
        "base": base, "headers": {"X-Api-Key": "{api_key}"}}}}}
    job = {"job": "request", "provider": json.dumps(entry), "method": "GET", "url": url, "origin": origin,
           "properties": {"api_key": KEY, "place": place}, **more}
    api.forget()
    with subprocess.Popen([BIN + "/stepvault-oauth"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=rig.environment, text=True) as helper:
        helper.stdin.write(json.dumps(job) + "\n")
        helper.stdin.flush()
        return [json.loads(line) for line in helper.stdout]


lines = drive("/a", api.origin)
tap.same("the helper says head, body and answer", [line.get("notice", line.get("answer")) for line in lines], ["reply", "body", "requested"], lines)
for name, job in (("another origin than that of the job", {"url": "/a", "origin": "https://127.0.0.1:1"}),
                  ("an address of another origin", {"url": f"https://localhost:{port}/", "origin": api.origin}),
                  ("a place that does not fit its pattern", {"url": "/a", "origin": "https://evil.example", "place": "evil.example/"}),
                  ("http", {"url": "/a", "origin": plain.origin, "base": plain.origin}),
                  ("a header that is not for callers", {"url": "/a", "origin": api.origin, "headers": ["Host: evil.example"]}),
                  ("an account without a secret", {"url": "/a", "origin": api.origin, "properties": {"place": api.host}}),
                  ("a body that is not base64", {"url": "/a", "origin": api.origin, "body_base64": "?"})):
    (answer,) = drive(**job)
    tap.ok(f"it refuses {name}", answer["answer"] == "failed" and answer["verdict"] == "refused" and not answer["sent"] and not api.requests and
           not plain.requests and CANARY not in json.dumps(answer), answer)

# ---- bodies ----
def sent(*words, data=b""):
    """(method, content type, body) that the server saw."""
    api.forget()
    done = ask("headed", *words, data=data)
    if done.status != 0 or len(api.requests) != 1:
        raise AssertionError(str(done))
    return api.requests[0]["method"], api.requests[0]["headers"].get("Content-Type"), api.requests[0]["body"]


FORM = "application/x-www-form-urlencoded"
binary = bytes(range(256)) * 512
with open(f"{rig.work}/binary", "wb") as file:
    file.write(binary)
tap.same("data are posted, as JSON where they are", sent("/a", "-d", '{"a":[1]}'), ("POST", "application/json", b'{"a":[1]}'))
for name, text in (("a number of any size", b'[18446744073709551616]'), ("a name that stands twice", b'{"a":1,"a":2}'), ("a NUL", b'["\\u0000"]'),
                   ("any depth", b"[" * 100 + b"]" * 100)):
    tap.same(f"... with {name}", sent("/a", "-d", text.decode()), ("POST", "application/json", text))
tap.same("... else as a form", sent("/a", "-d", "a=b"), ("POST", FORM, b"a=b"))
tap.same("... of several parts", sent("/a", "-d", "a=b", "--data", "c=d"), ("POST", FORM, b"a=b&c=d"))
tap.same("... as what a header says", sent("PUT", "/a", "-H", "content-type: text/plain", "-d", "{}"), ("PUT", "text/plain", b"{}"))
tap.same("... from a file of any bytes, unchanged", sent("/a", "-d", "@binary"), ("POST", FORM, binary))
tap.same("... from stdin", sent("PATCH", "/a", "-d", "-", data=b'{"a":1}\n'), ("PATCH", "application/json", b'{"a":1}\n'))
tap.same("... of no bytes", sent("/a", "-d", ""), ("POST", FORM, b""))
tap.same("a method without data has none", sent("DELETE", "/a"), ("DELETE", None, b""))
done = ask("headed", "/binary")
tap.ok("a body of any bytes comes out unchanged", done.status == 0 and done.out == BINARY, done.status, done.err)
done = ask("headed", "/packed")
tap.same("a compressed body comes out decoded", (done.status, done.out.decode()), (0, TEXT))
done = ask("headed", "HEAD", "/binary", "--include")
tap.ok("HEAD has headers and no body", done.status == 0 and b"Content-Length: 76800\n" in done.out and done.out.endswith(b"\n\n"), done)
done = ask("headed", "/twice", "--include")
tap.ok("--include prints status line and headers first", done.out.startswith(b"HTTP/1.1 200 OK\n") and done.out.endswith(b"\n\nok"), done)
document = json.loads(ask("headed", "/twice", "--json").out)
tap.same("--json is one document", (document["status"], document["headers"]["set-cookie"], document["body"]), (200, ["a=1", "b=2"], "ok"))
tap.same("... whose headers are text, whatever their bytes", document["headers"]["x-name"], ["gr\u00fc\u00dfe"])
tap.same("... and have no control characters", document["headers"]["x-control"], ["a b c", "a b\u00db"])
document = json.loads(ask("headed", "/binary", "--json").out)
tap.ok("... with base64 where the body is no text", base64.b64decode(document["body_base64"]) == BINARY and "body" not in document)
api.forget()
running = begin("headed", "/slow")
tap.same("the body is printed as it comes", os.read(running.stdout.fileno(), 1), b"s")
api.enough.set()
tap.same("... to its end", (running.communicate()[0], running.returncode), (b"lowly", 0))

# ---- servers that do not do as one wishes ----
done = ask("headed", "/status/404")
tap.same("another status than 2xx is exit status 1, with the body", (done.status, done.out), (1, b"a body all the same"))
tap.ok("... and a sentence", "answers with status 404" in done.err and done.err.count("\n") == 1, done)
api.forget()
done = ask("headed", "/away", "--include")
tap.ok("a redirect is not followed", done.status == 1 and "redirect (status 302)" in done.err and b"Location: https://elsewhere" in done.out, done)
for name in ("many", "long"):
    done = ask("headed", f"/{name}")
    tap.ok(f"{name} headers are refused", done.status == 1 and "more headers than can be kept" in done.err and not done.out, done)
done = ask("headed", "/cut")
tap.ok("a server that hangs up midway is said so, behind what came", done.status == 1 and done.out == b"only this" and "no whole answer" in done.err, done)
done = ask("headed", "/bomb")
tap.ok("a body that grows over 64 MiB when it is decoded is cut there", done.status == 1 and len(done.out) <= 64 * 1024 * 1024 and
       "more than 64 MiB" in done.err, done.status, len(done.out), done.err)
done = ask("headed", "/large")
tap.ok("... and so is one that is sent", done.status == 1 and len(done.out) <= 64 * 1024 * 1024 and "more than 64 MiB" in done.err,
       done.status, len(done.out), done.err)
tap.ok("... up to there it is what was sent", done.out == (CHUNK * 64)[:len(done.out)])
other.server.shutdown()
other.server.server_close()
write_app("gone", {"base": other.origin, "headers": {"X-Api-Key": "{api_key}"}})
add("gone", api_key=KEY)
done = ask("gone", "/a")
tap.ok("a server that is not there is said so", done.status == 1 and "gave no answer" in done.err, done)

# ---- whoever reads slowly makes the server wait ----
def memory(process):
    with open(f"/proc/{process}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


before = memory(rig.agent())
running = begin("headed", "/whole")
size = len(os.read(running.stdout.fileno(), 1000))
time.sleep(1)
grown = memory(rig.agent()) - before
rest = running.communicate()[0]
tap.ok("the agent holds little of what nobody has taken", grown < 8192, f"{grown} KiB")
tap.ok("... and all of it comes", size + len(rest) == 60 * len(CHUNK) and running.returncode == 0, size + len(rest))

# ---- several at once, and the end of one of the processes ----
api.forget()
running = [begin("headed", f"/echo?n={number}") for number in range(20)]
numbers = sorted(int(json.loads(process.communicate()[0])["path"].rsplit("=", 1)[1]) for process in running)
tap.same("twenty at once are all answered", numbers, list(range(20)))


def stalled():
    api.forget()
    process = begin("headed", "/stall")
    api.begun.wait(20)
    os.read(process.stdout.fileno(), 1)
    return process


def ends(name, process, status, sentence):
    out, err = process.communicate(timeout=30)
    tap.ok(name, process.returncode == status and sentence in err.decode() and err.count(b"\n") == 1, process.returncode, out[:100], err)
    tap.ok("... and the server is left", api.broken.wait(20))
    tap.ok("... by the helper, which ends", eventually(lambda: not helpers(), 20), helpers())


process = stalled()
process.send_signal(signal.SIGINT)
process.communicate()
tap.ok("whoever interrupts the command ends the request", api.broken.wait(20))
tap.ok("... and the helper", eventually(lambda: not helpers(), 20), helpers())
process = stalled()
for helper in helpers():
    os.kill(helper, signal.SIGKILL)
ends("a helper that is killed is noticed", process, 1, "ended before the reply was whole")
process = stalled()
rig.run("lock")
ends("locking ends a request", process, 3, "locked")
refused("a locked vault makes none", ["headed", "/a"], "locked")
rig.unlock()
process = stalled()
rig.kill_agents()
ends("an agent that is killed is noticed", process, 1, "agent")
rig.unlock()
tap.same("... and the next request is answered", ask("headed", "/a").status, 0)

# ---- what cannot be logged is not sent ----
hard = resource.prlimit(rig.agent(), resource.RLIMIT_FSIZE)[1]
resource.prlimit(rig.agent(), resource.RLIMIT_FSIZE, (1, hard))
api.forget()
done = ask("headed", "/a")
resource.prlimit(rig.agent(), resource.RLIMIT_FSIZE, (hard, hard))
tap.ok("a request that cannot be logged is not made", done.status != 0 and "cannot be written" in done.err and not api.requests, done)
tap.same("... and the next one is, when it can", ask("headed", "/a").status, 0)

# ---- a connected account ----
def connect(slug, origin):
    rig.app(slug, fault.origin)
    with open(f"{rig.apps}/{slug}.json", encoding="utf-8") as file:
        entry = json.load(file)
    entry["methods"]["oauth"]["request"]["base"] = origin
    with open(f"{rig.apps}/{slug}.json", "w", encoding="utf-8") as file:
        json.dump(entry, file)
    rig.client(slug, "public")
    done = rig.imported(slug, fault.grant())
    if done.status != 0:
        raise AssertionError(str(done))
    rig.bound(f"step/{slug}", slug)


def bearer(slug):
    return "Bearer " + rig.token(f"step/{slug}", slug)[1]


fault.set(lifetime=3600)
connect("tokened", api.origin)
connect("local", plain.origin)
api.forget()
done = ask("tokened", "/a")
tap.same("a connected account's token is where its entry says", (done.status, api.requests[0]["headers"].get("Authorization")), (0, bearer("tokened")), done)
plain.forget()
done = ask("local", "/a")
tap.same("http goes to this machine where the entry says so", (done.status, len(plain.requests)), (0, 1), done)
refused("... and to none else", ["local", f"http://localhost:{plain.host.split(':')[1]}/"], "is not that of", plain)
write_app("tokened", {"base": other.origin, "headers": {"X-Api-Key": "{api_key}"}})
api.forget()
done = ask("tokened", "/a")
tap.same("another entry of the catalogue leads its token nowhere else", (done.status, len(api.requests)), (0, 1), done)

old = bearer("tokened")
api.forget()
api.refused = {old}
fault.forget()
before = len(requests_logged())
done = ask("tokened", "POST", "/a", "-d", "x=y")
tap.same("a token that is refused is renewed, and the request made once more", (done.status, [request["headers"]["Authorization"] == old for request in api.requests]),
         (0, [True, False]), done)
tap.same("... by one request for a token", fault.count(), 1)
tap.same("... the same as before", [request["body"] for request in api.requests], [b"x=y", b"x=y"])
tap.same("... with an entry of its own in the log", len(requests_logged()) - before, 2)
tap.ok("... of which only the second reply is printed", b"expired" not in done.out, done)

api.forget()
api.refused = {bearer("tokened")}
fault.forget()
done = ask("tokened", "/a")
tap.same("a token that came so and is refused, too, is not renewed again", (done.status, done.out, fault.count(), len(api.requests)), (1, b'{"error":"expired"}', 0, 1), done)
tap.ok("... and the refusal is said without the token that the server repeats", "status 401" in done.err and CANARY not in done.err, done)

rig.run("account", "refresh", "tokened")
api.forget()
api.refused = {bearer("tokened")}
fault.forget()
running = [begin("tokened", "/a") for _ in range(5)]
ended = [(process.communicate()[0], process.returncode) for process in running]
tap.same("five whose token is refused share one renewal", ([status for _, status in ended], fault.count()), ([0] * 5, 1))

rig.run("account", "refresh", "tokened")
api.forget()
api.refused = {bearer("tokened")}
fault.forget()
fault.script("server_error")
done = ask("tokened", "/a")
tap.same("where the token cannot be renewed the first reply stands", (done.status, done.out), (1, b'{"error":"expired"}'), done)
tap.same("... after one try", (fault.count(), len(api.requests)), (1, 1))

fault.set(lifetime=1)
connect("brief", api.origin)
fault.set(lifetime=3600)
time.sleep(1.2)
api.forget()
fault.forget()
done = ask("brief", "/a")
tap.same("a token that has ended is renewed before", (done.status, fault.count(), len(api.requests)), (0, 1, 1), done)

# ---- without an agent ----
rig.with_passphrase("slot", "add", "--key-file", rig.work + "/key")
rig.run("lock")
rig.kill_agents()
api.forget()
api.refused = {json.loads(ask("tokened", "/a", "--key-file", rig.work + "/key").out)["headers"]["Authorization"]}
fault.forget()
done = ask("tokened", "/a", "--key-file", rig.work + "/key")
tap.same("an agent of one command renews and asks once more, too", (done.status, fault.count(), len(api.requests)), (0, 1, 3), done)
tap.same("... and does not stay", rig.agents(), [])
rig.unlock()

rig.finish(tap)
