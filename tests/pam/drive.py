#!/usr/bin/python3
"""drive.py [PATTERN=>ANSWER...] -- COMMAND...: runs it on a terminal of its own, answers what matches, in order, and prints all
that it says. Ends with its status; 124 after 90 s, or DRIVE_SECONDS."""
import os
import pty
import re
import select
import sys
import time

split = sys.argv.index("--")
steps = [word.split("=>", 1) for word in sys.argv[1:split]]
process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[split + 1], sys.argv[split + 1:])
said, seen, deadline = b"", 0, time.monotonic() + float(os.environ.get("DRIVE_SECONDS", 90))
while True:
    if steps:
        found = re.search(steps[0][0].encode(), said[seen:])
        if found:
            seen += found.end()
            time.sleep(0.05)  # login and passwd flush what was typed before they ask
            os.write(terminal, steps.pop(0)[1].encode() + b"\n")
            continue
    ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
    try:
        data = os.read(terminal, 65536) if ready else None
    except OSError:
        data = b""
    if data is None:
        os.kill(process, 9)
        os.waitpid(process, 0)
        sys.stdout.write(said.decode(errors="replace"))
        sys.exit(124)
    if not data:
        break
    said += data
sys.stdout.write(said.decode(errors="replace").replace("\r", ""))
status = os.waitpid(process, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status) & 255)
