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
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
commit=${1:-74e9a52}
pairs=${BENCH_PAIRS:-1000}
folder=$(mktemp -d "${BENCH_FOLDER:-${BUILD:-$top/build}}/against.XXXXXX")
declare -A side_bin=([old]=$folder/tree/build/bin [new]=${BUILD:-$top/build}/bin)
export XDG_RUNTIME_DIR=$folder/run XDG_STATE_HOME=$folder/state HOME=$folder PATH=/usr/local/bin:/usr/bin:/bin
unset STEPVAULT_VAULT STEPVAULT_SOCKET STEPVAULT_STEP STEPVAULT_KEY_FILE CREDENTIALS_DIRECTORY XDG_DATA_HOME
missed=0

finish() {
    for side in old new; do "${side_bin[$side]}/stepvault" --vault "$folder/$side/vault.db" lock > /dev/null 2>&1 || true; done
    rm -rf "$folder"
}
trap finish EXIT
mkdir -m 700 "$XDG_RUNTIME_DIR"

if ! git -C "$top" cat-file -e "$commit^{commit}" 2> /dev/null; then
    echo "against.sh: nothing compared, this clone has no commit $commit"
    exit 0
fi
mkdir "$folder/tree"
git -C "$top" archive "$commit" | tar -x --no-same-permissions -C "$folder/tree"
make -s -C "$folder/tree" -j2 BUILD=build all > /dev/null 2>&1
gcc -O2 -D_GNU_SOURCE -o "$folder/pair" "$top/tests/bench/pair.c"
gcc -O2 -D_GNU_SOURCE -o "$folder/load" "$top/tests/bench/load.c"

# bar NAME FIGURE LIMIT least|most
bar() {
    local verdict=ok
    if ! awk -v a="$2" -v b="$3" -v how="$4" 'BEGIN { exit !(how == "most" ? a <= b : a >= b) }'; then
        verdict=MISSED
        missed=1
    fi
    printf '%-62s %10s   (%s %s)   %s\n' "$1" "$2" "$4" "$3" "$verdict"
}
agent_of() { "${side_bin[$1]}/stepvault" --vault "$folder/$1/vault.db" status --json | jq .pid; }
socket_of() { tr '\0' '\n' < "/proc/$(agent_of "$1")/cmdline" | grep -A 1 -x -- --socket | tail -n 1; }
quotient() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }

for side in old new; do
    mkdir -m 700 "$folder/$side"
    "${side_bin[$side]}/stepvault" init --vault "$folder/$side/vault.db" --key-file "$folder/$side.key" --no-recovery 2> /dev/null
    for i in 1 2 3 4 5 6 7 8 9 10; do
        printf 'the value of secret number %s' "$i" | "${side_bin[$side]}/stepvault" env set --vault "$folder/$side/vault.db" "SECRET_$i" --at launch/step
    done
done

for order in "new old" "old new"; do
    read -r first second <<< "$order"
    "$folder/pair" "$pairs" "${side_bin[$first]}/stepvault" run --vault "$folder/$first/vault.db" launch/step -- true :: \
        "${side_bin[$second]}/stepvault" run --vault "$folder/$second/vault.db" launch/step -- true > "$folder/$first.ratio"
    echo "launch, $first / $second: $(cat "$folder/$first.ratio")"
done
# The second of a pair finds warmer caches than the first: the mean of both orders has no such side.
launch=$(awk '{ r[NR] = $2 } END { printf "%.3f", sqrt(r[1] / r[2]) }' "$folder/new.ratio" "$folder/old.ratio")
bar "run true, new / old" "$launch" 1.05 most

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
