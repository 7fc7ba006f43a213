#!/bin/bash
# Does a launch, a projection or an agent cost more than in an earlier build? Paired: both builds in turn, on vaults alike, in one run.
#
#     tests/bench/against.sh [COMMIT]     default: the commit that the spine was finished with
#
#   launch      `stepvault run` of true, 10 secrets: the median of the ratios of BENCH_PAIRS pairs (default 1000), new to old
#   throughput  durable projections a second, 64 kept connections: of three measurements in turn the best of each
#   memory      resident memory of the agent with 10 000 variables, each set by a call
#
# None may be worse by more than a twentieth; exit status 1 if one is. The vaults lie in $BENCH_FOLDER (default: here, below build/).
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

finish() {
    lock_sides
    rm -rf "$folder"
}
beside "${1:-74e9a52}"

agent_of() { "${side_bin[$1]}/stepvault" --vault "$folder/$1/vault.db" status --json | jq .pid; }
socket_of() { tr '\0' '\n' < "/proc/$(agent_of "$1")/cmdline" | grep -A 1 -x -- --socket | tail -n 1; }
quotient() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }

for side in old new; do
    "${side_bin[$side]}/stepvault" init --vault "$folder/$side/vault.db" --key-file "$folder/$side.key" --no-recovery 2> /dev/null
    secrets "${side_bin[$side]}/stepvault" --vault "$folder/$side/vault.db"
done

compare_launches "run true, new / old"

for _ in 1 2 3; do
    for side in old new; do
        "$folder/load" "$(socket_of $side)" "$folder/$side/vault.db" launch/step 64 3 keep | sed 's/ .*//' >> "$folder/$side.load"
    done
done
most() { sort -n "$folder/$1.load" | tail -n 1; }
echo "projections a second: old $(most old), new $(most new)"
bar "projections a second, new / old" "$(quotient "$(most new)" "$(most old)")" 0.95 least

for side in old new; do
    /usr/bin/python3 "$folder/tree/tests/bench/fill.py" "$(socket_of $side)" "$folder/$side/vault.db" 10000
    awk '/VmRSS/ {print $2}' "/proc/$(agent_of $side)/status" > "$folder/$side.memory"
done
echo "agent's VmRSS in KiB, 10 000 variables: old $(cat "$folder/old.memory"), new $(cat "$folder/new.memory")"
bar "agent's VmRSS, new / old" "$(quotient "$(cat "$folder/new.memory")" "$(cat "$folder/old.memory")")" 1.05 most
exit $missed
