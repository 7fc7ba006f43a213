#!/bin/sh
# What others do to the vault's files while an agent has it open: noticed, refused, and nothing of theirs touched.
# sanitize: yes
# limit: 180
exec /usr/bin/env python3 "$(dirname "$0")/foreign_test.py"
