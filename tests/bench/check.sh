#!/bin/bash
# The bars of `check` and of unlocking, with 100 000 variables at 1 000 paths: check within 3 times what sha256sum takes for the same
# file, which is read and hashed then, too; and unlocking within 0.5 s of what it takes for a vault with nothing in it. Wall clock from
# the command's start to its end, warm cache, the best of BENCH_CHECKS (default 7) runs each, taken in turns: what else the machine
# does only ever adds. Also told: b2sum, and check of an open vault. Exit status 1 if a bar is missed.
# The vault lies in $BENCH_FOLDER (default: here, below build/).
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

runs=${BENCH_CHECKS:-7}
PATH=$bin:$PATH
empty=$folder/data/empty/vault.db
mkdir -m 700 "$folder/data/empty"

finish() {
    stepvault lock > /dev/null 2>&1 || true
    stepvault lock --vault "$empty" > /dev/null 2>&1 || true
    rm -rf "$folder"
}

# took NAME COMMAND...: adds its microseconds to those of NAME.
took() {
    local name=$1 started
    shift
    started=${EPOCHREALTIME/./}
    "$@" > "$folder/out" 2> "$folder/err" || { cat "$folder/out" "$folder/err" >&2; exit 1; }
    echo $((${EPOCHREALTIME/./} - started)) >> "$folder/took.$name"
}
best() { sort -n "$folder/took.$1" | head -n 1; }
ms() { awk -v t="$1" 'BEGIN { printf "%.0f", t / 1000 }'; }

stepvault init --key-file "$folder/key" --no-recovery 2> /dev/null
/usr/bin/python3 "$top/tests/bench/fill.py" "$socket" "$vault" 100000 1000 > /dev/null
stepvault lock
stepvault init --vault "$empty" --key-file "$folder/key" --no-recovery 2> /dev/null
stepvault lock --vault "$empty"
for ((run = 0; run < runs; run++)); do
    took sha256sum sha256sum "$vault"
    took check stepvault check --key-file "$folder/key"
    took b2sum b2sum "$vault"
    took empty stepvault unlock --vault "$empty" --key-file "$folder/key"
    took unlock stepvault unlock --key-file "$folder/key"
    took open stepvault check
    stepvault lock
    stepvault lock --vault "$empty"
done

# bar NAME FIGURE LIMIT, in microseconds
bar() {
    local verdict=ok
    [ "$2" -le "$3" ] || { verdict=MISSED; missed=1; }
    printf '%-40s %6s ms of at most %6s ms: %s   %s\n' "$1" "$(ms "$2")" "$(ms "$3")" \
        "$(awk -v a="$2" -v l="$3" 'BEGIN { printf "%.2f", a / l }')" "$verdict"
}
sum=$(best sha256sum)
echo "$(stat -c %s "$vault") bytes: sha256sum $(ms "$sum") ms, b2sum $(ms "$(best b2sum)") ms"
bar "check of 100 000 records" "$(best check)" $((3 * sum))
printf '%-40s %6s ms\n' "the same of the open vault" "$(ms "$(best open)")"
bar "unlocking them, more than an empty vault" $(($(best unlock) - $(best empty))) 500000
exit $missed
