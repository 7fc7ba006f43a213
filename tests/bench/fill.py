#!/usr/bin/python3
"""Places COUNT variables in an open vault, at PATHS paths fill/0, fill/1 ..., by imports of at most 100 000 each.

    fill.py SOCKET VAULT COUNT [PATHS]

What is there already is left as it is. Prints the seconds that the imports took, and of those the commits.
"""
import json
import socket
import sys
import time

FRAME = 30000    # bytes of one request, about: larger ones are no faster, and the agent keeps room for the largest
IMPORT = 100000  # variables of one commit


def frames(vault, first, end, paths):
    """Requests that bring the variables; the last one commits."""
    head = '{"method":"io.stepvault.Agent.StageImport","parameters":{"vault":%s,"replace":true,"variables":[' % json.dumps(vault)
    items, size = [], 0
    for number in range(first, end):
        items.append(f'{{"path":"fill/{number % paths}","name":"FILL_{number}","value":"value {number}"}}')
        size += len(items[-1]) + 1
        if size > FRAME:
            yield (head + ",".join(items) + "]}}\0").encode()
            items, size = [], 0
    yield (head + ",".join(items) + '],"commit":true}}\0').encode()


def receive(connection):
    reply = b""
    while not reply.endswith(b"\0"):
        part = connection.recv(65536)
        if not part:
            sys.exit("fill.py: the agent has closed the connection")
        reply += part
    if b'"error"' in reply:
        sys.exit(f"fill.py: {reply!r}")


def main():
    path, vault, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    paths = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
    total = commits = 0
    for first in range(0, count, IMPORT):
        requests = list(frames(vault, first, min(count, first + IMPORT), paths))
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            start = time.monotonic()
            for request in requests:
                staged = time.monotonic()
                connection.sendall(request)
                receive(connection)
            total += time.monotonic() - start
            commits += time.monotonic() - staged
    print(f"{count} variables: {total:.3f} s, of which the commits {commits:.3f} s")


main()
