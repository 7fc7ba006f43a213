"""An agent with a fake helper beside it (fake_helper.py), an open vault, and accounts that were connected by it. For the
tests of what the agent does with helpers; what the real helper does is tested with providers of others."""

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
sys.path.insert(0, os.path.join(ROOT, "tests/cli"))

from agent_client import Agent, Client, Closed, connected, error, machine_slot, slot_key  # noqa: E402,F401
from checks import check, is_, run_tests  # noqa: E402,F401

KEY = bytes(range(32))
PROVIDER = '{"slug":"slack"}'
FRESH = 3600000


def until(condition, what, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < deadline, what)
        time.sleep(0.02)


class World:
    """One vault with its agent, and what the fake helper reads and writes."""

    def __init__(self, folder):
        self.folder = folder
        self.bin = os.path.join(folder, "build/bin")
        os.makedirs(self.bin)
        shutil.copy(os.path.join(BUILD, "bin/stepvault-agent"), self.bin)
        shutil.copy(os.path.join(BUILD, "tests/oauth/fake_helper"), os.path.join(self.bin, "stepvault-oauth"))
        shutil.copy(os.path.join(HERE, "fake_helper.py"), os.path.join(self.bin, "stepvault-oauth.py"))
        os.environ["BUILD"] = os.path.join(folder, "build")
        self.agent = None
        self.client = None

    # ---- the fake helper ----

    def set(self, **files):
        for name, text in files.items():
            with open(os.path.join(self.bin, name + ".new"), "w", encoding="utf-8") as file:
                file.write(str(text))
            os.rename(os.path.join(self.bin, name + ".new"), os.path.join(self.bin, name))

    def behave(self, behaviour):
        self.set(behaviour=behaviour)

    def release(self):
        self.set(go="")

    def jobs(self, kind=None):
        try:
            with open(os.path.join(self.bin, "jobs"), encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
        except FileNotFoundError:
            return []
        return [line for line in lines if kind is None or line.get("job") == kind]

    def refreshes(self):
        return len(self.jobs("refresh"))

    def until_asked(self, count=1):
        """Waits for so many helpers that renew."""
        until(lambda: self.refreshes() == count, "no helper was started")

    def until_rotated(self):
        """Waits for the helper that behaves so to have new tokens."""
        until(lambda: self.jobs() and "rotated" in self.jobs()[-1], "nothing was rotated")

    # ---- the agent ----

    def start(self):
        self.agent = Agent(self.folder)
        self.client = self.agent.connect()

    def open(self):
        self.start()
        self.ask("Unlock", slot_key=slot_key(KEY))

    def found(self):
        """A new vault, with a client registered."""
        self.start()
        self.ask("Initialize", slots=[machine_slot(KEY)])
        self.ask("AddClient", app="slack", client_id="the-id", client_secret="the-s3cret")

    def ask(self, method, **parameters):
        """The reply's parameters; an error is one of the test."""
        reply = self.client.call(method, **parameters)
        check("error" not in reply, f"{method}: {reply}")
        return reply["parameters"]

    def send(self, method, *flags, **parameters):
        """A call whose reply is not waited for; returns its connection."""
        client = self.agent.connect()
        client.send(client.request(method, *flags, **parameters))
        return client

    def until_closing(self):
        """Waits for it to be locked to new calls."""
        until(lambda: error(self.client.call("Project", step="/")) == "Locked", "new calls are served")

    def connect_account(self, name, step=None, lifetime=FRESH, due=None, client=None, refresh_token="rt-c4n4ry", **more):
        """An account of Slack, bound at a step of its own. `lifetime` and `due` in milliseconds."""
        client = client or self.client
        self.set(lifetime=lifetime, due=lifetime * 3 // 4 if due is None else due)
        replies = client.many("Connect", app="slack", provider=PROVIDER, flow="import",
                              properties={"oauth_uid": name, **({"oauth_refresh_token": refresh_token} if refresh_token else {})}, **more)
        check("error" not in replies[-1], replies)
        kept = client.call("KeepAccount", label=name, **more)
        check("error" not in kept, kept)
        step = step or f"steps/{name}"
        check("error" not in client.call("AddStep", path=step, **more), "AddStep")
        bound = client.call("Bind", path=step, account=f"slack:{name}", alias=f"slack_{name}", **more)
        check("error" not in bound, bound)
        self.set(lifetime=FRESH, due=FRESH * 3 // 4)

    def connect_expired(self, name, **more):
        """One whose token has ended."""
        self.connect_account(name, lifetime=1, due=0, **more)
        time.sleep(0.01)

    def token(self, name, client=None, **parameters):
        """The access token that the step of the account gets, without its secret part; or the error's name."""
        return shorten(name, (client or self.client).call("Project", step=f"steps/{name}", deliver=["auths"], **parameters))

    def account(self, name):
        return self.ask("ShowAccount", account=f"slack:{name}")["account"]

    def limit_files(self, full):
        """A disk that is full, as far as the agent can tell."""
        hard = resource.prlimit(self.agent.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.agent.process.pid, resource.RLIMIT_FSIZE, (1 if full else hard, hard))

    def kill(self):
        self.agent.process.kill()
        self.agent.process.wait()

    def restart(self):
        if self.agent.process.poll() is None:
            self.client.call("Lock")
            self.agent.wait()
        self.open()

    def end(self):
        if self.agent is not None and self.agent.process.poll() is None:
            self.kill()
        for job in self.jobs():
            with contextlib.suppress(ProcessLookupError):
                if "job" in job and is_helper(job["pid"], self.bin):
                    os.kill(job["pid"], signal.SIGKILL)


def is_helper(pid, folder):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return os.fsencode(folder) in file.read()
    except OSError:
        return False


def shorten(name, reply):
    if "error" in reply:
        return error(reply)
    return reply["parameters"]["auths"][f"slack_{name}"]["oauth_access_token"].replace("-c4n4ry", "")


class Call(threading.Thread):
    """A projection on a connection of its own, which may wait."""

    def __init__(self, world, name, **parameters):
        super().__init__(daemon=True)
        self.client = world.agent.connect()
        self.client.stream.settimeout(100)
        self.request = self.client.request("Project", step=f"steps/{name}", deliver=["auths"], **parameters)
        self.name_ = name
        self.result = None
        self.seconds = None
        self.start()

    def run(self):
        begun = time.monotonic()
        try:
            self.client.send(self.request)
            self.result = shorten(self.name_, self.client.receive())
        except (Closed, OSError) as broken:
            self.result = type(broken).__name__
        self.seconds = time.monotonic() - begun
        self.client.close()

    def wait(self, seconds=60):
        self.join(seconds)
        check(not self.is_alive(), "a call is still waiting")
        return self.result


@contextlib.contextmanager
def founded():
    folder = tempfile.mkdtemp(prefix="oauth-agent-", dir=os.environ.get("TMPDIR"))
    world = World(folder)
    try:
        world.found()
        yield world
    finally:
        world.end()
        shutil.rmtree(folder, ignore_errors=True)
