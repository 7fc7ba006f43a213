#!/bin/bash
# The bar of completion: how long `stepvault __complete` takes, as a shell waits for it, each figure the median of BENCH_PRESSES
# (default 60) key presses: with 100 000 variables at 1 000 paths; with as many accounts' and paths' names around them; and with
# 100 000 variables at one single path, of which it may name only some. Against it, what the same takes with no vault at all.
# Exit status 1 if one takes longer than 50 ms.
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

presses=${BENCH_PRESSES:-60}
limit=50
PATH=$bin:$PATH

# press NAME WORD...: the bar of one line.
press() {
    local name=$1 started index figure names verdict=ok
    shift
    for ((index = 0; index < presses; index++)); do
        started=${EPOCHREALTIME/./}
        stepvault __complete -- "$@" > "$folder/names"
        echo $((${EPOCHREALTIME/./} - started))
    done > "$folder/times"
    figure=$(sort -n "$folder/times" | awk '{ all[NR] = $1 } END { printf "%.1f", all[int((NR + 1) / 2)] / 1000 }')
    names=$(($(wc -l < "$folder/names") - 1))
    awk -v a="$figure" -v b="$limit" 'BEGIN { exit !(a <= b) }' || { verdict=MISSED; missed=1; }
    printf '%-62s %7s ms   (most %s, %s names, slowest %s ms)   %s\n' "$name" "$figure" "$limit" "$names" \
        "$(($(sort -n "$folder/times" | tail -n 1) / 1000))" "$verdict"
}

press "no vault: a command" st
press "no vault: a path" run ''
stepvault init --key-file "$folder/key" --no-recovery 2> /dev/null
/usr/bin/python3 "$top/tests/bench/fill.py" "$socket" "$vault" 100000 1000 > /dev/null
press "100 000 variables at 1 000 paths: a path" run ''
press "100 000 variables at 1 000 paths: a path below" run fill/9
press "100 000 variables at 1 000 paths: a variable" env get --at fill/7 FILL_
press "100 000 variables at 1 000 paths: an inherited one" env block --at fill/7/deeper FILL_
/usr/bin/python3 "$top/tests/bench/fill.py" "$socket" "$vault" 100000 1 > /dev/null
press "and 100 000 more at one path: a variable" env get --at fill/0 FILL_
press "and 100 000 more at one path: one that is not there" env get --at fill/0 NOTHING
press "and 100 000 more at one path: an account" account show ''
exit $missed
