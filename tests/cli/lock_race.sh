#!/bin/bash
# sanitize: yes
# What is answered while the agent is told to end is logged and stays (P2, P6).
cd "$(dirname "$0")/../.." || exit 1
exec /usr/bin/python3 tests/cli/lock_race.py
