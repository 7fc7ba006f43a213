#!/bin/bash
# stepvault rekey: what is in the vault stays as it is, what opened it does no more, and of what the old key sealed nothing is left.
# sanitize: yes
# limit: 240
here=$(dirname "$(realpath "$0")")
. "$here/fixture.bash"

# Everything that the vault tells of what is in it.
tell() {
    local step
    stepvault step list --json
    stepvault env list --all --json
    stepvault account list --json
    for step in $(stepvault step list --json | jq -r '.steps[] | select(.step) | .path'); do
        echo "== $step"
        stepvault step show "$step" --json
        stepvault env list --at "$step" --json
        stepvault call ListVariableRevisions "{\"path\":\"$step\"}"
        stepvault export "$step" --format json 2>&1
        stepvault export "$step" --format nul 2>/dev/null | base64
    done
    for account in $(stepvault account list --json | jq -r '.accounts[].id'); do
        stepvault account show "$account" --json
        stepvault account history "$account" --json
    done
    # Names that the vault knows are dropped from what a step inherits.
    env STRIPE_KEY=mine SLACK_OAUTH_ACCESS_TOKEN=mine AI_API_KEY=mine OTHER=mine stepvault run jobs -- env | grep -E '^(STRIPE_KEY|SLACK|AI_|OTHER)'
}
# Less, for often.
tell_some() {
    stepvault env list --all --json
    stepvault account list --json
    stepvault export billing/notify --format json
    stepvault export filled --format json
}
epoch() { stepvault slot list --json | jq .epoch; }

# Pieces of 12 bytes of what a rekey makes anew, of a closed file, one a line; and which of them are in the files.
cat > "$scratch/pieces.py" <<'PYTHON'
import os, sqlite3, sys
COLUMNS = {"records": ["body", "place", "name", "link", "finals"], "slots": ["salt", "commitment", "wrapped"],
           "state": ["sealed"], "segments": ["bytes"], "checkpoints": ["bytes"]}
if sys.argv[1] == "take":
    with sqlite3.connect(sys.argv[2]) as base:
        for table, columns in COLUMNS.items():
            for column in columns:
                for (value,) in base.execute(f"SELECT {column} FROM {table}"):
                    for at in range(0, len(value) - 11, 12):
                        print(value[at:at + 12].hex())
else:
    pieces = {bytes.fromhex(line) for line in open(sys.argv[2])}
    found = 0
    for path in filter(os.path.exists, sys.argv[3:]):
        data = open(path, "rb").read()
        found += sum(data[at:at + 12] in pieces for at in range(len(data) - 11))
    print(found)
PYTHON
# Of a copy, because looking at it as SQLite does would change the file.
take_pieces() {
    stepvault lock
    cp "$STEPVAULT_VAULT" "$scratch/looked-at.db"
    python3 "$scratch/pieces.py" take "$scratch/looked-at.db" | sort -u > "$1"
    rm -f "$scratch"/looked-at.db*
}
count_pieces() { python3 "$scratch/pieces.py" count "$1" "$STEPVAULT_VAULT" "$STEPVAULT_VAULT-wal"; }

# ---- a vault that uses everything ----

stepvault init --passphrase-fd 3 --recovery-fd 4 --kdf-time 0 3< "$scratch/pass" 4> "$scratch/code" 2> /dev/null
vault="$XDG_DATA_HOME/stepvault/vault.db"
export STEPVAULT_VAULT=$vault
stepvault slot add --key-file "$scratch/a.key" --passphrase-fd 3 3< "$scratch/pass"
stepvault slot add --key-file "$scratch/b.key" --passphrase-fd 3 3< "$scratch/pass"
stepvault slot add --key-file "$scratch/c.key" --passphrase-fd 3 3< "$scratch/pass"
place EVERYWHERE "x $CANARY"
place STRIPE_KEY first billing/notify
place STRIPE_KEY second billing/notify
place LONG "$(head -c 20000 /dev/urandom | base64)" billing
place UNSET was-here billing
stepvault env unset UNSET --at billing
place NOTED value billing
stepvault env annotate NOTED --at billing --note "a note" --expires 2030-01-01 2> /dev/null
stepvault env block EVERYWHERE --at billing/quiet
stepvault step add jobs --no-inherit --note "nightly"
account slack work '{"oauth_access_token":"xoxb-1","oauth_refresh_token":"r"}'
account openai default '{"api_key":"sk-1"}'
printf '{"account":"openai","properties":{"api_key":"sk-2","organization":"o"}}' | stepvault call SetAccount - > /dev/null
stepvault bind billing/notify slack
stepvault bind billing openai --as ai --env CHAT_KEY=api_key 2> /dev/null
stepvault bind jobs slack --as chat --only oauth_access_token
for number in $(seq 40); do printf '%s' "$number" | stepvault env set "N_$number" --at many 2> /dev/null; done
stepvault audit checkpoint > "$scratch/note.before"
stepvault audit key > "$scratch/key.before"
tell > "$scratch/before"
lines=$(stepvault audit log --json | wc -l)

# ---- what is refused, with nothing changed ----

fails "rekey wants a place for the recovery code" 2 "--no-recovery" stepvault rekey --passphrase-fd 3 3< "$scratch/pass"
fails "a key" 1 "no terminal" stepvault rekey --no-recovery
fails "the right one" 1 "does not open" stepvault rekey --no-recovery --passphrase-fd 3 3<<< "wrong $CANARY"
head -c 32 /dev/zero > "$scratch/wrong.key"
chmod 600 "$scratch/wrong.key"
fails "each of them, and names the file of one that is not" 1 "the key file $scratch/wrong.key does not open the vault" \
    stepvault rekey --no-recovery --key-file "$scratch/a.key" --keep-key "$scratch/wrong.key" --passphrase-fd 3 3< "$scratch/pass"
fails "... first of all" 1 "the key file $scratch/wrong.key does not open the vault" \
    stepvault rekey --no-recovery --keep-key "$scratch/wrong.key" --passphrase-fd 3 3< "$scratch/pass"
try stepvault rekey --no-recovery --key-file "$scratch/a.key" --keep-key "$scratch/b.key" --passphrase-fd 3 3< "$scratch/pass"
is "removing slots wants a word" "$status" 1
has "that names the option" "$err" "--yes removes them"
is "names what stays and what goes" "$(sed -En 's/.*the ([a-z]+) slot [0-9a-f]+ (.*)/\1 \2/p' <<< "$err" | sort)" \
    "machine is removed
machine stays
machine stays
passphrase stays
recovery is removed"
is "and changes nothing" "$(epoch) $(stepvault slot list | wc -l)" "1 5"
out=$(python3 "$here/terminal.py" "Passphrase (empty" "$pass" "key, which those" n -- \
    stepvault rekey --no-recovery --key-file "$scratch/a.key"; echo "status $?")
has "nor where a person says no" "$out" "nothing was changed"
is "a recovery code alone is not enough" "$(stepvault rekey --no-recovery --recovery-code-fd 3 --yes 3< "$scratch/code" 2>&1 | grep -c 'besides its recovery code')" 1
is "all that is as it was" "$(epoch)" 1

# ---- a rekey ----

take_pieces "$scratch/pieces"
cp "$vault" "$scratch/older.db"
fails "a wrong key file is named where the vault is locked, too" 1 "the key file $scratch/wrong.key does not open the vault" \
    stepvault rekey --no-recovery --key-file "$scratch/a.key" --keep-key "$scratch/wrong.key" --passphrase-fd 3 3< "$scratch/pass"
is "the pieces of the old rows are in the file" "$(($(count_pieces "$scratch/pieces") > 500))" 1
stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
try stepvault rekey --recovery-fd 4 --key-file "$scratch/a.key" --keep-key "$scratch/b.key" --keep-key "$scratch/b.key" --passphrase-fd 3 \
    --yes 3< "$scratch/pass" 4> "$scratch/code2"
is "rekey" "$status" 0
has "says what was done" "$err" "a new key (epoch 2)"
has "and to which slots" "$err" "slots: 3 kept, 1 made, 2 removed"
has "and what it cannot do" "$err" "copies of the vault file made before still open"
lacks "and no secret" "$out$err" "$CANARY"
is "nothing of the old rows is left in the file, or beside it, while the agent runs" "$(count_pieces "$scratch/pieces")" 0
is "the epoch is the next one" "$(epoch)" 2
tell > "$scratch/after"
is "everything in the vault is as it was" "$(diff "$scratch/before" "$scratch/after" | head -5)" ""
holds "the log verifies"
is "with all that was in it" "$(stepvault audit log --json | head -n "$lines" | wc -l)" "$lines"
is "the rekey's entry names the slots" "$(stepvault audit log --json | jq -r 'select(.action == "rekey" and .outcome == "granted") |
    "\(.slots.kept | length) \(.slots.made | length) \(.slots.removed | length) \(.epoch)"')" "3 1 2 2"
is "and the new key" "$(stepvault audit log --json | jq -r 'select(.successor).successor.key')" "$(stepvault audit key)"
is "which is another one" "$([ "$(stepvault audit key)" != "$(cat "$scratch/key.before")" ] && echo other)" other
is "under the same origin" "$(stepvault audit checkpoint | head -1)" "$(head -1 "$scratch/note.before")"
stepvault lock
is "nothing of the old rows is left in the closed file" "$(count_pieces "$scratch/pieces")" 0

# ---- what opens it ----

succeeds "the passphrase opens it" unlock
stepvault lock
succeeds "a key file opens it" stepvault unlock --key-file "$scratch/a.key"
stepvault lock
succeeds "another that was kept" stepvault unlock --key-file "$scratch/b.key"
stepvault lock
fails "one that was not kept does not" 1 "does not open" stepvault unlock --key-file "$scratch/c.key"
fails "nor the old recovery code" 1 "does not open" stepvault unlock --recovery-code-fd 3 3< "$scratch/code"
succeeds "but the new one" stepvault unlock --recovery-code-fd 3 3< "$scratch/code2"
holds "the log verifies when it was opened again"
stepvault lock
older() { STEPVAULT_VAULT="$scratch/older.db" "$@"; }
succeeds "an older copy still opens by what was removed" older stepvault env get STRIPE_KEY --at billing/notify --key-file "$scratch/c.key"
is "and has what was in it" "$out" second
cp "$vault" "$scratch/mixed.db"
python3 - "$scratch/mixed.db" "$scratch/older.db" <<'PYTHON'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as base:
    base.execute("ATTACH ? AS older", (sys.argv[2],))
    base.execute("DELETE FROM slots")
    base.execute("INSERT INTO slots SELECT * FROM older.slots")
PYTHON
STEPVAULT_VAULT="$scratch/mixed.db" fails "the old slots open nothing of the new file" 1 "does not open" \
    stepvault env list --vault "$scratch/mixed.db" --key-file "$scratch/c.key"

# ---- again, on a locked vault, and by the recovery code ----

try stepvault rekey --no-recovery --recovery-code-fd 3 --key-file "$scratch/a.key" --yes 3< "$scratch/code2"
is "rekey of a locked vault" "$status" 0
has "keeps the recovery code whose slot it was given" "$err" "slots: 2 kept, 0 made, 2 removed"
is "leaves it locked, and no agent" "$(stepvault status | sed -n 's/^state\t//p') $(agents)" "locked "
succeeds "the recovery code opens it under its new salt" stepvault unlock --recovery-code-fd 3 3< "$scratch/code2"
is "the epoch is the third" "$(epoch)" 3
tell > "$scratch/after"
is "everything in the vault is as it was" "$(diff "$scratch/before" "$scratch/after" | head -5)" ""
holds "the log verifies over both"
succeeds "and against a checkpoint from before the first" stepvault audit verify --against "$scratch/note.before"
succeeds "audit key --all has the keys of all three" stepvault audit key --all
has "the first of them" "$out" "$(cat "$scratch/key.before")"
is "each era is announced" "$(stepvault audit log --json | jq -r 'select(.successor) | .epoch' | tr '\n' ' ')" "2 3 "
succeeds "passwd by the recovery code" stepvault slot add --passphrase --new-passphrase-fd 4 --kdf-time 0 --recovery-code-fd 3 \
    3< "$scratch/code2" 4< "$scratch/pass"
shown=$(python3 "$here/terminal.py" "Passphrase (empty" "$pass" "key, which those" yes -- \
    stepvault rekey --key-file "$scratch/a.key"; echo "status $?")
has "on a terminal" "$shown" "epoch 4"
is "says there what takes its time, before it does" "$(grep -oE 'sealing everything anew|has a new key' <<< "$shown")" \
    "sealing everything anew
has a new key"
is "the new code is on a line of its own" "$(grep -cE '^([0-9A-Z]{4}-){8}[0-9A-Z]{4}$' <<< "$shown")" 1
lacks "and the passphrase is not shown" "$shown" "$CANARY"
grep -E '^([0-9A-Z]{4}-){8}[0-9A-Z]{4}$' <<< "$shown" > "$scratch/code3"
stepvault lock
succeeds "and opens the vault" stepvault unlock --recovery-code-fd 3 3< "$scratch/code3"
holds "which verifies"

# ---- killed halfway ----

for number in $(seq 3000); do echo "LINE_$number=value-of-$number"; done > "$scratch/lines"
stepvault env import "$scratch/lines" --at filled > /dev/null 2>&1
tell_some > "$scratch/before"
before=$(epoch)
kept=0
done=0
for wait in 0.01 0.03 0.06 0.09 0.12 0.16 0.2 0.3; do
    take_pieces "$scratch/pieces"
    stepvault unlock --key-file "$scratch/a.key"
    process=$(agent_pid)
    stepvault rekey --no-recovery --key-file "$scratch/a.key" --yes > /dev/null 2>&1 &
    rekey=$!
    sleep "$wait"
    kill -9 "$process" 2> /dev/null
    wait "$rekey"
    stepvault unlock --key-file "$scratch/a.key" || break
    now=$(epoch)
    if [ "$now" = "$before" ]; then
        kept=$((kept + 1))
    elif [ "$now" = $((before + 1)) ]; then
        done=$((done + 1))
        [ "$(count_pieces "$scratch/pieces")" = 0 ] || report 1 "old rows are left after a kill at $wait s"
    else
        report 1 "an epoch of no rekey: $now after $before"
    fi
    before=$now
    stepvault audit verify > /dev/null || report 1 "a vault killed at $wait s verifies"
    tell_some > "$scratch/after"
    cmp -s "$scratch/before" "$scratch/after" || report 1 "a vault killed at $wait s has what it had"
done
report "$([ $((kept + done)) = 8 ]; echo $?)" "killed at 8 moments, the vault is as before or as after, and verifies"
echo "# $kept as before, $done as after"

finish
