"""What the suites of OAuth share: a vault of their own with the real programs, the servers, entries of the catalogue
that point at them, and TAP.

Every token, code and secret of the servers has the CANARY in it. No program of ours may ever say it: `Rig.run` notes
each time one does where it was not asked for (`prints=True`), and `finish` fails on it.
"""

import atexit
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(os.path.abspath(os.environ.get("BUILD", os.path.join(HERE, "../../build"))), "bin")
LONG = os.environ.get("LONG") == "1"
CANARY = "c4n4ry"
SECRET = f"s:e/c+r%t {CANARY}"      # of op.mjs's clients: it must be form-encoded, in Basic too
PASSPHRASE = "correct horse battery staple"
TOKEN = "OAUTH_ACCESS_TOKEN"
ADDRESS = re.compile(r"https?://[^\s\"'<>]+")


class Tap:
    """Counts tests and says them."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, name, good, *why):
        self.count += 1
        self.failed += not good
        print(f"{'' if good else 'not '}ok {self.count} - {name}", flush=True)
        if not good:
            for line in why:
                print("# " + str(line)[:1500].replace("\n", "\n#   "), flush=True)
        return good

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def same(self, name, got, wanted, *why):
        return self.ok(name, got == wanted, f"got {got!r}", f"want {wanted!r}", *why)

    def finish(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)


class Done:
    """What a program did."""

    def __init__(self, words, status, out, err):
        self.words = words
        self.status = status
        self.out = out
        self.err = err

    def __str__(self):
        return f"{' '.join(self.words)}: status {self.status}\nstdout: {self.out[-600:]}\nstderr: {self.err[-900:]}"


class Web:
    """A server of the tests, and what it is told and asked."""

    def __init__(self, command, folder, scheme="http"):
        self.process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                        stderr=open(os.path.join(folder, "server.err"), "ab"), text=True)
        line = self.process.stdout.readline()
        if not line.startswith("port "):
            raise SystemExit(f"{command[0]} did not start: {line!r}")
        self.origin = f"{scheme}://127.0.0.1:{line.split()[1]}"
        trusting = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), trusting)

    def ask(self, path, value=None):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.origin + path, data, {"Content-Type": "application/json"})
        with self.opener.open(request, timeout=30) as reply:
            return json.loads(reply.read())

    def set(self, **settings):
        return self.ask("/control", settings)

    def script(self, *replies, path="/token"):
        self.ask("/control/script", {"path": path, "replies": list(replies)})

    def forget(self):
        self.ask("/control/forget", {})

    def end(self):
        self.ask("/control/end", {})

    def grant(self, user="alice"):
        """A refresh token as if it had been got elsewhere."""
        return self.ask("/control/grant", {"user": user})["refresh"]

    def requests(self, path=None):
        return self.ask("/control/requests" + (f"?path={path}" if path else ""))

    def count(self):
        """Token requests since `forget`."""
        return self.ask("/control/count?path=/token")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Connecting:
    """A `stepvault connect` that is under way."""

    def __init__(self, rig, words, terminal=False, **changes):
        self.rig = rig
        self.words = words
        self.terminal, inside = os.openpty() if terminal else (None, subprocess.PIPE)
        self.process = subprocess.Popen([BIN + "/stepvault", *words], env={**rig.environment, **changes}, stdin=inside,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=rig.work,
                                        start_new_session=terminal, preexec_fn=self.take_terminal if terminal else None)
        if terminal:
            os.close(inside)
        self.text = {"out": b"", "err": b""}
        self.threads = [threading.Thread(target=self.read, args=(name, pipe), daemon=True)
                        for name, pipe in (("out", self.process.stdout), ("err", self.process.stderr))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self, name, pipe):
        while part := os.read(pipe.fileno(), 65536):
            self.text[name] += part

    def said(self):
        return (self.text["out"] + self.text["err"]).decode("utf-8", "replace")

    def await_text(self, pattern, seconds=20):
        """The match of a pattern in what was said so far; None if it never comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended = self.process.poll() is not None
            if ended:
                for thread in self.threads:
                    thread.join(5)
            match = re.search(pattern, self.said())
            if match or ended:
                return match
            time.sleep(0.02)
        return None

    def address(self, origin):
        """The first address at a server that it printed, whole."""
        match = self.await_text(re.escape(origin) + r"[^\s\"'<>]*(?=\s)")
        if match is None:
            raise AssertionError(f"no address at {origin} was printed: {self.said()}")
        return match[0]

    def type(self, line):
        if self.terminal is not None:
            os.write(self.terminal, line.encode() + b"\n")
            return
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def close_input(self):
        with contextlib.suppress(OSError):
            if self.terminal is None:
                self.process.stdin.close()
            else:
                os.close(self.terminal)

    def wait(self, seconds=60):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        for thread in self.threads:
            thread.join(5)
        self.close_input()
        return self.rig.note(Done(self.words, status, *(self.text[name].decode("utf-8", "replace") for name in ("out", "err"))))


class Rig:
    """A scratch folder with a vault that is open, and what is done with it."""

    def __init__(self):
        self.scratch = os.path.realpath(tempfile.mkdtemp(prefix="oauth-"))
        self.work = self.folder("work")
        self.vault = self.folder("data") + "/vault.db"
        self.apps = self.folder("config/stepvault/apps")
        self.leaks = []
        self.silent = []
        self.servers = []
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("STEPVAULT_", "XDG_", "CREDENTIALS_", "SSH_", "LC_")) and
                name not in ("WAYLAND_DISPLAY", "BROWSER") and "proxy" not in name.lower()}
        self.environment = {**kept, "HOME": self.folder("home"), "XDG_RUNTIME_DIR": self.folder("run"),
                            "XDG_STATE_HOME": self.folder("state"), "XDG_CONFIG_HOME": self.scratch + "/config",
                            "STEPVAULT_VAULT": self.vault, "LC_ALL": "C.UTF-8", "DISPLAY": ":99",
                            "PATH": BIN + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        atexit.register(self.close)
        self.with_passphrase("init", "--no-recovery", "--kdf-time", "0")

    def folder(self, name):
        path = f"{self.scratch}/{name}"
        os.makedirs(path, 0o700)
        return path

    # ---- our programs ----

    def note(self, done, prints=False):
        for name, text in (("stdout", done.out), ("stderr", done.err)):
            if CANARY in text and not (prints and name == "stdout"):
                self.leaks.append(f"{' '.join(done.words)}: {name}: {text[-700:]}")
        if re.search(r"the helper (gave|ended)|helper's answer|stepvault-oauth did not", done.err):
            self.silent.append(str(done))
        return done

    def run(self, *words, text=None, prints=False, seconds=100, **changes):
        """`stepvault WORDS`; with `prints` a secret on its stdout is what was asked for."""
        done = subprocess.run([BIN + "/stepvault", *words], env={**self.environment, **changes}, cwd=self.work,
                              input=text, capture_output=True, text=True, timeout=seconds, check=False)
        return self.note(Done(words, done.returncode, done.stdout, done.stderr), prints)

    def json(self, *words, **more):
        done = self.run(*words, **more)
        if done.status != 0:
            raise AssertionError(str(done))
        return json.loads(done.out)

    def with_passphrase(self, *words):
        read, write = os.pipe()
        os.write(write, PASSPHRASE.encode() + b"\n")
        os.close(write)
        done = subprocess.run([BIN + "/stepvault", *words, "--passphrase-fd", str(read)], env=self.environment,
                              pass_fds=[read], capture_output=True, text=True, timeout=100, check=False)
        os.close(read)
        if done.returncode != 0:
            raise AssertionError(f"{words}: {done.stderr}")
        return done.stdout + done.stderr

    def unlock(self):
        return self.with_passphrase("unlock")

    def start(self, *words, **more):
        return Connecting(self, words, **more)

    def agent(self):
        """The agent's process id."""
        return json.loads(self.run("status", "--json").out)["pid"]

    def agents(self):
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{entry}/cmdline", "rb") as file:
                if file.read().startswith(f"stepvault-agent\0--vault\0{self.scratch}/".encode()):
                    found.append(int(entry))
        return found

    def kill_agents(self, *processes):
        """kill -9 of the agent (without a process: of whatever runs), until nothing of it is left but helpers."""
        for process in processes or self.agents():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        while self.agents():
            time.sleep(0.01)

    def token(self, step, alias, seconds=100):
        """(exit status, the access token that a step is given, stderr)."""
        done = self.run("run", step, "--", "printenv", f"{alias.upper()}_{TOKEN}", prints=True, seconds=seconds)
        return done.status, done.out.strip(), done.err

    def account(self, name):
        """The account as `account list` has it; None if there is none. `app` or `app:label`, or the id."""
        accounts = self.json("account", "list", "--json")
        accounts = accounts["accounts"] if isinstance(accounts, dict) else accounts
        for account in accounts:
            if name in (account["id"], f"{account['app']}:{account['label']}", account["app"]):
                return account
        return None

    def health(self, name):
        return (self.account(name) or {}).get("health", "").replace("_", " ")

    def leaves(self):
        """Every entry of the log, as the vault tells it."""
        return [json.loads(line) for line in self.run("audit", "log", "--json").out.splitlines()]

    # ---- servers and apps ----

    def fault(self, *options):
        scheme = "https" if "--certificate" in options else "http"
        self.servers.append(Web(["/usr/bin/python3", "fault_server.py", *options], self.scratch, scheme))
        return self.servers[-1]

    def make_certificate(self):
        """A PEM file for a server of https, which nobody trusts yet."""
        pem = self.scratch + "/server.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", pem, "-out", pem + ".certificate"], capture_output=True, check=True)
        with open(pem, "a", encoding="ascii") as both, open(pem + ".certificate", encoding="ascii") as certificate:
            both.write(certificate.read())
        return pem

    def trust_certificate(self, pem):
        """A new agent, and with it its helpers, trusts that and nothing else."""
        self.run("lock")
        self.kill_agents()
        self.environment["SSL_CERT_FILE"] = pem + ".certificate"
        self.unlock()

    def op(self):
        self.servers.append(Web(["node", "op.mjs"], self.scratch))
        return self.servers[-1]

    def app(self, slug, origin, test="/me", **oauth):
        """An entry of the user's own: an app whose provider is one of ours."""
        facts = {"loopback": True, "authorize_url": f"{origin}/authorize", "token_url": f"{origin}/token",
                 "device_url": f"{origin}/device", "revoke_url": f"{origin}/revoke",
                 "grants": ["authorization_code", "device_code", "client_credentials"], "client_auth": "none",
                 "pkce": "required", "redirect_ports": "any", **oauth}
        entry = {"slug": slug, "title": f"The app {slug} of a test", "methods": {"oauth": {
            "kind": "oauth2", "title": "OAuth",
            "request": {"base": origin, "headers": {"Authorization": "Bearer {oauth_access_token}"}},
            "test": {"method": "GET", "url": test, "id": "id", "name": "name"},
            "oauth": {name: value for name, value in facts.items() if value is not None}}}}
        with open(f"{self.apps}/{slug}.json", "w", encoding="utf-8") as file:
            json.dump(entry, file)

    def op_app(self, slug, origin, **oauth):
        """An app at op.mjs, which has other addresses."""
        self.app(slug, origin, **{"authorize_url": f"{origin}/auth", "device_url": f"{origin}/device/auth",
                                  "revoke_url": f"{origin}/token/revocation",
                                  "scopes": ["offline_access", "openid"],
                                  "authorize_params": {"prompt": "consent"}, **oauth})

    def client(self, app, client_id, secret=None, *options):
        """Registers the client; the secret is typed."""
        return self.run("client", "add", app, "--client-id", client_id, *(["--public"] if secret is None else []), *options,
                        text="" if secret is None else secret + "\n")

    def imported(self, app, refresh_token, *options):
        """Connects with a refresh token that is there already."""
        return self.run("connect", app, "--import", *options, text=refresh_token + "\n")

    def bound(self, step, account):
        done = self.run("bind", step, account)
        if done.status != 0:
            raise AssertionError(str(done))

    # ---- the end ----

    def finish(self, tap):
        tap.ok("no secret of an account was in anything that a program said", not self.leaks, *self.leaks[:5])
        tap.ok("no helper ended without an answer", not self.silent, *self.silent[:5])
        done = self.run("audit", "verify")
        tap.ok("the log and every row verify", done.status == 0, done)
        tap.finish()

    def close(self):
        for server in self.servers:
            server.stop()
        self.servers = []
        self.kill_agents()
        shutil.rmtree(self.scratch, ignore_errors=True)


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def redirect_of(url):
    """Where the provider sends the browser from its page."""
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay).open(url, timeout=10)
    except urllib.error.HTTPError as redirect:
        return redirect.headers["Location"]
    raise AssertionError("no redirect")


def person(url, *options):
    """Somebody without a browser does what the pages of op.mjs ask; the address that it ended on."""
    done = subprocess.run(["/usr/bin/python3", HERE + "/person.py", url, *options], capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout.strip()


def eventually(condition, seconds=10):
    """Whether a condition holds before the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
