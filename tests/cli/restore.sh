#!/bin/bash
# `stepvault restore`: a copy takes the vault's place whole, whatever is there, and whatever is wrong with it takes no place.
# Runs in a mount namespace of its own where it may, for a full disk.
# sanitize: yes
# limit: 300
# shellcheck disable=SC2119 # unlock takes options, and mostly none
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/own_mounts.bash
. "$here/own_mounts.bash"
# shellcheck source=tests/cli/fixture.bash
. "$here/fixture.bash"
trap 'umount -l "$scratch/disk" 2> /dev/null; leave' EXIT

key=$scratch/key
pins=${XDG_STATE_HOME:-$HOME/.local/state}/stepvault/pins
terminal() { "$here/terminal.py" "$@"; }
keyed() { STEPVAULT_KEY_FILE=$key stepvault "$@"; }
# restore ARGUMENT...: with the passphrase and without a question
restore() { stepvault restore --passphrase-fd 3 --yes "$@" 3< "$scratch/pass"; }
state() { stepvault status --json | jq -r .state; }
names() { keyed env list --all | cut -f2 | sort | tr '\n' ' '; }
beside() { find "$(dirname "$STEPVAULT_VAULT")" -type f -printf '%f\n' | sort | tr '\n' ' '; }
# clean NAME NAMES: the vault verifies, has these variables, and nothing lies beside it
clean() {
    is "$1: nothing lies beside it" "$(beside)" "vault.db "
    try keyed audit verify
    report "$status" "$1: it verifies"
    is "$1: it has its values" "$(names)" "$2"
}
leaf() { keyed audit log --json | jq -c "select(.action == \"restore\") | $1" | tail -1; }

new_vault vault --passphrase-fd 3 --kdf-time 0 --key-file "$key"
place FIRST "$CANARY-first"
account slack default "{\"oauth_access_token\":\"$CANARY\",\"oauth_refresh_token\":\"$CANARY\"}"
account openai default "{\"api_key\":\"$CANARY\"}"
size=$(stepvault backup first.db | sed -n 's/^size\t//p')
place SECOND "$CANARY-second"
last=$(stepvault audit verify | cut -f2 | head -2 | tr '\n' ' ')

# ---- over an open vault ----

fails "without a terminal to confirm on it wants --yes" 2 "--yes confirms it" setsid -w stepvault restore first.db --passphrase-fd 3 3< "$scratch/pass"
out=$(terminal "Passphrase: " "$pass" "Type yes to replace it: " no -- stepvault restore first.db)
has "a person is shown what would be lost" "$out" "abandoned: ${last%% *} entries, root $(cut -d' ' -f2 <<< "$last")"
has "... and what there would be" "$out" "restored: $size entries"
has "... and may think better of it" "$out" "it was not confirmed, and nothing was changed"
is "... which leaves the vault open" "$(state)" open
is "... and whole" "$(names)" "FIRST SECOND "
out=$(terminal "Passphrase: " "$pass" "Type yes to replace it: " yes -- stepvault restore first.db)
has "or confirm it" "$out" "restored the vault"
is "... which locks it" "$(state)" locked
clean "restored over an open vault" "FIRST "
is "its first entry names what was abandoned" "$(leaf '[.abandoned.size, .restored.size, .writer_seq, .outcome]')" "[$((${last%% *} + 0)),$size,0,\"granted\"]"
is "... by its root, too" "$(leaf .abandoned.root)" "\"$(cut -d' ' -f2 <<< "$last")\""
is "the log has both instances" "$(keyed audit log --json | jq -r .writer | uniq | wc -l)" 2
unlock
is "accounts with a refresh token are marked" "$(stepvault account list --json | jq -c '[.accounts[] | [.app, has("restored")]]')" '[["openai",false],["slack",true]]'
has "... for people too" "$(stepvault account list | grep slack)" restored
stepvault account annotate slack --note hello > /dev/null
has "a note changes nothing about that" "$(stepvault account show slack)" restored
stepvault account rename slack work > /dev/null
has "... nor does another label" "$(stepvault account show slack)" restored
stepvault account set slack oauth_refresh_token <<< "$CANARY-new" > /dev/null
lacks "a new token does" "$(stepvault account show slack)" restored
holds "the restored vault goes on"
stepvault backup second.db > /dev/null
try restore --json second.db
is "a copy of a restored vault is restored" "$status $(jq -c '[.abandoned.size == .restored.size, .restored.root == .abandoned.root]' <<< "$out")" "0 [true,true]"
is "... which --json tells in one document, of the heads alone" "$(jq -c keys <<< "$out") $(jq -r .note <<< "$out" | sed -n 2p)" \
    "[\"abandoned\",\"note\",\"restored\"] $(jq '.restored.size + 1' <<< "$out")"
clean "restored twice" "FIRST "
is "... as the third instance" "$(keyed audit log --json | jq -r .writer | uniq | wc -l)" 3

# ---- over a locked one, and where none is left ----

unlock
place THIRD "$CANARY"
stepvault lock
succeeds "over a locked vault, by the key file" keyed restore first.db --yes
clean "restored over a locked vault" "FIRST "
is "its head was known, for the key opens it" "$(leaf '.abandoned.size > 6')" true
succeeds "from standard input" restore - < second.db
clean "restored from standard input" "FIRST "
succeeds "from a pipe" restore - < <(cat second.db)
rm "$STEPVAULT_VAULT"
succeeds "where no vault is left" stepvault restore first.db --passphrase-fd 3 3< "$scratch/pass"
clean "restored where none was" "FIRST "
is "the pin tells what is abandoned" "$(leaf '.abandoned.size > .restored.size')" true
rm -r "$(dirname "$STEPVAULT_VAULT")" "$pins"
succeeds "where not even the folder is left, nor a pin" keyed restore first.db
is "nothing is known of what is abandoned" "$(leaf 'has("abandoned")')" false
clean "restored where no folder was" "FIRST "
code=$(keyed slot add --recovery --recovery-fd 1)
keyed backup coded.db > /dev/null
rm "$STEPVAULT_VAULT"
succeeds "by the recovery code" stepvault restore coded.db --recovery-code-fd 3 3<<< "$code"
clean "restored by the recovery code" "FIRST "
fails "a slot that the copy has not" 4 "the vault has no recovery slot" stepvault restore first.db --yes --recovery-code-fd 3 3<<< "$code"

# ---- what is no good takes no place ----

unlock
place KEPT "$CANARY"
before=$(names)
# refused NAME STATUS PART FILE
refused() {
    fails "$1" "$2" "$3" restore "$4"
    is "... and the vault is open and as it was" "$(state) $(names)" "open $before"
    is "... with nothing beside it" "$(beside)" "vault.db vault.db-wal "
}
: > empty.db
refused "an empty file" 1 "is not a stepvault vault" empty.db
head -c 100000 /dev/urandom > noise.db
refused "a file of something else" 1 "is not a stepvault vault" noise.db
python3 -c 'import sqlite3; c = sqlite3.connect("other.sqlite"); c.execute("create table t(a)"); c.commit()'
refused "another program's database" 1 "is not a stepvault vault" other.sqlite
truncate -s 20G huge.db
refused "a huge file of something else, at once" 1 "is not a stepvault vault" huge.db
for part in 50 4096 20000 -4096 -1; do
    head -c "$part" first.db > cut.db
    refused "a copy cut to $part bytes" 1 "" cut.db
done
cat first.db noise.db > long.db
refused "a copy with more behind it" 1 "" long.db
python3 - << 'PY'
import os
data = open("first.db", "rb").read()
pages = len(data) // 4096
# The last byte of each page that has a row.
for page in range(pages):
    at = page * 4096 + 4095
    if data[at] == 0:
        continue
    flipped = bytearray(data)
    flipped[at] ^= 1
    open(f"flip{page}.db", "wb").write(flipped)
PY
accepted=
for file in flip*.db; do
    if restore "$file" 2> "$scratch/err"; then accepted+=" $file"; unlock; fi
done
is "a flipped byte in any of $(find . -name 'flip*.db' | wc -l) pages is noticed" "$accepted" ""
is "... and leaves the vault as it was" "$(state) $(names)" "open $before"
holds "... which verifies"
fails "a wrong passphrase" 1 "file to restore is refused: the key does not open" stepvault restore first.db --yes --passphrase-fd 3 3<<< "wrong $CANARY"
head -c 32 /dev/urandom > wrong && chmod 600 wrong
fails "a wrong key file" 1 "file to restore is refused: the key does not open" stepvault restore first.db --yes --key-file wrong
is "is a refusal in the log" "$(stepvault audit log --json | jq -c 'select(.action == "restore" and .outcome == "refused") | .why' | tail -2 | sort -u)" '"WrongKey"'
fails "a file that is not there" 1 "cannot open none.db" restore none.db
fails "a folder" 1 "cannot read ." restore .
fails "the open vault's own file" 1 "its file alone is not all of it" restore "$STEPVAULT_VAULT"
own=$STEPVAULT_VAULT
new_vault elsewhere
stepvault backup elsewhere.db > /dev/null
id=$(stepvault slot list --json | jq -r .vault_id)
stepvault lock
# Nothing is left of it but what this machine knows of it; the other agent writes its own pin within a second.
rm "$STEPVAULT_VAULT"
sleep 1.5
pinned=$(cat "$pins"/*.pin | sha256sum)
fails "where another vault was last seen it wants --yes" 2 "another vault ($id) was last seen at $STEPVAULT_VAULT" \
    setsid -w stepvault restore first.db --passphrase-fd 3 3< "$scratch/pass"
out=$(terminal "Passphrase: " "$pass" "Type yes to put it there: " no -- stepvault restore first.db)
has "... or a person who is told which" "$out" "another vault ($id) was last seen at $STEPVAULT_VAULT"
has "... and may say no" "$out" "it was not confirmed, and nothing was changed"
is "... which leaves what is known of it" "$(cat "$pins"/*.pin | sha256sum)$(beside)" "$pinned"
out=$(terminal "Passphrase: " "$pass" "Type yes to put it there: " yes -- stepvault restore first.db)
has "... or yes" "$out" "restored the vault"
clean "restored where another vault was last seen" "FIRST "
rm "$STEPVAULT_VAULT"
stepvault restore elsewhere.db --passphrase-fd 3 --yes 3< "$scratch/pass" 2> "$scratch/err"
has "with --yes it is said all the same" "$(cat "$scratch/err")" "another vault ("
export STEPVAULT_VAULT=$own
refused_other() {
    fails "$1" 1 "is of another vault than the one at" restore elsewhere.db
}
refused_other "another vault's copy over an open one"
stepvault lock
refused_other "... and over a locked one"
is "which is as it was" "$(names)" "FIRST KEPT "

# ---- what is damaged, or in use ----

# damaged NAME COMMAND...: makes the vault so, and restores over it
damaged() {
    local name=$1
    shift
    "$@"
    succeeds "$name is restored over" restore first.db
    clean "$name" "FIRST "
}
garble() { head -c 100000 /dev/urandom > "$STEPVAULT_VAULT"; }
halve() { truncate -s 9000 "$STEPVAULT_VAULT"; }
blank() { : > "$STEPVAULT_VAULT"; }
flip() { printf 'X' | dd of="$STEPVAULT_VAULT" bs=1 seek=20000 conv=notrunc status=none; }
widen() { chmod 644 "$STEPVAULT_VAULT"; }
log() { head -c 50000 /dev/urandom > "$STEPVAULT_VAULT-wal"; chmod 600 "$STEPVAULT_VAULT-wal"; }
garble_with_log() { garble; log; }
older() { cat first.db > "$STEPVAULT_VAULT"; }
damaged "a vault of noise" garble
damaged "half a vault" halve
damaged "an empty file" blank
damaged "a vault with a byte changed" flip
damaged "a vault that others may read" widen
damaged "a vault with a log of noise" log
damaged "noise with a log of noise" garble_with_log
damaged "an older copy" older
older
succeeds "the vault's own file, where it is locked" restore "$STEPVAULT_VAULT"
clean "restored from itself" "FIRST "
mv "$STEPVAULT_VAULT" aside.db
ln -s "$PWD/aside.db" "$STEPVAULT_VAULT"
fails "a symbolic link is not replaced" 1 "no regular file of ours" env STEPVAULT_VAULT="$(dirname "$STEPVAULT_VAULT")/./vault.db" "$bin/stepvault" restore first.db --key-file "$key" --yes
rm "$STEPVAULT_VAULT"
mkdir "$STEPVAULT_VAULT"
fails "nor a folder" 1 "no regular file of ours" restore first.db
rmdir "$STEPVAULT_VAULT"
mv aside.db "$STEPVAULT_VAULT"
# A crash leaves commits in the log alone.
unlock
place LOGGED "$CANARY"
kill -9 "$(agent_pid)"
while [ -n "$(agents)" ]; do sleep 0.05; done
succeeds "a vault whose agent was killed" restore --json first.db
is "... has in what is abandoned what only its log had" "$(jq -c '.abandoned.size > .restored.size' <<< "$out")" true
clean "restored after a crash" "FIRST "
unlock
fails "a vault that another process holds" 1 "is held by another process" env STEPVAULT_SOCKET="$scratch/run/other.sock" STEPVAULT_KEY_FILE="$key" stepvault restore first.db --yes
is "... goes on" "$(state) $(names)" "open FIRST "
place GOES_ON "$CANARY"

cp first.db moved.db
mv moved.db "$STEPVAULT_VAULT"
fails "an agent whose file was replaced under it serves nobody" 1 "was replaced by another file" stepvault env list
damaged "... and is restored over" true
is "... by the head that it had seen" "$(leaf '.abandoned.size > .restored.size')" true
unlock
older
damaged "a vault that was written while it was open" true

# ---- at once, interrupted ----

unlock

python3 - "$XDG_RUNTIME_DIR"/stepvault/agent*.sock "$STEPVAULT_VAULT" << 'PY' &
import base64, json, socket, sys, time
agent = socket.socket(socket.AF_UNIX)
agent.connect(next(name for name in sys.argv[1:-1]))
data = base64.b64encode(open("first.db", "rb").read(30000)).decode()
agent.sendall(json.dumps({"method": "io.stepvault.Agent.StageRestore", "parameters": {"vault": sys.argv[-1], "data": data}}).encode() + b"\0")
agent.recv(1000)
time.sleep(30)
PY
staging=$!
sleep 0.5
fails "a second restore at the same time" 1 "is making or restoring a vault in" restore first.db
succeeds "... while others are served" stepvault env list
is "what was staged lies beside the vault" "$(beside)" "vault.db vault.db-wal vault.db.new "
kill -9 $staging
wait $staging 2> /dev/null
sleep 0.3
is "... and goes with who staged it" "$(beside)" "vault.db vault.db-wal "
restore first.db 2> "$scratch/one" & one=$!
restore first.db 2> "$scratch/two"
two=$?
wait $one
one=$?
[ $one = 0 ] || [ $two = 0 ]
report $? "of two at once one is done ($one, $two)"
clean "restored by two" "FIRST "

# killed SYSCALL NUMBER: the agent of a restore is killed at its n-th call; the vault is the old or the new one
killed() {
    older
    rm -r "$pins"
    keyed env block "OLD_$number" > /dev/null 2>&1
    strace -qq -f -o /dev/null -e trace="$1" -e inject="$1:signal=KILL:when=$2" \
        stepvault restore second.db --key-file "$key" --yes > /dev/null 2>&1
    local pid
    for pid in $(agents); do kill -9 "$pid" 2> /dev/null; done
    try keyed audit verify
    [ "$status" = 0 ] || { printf '# %s %s: %s\n' "$1" "$2" "$err"; return 1; }
    is_old=$(keyed env list --all | grep -c "OLD_$number")
    outcomes+="$is_old"
    [ "$(beside | tr ' ' '\n' | grep -vc '^vault.db\(.new\(-wal\)\?\|-wal\)\?$')" = 0 ]
}
if strace -qq -o /dev/null true 2> /dev/null && [ -z "${ASAN_OPTIONS-}" ]; then
    bad=0 points=0 outcomes=
    for point in rename:1 unlink:1 unlink:2 unlink:3 unlink:4 unlink:5 unlink:6 unlink:7 unlink:8 unlink:9 fsync:1 fsync:2 fsync:3 fsync:4 fsync:5 fsync:6 \
        fdatasync:1 fdatasync:2 fdatasync:3 fdatasync:4 fdatasync:5 fdatasync:6 ftruncate:1 ftruncate:2 ftruncate:3 ftruncate:4 \
        pwrite64:1 pwrite64:9 pwrite64:20 pwrite64:30 pwrite64:40 openat:60 openat:70; do
        points=$((points + 1)) number=$points
        killed "${point%:*}" "${point#*:}" || bad=$((bad + 1))
    done
    is "killed at $points points (0 new, 1 old: $outcomes) the vault is the old or the new one" "$bad" 0
    keyed restore first.db --yes > /dev/null 2>&1
    clean "restored after all that" "FIRST "
else
    skip "killed at its system calls" "strace cannot follow here"
fi

# ---- a full disk ----

if [ -n "${OWN_MOUNTS-}" ]; then
    mkdir -p "$scratch/disk"
    mount -t tmpfs -o size=40m,mode=700 none "$scratch/disk"
    export STEPVAULT_VAULT="$scratch/disk/vault.db"
    cp first.db "$STEPVAULT_VAULT"
    unlock
    place HERE "$CANARY"
    fallocate -l "$(($(df -B1 --output=avail "$scratch/disk" | tail -1) - 16800000))" "$scratch/disk/ballast"
    fails "without room for it a restore is refused" 1 "and the disk has room for" restore first.db
    is "... and leaves nothing" "$(ls -A "$scratch/disk")" "$(printf 'ballast\nvault.db\nvault.db-wal')"
    succeeds "... and the vault goes on being written" stepvault env block WRITTEN --at step
    rm "$scratch/disk/ballast"
    cp first.db large.db
    truncate -s 500M large.db
    fails "a copy that grew large" 1 "" restore large.db
    is "... leaves nothing" "$(ls -A "$scratch/disk")" "$(printf 'vault.db\nvault.db-wal')"
    succeeds "with room it is restored" restore first.db
    is "... on that disk" "$(names)" "FIRST "
else
    skip "full disks" "needs root and a mount namespace"
fi
finish
