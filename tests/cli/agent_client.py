"""A Varlink client of the agent for the tests: plain sockets, so that it can also break the rules."""

import atexit
import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

INTERFACE = "io.stepvault.Agent."
SERVICE = "org.varlink.service."

# Agents keep their pins in the state folder, which for root would be the machine's.
if "XDG_STATE_HOME" not in os.environ:
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="stepvault-state-")
    atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)


def program():
    return os.path.join(os.path.abspath(os.environ.get("BUILD", "build")), "bin/stepvault-agent")


def slot_id(number):
    return f"{number:02x}" * 16


def machine_slot(key, number=1):
    """A NewSlot of a key file."""
    return {"id": slot_id(number), "kind": "machine", "memory_kib": 0, "passes": 0, "lanes": 0, "salt": "00" * 16,
            "created": "2026-01-02T03:04:05.000Z", "key": base64.b64encode(key).decode()}


def slot_key(key, number=None):
    value = {"key": base64.b64encode(key).decode()}
    if number is not None:
        value["slot"] = slot_id(number)
    return value


class Closed(Exception):
    """The agent has closed the connection."""


class Client:
    def __init__(self, stream, vault):
        self.stream = stream
        self.vault = vault
        self.stream.settimeout(20)
        self.pending = b""

    def send(self, message):
        self.stream.sendall(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.pending:
            part = self.stream.recv(1 << 16)
            if not part:
                raise Closed()
            self.pending += part
        frame, self.pending = self.pending.split(b"\0", 1)
        return json.loads(frame)

    def request(self, method, envelope=None, **parameters):
        if "." not in method:
            parameters.setdefault("vault", self.vault)
            method = INTERFACE + method
        return {"method": method, "parameters": parameters, **(envelope or {})}

    def call(self, method, **parameters):
        self.send(self.request(method, **parameters))
        return self.receive()

    def many(self, method, **parameters):
        """All replies of a `more` call."""
        self.send(self.request(method, {"more": True}, **parameters))
        replies = [self.receive()]
        while replies[-1].get("continues"):
            replies.append(self.receive())
        return replies

    def leaves(self, **filters):
        """The lines of the log, parsed, oldest first."""
        return [json.loads(leaf["line"]) for reply in self.many("ReadLog", **filters)
                for leaf in reply["parameters"]["leaves"]]

    def close(self):
        self.stream.close()


def error(reply):
    """The last word of the reply's error, or None."""
    return reply["error"].rsplit(".", 1)[1] if "error" in reply else None


class Agent:
    """A running agent with a socket in a folder of its own."""

    def __init__(self, folder, vault=None, arguments=(), prefix=(), environment=None):
        self.vault = vault or os.path.join(folder, "vault/vault.db")
        self.socket = os.path.join(folder, "run/agent.sock")
        self.process = subprocess.Popen([*prefix, program(), "--vault", self.vault, "--socket", self.socket, *arguments],
                                        stdin=subprocess.DEVNULL, env=environment)
        deadline = time.monotonic() + 20
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the agent did not start: {self.process.poll()}")
            time.sleep(0.01)

    def answers(self):
        try:
            self.connect().close()
            return True
        except OSError:
            return False

    def connect(self, vault=None):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.connect(self.socket)
        return Client(stream, vault or self.vault)

    def wait(self, seconds=20):
        return self.process.wait(seconds)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(20)


def connected(vault, arguments=(), **options):
    """A one-command agent at the other end of a socket pair: (process, client)."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([program(), "--vault", vault, "--connection", str(theirs.fileno()), *arguments],
                               stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], **options)
    theirs.close()
    return process, Client(ours, vault)
