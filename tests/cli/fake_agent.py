#!/usr/bin/python3
"""An agent that answers what it is told to, for tests of the clients: also what no real agent would.

    fake_agent.py FOLDER SOCKET                                  listens, until FOLDER is gone
    fake_agent.py FOLDER --vault PATH --connection 3             is the agent of one command

FOLDER/answer.json says how, and is read anew for every request:
    variables   {name: text}           what Project delivers
    binary      {name: base64}         the same, for values that are not text
    auths       {alias: {name: text}}
    credentials {name: text}           files of the folder
    known       [name, ...]            `drop` has those of them that were inherited and not kept
    drop        [name, ...]            `drop` as it is
    locked      true                   only a request with slot_key is answered
    error       {"name": ..., "message": ...}
    step_names  [{"name": ..., "state": ...}]   what ShowStep says
    raw         base64                 these bytes, instead of a frame
    then        "close"|"stay"         what follows raw (default close)
    delay       seconds                before the reply
    chunk       bytes                  the reply is sent in pieces of this size
    zeros       number                 a reply that never ends: so many bytes of it
    steps       {path: {...}}          the same for one step, over what stands above
FOLDER/requests.jsonl gets every request, with `exe` (/proc/<peer>/exe) and `pid` of who sent it.
"""

import base64
import json
import os
import socket
import struct
import sys
import time

from listening import attend, frames, listen


def answer_of(folder, request):
    with open(os.path.join(folder, "answer.json"), encoding="utf-8") as file:
        answer = json.load(file)
    return {**answer, **answer.get("steps", {}).get(request.get("parameters", {}).get("step"), {})}


def encode(data):
    return base64.b64encode(data).decode("ascii")


def project(answer, parameters):
    block = b""
    for name, value in answer.get("variables", {}).items():
        block += name.encode() + b"=" + value.encode() + b"\0"
    for name, value in answer.get("binary", {}).items():
        block += name.encode() + b"=" + base64.b64decode(value) + b"\0"
    given = {**answer.get("variables", {}), **answer.get("binary", {})}
    keep = parameters.get("keep", [])
    reply = {"environment": encode(block)}
    reply["drop"] = answer.get("drop", [name for name in parameters.get("inherited", [])
                                         if name in answer.get("known", []) and name not in given and
                                         name not in keep])
    if "auths" in parameters.get("deliver", []):
        reply["auths_base64"] = encode(json.dumps(answer.get("auths", {}), separators=(",", ":")).encode())
    if "credentials" in parameters.get("deliver", []):
        files = answer.get("credentials", {}).items()
        reply["credentials_entries"] = encode(b"".join(f"{name}={value}".encode() + b"\0" for name, value in files))
    return {"parameters": reply}


def reply_to(answer, request):
    parameters = request.get("parameters", {})
    if answer.get("locked") and "slot_key" not in parameters:
        return {"error": "io.stepvault.Agent.Locked", "parameters": {"message": "the vault is locked"}}
    if "error" in answer:
        return {"error": answer["error"]["name"], "parameters": {"message": answer["error"].get("message", "")}}
    if request.get("method") == "io.stepvault.Agent.ShowStep":
        return {"parameters": {"names": answer.get("step_names", [])}}
    return project(answer, parameters)


def send(connection, data, answer):
    time.sleep(answer.get("delay", 0))
    size = answer.get("chunk", len(data)) or 1
    for at in range(0, len(data), size):
        connection.sendall(data[at:at + size])
        if size < len(data):
            time.sleep(0.001)


def peer_of(connection):
    pid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    try:
        return pid, os.readlink(f"/proc/{pid}/exe")
    except OSError as error:
        return pid, error.strerror


def record(folder, connection, frame):
    request = json.loads(frame)
    request["pid"], request["exe"] = peer_of(connection)
    request["environment"] = sorted(os.environ)
    with open(os.path.join(folder, "requests.jsonl"), "a", encoding="utf-8") as log:
        log.write(json.dumps(request) + "\n")
    return request


def main():
    folder = sys.argv[1]

    def serve(connection, _):
        for frame in frames(connection):
            request = record(folder, connection, frame)
            answer = answer_of(folder, request)
            if "zeros" in answer:
                send(connection, b'{"parameters":{"environment":"' + b"0" * answer["zeros"], answer)
                return
            if "raw" not in answer:
                send(connection, json.dumps(reply_to(answer, request)).encode() + b"\0", answer)
                continue
            send(connection, base64.b64decode(answer["raw"]), answer)
            if answer.get("then") != "stay":
                return

    if "--connection" in sys.argv:
        number = int(sys.argv[sys.argv.index("--connection") + 1])
        with open(os.path.join(folder, "agent-argv.json"), "w", encoding="utf-8") as file:
            json.dump({"argv": sys.argv[2:], "fds": sorted(os.listdir("/proc/self/fd"), key=int)}, file)
        attend(serve, socket.socket(fileno=number), number)
    else:
        listen(folder, sys.argv[2], serve)


main()
