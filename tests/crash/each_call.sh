#!/bin/bash
# kill -9 at each system call of the commands and their agents (tests/crash/each_call.py).
# limit: 7200
exec /usr/bin/python3 "$(dirname "$0")/each_call.py"
