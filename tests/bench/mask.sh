#!/bin/bash
# What `run --mask` passes: MB/s of log lines with 20 secrets, on one core with the command that prints them and the reader
# behind it, beside a `cat` in its place in the same run; and of text that is hard on the search.
#
# The bar is 300 MB for each second of that core, which is what all three used of it: whoever else runs there takes from the
# clock's second and not from this one. BENCH_MIB says how much is printed. Exit status 1 below the bar, or if what came out is not what went in.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
mib=${BENCH_MIB:-512}
folder=$(mktemp -d "${BENCH_FOLDER:-$build}/bench.XXXXXX")
trap 'rm -rf "$folder"' EXIT

PATH=$build/bin:$PATH /usr/bin/python3 - "$top/tests/code/masked.py" "$folder" "$mib" <<'PYTHON'
import os
import random
import subprocess
import sys
import time

masked, folder, mib = sys.argv[1], sys.argv[2], int(sys.argv[3])
chosen = random.Random(6)
letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
secrets = ["".join(chosen.choices(letters + "-_/+", k=chosen.choice([20, 32, 40, 64, 128]))) for _ in range(20)]
words = ["".join(chosen.choices("abcdefghijklmnopqrstuvwxyz", k=chosen.randint(2, 10))) for _ in range(5000)]


def line():
    return f'2026-11-22T{chosen.randint(0, 23):02}:{chosen.randint(0, 59):02} INFO {{"path":"/api/{chosen.choice(words)}","id":' \
           f'{chosen.getrandbits(40)}}} {" ".join(chosen.choices(words, k=8))}\n'


def texts():
    lines = "".join(line() for _ in range(40000)).encode()
    near = b"".join(secret.encode()[:-1] + b" " for secret in secrets) * 2000
    return {"log lines": lines, "near matches": near}


def rate(front, path):
    """MB for each second of the core, and of the clock; the best of three."""
    best = used_best = 0.0
    for _ in range(3):
        started = time.monotonic()
        before = os.times()
        first = subprocess.Popen([*front, "cat", path], stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        last = subprocess.run(["sh", "-c", "cat > /dev/null"], stdin=first.stdout, check=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        first.stdout.close()
        assert first.wait() == 0 and last.returncode == 0
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        best = max(best, os.path.getsize(path) / 1e6 / (time.monotonic() - started))
        used_best = max(used_best, os.path.getsize(path) / 1e6 / used)
    return used_best, best


core = max(os.sched_getaffinity(0))
front = [masked, *(f"SECRET_{number}={secret}" for number, secret in enumerate(secrets)), "--"]
good = True
print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {mib} MiB, pinned to core {core}")
for name, text in texts().items():
    path = os.path.join(folder, "text")
    with open(path, "wb") as file:
        for _ in range(mib * 1024 * 1024 // len(text)):
            file.write(text)
    plain, plain_clock = rate(["sh", "-c", "\"$@\" | cat", "sh"], path)
    scrubbed, scrubbed_clock = rate(front, path)
    same = subprocess.run([*front, "head", "-c", "8000000", path], capture_output=True, check=True).stdout == \
        open(path, "rb").read(8000000)
    bar = 300 if name == "log lines" else 0
    good = good and same and scrubbed >= bar
    print(f"{name}: {scrubbed:.0f} MB/s scrubbed, {plain:.0f} MB/s with cat in its place; by the clock {scrubbed_clock:.0f} and "
          f"{plain_clock:.0f}"
          f"{f' (bar {bar})' if bar else ''}{'' if same else ': CHANGED'}", flush=True)
sys.exit(0 if good else 1)
PYTHON
