#!/bin/sh
# The agent over its socket: methods and states, frames, connections, times, ends, and what is logged.
# sanitize: yes
# limit: 180
exec /usr/bin/env python3 "$(dirname "$0")/agent_test.py"
