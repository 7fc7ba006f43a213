# shellcheck shell=bash disable=SC2034 # what is set here is the bench's
# What benches of vaults share: a folder below $BENCH_FOLDER, or build/, with HOME and all that a vault needs in it, bars, and
# an earlier build beside this one.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD:-$top/build}
bin=$build/bin
folder=$(mktemp -d "${BENCH_FOLDER:-$build}/bench.XXXXXX")
export XDG_RUNTIME_DIR=$folder/run XDG_DATA_HOME=$folder/data XDG_STATE_HOME=$folder/state HOME=$folder PATH=/usr/local/bin:/usr/bin:/bin
unset STEPVAULT_VAULT STEPVAULT_SOCKET STEPVAULT_STEP STEPVAULT_KEY_FILE CREDENTIALS_DIRECTORY
socket=$XDG_RUNTIME_DIR/stepvault/agent.sock
vault=$XDG_DATA_HOME/stepvault/vault.db
missed=0

# A bench with other vaults has a `finish` of its own.
finish() {
    "$bin/stepvault" lock > /dev/null 2>&1 || true
    rm -rf "$folder"
}
trap finish EXIT
mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_DATA_HOME"

# bar NAME FIGURE LIMIT least|most
bar() {
    local verdict=ok
    if ! awk -v a="$2" -v b="$3" -v how="$4" 'BEGIN { exit !(how == "most" ? a <= b : a >= b) }'; then
        verdict=MISSED
        missed=1
    fi
    printf '%-62s %10s   (%s %s)   %s\n' "$1" "$2" "$4" "$3" "$verdict"
}

# secrets STEPVAULT...: sets ten, of a step launch/step.
secrets() {
    for i in 1 2 3 4 5 6 7 8 9 10; do
        printf 'the value of secret number %s' "$i" | "$@" env set "SECRET_$i" --at launch/step
    done
}

# beside COMMIT: builds it; its programs are in ${side_bin[old]}, ours in ${side_bin[new]}, and the vault of each side is
# $folder/SIDE/vault.db. Ends the bench where the clone has no such commit.
declare -A side_bin=([old]=$folder/tree/build/bin [new]=$bin)
beside() {
    if ! git -C "$top" cat-file -e "$1^{commit}" 2> /dev/null; then
        echo "$(basename "$0"): nothing compared, this clone has no commit $1"
        exit 0
    fi
    mkdir "$folder/tree"
    mkdir -m 700 "$folder/old" "$folder/new"
    git -C "$top" archive "$1" | tar -x --no-same-permissions -C "$folder/tree"
    make -s -C "$folder/tree" -j2 BUILD=build all > /dev/null 2>&1
    gcc -O2 -D_GNU_SOURCE -o "$folder/pair" "$top/tests/bench/pair.c"
    gcc -O2 -D_GNU_SOURCE -o "$folder/load" "$top/tests/bench/load.c"
}
lock_sides() {
    for side in old new; do "${side_bin[$side]}/stepvault" --vault "$folder/$side/vault.db" lock > /dev/null 2>&1 || true; done
}

# compare_launches NAME: a bar of what a run of true costs, new to old.
compare_launches() {
    local order first second launch
    for order in "new old" "old new"; do
        read -r first second <<< "$order"
        "$folder/pair" "${BENCH_PAIRS:-1000}" "${side_bin[$first]}/stepvault" run --vault "$folder/$first/vault.db" launch/step -- true :: \
            "${side_bin[$second]}/stepvault" run --vault "$folder/$second/vault.db" launch/step -- true > "$folder/$first.ratio"
        echo "launch, $first / $second: $(cat "$folder/$first.ratio")"
    done
    # The second of a pair finds warmer caches than the first: the mean of both orders has no such side.
    launch=$(awk '{ r[NR] = $2 } END { printf "%.3f", sqrt(r[1] / r[2]) }' "$folder/new.ratio" "$folder/old.ratio")
    bar "$1" "$launch" 1.05 most
}
