#!/usr/bin/python3
"""Places COUNT variables in an open vault, at PATHS paths fill/0, fill/1 ..., by imports of at most 100 000 each.

    fill.py SOCKET VAULT COUNT [PATHS]

What is there already is left as it is. Prints the seconds that the imports took, and of those the commits.
"""
import base64
import json
import socket
import sys
import time

ENTRIES = 20000  # bytes of NAME=value entries in one request: more are no faster, and the agent keeps room for the largest
IMPORT = 100000  # variables of one commit


def frames(vault, first, end, paths):
    """Requests that bring the variables, path by path, and one that commits them."""
    method = '{"method":"io.stepvault.Agent.StageImport","parameters":{"vault":%s,"replace":true,%s}}\0'
    quoted = json.dumps(vault)
    for path in range(paths):
        numbers = range(first + (path - first) % paths, end, paths)
        while numbers:
            entries, taken = b"", 0
            while taken < len(numbers) and len(entries) < ENTRIES:
                entries += f"FILL_{numbers[taken]}=value {numbers[taken]}\0".encode()
                taken += 1
            members = f'"path":"fill/{path}","environment":"{base64.b64encode(entries).decode()}"'
            yield (method % (quoted, members)).encode()
            numbers = numbers[taken:]
    yield (method % (quoted, '"commit":true')).encode()


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
