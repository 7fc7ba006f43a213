#!/bin/bash
# The bar of `rekey`: a vault of 100 000 records, wall clock from the command's start to its end, within 10 s; with key files, so
# that no derivation is in it. The best of BENCH_REKEYS (default 3), one after the other in one vault, and what the agent's memory came
# to. Then the vault verifies and has what it had. Exit status 1 if the bar is missed.
# The vault lies in $BENCH_FOLDER (default: here, below build/).
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

runs=${BENCH_REKEYS:-3}
records=100000
limit=10000
PATH=$bin:$PATH
export STEPVAULT_VAULT=$folder/vault.db

stepvault init --key-file "$folder/key" --no-recovery 2> /dev/null
python3 "$top/tests/bench/fill.py" "$(echo "$XDG_RUNTIME_DIR"/stepvault/*.sock)" "$STEPVAULT_VAULT" "$records" > /dev/null
# What is at some of the paths.
look() { for path in 0 7 500 999; do stepvault export "fill/$path" --format json; done | sha256sum; }
before=$(look)
pid=$(stepvault status --json | jq .pid)
for ((run = 0; run < runs; run++)); do
    start=$(date +%s%N)
    stepvault rekey --key-file "$folder/key" --no-recovery 2> "$folder/said"
    end=$(date +%s%N)
    echo $(((end - start) / 1000000)) >> "$folder/times"
done
peak=$(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$pid/status")
[ "$(look)" = "$before" ] || { echo "rekey.sh: the vault is not as it was" >&2; exit 1; }
stepvault audit verify > /dev/null
best=$(sort -n "$folder/times" | head -n 1)
verdict=ok
[ "$best" -le "$limit" ] || verdict=MISSED
echo "rekey of $records records: $(tr '\n' ' ' < "$folder/times")ms, of at most $limit ms; the agent's memory at most $peak MiB   $verdict"
[ "$verdict" = ok ]
