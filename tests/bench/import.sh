#!/bin/bash
# The bar of `env import`: 100 000 lines of a .env file into an open, empty vault, wall clock from the command's start to its end,
# within 5 times what `sort` takes for the same file plus one second. The best of BENCH_IMPORTS (default 5) runs, each into a new
# vault, against the best of as many runs of sort: what else the machine does only ever adds. Exit status 1 if it takes longer.
# The vault lies in $BENCH_FOLDER (default: here, below build/).
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
bin=$build/bin
runs=${BENCH_IMPORTS:-5}
lines=100000
folder=$(mktemp -d "${BENCH_FOLDER:-$build}/import.XXXXXX")
export XDG_RUNTIME_DIR=$folder/run HOME=$folder PATH=$bin:/usr/local/bin:/usr/bin:/bin
unset STEPVAULT_VAULT STEPVAULT_SOCKET STEPVAULT_STEP STEPVAULT_KEY_FILE CREDENTIALS_DIRECTORY XDG_DATA_HOME

finish() {
    stepvault lock > /dev/null 2>&1 || true
    rm -rf "$folder"
}
trap finish EXIT
mkdir -m 700 "$XDG_RUNTIME_DIR" "$folder/data"

# Milliseconds that a command takes.
took() {
    local before after
    before=$(date +%s%N)
    "$@" > /dev/null 2>&1
    after=$(date +%s%N)
    echo $(((after - before) / 1000000))
}
least() { sort -n | head -n 1; }

shuf -i "0-$((lines - 1))" --random-source=<(yes) | awk '{ printf "NAME_%06d=value-%d-of-some-length\n", $1, $1 }' > "$folder/.env"
for ((run = 0; run < runs; run++)); do
    export STEPVAULT_VAULT=$folder/data/$run/vault.db
    mkdir -m 700 "${STEPVAULT_VAULT%/*}"
    stepvault init --key-file "$folder/key.$run" --no-recovery 2> /dev/null
    took sort "$folder/.env" >> "$folder/sorts"
    took stepvault env import "$folder/.env" >> "$folder/imports"
    if [ "$run" = 0 ]; then
        last=$(tail -n 1 "$folder/.env")
        [ "$(stepvault env get "${last%%=*}")" = "${last#*=}" ] || { echo "import.sh: the last line was not imported" >&2; exit 1; }
    fi
    stepvault lock
    rm -r "${STEPVAULT_VAULT%/*}"
done
sorted=$(least < "$folder/sorts")
imported=$(least < "$folder/imports")
limit=$((5 * sorted + 1000))
verdict=ok
[ "$imported" -le "$limit" ] || verdict=MISSED
echo "import of $lines lines: $(sort -n "$folder/imports" | tr '\n' ' ')ms; sort of them: $(sort -n "$folder/sorts" | tr '\n' ' ')ms"
awk -v a="$imported" -v s="$sorted" -v l="$limit" -v v="$verdict" \
    'BEGIN { printf "import / sort %.1f; %d ms of at most 5 x sort + 1 s = %d ms: %.2f   %s\n", a / s, a, l, a / l, v }'
[ "$verdict" = ok ]
