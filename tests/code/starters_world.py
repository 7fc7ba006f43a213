"""What starters are tested against: what vault/catalog/README.md says of requests, worked out here from the JSON files and
not by stepvault; accounts whose values mean something to every language; and a server that holds what comes in to it."""

import base64
import collections
import glob
import http.server
import json
import os
import re
import socketserver
import ssl
import subprocess
import threading
import urllib.parse

CANARY = "c4n4ry"
CASE = re.compile(CANARY + r"(\d+)x")
# In a header only what is one; elsewhere anything.
HEADER_BYTES = "it's \"q\" $HOME `id` $(id) \\n %s%41 {x} #;&<|>+=/?@~"
ANY_BYTES = HEADER_BYTES + " é€😀\t\n'"
FITTING = ["host7.example.test", "acme-7", "host7", "https://place7.example.test/sub", "7", "77", "us7", "AC" + "0a" * 16, "SK" + "0b" * 16,
           "https://eu7.docusign.net", "https://accounts.zoho.eu", "abcdefghijklmnop7", "a.b", "ab7", "ab"]
REDIRECTED = "elsewhere.example.test"

Expected = collections.namedtuple("Expected", "method host path query headers absent body expect")


class Method:
    """One method of one app, and what its entry says."""

    def __init__(self, app, name):
        self.app, self.name, self.entry = app, name, app["methods"][name]
        self.slug = app["slug"]
        self.alias = ("_" if self.slug[0].isdigit() else "") + self.slug
        self.request = self.entry.get("request", {})
        self.test = self.entry.get("test") or self.entry.get("whoami")
        self.fields = dict(self.entry.get("fields", {}))
        if self.entry["kind"] == "oauth2" or "oauth" in self.entry:
            for field in ("oauth_access_token", "oauth_refresh_token", "oauth_client_id", "oauth_uid"):
                required = field == "oauth_access_token" and self.entry["kind"] == "oauth2"
                self.fields.setdefault(field, {"optional": not required})

    @property
    def address(self):
        url = self.test.get("url", "")
        return url if url and not url.startswith("/") else self.request["base"] + url

    def lacks_caller(self, template):
        return any(name in self.request.get("caller", {}) and "example" not in self.request["caller"][name]
                   for name in names(template))

    @property
    def prints(self):
        """What `code` does: an exit status."""
        if "signature" in self.request:
            return 1
        return 4 if self.test is None or self.lacks_caller(self.address) else 0

    def templates(self):
        """(where, template) of all that is sent."""
        yield "url", self.address
        for template in self.request.get("query", {}).values():
            yield "url", template
        for template in [*self.request.get("headers", {}).values(), *self.test.get("headers", {}).values()]:
            yield "header", template
        for template in self.request.get("basic", {}).values():
            yield "basic", template

    def optional(self, name):
        field = self.fields[name]
        return "default" not in field and (field.get("optional", False) or "from" in field)

    def properties(self, case, full):
        """An account: with all that can be there, or only what must be."""
        used = collections.defaultdict(set)
        for where, template in self.templates():
            for name in names(template):
                used[name].add(where)
        account = {}
        for name, field in self.fields.items():
            in_url = name in names(self.address)
            if name not in used or (not full and ("default" in field or (self.optional(name) and not in_url))):
                continue
            if "values" in field:
                account[name] = field["values"][-1]
            elif "pattern" in field:
                account[name] = next(text for text in FITTING if re.fullmatch(field["pattern"], text))
            else:
                account[name] = f"{CANARY}{case}x{name} " + (HEADER_BYTES if "header" in used[name] else ANY_BYTES)
        return account

    def fill(self, template, account):
        """None where something is not there."""
        filled = template
        for name in set(names(template)):
            value = account.get(name) or self.fields.get(name, {}).get("default")
            if value is None:
                value = self.request.get("caller", {}).get(name, {}).get("example")
            if value is None:
                return None
            filled = filled.replace("{" + name + "}", value.replace("{", "\x01"))
        return filled.replace("\x01", "{")

    def expected(self, account):
        address = self.address
        if address.startswith("{"):
            whole, _, rest = address.partition("}")
            address = self.fill(whole + "}", account) + rest
        begin, _, query = address.partition("?")
        host, _, path = begin.removeprefix("https://").partition("/")
        pairs = [tuple(urllib.parse.unquote(part) for part in pair.split("=")) for pair in query.split("&") if pair]
        pairs += [(name, self.fill(template, account)) for name, template in self.request.get("query", {}).items()]
        headers, absent = {}, []
        for name, template in {**{name.lower(): value for name, value in self.request.get("headers", {}).items()},
                               **{name.lower(): value for name, value in self.test.get("headers", {}).items()}}.items():
            value = self.fill(template, account)
            if value is None:
                absent.append(name)
            else:
                headers[name] = value
        if "basic" in self.request:
            pair = [self.fill(self.request["basic"][part], account) for part in ("user", "password")]
            if None in pair:
                absent.append("authorization")
            else:
                headers["authorization"] = "Basic " + base64.b64encode(":".join(pair).encode()).decode()
        if "body" in self.test:
            headers.setdefault("content-type", "application/json")
        else:
            absent += [] if "content-type" in headers else ["content-type"]
        return Expected(self.test["method"], self.fill(host, account).lower(),
                        [self.fill(urllib.parse.unquote(part), account) for part in path.split("/")],
                        sorted(pair for pair in pairs if pair[1] is not None), headers, absent, self.test.get("body"),
                        self.test.get("expect"))

    def variables(self, account):
        """As the delivery `env` names them."""
        return {re.sub("[^A-Z0-9]", "_", f"{self.alias}_{name}".upper()): value for name, value in account.items()}


def names(template):
    return re.findall(r"\{([^{}]+)\}", template)


def read_methods(*folders):
    found = []
    for path in sorted(path for folder in folders for path in glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            app = json.load(file)
        found += [Method(app, name) for name in app["methods"]]
    return found


def reply_of(case, expect):
    """What the account's working looks like."""
    reply = {}
    inner = reply
    for name in (expect or "").split(".")[:-1]:
        inner[name] = {}
        inner = inner[name]
    if expect:
        inner[expect.split(".")[-1]] = "works"
    return {**reply, "case": case}


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """`mode`: answer, refuse (401), redirect (to another host) or empty (200, and {})."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, certificate, key):
        super().__init__(("127.0.0.1", 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.mode, self.cases, self.wrong, self.leaks = "answer", {}, {}, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self):
        self.request.settimeout(30)
        self.request.do_handshake()
        super().setup()

    def log_message(self, *_):
        pass

    def compare(self, expected, body):
        path, _, query = self.path.partition("?")
        pairs = [pair.partition("=") for pair in query.split("&") if pair]
        actual = {"method": self.command, "host": self.headers["Host"].lower(),
                  "path": [urllib.parse.unquote(part) for part in path[1:].split("/")],
                  "query": sorted((urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(value)) for name, _, value in pairs)}
        wrong = [f"{name}: {value!r}, not {getattr(expected, name)!r}" for name, value in actual.items() if value != getattr(expected, name)]
        wrong += [f"{name}: {self.headers.get_all(name)!r}, not {value!r}" for name, value in expected.headers.items()
                  if self.headers.get_all(name) != [value]]
        wrong += [f"{name} is sent" for name in expected.absent if name in self.headers]
        if (json.loads(body) if body else None) != expected.body:
            wrong.append(f"body: {body!r}")
        return wrong

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = urllib.parse.unquote(self.path) + "".join(self.headers.values())
        if self.headers.get("Authorization", "").startswith("Basic "):
            said += base64.b64decode(self.headers["Authorization"][6:]).decode("utf-8", "replace")
        case = int(CASE.search(said).group(1)) if CASE.search(said) else None
        status, reply, location = 200, {}, None
        if self.headers["Host"] == REDIRECTED:
            self.server.leaks += 1
        elif self.server.mode == "answer":
            expected = self.server.cases.get(case)
            wrong = self.compare(expected, body) if expected else ["of no case: " + said]
            if wrong:
                self.server.wrong.setdefault(case, []).extend(wrong)
            status, reply = (400, {}) if wrong else (200, reply_of(case, expected.expect))
        elif self.server.mode == "refuse":
            status, reply = 401, {"error": said}
        elif self.server.mode == "redirect":
            status, location = 302, f"https://{REDIRECTED}/"
        text = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(text)
        self.close_connection = True

    do_GET = do_POST = answer


def make_certificates(folder, hosts):
    """ca.pem, and server.pem with server.key for all hosts."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    with open(os.path.join(folder, "names.cnf"), "w", encoding="utf-8") as file:
        file.write("basicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\nsubjectAltName=" + ",".join("DNS:" + host for host in hosts) + "\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=starters' CA", "-days", "2",
            "-addext", "keyUsage=keyCertSign")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=starters")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7", "-days", "2",
            "-extfile", "names.cnf", "-out", "server.pem")
