#!/bin/sh
# Changes all over the file of a vault that an agent has open (running_test.py).
# limit: 3600
# sanitize: yes
exec /usr/bin/env python3 "$(dirname "$0")/running_test.py"
