#!/usr/bin/python3
"""syslog.py SOCKET FILE: appends what is sent to the socket to the file, a line each."""
import os
import socket
import sys

server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
with open(sys.argv[2], "wb", buffering=0) as lines:
    while True:
        lines.write(server.recv(65536).rstrip(b"\0\n") + b"\n")
