"""What the suites of the helper's flows share: provider documents, and runs of stepvault-oauth by its lines."""

import json
import os
import re
import select
import socket
import subprocess
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

from rig import BIN, redirect_of


def provider_document(origin, fields=None, request=None, **facts):
    """A provider document that leads to a server of the tests; a fact that is None is left out."""
    oauth = {"loopback": True, "authorize_url": f"{origin}/authorize", "token_url": f"{origin}/token",
             "device_url": f"{origin}/device", "grants": ["authorization_code", "device_code"], "client_auth": "body",
             "redirect_ports": "any", **facts}
    method = {"kind": "oauth2", "title": "OAuth", **({"fields": fields} if fields else {}),
              "request": request or {"base": origin, "headers": {"Authorization": "Bearer {oauth_access_token}"}},
              "test": {"method": "GET", "url": "/me", "id": "id", "name": "name"},
              "oauth": {name: value for name, value in oauth.items() if value is not None}}
    return json.dumps({"slug": "it", "title": "It", "methods": {"oauth": method}})


class Helper:
    """A run of the helper, with a job to connect."""

    noise = []                   # of all runs: ends that were not well, and what stood on the standard error

    def __init__(self, document, flow="browser", client=None, early=None, **members):
        self.process = subprocess.Popen([BIN + "/stepvault-oauth"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"})
        self.pending = b""
        self.lines = []
        job = {"job": "connect", "provider": document, "client": client or {"id": "public"}, "flow": flow, **members}
        self.say(job, *([early] if early else []))

    def say(self, *values):
        """A line for each value, all at once."""
        try:
            self.process.stdin.write(b"".join(json.dumps(value).encode() + b"\n" for value in values))
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def paste(self, url):
        self.say({"url": url})

    def hear(self, seconds=20):
        """The next line; None if there is none in time."""
        end = time.monotonic() + seconds
        while b"\n" not in self.pending:
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                return None
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                return None
            self.pending += part
        line, self.pending = self.pending.split(b"\n", 1)
        self.lines.append(line.decode())
        return json.loads(line)

    def opened(self):
        """The notice to open an address, taken apart."""
        notice = self.hear()
        if notice is None or notice.get("notice") != "open":
            raise AssertionError(f"no address to open: {notice} {self.end()}")
        self.url, self.uri, self.port = notice["url"], notice["redirect_uri"], notice.get("port")
        self.asked = dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))
        self.path = urlsplit(self.uri).path
        self.state = self.asked["state"]
        return self

    def consent(self):
        """Where the provider sends the browser."""
        return redirect_of(self.url)

    def target(self, **parameters):
        return f"{self.path}?{urlencode(parameters)}"

    def back(self):
        """The right answer as a browser asks for it."""
        location = self.consent()
        return location[location.index("/", 8):]

    def send(self, target, headers=(), method="GET", host=None, body=b"", family=socket.AF_INET, timeout=10):
        """What comes back for a request, until it is over."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host or urlsplit(self.uri).netloc}", *headers]
        return self.raw(("\r\n".join(lines) + "\r\n\r\n").encode() + body, family, timeout)

    def raw(self, data, family=socket.AF_INET, timeout=10):
        got = b""
        try:
            with socket.socket(family) as connection:
                connection.settimeout(timeout)
                connection.connect(("127.0.0.1" if family == socket.AF_INET else "::1", self.port))
                connection.sendall(data)
                while not complete(got) and (part := connection.recv(65536)):
                    got += part
        except OSError:
            pass
        return got

    def end(self, seconds=20):
        """The answer; the process has ended well then, and said nothing else."""
        answer = None
        while (line := self.hear(seconds)) is not None:
            answer = line
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        said = self.process.stderr.read().decode()
        if status != 0 or said:
            Helper.noise.append(f"status {status}: {said}")
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except OSError:
                pass
        return answer or {}


def complete(reply):
    head, separator, body = reply.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(separator) and length is not None and len(body) >= int(length[1])


def status_of(reply):
    match = re.match(rb"HTTP/1\.1 (\d+)", reply)
    return int(match[1]) if match else None
