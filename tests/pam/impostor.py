#!/usr/bin/python3
"""impostor.py MODE SOCKET CAPTURE: listens where the agent would, and keeps all that it is sent. hang: never answers. close:
hangs up. noise: answers what is no JSON. flood: answers for ever. serve: answers as an agent would, with variables that no
session may have; token: as one does of whose accounts one has no token; costly: with a slot of 4 GiB; leave: after the first caller, up to its unlocking."""
import base64
import json
import os
import socket
import sys
import threading

mode, path, capture = sys.argv[1:]
unlocked = []
SLOT = {"id": "00112233445566778899aabbccddeeff", "kind": "login", "memory_kib": 65536, "passes": 3, "lanes": 4,
        "salt": "000102030405060708090a0b0c0d0e0f", "created": "2026-11-22T09:31:00.123Z"}
if mode == "costly":
    SLOT["memory_kib"] = 4 * 1024 * 1024
ENTRIES = ["LD_PRELOAD=/evil.so", "PATH=/evil", "XDG_SEAT=seat0", "BASH_FUNC_ls%%=() { evil; }", "GOOD_ONE=1"] + \
    [f"MANY_{number}=x" for number in range(2000)]


def reply(request):
    method = request["method"].rsplit(".", 1)[1]
    if method == "Status":
        return {"state": "open" if unlocked else "locked"}
    if method == "ListSlots":
        return {"vault_id": "00" * 16, "epoch": 1, "slots": [SLOT]}
    if method == "ShowStep":
        return {"step": {"path": "login", "step": True, "inherits": False}, "names": []}
    if method == "Project":
        entries = ENTRIES if mode == "serve" else [entry for entry in ENTRIES if "%" not in entry]
        return {"environment": base64.b64encode(b"".join(entry.encode() + b"\0" for entry in entries)).decode(), "drop": []}
    unlocked.append(method)
    if mode == "leave":
        os.unlink(path)
    return {"was_open": False}


def serve(connection):
    pending = b""
    while True:
        data = connection.recv(65536)
        if not data:
            return
        with open(capture, "ab") as file:
            file.write(data)
        if mode == "hang":
            continue
        if mode == "close":
            connection.close()
            return
        if mode == "noise":
            connection.sendall(os.urandom(4000) + b"\0")
            continue
        while mode == "flood":
            connection.sendall(b" " * 65536)
        pending += data
        *frames, pending = pending.split(b"\0")
        for frame in frames:
            request = json.loads(frame)
            answer = {"parameters": reply(request)}
            if mode == "token" and request["method"].endswith(".Project"):
                answer = {"error": "io.stepvault.Agent.NeedsReconnect", "parameters": {"message": "slack:default"}}
            connection.sendall(json.dumps(answer).encode() + b"\0")


def attend(connection):
    try:
        serve(connection)
    except OSError:
        pass


os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(20)
if mode == "leave":
    listener.accept()[0].close()
while True:
    threading.Thread(target=attend, args=(listener.accept()[0],), daemon=True).start()
