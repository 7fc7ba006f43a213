#!/bin/bash
# What a long access log costs: unlocking, and `run` of true on an unlocked vault, with $BENCH_LEAVES entries (default 1 000 000)
# against an empty log, in turn, in one run. Limits: 1.1 times each.
#
# The vaults lie in $BENCH_FOLDER (default: here, below build/), on a block device; a million entries take 0.7 GB and half a minute to
# write. BENCH_PAIRS (default 500) is how many runs a ratio is made of, BENCH_UNLOCKS (default 15) how many unlocks. Exit status 1 if a
# bar is missed.
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

leaves=${BENCH_LEAVES:-1000000}

finish() {
    for vault in "$folder"/data/*.db; do "$bin/stepvault" lock --vault "$vault" >/dev/null 2>&1 || true; done
    rm -rf "$folder"
}

gcc -O2 -D_GNU_SOURCE -o "$folder/pair" "$top/tests/bench/pair.c"
make -s -C "$top" BUILD="$build" tools
for vault in long short; do
    "$bin/stepvault" init --vault "$folder/data/$vault.db" --key-file "$folder/$vault.key" --no-recovery 2>/dev/null
    secrets "$bin/stepvault" --vault "$folder/data/$vault.db"
    "$bin/stepvault" lock --vault "$folder/data/$vault.db"
done
echo "entries: $("$build/tests/bench/fill_log" "$folder/data/long.db" "$folder/long.key" "$leaves"), $(stat -c %s "$folder/data/long.db") bytes"

unlocks=$(/usr/bin/python3 - "$bin/stepvault" "$folder" "${BENCH_UNLOCKS:-15}" <<'PYTHON'
import statistics, subprocess, sys, time
program, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
def unlock(name):
    vault = ["--vault", f"{folder}/data/{name}.db"]
    start = time.monotonic()
    subprocess.run([program, "unlock", *vault, "--key-file", f"{folder}/{name}.key"], check=True, stderr=subprocess.DEVNULL)
    took = time.monotonic() - start
    subprocess.run([program, "lock", *vault], check=True)
    return took
pairs = [(unlock("long"), unlock("short")) for _ in range(count + 1)][1:]
print(f"{statistics.median(a / b for a, b in pairs):.3f} {statistics.median(a for a, _ in pairs) * 1000:.1f} "
      f"{statistics.median(b for _, b in pairs) * 1000:.1f}")
PYTHON
)
read -r ratio long short <<<"$unlocks"
echo "unlock: $long ms with the long log, $short ms with the empty one"
bar "unlock, $leaves entries / none" "$ratio" 1.1 most

for vault in long short; do
    "$bin/stepvault" unlock --vault "$folder/data/$vault.db" --key-file "$folder/$vault.key" 2>/dev/null
done
runs=$("$folder/pair" "${BENCH_PAIRS:-500}" "$bin/stepvault" run --vault "$folder/data/long.db" launch/step -- true :: \
    "$bin/stepvault" run --vault "$folder/data/short.db" launch/step -- true)
echo "run: $runs"
runs=${runs#ratio }
bar "run true, $leaves entries / none" "${runs%% *}" 1.1 most
exit $missed
