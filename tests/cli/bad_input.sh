#!/bin/bash
# Bad input: one sentence on stderr, the right exit status, nothing lost, and no secret shown. Runs in a mount namespace of
# its own where it may, for full and read-only disks.
# sanitize: yes
# shellcheck disable=SC2016 # what stands in single quotes is for the command's own shell
# shellcheck disable=SC2119 # unlock takes options, and mostly none
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/own_mounts.bash
. "$here/own_mounts.bash"
# shellcheck source=fixture.bash
. "$here/fixture.bash"
trap 'umount -l "$scratch/disk" 2> /dev/null; leave' EXIT
# No folder of this machine may stand in for the one that is missing.
[ -z "${OWN_MOUNTS-}" ] || [ ! -d /run/user ] || mount -t tmpfs none /run/user

key=$scratch/key
export STEPVAULT_VAULT="$scratch/data/vault/vault.db"
fails "init without a terminal to ask on" 1 "terminal" setsid -w stepvault init --no-recovery < /dev/null
is "... makes nothing" "$(ls "$scratch/data")" ""
new_vault vault --passphrase-fd 3 --kdf-time 0 --key-file "$key"
place GOOD "$CANARY-good" step
account app default "{\"token\":\"$CANARY-token\"}"
stepvault bind step app
# unharmed WHAT: after the block above the vault verifies and has its values.
unharmed() {
    [ "$(stepvault status --json | jq -r .state)" = open ] || unlock
    holds "$1: audit verify is clean"
    is "$1: the values are unchanged" "$(stepvault env get GOOD --at step),$(stepvault export step)" "$CANARY-good,{\"app\":{\"token\":\"$CANARY-token\"}}"
}
log_size() { stepvault status --json | jq .log_size; }

# ---- passphrases ----
stepvault lock
fails "a wrong passphrase" 1 "passphrase does not open" stepvault unlock --passphrase-fd 3 3<<< "wrong $CANARY"
fails "an empty passphrase" 1 "" stepvault unlock --passphrase-fd 3 3<<< ""
fails "no passphrase at all" 1 "nothing to read" stepvault unlock --passphrase-fd 3 3< /dev/null
fails "a passphrase of a megabyte" 1 "longer than" stepvault unlock --passphrase-fd 3 3< <(head -c 1000000 /dev/zero | tr '\0' x)
fails "a descriptor that is not open" 2 "no open descriptor" stepvault unlock --passphrase-fd 77
fails "no terminal to ask for the passphrase on" 1 "terminal" setsid -w stepvault unlock < /dev/null
fails "... and standard input is not read for it" 1 "terminal" setsid -w stepvault unlock < "$scratch/pass"
fails "no terminal for passwd" 1 "terminal" setsid -w stepvault passwd < /dev/null
is "none of them leaves an agent" "$(agents | wc -l)" 0
for bad in short:31 long:33 empty:0; do
    head -c "${bad#*:}" /dev/urandom > "$scratch/bad.key"
    chmod 600 "$scratch/bad.key"
    fails "a key file that is ${bad%:*}" 1 "32 bytes" stepvault unlock --key-file "$scratch/bad.key"
done
cp "$key" "$scratch/bad.key"
chmod 644 "$scratch/bad.key"
fails "a key file open to others" 1 "open to others" stepvault unlock --key-file "$scratch/bad.key"
fails "a key file that is not there" 4 "no key file" stepvault unlock --key-file "$scratch/none.key"
fails "... for run" 125 "no key file" stepvault run step --key-file "$scratch/none.key" -- true
ln -s "$key" "$scratch/link.key"
fails "a key file that is a symbolic link" 1 "symbolic link" stepvault unlock --key-file "$scratch/link.key"
mkfifo "$scratch/fifo.key"
fails "a key file that is a pipe" 1 "regular file" timeout 10 stepvault unlock --key-file "$scratch/fifo.key"
unharmed "passphrases"
stepvault lock

# ---- files that are no vault, or not ours ----
original=$STEPVAULT_VAULT
foreign=$scratch/foreign/vault.db
mkdir -m 700 "$scratch/foreign"
# refused NAME PART: each way to the vault at $foreign is refused with PART.
refused() {
    fails "$1: unlock" 1 "$2" timeout 20 stepvault unlock --vault "$foreign" --passphrase-fd 3 3< "$scratch/pass"
    fails "$1: unlock by key file" 1 "$2" timeout 20 stepvault unlock --vault "$foreign" --key-file "$key"
    fails "$1: run" 125 "$2" timeout 20 stepvault run step --vault "$foreign" --key-file "$key" -- true
    is "$1: no agent stays" "$(agents | wc -l)" 0
}
new_file() {
    rm -rf "$scratch/foreign"
    mkdir -m 700 "$scratch/foreign"
    [ $# = 0 ] || { cat "$@" > "$foreign"; chmod 600 "$foreign"; }
}
echo "just text, $CANARY" > "$scratch/text"
new_file "$scratch/text"
refused "a text file" "not a stepvault vault"
is "... which is as it was" "$(cat "$foreign")" "just text, $CANARY"
fails "... and init does not touch it" 1 "already" stepvault init --vault "$foreign" --key-file "$scratch/other.key" --no-recovery
new_file /dev/null
refused "an empty file" "not a stepvault vault"
new_file
/usr/bin/python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute("create table secrets (a)"); c.commit()' "$foreign"
chmod 600 "$foreign"
refused "another program's SQLite database" "not a stepvault vault"
for format in 0 2 4294967295; do
    new_file "$original"
    /usr/bin/python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(60); f.write(int(sys.argv[2]).to_bytes(4, "big"))' "$foreign" "$format"
    refused "format $format" "format"
done
new_file "$original"
/usr/bin/python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute("create table more (a)"); c.commit()' "$foreign"
refused "a vault with a table more" "schema"
for size in 100 5000 20000 "$(($(stat -c %s "$original") - 4096))"; do
    new_file "$original"
    truncate -s "$size" "$foreign"
    refused "a vault cut to $size bytes" "vault"
done
# Every 1009th byte changed, one at a time: noticed, or not part of anything, and then everything is there.
outcome=$(/usr/bin/python3 - "$original" "$foreign" "$key" "$CANARY" << 'PY'
import os, subprocess, sys
original, foreign, key, canary = sys.argv[1:]
data = open(original, "rb").read()
noticed = unharmed = 0
for at in range(100, len(data), 1009):
    for name in (foreign, foreign + "-wal"):
        if os.path.exists(name):
            os.unlink(name)
    with open(os.open(foreign, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1:])
    done = subprocess.run(["stepvault", "env", "get", "GOOD", "--at", "step", "--vault", foreign, "--key-file", key],
                          capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode == 0 and done.stdout == f"{canary}-good".encode():
        done = subprocess.run(["stepvault", "audit", "verify", "--vault", foreign, "--key-file", key], capture_output=True)
        unharmed += done.returncode == 0
        if done.returncode == 0:
            continue
    sentence = done.stderr.decode()
    if done.returncode == 1 and sentence.startswith("stepvault: ") and sentence.count("\n") == 1 and canary not in sentence:
        noticed += 1
    else:
        print(at, done)
print("each" if noticed > 12 and noticed + unharmed == len(range(100, len(data), 1009)) else (noticed, unharmed))
PY
)
is "a changed byte is noticed, or touches nothing" "$outcome" each
new_file "$original"
chmod 640 "$foreign"
refused "a vault open to the group" "open to group or others"
new_file "$original"
ln "$foreign" "$scratch/foreign/second"
refused "a vault with two names" "hard links"
new_file
ln -s "$original" "$foreign"
refused "a symbolic link" "symbolic link"
new_file
mkdir "$foreign"
refused "a folder" "not a regular file"
new_file
mkfifo -m 600 "$foreign"
refused "a pipe" "not a regular file"
if [ "$(id -u)" = 0 ]; then
    new_file "$original"
    chown 12345 "$foreign"
    refused "a vault of another owner" "belongs to uid 12345"
    new_file "$original"
    echo x > "$foreign-wal"
    chmod 600 "$foreign-wal"
    chown 12345 "$foreign-wal"
    refused "a write-ahead log of another owner" "belongs to uid 12345"
else
    skip "a vault of another owner" "needs root"
fi
fails "no vault at all: unlock" 4 "no vault" stepvault unlock --vault "$scratch/none/vault.db" --passphrase-fd 3 3< "$scratch/pass"
fails "... run" 125 "no vault" stepvault run step --vault "$scratch/none/vault.db" -- true
fails "... with a key" 4 "no vault" stepvault env list --vault "$scratch/none/vault.db" --key-file "$key"
is "... which makes none" "$([ -e "$scratch/none" ] || echo none)" none
fails "a vault's path that is too long" 1 "" stepvault env list --vault "/$(head -c 5000 /dev/zero | tr '\0' x)"
fails "a vault's path that is no text" 1 "UTF-8" stepvault env list --vault $'/tmp/\xff'
unharmed "files"

# ---- agents and sockets ----
socket=$(find "$scratch/run" -name '*.sock')
fails "a second agent on one socket" 1 "another agent serves" sh -c 'stepvault-agent --vault "$STEPVAULT_VAULT" --socket "$1" 2>&1 | sed "s/^stepvault-agent/stepvault/" >&2; exit 1' - "$socket"
stepvault-agent --vault "$STEPVAULT_VAULT" --socket "$scratch/run/second.sock" 2> /dev/null &
second=$!
for _ in $(seq 100); do [ -S "$scratch/run/second.sock" ] && break; sleep 0.05; done
fails "a second agent on one vault" 1 "held by another process" env STEPVAULT_SOCKET="$scratch/run/second.sock" stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
fails "... by key file" 1 "held by another process" env STEPVAULT_SOCKET="$scratch/run/second.sock" stepvault unlock --key-file "$key"
fails "... for run" 125 "held by another process" env STEPVAULT_SOCKET="$scratch/run/second.sock" stepvault run step --key-file "$key" -- true
kill $second
wait $second
end_agents
for _ in $(seq 100); do [ -z "$(agents)" ] && break; sleep 0.05; done
is "a killed agent leaves its socket" "$(find "$scratch/run" -name '*.sock')" "$socket"
fails "a dead socket is no agent" 3 "stepvault unlock" stepvault env list
fails "... for run" 125 "stepvault unlock" stepvault run step -- true
is "... nor for a key file" "$(stepvault env get GOOD --at step --key-file "$key")" "$CANARY-good"
is "... lock exits 0" "$(stepvault lock; echo $?)" 0
succeeds "... and unlock replaces it" unlock
unharmed "a dead socket"
stepvault lock
rm -f "$socket"
echo x > "$socket"
fails "a file where the socket should be" 1 "" stepvault env list
fails "... is not removed by unlock" 1 "" unlock
is "... indeed" "$(cat "$socket")" x
rm -f "$socket"
/usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
while True: s.accept()[0].close()' "$socket" &
stranger=$!
for _ in $(seq 100); do [ -S "$socket" ] && break; sleep 0.05; done
chmod 600 "$socket"
fails "a stranger at the socket that hangs up" 1 "closed the connection" stepvault env list
fails "... for run" 125 "closed the connection" stepvault run step -- true
kill $stranger; wait $stranger 2> /dev/null
rm -f "$socket"
no_runtime=(env -u XDG_RUNTIME_DIR)
if [ -z "${OWN_MOUNTS-}" ] && [ -d "/run/user/$(id -u)" ]; then no_runtime=(env XDG_RUNTIME_DIR="$scratch/none"); fi
fails "no runtime folder, no key file: a command" 1 "XDG_RUNTIME_DIR" "${no_runtime[@]}" stepvault env list
fails "... run" 125 "XDG_RUNTIME_DIR" "${no_runtime[@]}" stepvault run step -- true
fails "... unlock" 1 "XDG_RUNTIME_DIR" "${no_runtime[@]}" stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
is "no runtime folder with a key file" "$("${no_runtime[@]}" stepvault env get GOOD --at step --key-file "$key")" "$CANARY-good"
mkdir -m 755 "$scratch/open"
mkdir -m 777 "$scratch/open/stepvault"
fails "a runtime folder open to others" 1 "open to others" env XDG_RUNTIME_DIR="$scratch/open" stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
fails "a socket's path that is too long" 1 "socket" env STEPVAULT_SOCKET="/tmp/$(head -c 200 /dev/zero | tr '\0' x)" stepvault env list
is "no agent stays" "$(agents | wc -l)" 0
unharmed "sockets"

# ---- frames ----
socket=$(find "$scratch/run" -name '*.sock')
frames() { timeout 70 "$here/frames.py" "$socket" "$STEPVAULT_VAULT" "$@"; }
is "malformed frames close their connection" "$(frames malformed | tr ' ' '\n' | sort -u | tr '\n' ' ' | sed 's/InvalidParameter //')" "closed "
is "wrong calls are told what is wrong" "$(frames wrong)" \
    "MethodNotFound InterfaceNotFound InterfaceNotFound InvalidParameter InvalidParameter InvalidParameter InvalidParameter ExpectedMore InvalidParameter Invalid Invalid Invalid Invalid InvalidParameter"
is "oversized frames and values are refused" "$(frames large)" "TooLarge TooLarge TooLarge ok TooLarge closed"
stepvault env unset FRAME
is "half a frame and the end of it" "$(frames half)" closed
is "nothing and the end of it" "$(frames nothing)" closed
is "a call for another vault" "$(frames other)" OtherVault
is "a slow frame is cut off in time and is in nobody's way" "$(frames slow stepvault run step -- true)" "0 closed in time"
is "1 000 idle clients are in nobody's way" "$(frames idle stepvault run step -- true)" "1000 0 quickly"
is "a client that reads nothing is in nobody's way" "$(frames unread stepvault run step -- true)" 0
is "the agent is still the same" "$(agents | wc -l)" 3
unharmed "frames"

# ---- values ----
fails "a value with NUL" 1 "NUL" stepvault env set BAD --at step < <(printf '%s\0x' "$CANARY")
fails "a value over 64 KiB" 1 "65536" stepvault env set BAD --at step --raw < <(head -c 65537 /dev/zero | tr '\0' x)
fails "a value without end" 1 "65536" timeout 20 stepvault env set BAD --at step < <(head -c 100000000 /dev/zero | tr '\0' x)
fails "... and none was placed" 4 "BAD" stepvault env get BAD --at step
printf '\xff\xfe%s' "$CANARY" | stepvault env set BYTES --at bytes
fails "a value that is not UTF-8 into JSON" 1 "BYTES" stepvault export bytes --format json
is "... but a step gets it" "$(stepvault run bytes -- sh -c 'printf %s "$BYTES"' | od -An -tx1 -N2)" " ff fe"
fails "an account property with NUL" 1 "" stepvault account add bad < <(printf '{"token":"a\\u0000%s"}' "$CANARY")
fails "an account property over 64 KiB" 1 "" stepvault account add bad < <(printf '{"token":"'; head -c 65537 /dev/zero | tr '\0' x; printf '"}')
fails "an account property that is not UTF-8" 1 "" stepvault account add bad < <(printf '{"token":"\xff%s"}' "$CANARY")
fails "account values that are no JSON" 1 "" stepvault account add bad < <(printf 'token=%s' "$CANARY")
fails "a property twice" 1 "" stepvault account add bad < <(printf '{"token":"%s","token":"x"}' "$CANARY")
fails "JSON nested without end" 1 "" stepvault account add bad < <(head -c 100000 /dev/zero | tr '\0' '[')
fails "a property's name that is none" 1 "" stepvault account add bad < <(printf '{"a b":"%s"}' "$CANARY")
fails "... and there is no such account" 4 "bad" stepvault account show bad
fails "call with no JSON" 1 "" stepvault call Status '{"a"'
fails "call of no method" 1 "" stepvault call NoSuchMethod
unharmed "values"

# ---- names ----
for name in STEPVAULT_X STEPVAULT_STEP; do
    fails "the reserved name $name" 1 "$name" stepvault env set $name --at step --allow-dangerous-name <<< "$CANARY"
done
for name in LD_PRELOAD PATH BASH_ENV NODE_OPTIONS PYTHONPATH PERL5OPT IFS GIT_SSH_COMMAND GCONV_PATH DYLD_INSERT_LIBRARIES; do
    fails "the dangerous name $name" 1 "--allow-dangerous-name" stepvault env set $name --at step <<< "$CANARY"
done
place_dangerous() { printf x | stepvault env set LD_BIND_NOW --at dangerous --allow-dangerous-name; }
succeeds "... which --allow-dangerous-name lets pass" place_dangerous
is "... to the step" "$(stepvault run dangerous -- sh -c 'echo $LD_BIND_NOW')" x
for name in 1X A-B "A B" "" $'A\nB' $'A\x1b[2J' "$(head -c 300 /dev/zero | tr '\0' A)" É; do
    try stepvault env set "$name" --at step <<< "$CANARY"
    [[ $status = [12] && $err == "stepvault: "* && $(wc -l < "$scratch/err") = 1 && $err != *$'\x1b'* && $err != *"$CANARY"* ]]
    report $? "the name $(printf '%.20q' "$name") is none"
done
for path in A ../x /x x/ a//b . .. a/../b a/b/c/d/e/f/g/h/i $'a\nb' 'a b' "$(head -c 256 /dev/zero | tr '\0' a)" ''; do
    try stepvault env set BAD --at "$path" <<< "$CANARY"
    [[ $status = [12] && $err == "stepvault: "* && $(wc -l < "$scratch/err") = 1 && $err != *"$CANARY"* ]]
    report $? "the path $(printf '%.20q' "$path") is none"
done
account loader default '{"preload":"/tmp/x.so","plain":"x"}'
fails "a derived dangerous name, at bind" 1 "LD_PRELOAD" stepvault bind step loader --as ld
fails "... by --env" 1 "LD_PRELOAD" stepvault bind step loader --env LD_PRELOAD=plain
fails "... by --env with a reserved name" 1 "STEPVAULT_X" stepvault bind step loader --env STEPVAULT_X=plain --allow-dangerous-name
account later default '{"plain":"x"}'
succeeds "an alias that is not dangerous yet" stepvault bind delivered later --as node
printf x > "$scratch/value"
fails "... and the property that would make it so is refused" 1 "NODE_OPTIONS" \
    stepvault account set later options < "$scratch/value"
has "... and the refusal is in the log" "$(stepvault audit log --json --account later --outcome refused)" '"why":"Refused"'
account one default '{"b_key":"1"}'
account two default '{"key":"2"}'
stepvault bind collide one --as a
fails "colliding names, at bind, naming both" 1 "A_B_KEY" stepvault bind collide two --as a_b
printf x | stepvault account set two other
account three default '{"plain":"3"}'
stepvault bind collide three --as a_b
printf '%s' "$CANARY" > "$scratch/value"
fails "colliding names, by a later property" 1 "A_B_KEY" stepvault account set three key < "$scratch/value"
has "... naming both" "$err" "a.b_key"
has "... indeed both" "$err" "a_b.key"
for words in "bind step app --as UPPER" "bind step app --only nothing" "account add Bad_App" "account rename app BAD/LABEL"; do
    # shellcheck disable=SC2086 # several words are meant
    try stepvault $words <<< '{"a":"b"}'
    [[ $status = [124] && $err == "stepvault: "* && $(wc -l < "$scratch/err") = 1 ]]
    report $? "refused: $words"
done
fails "an unknown command" 2 "" stepvault no-such-command
fails "an unknown option" 2 "" stepvault env set --value="$CANARY" NAME
fails "an argument too many" 2 "" stepvault env get A B
unharmed "names"

# ---- commands that cannot be run ----
before=$(log_size)
fails "a command that is not found" 127 "no-such-command" stepvault run step -- no-such-command
fails "... by path" 127 "/no/such" stepvault run step -- /no/such/command
echo "true" > "$scratch/plain"
fails "a file that is not executable" 126 "plain" stepvault run step -- "$scratch/plain"
fails "a folder" 126 "work" stepvault run step -- "$scratch/work"
is "... and nothing was handed out for them" "$(stepvault audit log --json | tail -n +"$((before + 1))" | grep -c '"action":"project","outcome":"granted"')" 0
printf '#!/no/such/interpreter\n' > "$scratch/script"
printf '\x7fELF garbage' > "$scratch/garbage"
chmod 755 "$scratch/script" "$scratch/garbage"
try stepvault run step -- "$scratch/script"
is "a script without its interpreter" "$status:$(wc -l < "$scratch/err")" "126:1"
try stepvault run step -- "$scratch/garbage"
is "a file that is no program" "$status:$(wc -l < "$scratch/err")" "126:1"
unharmed "commands"

# ---- disks ----
# unwritable NAME: what needs the log is refused and hands nothing out; the rest works.
unwritable() {
    fails "$1: env get is refused" 1 "written" stepvault env get GOOD --at step --vault "$disk"
    fails "$1: run is refused" 125 "written" stepvault run step --vault "$disk" -- echo ran
    fails "$1: export is refused" 1 "written" stepvault export step --format json --vault "$disk"
    fails "$1: a change is refused" 1 "written" stepvault env set NEW --at step --vault "$disk" <<< "$CANARY"
    try stepvault status --vault "$disk"
    is "$1: status works" "$status" 0
    lacks "$1: ... and says that the log is not ok" "$out" "entries, ok"
    succeeds "$1: audit log works" stepvault audit log --vault "$disk"
    has "$1: ... and shows what was there" "$out" set-variable
    succeeds "$1: audit verify works" stepvault audit verify --vault "$disk"
    succeeds "$1: step show works" stepvault step show step --vault "$disk"
}
# exhaust: uses up what the agent set aside for its log: large changes first, then what is as small as what must fail.
exhaust() {
    head -c 60000 /dev/zero | tr '\0' x > "$scratch/big"
    for number in $(seq 400); do
        stepvault env set "FILL_$number" --at fill < "$scratch/big" 2> "$scratch/err" || break
    done
    for _ in $(seq 400); do
        stepvault env get GOOD --at step > "$scratch/out" 2> "$scratch/err" || break
    done
}
recovered() {
    holds "$1: with room again audit verify is clean" --vault "$disk"
    is "$1: ... and values are read again" "$(stepvault env get GOOD --at step --vault "$disk")" "$CANARY-good"
    has "$1: ... and the refusals became leaves" "$(stepvault audit log --json --vault "$disk")" '"why":"LogUnwritable"'
}
if [ -n "${OWN_MOUNTS-}" ]; then
    mkdir -m 700 "$scratch/disk"
    mount -t tmpfs -o size=16m,mode=700 none "$scratch/disk"
    disk=$scratch/disk/vault.db
    stepvault init --vault "$disk" --passphrase-fd 3 --kdf-time 0 --no-recovery 3< "$scratch/pass" 2> /dev/null
    printf '%s' "$CANARY-good" | stepvault env set GOOD --at step --vault "$disk"
    export STEPVAULT_VAULT=$disk
    cat /dev/zero > "$scratch/disk/filler" 2> /dev/null
    exhaust
    has "a disk that becomes full: a change is refused at last" "$(cat "$scratch/err")" "written"
    unwritable "a disk that becomes full"
    rm -f "$scratch/disk/filler"
    recovered "a disk that becomes full"
    cat /dev/zero > "$scratch/disk/filler" 2> /dev/null
    succeeds "a full disk: lock works" stepvault lock
    cat /dev/zero > "$scratch/disk/filler" 2> /dev/null
    succeeds "a full disk: unlock works" unlock
    is "... indeed" "$(stepvault status --json | jq -r .state)" open
    stepvault lock
    rm -f "$scratch/disk/filler"
    cat /dev/zero > "$scratch/disk/filler" 2> /dev/null
    succeeds "a full disk from the start: unlock works" unlock
    exhaust
    unwritable "a full disk from the start"
    stepvault lock
    rm -f "$scratch/disk/filler"
    unlock
    holds "a full disk from the start: with room again audit verify is clean"
    is "... and values are read again" "$(stepvault env get GOOD --at step)" "$CANARY-good"
    stepvault lock
    mount -o remount,ro "$scratch/disk"
    succeeds "a read-only disk: unlock works" unlock
    unwritable "a read-only disk"
    stepvault lock
    fails "a read-only disk: init is refused" 1 "" stepvault init --vault "$scratch/disk/new.db" --key-file "$key" --no-recovery
    mount -o remount,rw "$scratch/disk"
    unlock
    holds "a read-only disk: written again, audit verify is clean"
    stepvault lock
    export STEPVAULT_VAULT=$original
    unharmed "disks"
else
    skip "full and read-only disks" "needs root and a mount namespace"
fi
finish
