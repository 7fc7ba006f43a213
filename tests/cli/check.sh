#!/bin/bash
# check: a line for each part; on an open vault, on a locked one with each sort of key, and on a damaged one.
# limit: 240
. "$(dirname "$0")/fixture.bash"
umask 077
key=$scratch/key

# damage VAULT SQL: as somebody with SQLite at hand would.
damage() {
    python3 - "$1" "$2" <<'END'
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA ignore_check_constraints = ON")
connection.executescript(sys.argv[2])
connection.commit()
connection.close()
END
}
verdicts() { cut -f 1,2 "$scratch/out" | tr '\t\n' '= '; }
sound='slots=holds rows=holds accumulator=holds tree=holds checkpoints=holds pin=holds '

export STEPVAULT_VAULT="$scratch/data/c/vault.db"
stepvault init --passphrase-fd 3 --kdf-time 0 --key-file "$key" --recovery-fd 4 3< "$scratch/pass" 4> "$scratch/code" 2> "$scratch/err" || cat "$scratch/err"
place STRIPE_KEY "sk $CANARY" billing
place STRIPE_KEY "sk 2 $CANARY" billing
account slack default "{\"oauth_access_token\":\"xoxb $CANARY\",\"team\":\"T1\"}"
stepvault bind billing slack

# ---- an open vault ----

size=$(stepvault status --json | jq .log_size)
succeeds "an open vault is checked without a key" stepvault check
is "each part holds" "$(verdicts)" "$sound"
has "the slots are told" "$out" $'slots\tholds\t3: '
lacks "no value is said" "$out$err" "$CANARY"
succeeds "and as one document" stepvault check --json
is "with all parts" "$(jq -r '[.holds, (.parts | length), .parts[0].part, .parts[5].verdict] | @csv' "$scratch/out")" 'true,6,"slots","holds"'
is "no leaf was appended" "$(stepvault status --json | jq .log_size)" "$size"
stepvault lock

# ---- a locked one ----

before=$(sha256sum < "$STEPVAULT_VAULT")
succeeds "a locked vault is checked with a key file" stepvault check --key-file "$key"
is "each part holds" "$(verdicts)" "$sound"
has "the slot that opened it is named" "$out" 'opened by machine '
succeeds "with a passphrase" stepvault check --passphrase-fd 3 3< "$scratch/pass"
has "which is said" "$out" 'opened by passphrase '
succeeds "and with the recovery code" stepvault check --recovery-code-fd 3 3< "$scratch/code"
has "which is said, too" "$out" 'opened by recovery '
is "nothing was written" "$(sha256sum < "$STEPVAULT_VAULT")" "$before"
is "there is no log beside the file" "$(ls "$scratch/data/c")" "vault.db"
is "no agent is left" "$(agents)" ""
head -c 32 /dev/urandom > "$scratch/other"
fails "a wrong key file opens nothing" 1 "does not open" stepvault check --key-file "$scratch/other"
echo wrong > "$scratch/wrong"
fails "nor does a wrong passphrase" 1 "does not open" stepvault check --passphrase-fd 3 3< "$scratch/wrong"
fails "with no key at hand it says so" 1 "terminal" setsid stepvault check < /dev/null
fails "two keys exclude each other" 2 "exclude" stepvault check --recovery --passphrase-fd 3 3< "$scratch/pass"
fails "no vault is no vault" 4 "there is no vault" stepvault check --vault "$scratch/data/none.db" --key-file "$key"
is "still no agent is left" "$(agents)" ""

# ---- a damaged one ----

cp "$STEPVAULT_VAULT" "$scratch/sound.db"
broken() {
    cp "$scratch/sound.db" "$STEPVAULT_VAULT"
    damage "$STEPVAULT_VAULT" "$2"
    try stepvault check --key-file "$key"
    is "$1: the parts" "$(verdicts)" "$3"
    is "$1: the exit status" "$status" 1
    has "$1: the sentence" "$err" "$4"
    try stepvault unlock --key-file "$key"
    is "$1: it cannot be unlocked" "$status" "$5"
    stepvault lock 2> /dev/null
}
broken "a removed record" "DELETE FROM records WHERE id = (SELECT max(id) FROM records WHERE length(finals) = 16)" \
    'slots=holds rows=holds accumulator=fails tree=holds checkpoints=holds pin=holds ' 'accumulator does not hold' 1
broken "a changed version" "UPDATE records SET version = version + 1 WHERE id = (SELECT max(id) FROM records WHERE length(finals) = 16)" \
    'slots=holds rows=fails accumulator=fails tree=holds checkpoints=holds pin=holds ' 'rows, accumulator do not hold' 1
broken "a leaf in the middle" "UPDATE leaves SET bytes = (SELECT bytes FROM leaves WHERE number = 1) WHERE number = 2" \
    "slots=holds rows=holds accumulator=holds tree=fails checkpoints=not checked pin=not checked " \
    'tree does not hold, and checkpoints, pin could not be checked' 1
broken "a forged state" "UPDATE state SET sealed = zeroblob(length(sealed))" \
    "slots=holds rows=holds accumulator=fails tree=not checked checkpoints=not checked pin=not checked " \
    'accumulator does not hold, and tree, checkpoints, pin could not be checked' 1
broken "a slot of no kind" "UPDATE slots SET kind = 9 WHERE kind = 3" \
    'slots=fails rows=holds accumulator=fails tree=holds checkpoints=holds pin=holds ' 'slots, accumulator do not hold' 1
broken "a checkpoint in the place of another" "INSERT INTO checkpoints SELECT number + 1, bytes FROM checkpoints" \
    'slots=holds rows=holds accumulator=fails tree=holds checkpoints=fails pin=holds ' 'accumulator, checkpoints do not hold' 1
cp "$scratch/sound.db" "$STEPVAULT_VAULT"
head -c 5000 /dev/urandom >> "$STEPVAULT_VAULT"
before=$(sha256sum < "$STEPVAULT_VAULT")
try stepvault check --key-file "$key"
is "bytes behind the last page: the parts" "$(verdicts)" 'slots=holds rows=holds accumulator=fails tree=holds checkpoints=holds pin=holds '
has "bytes behind the last page: what is wrong" "$out" "bytes, and should have $(stat -c %s "$scratch/sound.db")"
fails "bytes behind the last page: it cannot be unlocked" 1 "and should have" stepvault unlock --key-file "$key"
is "bytes behind the last page: it is left as it lies" "$(sha256sum < "$STEPVAULT_VAULT")" "$before"
cp "$scratch/sound.db" "$STEPVAULT_VAULT"
damage "$STEPVAULT_VAULT" "DROP INDEX records_link"
fails "another schema is no vault's" 1 "its schema was changed" stepvault check --key-file "$key"
is "a damaged vault leaves no agent" "$(agents)" ""

# ---- the pin ----

pins=$XDG_STATE_HOME/stepvault/pins
pinned() { cat "$pins"/*.pin; }
cp "$scratch/sound.db" "$STEPVAULT_VAULT"
before=$(pinned)
succeeds "a vault that this machine has seen" stepvault check --key-file "$key"
has "is held to its pin" "$out" $'pin\tholds\theld: '
is "which stays where it is" "$(pinned)" "$before"
stepvault unlock --key-file "$key"
place LATER value
stepvault lock
before=$(pinned)
cp "$scratch/sound.db" "$STEPVAULT_VAULT"
try stepvault check --key-file "$key"
is "an older copy in its place: the parts" "$(verdicts)" 'slots=holds rows=holds accumulator=holds tree=holds checkpoints=holds pin=fails '
is "an older copy in its place: the exit status" "$status" 1
has "both heads are said" "$(sed -n 6p "$scratch/out")" 'last seen with'
is "and the pin is as it was" "$(pinned)" "$before"
mv "$pins" "$scratch/pins"
succeeds "with no pin" stepvault check --key-file "$key"
has "it is said" "$out" $'pin\tholds\tnone: this machine has not seen the vault'
is "and none is made" "$(find "$pins" -name "*.pin" 2> /dev/null)" ""
rmdir "$pins" 2> /dev/null
mv "$scratch/pins" "$pins"
for pin in "$pins"/*.pin; do echo nonsense > "$pin"; done
try stepvault check --key-file "$key"
has "a pin that is none" "$(verdicts)" 'pin=not checked'
has "is said" "$err" 'pin could not be checked'
rm "$pins"/*.pin

# ---- what a crash left ----

cp "$scratch/sound.db" "$STEPVAULT_VAULT"
stepvault unlock --key-file "$key"
place LATER value
kill -9 "$(agent_pid)"
sleep 0.2
before=$(cat "$STEPVAULT_VAULT" "$STEPVAULT_VAULT-wal" | sha256sum)
succeeds "a vault with a write-ahead log holds" stepvault check --key-file "$key"
has "with what is in the log" "$out" 'rows'
is "which is left as it is" "$(cat "$STEPVAULT_VAULT" "$STEPVAULT_VAULT-wal" | sha256sum)" "$before"
finish
