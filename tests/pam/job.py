#!/usr/bin/python3
"""job.py raw HEX | job.py ACTION [NAME=TEXT...]: runs stepvault-login as the module does, gives it these bytes or that job, and
prints its exit status, why it did not, and the entries it answers with. As root its leaks are looked for, where it has sanitizers."""
import os
import re
import socket
import struct
import subprocess
import sys

ACTIONS = {"unlock": 1, "session": 2, "password": 3, "derive": 4}
TEXTS = ["step", "service", "password", "new_password", "keys"]

with open(os.environ["RIG_TOP"] + "/pam/message.h", encoding="utf-8") as header:
    REASONS = re.findall(r"^    MESSAGE_(\w+),", header.read().split("enum message_reason {")[1].split("}")[0], re.MULTILINE)


def job(action, texts):
    rest = bytes([1, ACTIONS[action]]) + struct.pack(">I", 30000)
    for name in TEXTS:
        rest += struct.pack(">H", len(texts.get(name, ""))) + texts.get(name, "").encode()
    return struct.pack(">I", len(rest)) + rest


def receive(connection, size):
    said = b""
    while len(said) < size:
        try:
            data = connection.recv(size - len(said))
        except ConnectionResetError:  # it read less than it was sent
            break
        if not data:
            break
        said += data
    return said


sent = bytes.fromhex(sys.argv[2]) if sys.argv[1] == "raw" else \
    job(sys.argv[1], {"step": "login", "service": "test", **dict(argument.split("=", 1) for argument in sys.argv[2:])}) + b"g"
ours, theirs = socket.socketpair()
helper = subprocess.Popen(["/usr/local/libexec/stepvault/stepvault-login"], stdin=theirs, stdout=theirs, env={
    "HOME": os.environ["HOME"], "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=1"})
theirs.close()
ready = receive(ours, 1)
ours.sendall(sent)
ours.shutdown(socket.SHUT_WR)
answer = receive(ours, 1 << 20).removeprefix(b"td")  # it asked for a turn at deriving, and ended it
status = helper.wait()
size, reason, skipped, count = struct.unpack(">IBII", answer[:13])
assert ready == b"r" and size == len(answer) - 4 and count == answer[13:].count(b"\0"), answer
print(status, REASONS[reason].lower(), *answer[13:].decode().split("\0")[:-1])
