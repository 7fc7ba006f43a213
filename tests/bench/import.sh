#!/bin/bash
# The bar of `env import`: 100 000 lines of a .env file into an open, all but empty vault, wall clock from the command's start to its end,
# within 5 times what `sort` takes for the same file plus one second. The best of BENCH_IMPORTS (default 5) runs, each into a new
# vault, against the best of as many runs of sort: what else the machine does only ever adds. And what 1 000 more lines take in a
# vault of those 100 000, against an empty one: it must not grow with what is there. Exit status 1 if a bar is missed.
# The vault lies in $BENCH_FOLDER (default: here, below build/).
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

runs=${BENCH_IMPORTS:-5}
lines=100000
PATH=$bin:$PATH

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
head -n 1000 "$folder/.env" | sed 's/^NAME/MORE/' > "$folder/few"
for ((run = 0; run < runs; run++)); do
    export STEPVAULT_VAULT=$folder/data/$run/vault.db
    mkdir -m 700 "${STEPVAULT_VAULT%/*}"
    stepvault init --key-file "$folder/key.$run" --no-recovery 2> /dev/null
    took stepvault env import "$folder/few" --at empty >> "$folder/few.empty"
    took sort "$folder/.env" >> "$folder/sorts"
    took stepvault env import "$folder/.env" >> "$folder/imports"
    took stepvault env import "$folder/few" --at full >> "$folder/few.full"
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
empty=$(least < "$folder/few.empty")
full=$(least < "$folder/few.full")
echo "import of 1000 lines: $empty ms into an empty vault, $full ms into one of $lines variables"
# Each new row touches pages of its own in a large file; what must not be is that all the others are touched, too.
[ "$full" -le $((10 * empty + 100)) ] || verdict=MISSED
[ "$verdict" = ok ]
