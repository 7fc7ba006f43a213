#!/bin/bash
# limit: 240
# What `stepvault export` prints in each form is what that form's readers read back, byte for byte, or is refused. TAP.
cd "$(dirname "$0")" || exit 1
exec /usr/bin/python3 export_readers.py
