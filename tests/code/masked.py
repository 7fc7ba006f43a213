#!/usr/bin/python3
"""Runs a command as `stepvault run --mask` does, with values that need no vault.

    masked.py NAME=VALUE... -- COMMAND [ARGUMENT...]
"""

import os
import signal
import sys

split = sys.argv.index("--")
values = os.memfd_create("values")
os.write(values, b"".join(os.fsencode(entry) + b"\0" for entry in sys.argv[1:split]))
os.lseek(values, 0, os.SEEK_SET)
os.set_inheritable(values, True)
# Python ignores these, and what is ignored stays so.
for number in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_DFL)
os.execvp("stepvault-code", ["stepvault-code", "--mask", str(values), "--", *sys.argv[split + 1:]])
