#!/bin/bash
# Exhaustive mutation: every cell, row, table, page and byte of a vault that uses every feature, changed by somebody who can write
# the file, must be noticed (main.c). TAP: a line for each kind of change and each table, with how many were noticed of how many
# were tried.
#
#   SHARD=I/N  runs that part; without it one in 24, chosen by the commit; `all` runs everything
#   POINT=...  runs what a failure names (a pattern, as for files)
#   JOBS=N     processes side by side; default 2
#   KEEP=DIR   leaves the vault there, or takes the one that is there
# limit: 14400
# sanitize: yes
here=$(realpath "$(dirname "$0")")
. "$here/../cli/fixture.bash"
. "$here/make_vault.bash"
mutate=$(dirname "$bin")/tests/mutation/mutate
jobs=${JOBS:-2}
SHARDS=${SHARDS:-24}

# The part as "first count": of SHARD, or of the commit.
choose() {
    local commit
    case ${SHARD:-} in
    all) echo 1 1 ;;
    */*) echo "${SHARD%/*} ${SHARD#*/}" ;;
    *)
        commit=$(git -C "$here" rev-parse --short=8 HEAD 2> "$scratch/nothing") || commit=0
        echo "$((16#$commit % SHARDS + 1)) $SHARDS"
        ;;
    esac
}
read -r first shards <<< "$(choose)"
[ -n "${POINT:-}" ] && first=1 shards=1 jobs=1
memory=$(mktemp -d /dev/shm/stepvault-mutation-XXXXXX)
trap 'stepvault lock 2> "$scratch/nothing"; rm -rf "$memory"; leave' EXIT
kept=${KEEP:-$memory/vault}
touch "$scratch/making"
if [ ! -e "$kept/vault.db" ]; then
    mkdir -p "$kept" && chmod 700 "$kept"
    make_vault "$kept" 2> "$scratch/making"
fi
[ -z "${POINT:-}" ] && echo "# SHARD=$first/$shards tests/mutation/mutation.sh repeats this part; SHARD=all runs everything"
grep -v "copies of the vault file\|made the vault\|every step" "$scratch/making" | sed 's/^/# /'

# Each process takes its part of the part.
processes=()
for job in $(seq "$jobs"); do
    mkdir -m 700 "$memory/$job"
    "$mutate" --vault "$kept" --in "$memory/$job" --shard "$((first + (job - 1) * shards))/$((shards * jobs))" \
        ${POINT:+--point "$POINT"} > "$scratch/found.$job" 2>&1 &
    processes+=($!)
done
ended=0
for process in "${processes[@]}"; do
    wait "$process" || { [ $? = 1 ] || ended=1; }
done
report "$ended" "every case ends by itself, and the vault of the cases is what it should be"
sed -n '/^#/p; /^mutate:/s/^/# /p' "$scratch"/found.*

# kind, where, tried, noticed at unlocking, by the check alone, by the pin alone, in no cell of a row, checked. What is none of
# these was missed. A write-ahead log that is damaged reads as an older state, and so does an older file: only a pin tells.
while IFS=$'\t' read -r kind where tried unlock check pin unread; do
    [ "$tried" -gt 0 ] || continue
    said="$((unlock + check + pin)) / $((tried - unread)) noticed"
    [ "$check" = 0 ] || said="$said, $check of them by the check alone"
    [ "$pin" = 0 ] || said="$said, $pin of them by the pin alone"
    [ "$unread" = 0 ] || said="$said; $unread more are in no cell of any row"
    report "$((tried - unlock - check - pin - unread != 0))" "$kind, $where: $said"
done < <(awk -F'\t' 'NF >= 8 { key = $1 "\t" $2; if (!(key in sums)) { order[++count] = key; sums[key] = "" }
                               for (i = 3; i <= 7; i++) sum[key, i] += $i }
    END { for (n = 1; n <= count; n++) { printf "%s", order[n]; for (i = 3; i <= 7; i++) printf "\t%d", sum[order[n], i]; print "" } }' \
    "$scratch"/found.*)
awk -F'\t' 'NF >= 8 { for (i = 3; i <= 8; i++) sum[i] += $i }
    END { printf "# all: %d / %d noticed: %d at unlocking (and of %d of these the check was asked, too), %d by the check, %d by the pin;" \
              " %d more changed no cell of any row\n", sum[4] + sum[5] + sum[6], sum[3] - sum[7], sum[4], sum[8], sum[5], sum[6], sum[7] }' \
    "$scratch"/found.*
finish
