#!/bin/bash
# The vault's file replaced whole by each older copy, by the real programs: refused where this machine has a pin, by unlock, check
# and a step alike, with both heads; without one it opens, and check says that there is none.
# limit: 300
# shellcheck disable=SC2031
here=$(realpath "$(dirname "$0")")
. "$here/../cli/fixture.bash"
. "$here/make_vault.bash"
mkdir -m 700 "$scratch/made"
make_vault "$scratch/made" > "$scratch/nothing" 2>&1
export STEPVAULT_VAULT="$scratch/made/vault.db"
cp "$STEPVAULT_VAULT" "$scratch/newest.db"
cp -a "$XDG_STATE_HOME" "$scratch/pinned"
key=(--key-file "$made/key")
note=$(stepvault audit checkpoint "${key[@]}")
stepvault lock
cp "$STEPVAULT_VAULT" "$scratch/newest.db"
rm -rf "$scratch/pinned" && cp -a "$XDG_STATE_HOME" "$scratch/pinned"

# put FILE: in the vault's place, on a machine that saw the newest.
put() {
    cat "$1" > "$STEPVAULT_VAULT"
    rm -rf "$XDG_STATE_HOME" && cp -a "$scratch/pinned" "$XDG_STATE_HOME"
}
for copy in "$made"/older-*.db; do
    name=$(basename "$copy" .db)
    put "$copy"
    fails "$name: unlock is refused" 1 "last seen with" stepvault unlock "${key[@]}"
    has "... by both heads" "$err" "found with"
    fails "... a step is not run" 125 "last seen with" stepvault run jobs/nightly "${key[@]}" -- true
    try stepvault check "${key[@]}"
    is "... check says that the pin fails" "$status $(grep -c '^pin.*fails.*last seen with' "$scratch/out")" "1 1"
    is "... and that all else holds" "$(grep -c 'holds' "$scratch/out")" 5
    is "... nobody wrote to it" "$(cmp "$copy" "$STEPVAULT_VAULT" && echo same)" same
    rm -rf "$XDG_STATE_HOME"
    try stepvault check "${key[@]}"
    is "... without a pin check says that there is none, and holds" "$status $(grep -c '^pin.*none' "$scratch/out")" "0 1"
    succeeds "... and it opens, unnoticed: that is what the pin is for" stepvault unlock "${key[@]}"
    try stepvault audit verify --against - <<< "$note"
    is "... but not for whoever kept a checkpoint" "$((status != 0))" 1
    stepvault lock
done
put "$scratch/newest.db"
succeeds "the newest opens" stepvault unlock "${key[@]}"
stepvault lock
try stepvault check "${key[@]}"
is "... and all of it holds" "$status $(grep -c holds "$scratch/out")" "0 6"
finish
