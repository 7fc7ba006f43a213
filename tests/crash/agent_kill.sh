#!/bin/bash
# kill -9 of the agent at any moment, and failing disks: before or after, never between (tests/crash/agent_kill.py).
# limit: 7200
exec /usr/bin/python3 "$(dirname "$0")/agent_kill.py"
