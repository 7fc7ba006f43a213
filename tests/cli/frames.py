#!/usr/bin/python3
"""Sends an agent what no client of ours sends: frames.py SOCKET VAULT WHAT [COMMAND...]. Prints what came of it.

WHAT is a name in the table at the end. With `idle` and `slow` the COMMAND runs while the bad clients are there, and its exit
status is printed.
"""

import json
import resource
import socket
import subprocess
import sys
import time

LIMIT = 256 * 1024
IDLE_CLIENTS = 1000


def connect():
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.settimeout(60)
    stream.connect(sys.argv[1])
    return stream


def answer(stream):
    """The error's last word, `ok`, or `closed`."""
    text = b""
    try:
        while b"\0" not in text:
            part = stream.recv(65536)
            if not part:
                return "closed"
            text += part
    except ConnectionError:
        return "closed"
    reply = json.loads(text.split(b"\0")[0])
    return reply["error"].rsplit(".", 1)[1] if "error" in reply else "ok"


def exchange(data, end=False):
    with connect() as stream:
        try:
            stream.sendall(data)
        except ConnectionError:
            pass
        if end:
            stream.shutdown(socket.SHUT_WR)
        return answer(stream)


def call(method, more="", **parameters):
    parameters.setdefault("vault", sys.argv[2])
    return (json.dumps({"method": "io.stepvault.Agent." + method, "parameters": parameters})[:-1] + more + "}").encode() + b"\0"


def set_text(value):
    return call("SetVariable", path="/", name="FRAME", value=value)


def many(frames):
    return " ".join(exchange(frame) for frame in frames)


def malformed():
    whole = call("Status")
    return many([b"\0", b"nonsense\0", b"[]\0", b"null\0", b"{}\0", b'{"method":1}\0', whole[:-2] + b"\0",
                 whole[:-1] + b" x\0", b"\xff" + whole, whole.replace(b"Status", b"Sta\xfftus"),
                 b'{"method":' + b"[" * 100000 + b"]" * 100000 + b"}\0",
                 b'{"method":"io.stepvault.Agent.Status","parameters":' + b'{"a":' * 20000 + b"1" + b"}" * 20000 + b"}\0"])


def wrong():
    return many([call("NoSuchMethod"), b'{"method":"no.such.Interface.Method"}\0', b'{"method":"Status"}\0',
                 call("Status", unknown=1), call("Status", vault=7), call("SetVariable", path="/"),
                 call("SetVariable", path="/", name="X", value=7), call("ReadLog"),
                 call("Project", step="/", deliver="env"), call("SetVariable", path="/", name="X", value_base64="***"),
                 call("SetVariable", path="/", name="X", value="a", value_base64="YQ=="),
                 call("Unlock", lifetime=-1), call("Unlock", lifetime=10 ** 18),
                 call("AddSlot", slot_key={"key": "c2hvcnQ="}, new_slot={})])


def large():
    return many([b"x" * (LIMIT + 1), b"x" * LIMIT + b"\0", b" " * (LIMIT * 4) + call("Status"), set_text("v" * 65536),
                 set_text("v" * 65537), set_text("\0" + "v")])


def slow():
    """A frame that never ends, byte by byte."""
    stream = connect()
    started = time.monotonic()
    stream.sendall(b'{"method":')
    status = subprocess.run(sys.argv[4:], check=False).returncode
    stream.settimeout(0.2)
    while time.monotonic() - started < 60:
        try:
            stream.sendall(b" ")
            if not stream.recv(1):
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    taken = time.monotonic() - started
    return f"{status} " + ("closed in time" if taken < 45 else f"open after {taken:.0f} s")


def idle():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limit[1]), limit[1]))
    streams = [connect() for _ in range(IDLE_CLIENTS)]
    started = time.monotonic()
    status = subprocess.run(sys.argv[4:], check=False).returncode
    taken = time.monotonic() - started
    return f"{len(streams)} {status} " + ("quickly" if taken < 2 else f"after {taken:.1f} s")


def unread():
    """A client that asks much and reads nothing."""
    stream = connect()
    stream.settimeout(0.5)
    frame = call("ReadLog", ',"more":true')
    try:
        for _ in range(100000):
            stream.sendall(frame)
    except (TimeoutError, ConnectionError):
        pass
    status = subprocess.run(sys.argv[4:], check=False).returncode
    stream.close()
    return str(status)


ways = {"malformed": malformed, "wrong": wrong, "large": large, "slow": slow, "idle": idle, "unread": unread,
        "half": lambda: exchange(b'{"method":"io.stepvault', end=True), "nothing": lambda: exchange(b"", end=True),
        "other": lambda: exchange(call("ListVariables", vault="/no/such/vault"))}
print(ways[sys.argv[3]]())
