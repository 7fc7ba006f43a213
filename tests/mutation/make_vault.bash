# shellcheck shell=bash
# Makes, through the real programs, a vault that uses every feature, and copies of it as it was: for mutation.sh. Sourced
# after tests/cli/fixture.bash, whose $scratch and $pass these are.
# shellcheck disable=SC2154

# copy_state FILE: the closed vault as it is.
copy_state() {
    stepvault lock
    cp "$STEPVAULT_VAULT" "$made/$1"
    stepvault unlock --key-file "$made/key"
}
# leaves COUNT: so many small entries of the access log, by projections of a step that has nothing.
add_leaves() {
    local call=$1
    while [ "$call" -gt 0 ]; do
        stepvault export --format nul empty > "$scratch/nothing"
        call=$((call - 1))
    done
}

# connected APP TEXT: an account that was connected by OAuth, with a renewal under way.
connected() {
    stepvault lock
    "$(dirname "$bin")/tests/cli/connected_tool" "$STEPVAULT_VAULT" "$made/key" "$@"
    stepvault unlock --key-file "$made/key"
}

# What a large record was in is free in the end.
# make_vault FOLDER: vault.db, key and key2; older-NAME.db; open.db and open.db-wal as an agent has them.
make_vault() {
    made=$1
    export STEPVAULT_VAULT="$made/vault.db"
    stepvault init --key-file "$made/key" --passphrase-fd 3 --kdf-time 0 --recovery-fd 4 3< "$scratch/pass" 4> "$made/code" || return
    copy_state older-1-new.db
    stepvault slot add --key-file "$made/key2" --passphrase-fd 3 3< "$scratch/pass"
    stepvault step add empty --no-inherit
    stepvault step add jobs/nightly --note "a note of a step"
    place HOME_PAGE "https://example.net/$CANARY"
    place STRIPE_KEY "sk_live_$CANARY" billing
    place STRIPE_KEY "sk_live_2_$CANARY" billing
    place STRIPE_KEY "sk_live_3_$CANARY" billing/notify
    printf '%s' "expiring $CANARY" | stepvault env set TOKEN --at billing --note "a note of a variable" --expires 2031-01-01
    printf '%s' "/lib/$CANARY.so" | stepvault env set LD_PRELOAD --at jobs --allow-dangerous-name
    printf '%0700d' 7 | stepvault env set LONG --at jobs
    printf '%09000d' 7 | stepvault env set LONGER --at jobs
    printf '%s' "gone $CANARY" | stepvault env set GONE --at jobs
    stepvault env block HOME_PAGE --at jobs/nightly
    account slack default '{"oauth_access_token":"xoxb-1-c4n4ry","team_id":"T1"}'
    account slack second '{"oauth_access_token":"xoxb-2-c4n4ry"}'
    account github default '{"oauth_access_token":"gho-c4n4ry","oauth_refresh_token":"ghr-c4n4ry"}'
    stepvault call AddClient '{"app":"gitlab","client_id":"id-c4n4ry","client_secret":"s-c4n4ry","redirect_uri":"http://127.0.0.1/c"}' \
        > "$scratch/nothing"
    connected gitlab "glpat-$CANARY"
    for value in 1 2 3; do printf '%09000d' "$value" | stepvault env set LARGE --at old; done
    copy_state older-2-filled.db
    stepvault env unset GONE --at jobs
    printf '%s' "xoxb-3-$CANARY" | stepvault account set slack:default oauth_access_token --note "a note of an account" --expires 2030-01-01
    stepvault bind billing/notify slack:default
    stepvault bind jobs/nightly slack:second --as chat --only oauth_access_token --env CHAT_TOKEN=oauth_access_token
    stepvault bind / github --only oauth_access_token
    stepvault bind jobs/nightly gitlab
    printf '%s' "later $CANARY" | stepvault env set STRIPE_KEY --at billing
    stepvault audit checkpoint > "$made/note-1"
    add_leaves 150
    copy_state older-3-bound.db
    stepvault slot add --key-file "$made/key3" --passphrase-fd 3 3< "$scratch/pass"
    printf '%s\n' "another $pass" > "$made/pass"
    stepvault passwd --passphrase-fd 3 --new-passphrase-fd 4 --kdf-time 0 3< "$scratch/pass" 4< "$made/pass"
    add_leaves 60
    copy_state older-4-slots.db
    stepvault rekey --key-file "$made/key" --keep-key "$made/key2" --passphrase-fd 3 --recovery-fd 4 --yes 3< "$made/pass" 4> "$made/code"
    add_leaves 50
    copy_state older-5-rekeyed.db
    sleep 1
    stepvault audit prune --before "$(date -u +%FT%TZ)" --passphrase-fd 3 3< "$made/pass"
    stepvault slot add --key-file "$made/key4" --passphrase-fd 3 3< "$made/pass"
    copy_state older-6-pruned.db
    stepvault slot remove "$(stepvault slot list --json | jq -r '.slots | map(select(.kind == "machine")) | max_by(.created).id')" \
        --passphrase-fd 3 3< "$made/pass"
    stepvault backup "$made/backup" > "$scratch/nothing"
    printf '%s' "xoxb-4-$CANARY" | stepvault account set slack:second oauth_access_token
    add_leaves 10
    copy_state older-7-abandoned.db
    stepvault restore "$made/backup" --key-file "$made/key" --yes > "$scratch/nothing"
    stepvault unlock --key-file "$made/key"
    printf '%s' "xoxb-5-$CANARY" | stepvault account set slack:second oauth_access_token
    add_leaves $((595 - $(leaf_count)))
    copy_state older-8-branch.db
    make_branch
    stepvault audit checkpoint > "$made/note-2"
    place HOME_PAGE "https://example.org/$CANARY"
    stepvault lock
    cp "$STEPVAULT_VAULT" "$made/older-9-before.db"
    make_open
    stepvault lock
}
leaf_count() { stepvault audit checkpoint | sed -n 2p; }

# What became of a copy that was written somewhere else: the same vault id and signing key, another log.
make_branch() {
    mkdir -p "$made/other"
    cp "$made/older-8-branch.db" "$made/other/vault.db"
    (
        export STEPVAULT_VAULT="$made/other/vault.db" STEPVAULT_KEY_FILE="$made/key" XDG_STATE_HOME="$made/other/state"
        stepvault env set HOME_PAGE <<< "somewhere $CANARY"
        add_leaves 6
    )
    mv "$made/other/vault.db" "$made/older-8-branch.db"
}
# The file and its write-ahead log while an agent has it open, after some commits.
make_open() {
    stepvault unlock --key-file "$made/key"
    place HOME_PAGE "https://example.com/$CANARY"
    stepvault env unset LONG --at jobs
    stepvault step remove old --force
    stepvault audit verify > "$scratch/nothing"
    cp "$STEPVAULT_VAULT" "$made/open.db"
    cp "$STEPVAULT_VAULT-wal" "$made/open.db-wal"
}
