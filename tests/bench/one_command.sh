#!/bin/bash
# What a command costs that has a key file and no agent (cron, CI), by the size of the vault: the time of one `stepvault run`
# of true, and of 50 at once, beside that of `env true` in the same run.
#
# The vault lies in $BENCH_FOLDER (default: here, below build/), which should be on a block device. BENCH_RECORDS says of how many
# records, BENCH_AT_ONCE how many at once. Exit status 1 if a run fails.
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

at_once=${BENCH_AT_ONCE:-50}
failed=0

# Milliseconds since the machine's start.
now() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }
# ms COUNT COMMAND...: the shortest of COUNT runs, in milliseconds with fractions.
ms() {
    local count=$1
    shift
    /usr/bin/python3 - "$count" "$@" <<'PYTHON'
import subprocess, sys, time
best = None
for _ in range(int(sys.argv[1])):
    start = time.monotonic()
    subprocess.run(sys.argv[2:], check=True, close_fds=False)
    took = time.monotonic() - start
    best = took if best is None else min(best, took)
print(f"{best * 1000:.2f}")
PYTHON
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a / b }'; }

"$bin/stepvault" init --key-file "$folder/key" --no-recovery 2>/dev/null
for i in 1 2 3 4 5; do
    printf 'the value of secret number %s' "$i" | "$bin/stepvault" env set "SECRET_$i" --at job/step
done
nothing=$(ms 50 env true)
echo "env true: $nothing ms"
for records in ${BENCH_RECORDS:-100 10000 100000}; do
    "$bin/stepvault" unlock --key-file "$folder/key" 2>/dev/null
    /usr/bin/python3 "$top/tests/bench/fill.py" "$socket" "$vault" "$records" >/dev/null
    "$bin/stepvault" lock
    export STEPVAULT_KEY_FILE=$folder/key
    one=$(ms 10 "$bin/stepvault" run job/step -- true)
    start=$(now)
    jobs=()
    for _ in $(seq "$at_once"); do
        "$bin/stepvault" run job/step -- true &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || failed=$((failed + 1)); done
    all=$(($(now) - start))
    unset STEPVAULT_KEY_FILE
    printf '%7d records: one run %8.2f ms (%s x env true); %d at once %6d ms, %s ms each (%s x one run), %d failed\n' \
        "$records" "$one" "$(ratio "$one" "$nothing")" "$at_once" "$all" "$(ratio "$all" "$at_once")" \
        "$(ratio "$(ratio "$all" "$at_once")" "$one")" "$failed"
done
exit $((failed > 0))
