#!/bin/bash
# Power cuts at each write: a model of a disk that drops what was not synced (tests/crash/power_cut.py).
# limit: 7200
exec /usr/bin/python3 "$(dirname "$0")/power_cut.py"
