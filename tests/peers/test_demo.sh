#!/bin/bash
# limit: 180
# `make demo` does what it says. TAP.
set -u

if output=$("$(dirname "$0")/../demo" 2>&1); then
    echo "ok 1 - the demo behaves as it says"
else
    printf '%s\n' "$output" | sed 's/^/# /'
    echo "not ok 1 - the demo behaves as it says"
fi
echo "1..1"
