#!/usr/bin/python3
"""An agent that plays attempts to connect, for tests of what a person sees of them: no provider, no helper.

    connect_agent.py FOLDER SOCKET           listens, until FOLDER is gone

FOLDER/play.json says how, and is read anew for every request: `METHOD: {...}` has the parameters of its reply, or
`{"error": NAME, "message": ...}`; `Connect` has for each flow (or `any`) a list of
    {"notice": {...}}        a reply that continues, with the name of the attempt
    {"sleep": SECONDS}
    {"await": "address"}     goes on when one was pasted, by AnswerConnect on another connection
    {"await": "end"}         ... when the caller has hung up, which it writes down
    {"last": {...}}          the last reply
    {"error": NAME, "message": ...}
    {"close": true}          hangs up
FOLDER/requests.jsonl gets every request, with `connection`, a number, and {"hung_up": number}.
"""

import json
import os
import select
import socket
import sys
import threading

from listening import frames, listen

INTERFACE = "io.stepvault.Agent."
pasted = threading.Semaphore(0)
writing = threading.Lock()


def play(folder):
    with open(os.path.join(folder, "play.json"), encoding="utf-8") as file:
        return json.load(file)


def record(folder, entry):
    with writing, open(os.path.join(folder, "requests.jsonl"), "a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")


def send(connection, reply):
    connection.sendall(json.dumps(reply).encode() + b"\0")


def error_of(entry):
    return {"error": INTERFACE + entry["error"], "parameters": {"message": entry["message"]}}


def wait(folder, connection, number, what):
    """False where the caller has hung up."""
    while True:
        if what == "address" and pasted.acquire(timeout=0.02):
            return True
        if select.select([connection], [], [], 0.02)[0] and not connection.recv(1, socket.MSG_PEEK):
            record(folder, {"hung_up": number})
            return False


def connect(folder, connection, number, scene):
    for entry in scene:
        if "notice" in entry:
            send(connection, {"parameters": {"attempt": "a1b2", **entry["notice"]}, "continues": True})
        elif "sleep" in entry:
            threading.Event().wait(entry["sleep"])
        elif "await" in entry:
            if not wait(folder, connection, number, entry["await"]):
                return
        elif "last" in entry:
            send(connection, {"parameters": entry["last"]})
        elif "error" in entry:
            send(connection, error_of(entry))
        else:
            connection.shutdown(socket.SHUT_RDWR)
            return


def main():
    folder, path = sys.argv[1:]

    def serve(connection, number):
        for frame in frames(connection):
            request = json.loads(frame)
            record(folder, {**request, "connection": number})
            method, parameters = request["method"][len(INTERFACE):], request.get("parameters", {})
            answer = play(folder).get(method, {})
            if method == "Connect":
                connect(folder, connection, number, answer.get(parameters["flow"], answer.get("any")))
                continue
            send(connection, error_of(answer) if "error" in answer else {"parameters": answer})
            if method == "AnswerConnect":
                pasted.release()

    listen(folder, path, serve)


main()
