#!/usr/bin/python3
"""What any page in the browser and any program on the machine can send to the listener, before the real answer comes:
none of it ends the attempt or is taken for the answer. TAP.

sanitize: yes
limit: 150
"""

import re
import socket
import time
import urllib.parse

from rig import CANARY, Rig, Tap, redirect_of

tap = Tap()
rig = Rig()
fault = rig.fault()
rig.app("fault", fault.origin)
rig.client("fault", "public")


class Attempt:
    """A connect that waits, and the answer that is for it."""

    def __init__(self, label, *words):
        self.connecting = rig.start("connect", "fault", "--no-browser", "--label", label, *words)
        self.url = self.connecting.address(fault.origin)
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.url).query))
        self.state = asked["state"]
        parts = urllib.parse.urlsplit(asked["redirect_uri"])
        self.port, self.path = parts.port, parts.path

    def consent(self):
        """What the provider sends the browser back with."""
        return redirect_of(self.url)

    def target(self, **parameters):
        return f"{self.path}?{urllib.parse.urlencode(parameters)}"

    def send(self, target, method="GET", host=None, headers=(), body=b"", version="HTTP/1.1"):
        head = [f"{method} {target} {version}", f"Host: {host or f'127.0.0.1:{self.port}'}", *headers]
        return self.raw(("\r\n".join(head) + "\r\n\r\n").encode() + body)

    def raw(self, data, wait=8):
        """Everything that comes back; None if nothing listens."""
        got = b""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                connection.settimeout(wait)
                connection.sendall(data)
                while part := connection.recv(65536):
                    got += part
        except ConnectionRefusedError:
            return None
        except OSError:
            pass
        return got

    def waits(self):
        return self.connecting.process.poll() is None


def status_of(reply):
    match = re.match(rb"HTTP/1\.[01] (\d+)", reply or b"")
    return int(match[1]) if match else None


attempt = Attempt("real")
listening = [line.split()[1] for line in open("/proc/net/tcp", encoding="ascii") if line.split()[1].endswith(f":{attempt.port:04X}")
             and line.split()[3] == "0A"]
tap.same("it listens on loopback alone", listening, [f"0100007F:{attempt.port:04X}"])
good = {"code": "forged", "state": attempt.state}
wrong = attempt.state[:-1] + ("A" if attempt.state[-1] != "A" else "B")
browser = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: document"]
forgeries = {
    "a wrong state": lambda: attempt.send(attempt.target(code="forged", state=wrong)),
    "no state": lambda: attempt.send(attempt.target(code="forged")),
    "an empty state": lambda: attempt.send(attempt.target(code="forged", state="")),
    "a part of the state": lambda: attempt.send(attempt.target(code="forged", state=attempt.state[:8])),
    "two states": lambda: attempt.send(f"{attempt.path}?code=x&state={wrong}&state={attempt.state}"),
    "error= before anything": lambda: attempt.send(attempt.target(error="access_denied")),
    "error= with a wrong state": lambda: attempt.send(attempt.target(error="access_denied", state=wrong)),
    "no parameters": lambda: attempt.send(attempt.path),
    "a wrong path": lambda: attempt.send("/?" + urllib.parse.urlencode(good)),
    "a path below": lambda: attempt.send(f"{attempt.path}/x?" + urllib.parse.urlencode(good)),
    "a path in other words": lambda: attempt.send(f"/x/..{attempt.path}?" + urllib.parse.urlencode(good)),
    "the browser's icon": lambda: attempt.send("/favicon.ico"),
    "another Host": lambda: attempt.send(attempt.target(**good), host="attacker.example"),
    "another port in Host": lambda: attempt.send(attempt.target(**good), host="127.0.0.1:1"),
    "a name of this machine in Host": lambda: attempt.send(attempt.target(**good), host=f"localhost:{attempt.port}"),
    "two Hosts": lambda: attempt.send(attempt.target(**good), headers=["Host: attacker.example"]),
    "POST": lambda: attempt.send(attempt.target(**good), "POST", headers=["Content-Length: 0"]),
    "HEAD": lambda: attempt.send(attempt.target(**good), "HEAD"),
    "OPTIONS": lambda: attempt.send(attempt.target(**good), "OPTIONS"),
    "a method nobody knows": lambda: attempt.send(attempt.target(**good), "BREW"),
    "an image of a page": lambda: attempt.send(attempt.target(**good), headers=[*browser[:1], "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"]),
    "a script's fetch": lambda: attempt.send(attempt.target(**good), headers=[*browser, "Sec-Fetch-Mode: cors"]),
    "a frame": lambda: attempt.send(attempt.target(**good), headers=["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"]),
    "1 MB of head": lambda: attempt.send(attempt.target(**good), headers=["X: " + "y" * 1000] * 1000),
    "1 MB of address": lambda: attempt.send(attempt.target(code="x" * 1000000, state=wrong)),
    "1 MB of body": lambda: attempt.send(attempt.target(code="x", state=wrong), "POST", headers=["Content-Length: 1000000"], body=b"z" * 1000000),
    "no HTTP": lambda: attempt.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n"),
    "HTTP/0.9": lambda: attempt.raw(f"GET {attempt.target(**good)}\r\n\r\n".encode()),
    "NUL bytes": lambda: attempt.raw(b"GET " + attempt.path.encode() + b"\0?code=x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    "half a request": lambda: attempt.raw(f"GET {attempt.path}?code=x&sta".encode(), wait=0.5),
}
for name, forgery in forgeries.items():
    reply = forgery()
    status = status_of(reply)
    tap.ok(f"{name}: no answer to it, and the attempt goes on", attempt.waits() and reply is not None and status in (None, 400, 404, 405, 431),
           status, attempt.connecting.said())
    if attempt.state.encode() in (reply or b""):
        tap.ok(f"{name}: nothing of it comes back", False, reply)
tap.same("nobody asked for a token", fault.count(), 0)

# Slow ones, more of them than anybody can serve at once, all open while the real one comes.
held = []
for number in range(100):
    connection = socket.socket()
    connection.settimeout(5)
    connection.connect(("127.0.0.1", attempt.port))
    connection.sendall(f"GET {attempt.path}?code=x".encode()[:1 + number % 20])
    held.append(connection)
location = attempt.consent()
started = time.monotonic()
reply = attempt.send(location[location.index("/", 8):], headers=["Sec-Fetch-Mode: navigate", *browser])
done = attempt.connecting.wait()
tap.same("the real answer still succeeds, among 100 that never end", (status_of(reply), done.status), (200, 0), done, reply)
tap.ok("... at once", time.monotonic() - started < 5, time.monotonic() - started)
tap.same("... for one token request", fault.count(), 1)
head, _, body = (reply or b"").partition(b"\r\n\r\n")
tap.ok("its page has nothing of the answer", CANARY.encode() not in body and attempt.state.encode() not in body, body)
tap.ok("... and may load nothing", b"default-src 'none'" in head, head)
tap.ok("... and is not kept", re.search(rb"(?i)\r\ncache-control: no-store", head), head)
tap.same("nothing listens any more", attempt.raw(b"GET / HTTP/1.1\r\n\r\n"), None)
for connection in held:
    connection.close()

# An answer to this very attempt ends it, whatever it says.
attempt = Attempt("said-no")
attempt.send(attempt.target(error="access_denied", error_description=f"<b>{CANARY}</b>", state=attempt.state))
done = attempt.connecting.wait()
tap.ok("error= with the right state ends it, and is said by its code", done.status == 1 and "access_denied" in done.err, done)
attempt = Attempt("odd-error")
attempt.send(attempt.target(error=f"<b>{CANARY}</b>", state=attempt.state))
done = attempt.connecting.wait()
tap.ok("a code that is none is not repeated", done.status == 1 and "<b>" not in done.err, done)
attempt = Attempt("no-code")
attempt.send(attempt.target(state=attempt.state))
done = attempt.connecting.wait()
tap.same("the right state and no code is no account", (done.status, rig.account("fault:no-code")), (1, None), done)

# Mix-up (RFC 9207): a provider that says who it is in each answer, and answers of another and of none.
fault.set(iss=True)
for label, changes in (("iss-other", {"iss": "https://attacker.example"}), ("iss-none", {"iss": None})):
    attempt = Attempt(label, "--issuer", fault.origin)
    fault.forget()
    location = urllib.parse.urlsplit(attempt.consent())
    given = {**dict(urllib.parse.parse_qsl(location.query)), **changes}
    attempt.send(attempt.target(**{name: value for name, value in given.items() if value is not None}))
    done = attempt.connecting.wait()
    tap.same(f"{label}: an answer of another issuer is no answer, and its code goes nowhere", (done.status, fault.count()), (1, 0), done)
attempt = Attempt("iss-right", "--issuer", fault.origin)
location = attempt.consent()
attempt.send(location[location.index("/", 8):])
done = attempt.connecting.wait()
tap.same("one of the right issuer is taken", done.status, 0, done)
fault.set(iss=False)

# A port that somebody has.
busy = socket.socket()
busy.bind(("127.0.0.1", 0))
busy.listen()
port = busy.getsockname()[1]
done = rig.run("connect", "fault", "--no-browser", "--label", "busy", "--port", str(port))
tap.ok("a port that is taken is said", done.status == 1 and str(port) in done.err, done)
busy.close()
attempt = Attempt("port", "--port", str(port))
tap.same("... and used when it is free", attempt.port, port)
location = attempt.consent()
attempt.send(location[location.index("/", 8):])
tap.same("... by the real answer", attempt.connecting.wait().status, 0)
rig.finish(tap)
