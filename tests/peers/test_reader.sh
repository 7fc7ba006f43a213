#!/bin/bash
# limit: 240
# An independent reader, written from docs/FORMAT.md alone, opens vaults by each kind of key, reads what is in them and
# recomputes S, tree, tiles, eras and checkpoints (P3, P4); and refuses changed ones. TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/fixture.bash
. "$here/../cli/fixture.bash"

vault=$XDG_DATA_HOME/stepvault/vault.db
key=$scratch/key
exec 3<"$scratch/pass" 4>"$scratch/code"
stepvault init --passphrase-fd 3 --recovery-fd 4 --kdf-time 1 --key-file "$key" 2>/dev/null
printf 'v\xc3\xa4lue\nof two lines' | stepvault env set STRIPE_KEY --at billing
printf 'older' | stepvault env set OTHER
printf 'newer' | stepvault env set OTHER
stepvault env block STRIPE_KEY --at billing/quiet
stepvault step add fenced --no-inherit --note 'nothing comes in'
echo '{"oauth_access_token":"xoxb-1","team_id":"T2"}' | stepvault account add slack --label main >/dev/null
stepvault bind billing/notify slack --only oauth_access_token --env SLACK=oauth_access_token
stepvault call AddClient '{"app":"gitlab","client_id":"id","client_secret":"s3cret"}' >/dev/null
stepvault lock
"$(dirname "$bin")/tests/cli/connected_tool" "$vault" "$key" gitlab glpat-1
stepvault unlock --key-file "$key"
stepvault run billing/notify -- true
stepvault audit checkpoint >"$scratch/note"
for _ in $(seq 270); do stepvault run billing/notify -- true; done
stepvault audit export >"$scratch/export"
stepvault audit checkpoint >"$scratch/note"
stepvault lock

reader() { /usr/bin/python3 "$here/vault_reader.py" "$@"; }

# reads NAME FILE KEY...: the reader verifies the file, and reads what was put there.
reads() {
    local name=$1 file=$2 answer
    shift 2
    answer=$(reader "$file" "$@" --variable billing STRIPE_KEY --variable / OTHER --account slack main 2>&1)
    is "$name: verifies, and reads a variable" "$(jq -r '."billing STRIPE_KEY"' <<<"$answer")" $'v\xc3\xa4lue\nof two lines'
    is "$name: reads the newer value" "$(jq -r '."/ OTHER"' <<<"$answer")" newer
    is "$name: reads an account" "$(jq -r '."slack:main".oauth_access_token' <<<"$answer")" xoxb-1
    is "$name: reads a connected one" "$(reader "$file" "$@" --account gitlab default 2>&1 | jq -r '."gitlab:default".oauth_refresh_token')" glpat-1
}
reads 'by key file' "$vault" --key-file "$key"
reads 'by passphrase' "$vault" --passphrase-file "$scratch/pass"
reads 'by recovery code' "$vault" --code-file "$scratch/code"

is 'every line of the log is the exported one' \
    "$(reader "$vault" --key-file "$key" --log | jq -r '.log[]' | head -n "$(wc -l <"$scratch/export")" | sha256sum)" "$(sha256sum <"$scratch/export")"
is 'every record has its kind, place and name' "$(reader "$vault" --key-file "$key" --names | jq -r '.names[]' | grep -v '^key ' | sort)" \
    "$(printf '%s\n' 'account gitlab default' 'account slack main' 'client gitlab default' 'binding billing/notify slack' 'past-variable / OTHER' 'path / ' 'path billing ' 'path billing/notify ' \
        'path billing/quiet ' 'path fenced ' 'path login ' 'variable / OTHER' 'variable billing STRIPE_KEY' 'variable billing/quiet STRIPE_KEY' | sort)"
head -c 32 /dev/urandom >"$scratch/other"
reader "$vault" --key-file "$scratch/other" >/dev/null 2>"$scratch/err"
is 'a wrong key opens nothing' "$?" 1

# refuses NAME SQL: a copy so changed.
refuses() {
    cp "$vault" "$scratch/changed.db"
    /usr/bin/python3 - "$scratch/changed.db" "$2" <<'PYTHON'
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("PRAGMA ignore_check_constraints = ON")
database.execute(sys.argv[2])
database.commit()
PYTHON
    reader "$scratch/changed.db" --key-file "$key" >/dev/null 2>"$scratch/err"
    is "refused: $1" "$?" 1
}
refuses 'a record less' "DELETE FROM records WHERE id = (SELECT id FROM records LIMIT 1)"
refuses 'a version changed' 'UPDATE records SET version = version + 1 WHERE id = (SELECT id FROM records LIMIT 1)'
refuses 'a slot less' 'DELETE FROM slots WHERE kind = 1'
refuses 'a leaf less' 'DELETE FROM leaves WHERE number = 3'
refuses 'two leaves exchanged' 'UPDATE leaves SET bytes = (SELECT bytes FROM leaves WHERE number = 4) WHERE number = 3'
refuses 'a tile changed' 'UPDATE tiles SET bytes = zeroblob(8192) WHERE number = 0'
refuses 'a tile more' 'INSERT INTO tiles VALUES (7, zeroblob(32))'
refuses 'a checkpoint less' 'DELETE FROM checkpoints'
refuses 'the size in clear' 'UPDATE state SET log_size = log_size - 1'
refuses 'the epoch' 'UPDATE header SET epoch = 2'

# The same after whatever makes another era, segment or instance of it.
later() {
    stepvault unlock --key-file "$key" && "$@" >/dev/null 2>"$scratch/err"
    is "$* works" "$?" 0
    stepvault lock
}
exec 3<"$scratch/pass" 4>"$scratch/code"
later stepvault backup "$scratch/copy.db"
later stepvault rekey --passphrase-fd 3 --key-file "$key" --recovery-fd 4 --yes
reads 'after a rekey' "$vault" --key-file "$key"
reads 'after a rekey, by the new recovery code' "$vault" --code-file "$scratch/code"
reads 'the backup from before it' "$scratch/copy.db" --passphrase-file "$scratch/pass"
later stepvault restore "$scratch/copy.db" --key-file "$key" --yes
reads 'restored' "$vault" --key-file "$key"
later stepvault audit prune --before "$(date -u -d '+1 minute' +%FT%TZ)" --key-file "$key"
reads 'pruned' "$vault" --key-file "$key"
later stepvault rekey --key-file "$key" --no-recovery --yes
exec 3<"$scratch/pass"
stepvault unlock --key-file "$key"
for _ in $(seq 300); do stepvault run billing/notify -- true; done
stepvault lock
later stepvault audit prune --before "$(date -u -d '+1 minute' +%FT%TZ)" --key-file "$key"
reads 'all of it' "$vault" --key-file "$key"
is 'three eras, and two tiles of leaves pruned but those that begin one' \
    "$(reader "$vault" --key-file "$key" --log | jq -c '[.eras, .pruned, ([.log[:512][] | select(. != null)] | length)]')" '[3,512,2]'
is 'the reader is short' "$(($(wc -l <"$here/vault_reader.py") < 500))" 1
finish
