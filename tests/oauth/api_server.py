"""An API that the tests of `stepvault request` ask: it notes what comes, and answers by path. Runs in the test's own
process, so that what was in the log when a request came can be looked at from here.

/echo says what came; /status/N answers with N; what the others do stands in ANSWERS.
"""

import base64
import contextlib
import gzip
import json
import os
import socket
import ssl
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BINARY = bytes(range(256)) * 300
TEXT = "gr\u00fc\u00dfe " * 1000
LARGE = 70 * 1024 * 1024
CHUNK = os.urandom(1024 * 1024)


def compress_zeros(size):
    """A gzip file of that many zeros, which is a thousandth of them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(bytes(1024 * 1024)) for _ in range(size // (1024 * 1024))]
    return b"".join(parts) + packer.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, body):
        api = self.server.api
        request = {"method": self.command, "path": self.path, "headers": self.headers,
                   "body": body}
        if api.look is not None:
            request["seen"] = api.look()
        with api.lock:
            api.requests.append(request)
        return request

    def answer(self, body, status=200, kind="application/octet-stream", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = self.note(body)
        name = self.path.split("?")[0].rsplit("/", 1)[-1]
        if self.headers.get("Authorization") in self.server.api.refused:
            return self.answer(b'{"error":"expired"}', 401, WWW_Authenticate=f'Bearer error="{self.headers["Authorization"]}"')
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            if "/status/" in self.path:
                return self.answer(b"a body all the same", int(name))
            return getattr(self, "do_" + name, self.do_echo)(request)
        self.close_connection = True
        self.server.api.broken.set()
        return None

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve

    def do_echo(self, request):
        said = {"method": request["method"], "path": request["path"], "headers": dict(self.headers.items()),
                "body": base64.b64encode(request["body"]).decode()}
        self.answer(json.dumps(said).encode(), kind="application/json")

    def do_binary(self, _):
        self.answer(BINARY)

    def do_packed(self, _):
        self.answer(gzip.compress(TEXT.encode()), kind="text/plain; charset=utf-8", Content_Encoding="gzip")

    def do_twice(self, _):
        self.send_response(200)
        for value in ("a=1", "b=2"):
            self.send_header("Set-Cookie", value)
        self.send_header("X-Name", "gr\u00fc\u00dfe")
        self.send_header("X-Control", "a\x9bb\x1bc")
        self.send_header("X-Control", "a\xc2\x9bb\xc3\x9b")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_many(self, _):
        self.answer(b"ok", **{f"X-{number}": "y" for number in range(600)})

    def do_long(self, _):
        self.answer(b"ok", X_Long="y" * 60000, X_Longer="y" * 60000)

    def do_away(self, _):
        self.answer(b"elsewhere", 302, Location="https://elsewhere.example/")

    def do_large(self, _):
        self.send_response(200)
        self.send_header("Content-Length", str(LARGE))
        self.end_headers()
        for _ in range(LARGE // len(CHUNK)):
            self.wfile.write(CHUNK)

    def do_whole(self, _):
        self.send_response(200)
        self.send_header("Content-Length", str(60 * len(CHUNK)))
        self.end_headers()
        for _ in range(60):
            self.wfile.write(CHUNK)

    def do_bomb(self, _):
        self.answer(compress_zeros(300 * 1024 * 1024), Content_Encoding="gzip")

    def do_cut(self, _):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_slow(self, _):
        """The rest of it comes when the test has had enough of waiting."""
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"s")
        self.wfile.flush()
        self.server.api.enough.wait(60)
        self.wfile.write(b"lowly")

    def do_stall(self, _):
        """Begins, and goes on until nobody listens any more."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.server.api.begun.set()
        while not self.server.api.enough.is_set():
            self.wfile.write(b"1\r\n.\r\n")
            self.wfile.flush()
            time.sleep(0.05)
        self.wfile.write(b"0\r\n\r\n")


class Api:
    """`look` is called when a request has come, and what it gives is kept with it."""

    def __init__(self, certificate=None):
        self.lock = threading.Lock()
        self.look = None
        self.forget()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.api = self
        self.server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.origin = ("https://" if certificate is not None else "http://") + self.host
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forget(self):
        self.requests = []
        self.refused = set()
        self.begun = threading.Event()
        self.enough = threading.Event()
        self.broken = threading.Event()
