#!/bin/bash
# `stepvault backup`: a copy is a vault like any other, whole or not there, and nobody waits for it. Runs in a mount namespace
# of its own where it may, for a full disk.
# sanitize: yes
# limit: 240
# shellcheck disable=SC2119 # unlock takes options, and mostly none
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/own_mounts.bash
. "$here/own_mounts.bash"
# shellcheck source=tests/cli/fixture.bash
. "$here/fixture.bash"
trap 'umount -l "$scratch/disk" 2> /dev/null; leave' EXIT

key=$scratch/key
# of FILE COMMAND...: a stepvault command on the vault in FILE, opened by the key file
of() { STEPVAULT_VAULT=$(realpath "$1") STEPVAULT_KEY_FILE=$key stepvault "${@:2}"; }
# sound NAME FILE: the copy verifies to its end
sound() {
    try of "$2" audit verify
    report "$status" "$1"
    [ "$status" = 0 ] || printf '# %s\n' "$err"
}
actions() { of "$1" audit log --json | jq -r .action | tail -n "${2:-1}" | tr '\n' ' '; }

# On an agent of its own, and looked at in the end: it takes half a minute.
mkdir -m 700 "$scratch/slow"
BUILD=${bin%/bin} python3 "$here/slow_backup.py" "$scratch/slow" > "$scratch/slow.out" 2> "$scratch/slow.err" &
slow=$!

new_vault vault --passphrase-fd 3 --kdf-time 0 --key-file "$key"
place TOKEN "$CANARY-token" step

# ---- what it writes ----

try stepvault backup one.db
is "a backup is written" "$status" 0
is "... with mode 0600" "$(stat -c %a one.db)" 600
is "... and nothing beside it" "$(ls -A)" one.db
size=$(sed -n 's/^size\t//p' <<< "$out") root=$(sed -n 's/^root\t//p' <<< "$out")
cp one.db copy.db # a look at a vault adds nothing to it, but let no doubt be
is "... whose head is what was printed" "$(of copy.db audit verify | cut -f2 | head -2 | tr '\n' ' ')" "$size $root "
is "... and has the backup's own entry last" "$(actions copy.db)" "backup "
sound "... and which verifies" copy.db
is "its values are those of the vault" "$(of copy.db env get TOKEN --at step)" "$CANARY-token"
succeeds "the passphrase opens it" env STEPVAULT_VAULT="$PWD/copy.db" stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
STEPVAULT_VAULT="$PWD/copy.db" stepvault lock
! grep -q "$CANARY" one.db
report $? "no value stands in it in clear"
fails "a file that is there is not replaced" 1 "there is a file at one.db already (--replace replaces it)" stepvault backup one.db
is "... and is as it was" "$(of one.db audit verify | head -1)" "$(printf 'size\t%s' "$size")"
try stepvault backup one.db --replace --json
is "with --replace it is" "$status $(jq '.log_size' <<< "$out")" "0 $((size + 1))"
is "... as JSON has the signed head" "$(jq -r .note <<< "$out" | sed -n 2p)" "$((size + 1))"
stepvault backup - 2> err > stream.db
is "- is standard output" "$? $(grep -c 'the backup holds the log of' err)" "0 1"
chmod 600 stream.db
sound "... and what comes out is a vault" stream.db
out=$("$here/terminal.py" -- stepvault backup -)
has "a backup is not written to a terminal" "$out" "a backup is no text"
fails "nor is JSON mixed into one" 2 "the backup itself goes to standard output" stepvault backup - --json
fails "the vault's own file is left alone" 1 "is of the vault itself" stepvault backup "$STEPVAULT_VAULT" --replace
fails "... and what lies beside it" 1 "is of the vault itself" stepvault backup "$STEPVAULT_VAULT-wal" --replace
ln -s one.db link.db
fails "a symbolic link is not written to" 1 "is a symbolic link" stepvault backup link.db --replace
fails "a folder is none" 1 "no regular file" stepvault backup . --replace
fails "a folder that is not there" 1 "cannot write none/x.db" stepvault backup none/x.db
fails "no file is named" 2 "" stepvault backup
if [ -e /dev/full ]; then
    try bash -c 'stepvault backup - > /dev/full'
    is "a place that takes nothing is a failure" "$status" 1
    has "... which is named" "$err" "the backup cannot be written to standard output: No space left on device"
fi
holds "the vault holds"

# ---- locked, and with a key ----

stepvault lock
fails "a locked vault without a key is refused" 3 "is locked" stepvault backup locked.db
[ ! -e locked.db ]
report $? "... and nothing is made"
succeeds "a key file opens it for the backup" stepvault backup locked.db --key-file "$key"
is "... and it is locked again" "$(stepvault status --json | jq -r .state)" locked
sound "... and the copy is sound" locked.db
is "... with the backup's entry" "$(actions locked.db)" "backup "
head -c 32 /dev/urandom > wrong && chmod 600 wrong
fails "another key does not" 1 "does not open the vault" stepvault backup wrong.db --key-file wrong
[ ! -e wrong.db ]
report $? "... and leaves nothing"

# ---- under load ----

unlock
for number in $(seq 20000); do echo "N$number=value-$number"; done | stepvault env import - --at many 2> /dev/null
load() {
    while [ ! -e "$scratch/enough" ]; do
        place "W$1" "$RANDOM" "load$1" && stepvault run step -- true || return 1
    done
}
load 1 & first=$!
load 2 & second=$!
for number in 1 2 3; do
    stepvault backup "load$number.db" > /dev/null 2>> "$scratch/notes"
    report $? "backup $number of a vault in use"
done
stepvault backup both1.db > /dev/null & third=$!
stepvault backup both2.db > /dev/null
both=$?
wait $third
is "two at once are both made" "$? $both" "0 0"
touch "$scratch/enough"
wait $first
is "nobody was refused meanwhile" "$?" 0
wait $second
is "... by either writer" "$?" 0
for number in load1 load2 load3 both1 both2; do
    sound "$number is sound" $number.db
    is "... and has every value" "$(of $number.db env list --at many | wc -l)" 20000
done
holds "and so is the vault"

# A client that reads nothing keeps nobody waiting, and one that goes leaves nothing behind.
python3 - "$XDG_RUNTIME_DIR"/stepvault/agent*.sock "$STEPVAULT_VAULT" > "$scratch/idle" << 'PY' &
import json, socket, sys, time
agent = socket.socket(socket.AF_UNIX)
agent.connect([name for name in sys.argv[1:-1]][0])
agent.sendall(json.dumps({"method": "io.stepvault.Agent.Backup", "more": True, "parameters": {"vault": sys.argv[-1]}}).encode() + b"\0")
time.sleep(3)
PY
idle=$!
sleep 0.5
started=$(date +%s%N)
succeeds "a client that reads nothing keeps no other backup waiting" timeout 20 stepvault backup beside.db
succeeds "... nor a step" timeout 20 stepvault run step -- true
took=$((($(date +%s%N) - started) / 1000000))
[ $took -lt 2500 ]
report $? "... for long ($took ms)"
sound "... and it is sound" beside.db
# held: bytes of nameless files of the agent
held() { find "/proc/$(agent_pid)/fd" -lname "*(deleted)" -printf '.' 2> /dev/null | wc -c; }
[ "$(held)" -gt 0 ] || [ "$(id -u)" != 0 ]
report $? "its copy is kept for it"
kill $idle 2> /dev/null
wait $idle 2> /dev/null
sleep 0.3
is "... and goes with it" "$(held)" 0

# ---- whole or not at all ----

stepvault backup - 2> /dev/null | head -c 100000 > part.db
chmod 600 part.db
holds "a reader that goes away harms nothing"
fails "half a copy is no vault" 1 "" of part.db env list
rm -f killed*.db
for number in $(seq 12); do
    stepvault backup "killed$number.db" > /dev/null 2>&1 &
    sleep "0.$(printf '%03d' $((number * 9)))"
    kill -9 $! 2> /dev/null
    wait $! 2> /dev/null
done
bad=0
for file in killed*.db .stepvault-*; do
    [ ! -e "$file" ] || of "$file" audit verify > /dev/null 2>&1 || bad=$((bad + 1))
done
is "killed at any moment it leaves a whole copy or none ($(find . -name 'killed*.db' | wc -l) of 12 made)" "$bad" 0
holds "and the vault holds"
is "nothing is left beside the vault" "$(find "$(dirname "$STEPVAULT_VAULT")" -type f -printf '%f\n' | sort | tr '\n' ' ')" "vault.db vault.db-wal "
(stepvault backup ended.db 2>&1 | sed 's/^/# /') & job=$!
kill -9 "$(agent_pid)"
wait $job
[ ! -e ended.db ] || of ended.db audit verify > /dev/null
report $? "an agent that dies leaves no part of one"
unlock
holds "and an intact vault"

# ---- who reads nothing ----

wait "$slow"
is "backups that nobody reads are tried to the end" "$?$(cat "$scratch/slow.err")" 0
while read -r result name; do report "$result" "$name"; done < "$scratch/slow.out"

# ---- a full disk ----

if [ -n "${OWN_MOUNTS-}" ]; then
    mkdir -p "$scratch/disk"
    mount -t tmpfs -o size=64m,mode=700 none "$scratch/disk"
    stepvault lock
    cp "$STEPVAULT_VAULT" "$scratch/disk/vault.db"
    export STEPVAULT_VAULT="$scratch/disk/vault.db"
    unlock
    succeeds "there is room for a copy and for what others write" stepvault backup room.db
    fallocate -l "$(($(df -B1 --output=avail "$scratch/disk" | tail -1) - 20000000))" "$scratch/disk/ballast"
    fails "without it the backup is refused" 1 "and the disk has room for" stepvault backup full.db
    [ ! -e full.db ]
    report $? "... and makes nothing"
    succeeds "... and the vault goes on being written" stepvault env block WRITTEN --at step
    rm "$scratch/disk/ballast"
    succeeds "with room again it is made" stepvault backup full.db
    holds "and the vault holds"
    fallocate -l "$(($(df -B1 --output=avail "$scratch/disk" | tail -1) - 1000000))" "$scratch/disk/ballast"
    export STEPVAULT_VAULT="$scratch/data/vault/vault.db"
    unlock
    fails "a full disk for FILE is named" 1 "No space left on device" stepvault backup "$scratch/disk/backup.db"
    is "... and leaves nothing there" "$(find "$scratch/disk" -type f ! -name 'vault.db*' -printf '%f ')" "ballast "
    STEPVAULT_VAULT="$scratch/disk/vault.db" stepvault lock
else
    skip "full disks" "needs root and a mount namespace"
fi
finish
