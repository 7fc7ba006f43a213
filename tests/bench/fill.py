#!/usr/bin/python3
"""Places COUNT variables in an open vault, at fill/0 to fill/999, over many connections at once.

    fill.py SOCKET VAULT COUNT
"""
import json
import selectors
import socket
import sys

CONNECTIONS = 64
PATHS = 1000


def request(vault, number):
    parameters = {"vault": vault, "path": f"fill/{number % PATHS}", "name": f"FILL_{number}", "value": f"value {number}"}
    return json.dumps({"method": "io.stepvault.Agent.SetVariable", "parameters": parameters}).encode() + b"\0"


def main():
    path, vault, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    selector = selectors.DefaultSelector()
    sent = done = 0
    for _ in range(min(CONNECTIONS, count)):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        connection.sendall(request(vault, sent))
        sent += 1
        selector.register(connection, selectors.EVENT_READ)
    while done < count:
        for key, _ in selector.select():
            reply = key.fileobj.recv(65536)
            if not reply.endswith(b"\0") or b'"error"' in reply:
                sys.exit(f"fill.py: {reply!r}")
            done += 1
            if sent < count:
                key.fileobj.sendall(request(vault, sent))
                sent += 1


main()
