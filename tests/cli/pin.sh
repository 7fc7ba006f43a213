#!/bin/bash
# sanitize: yes
# limit: 240
# The pin: what this machine last saw of a vault, and what is refused because of it (P4). TAP.
# shellcheck disable=SC2016,SC2119,SC2120 # unlock and grow mostly take nothing
# shellcheck source=fixture.bash
. "$(dirname "$0")/fixture.bash"

pins=$XDG_STATE_HOME/stepvault/pins
seen=$scratch/seen
mkdir "$seen"

# The pin of a vault's path (default: the one turned to).
pin_of() { /usr/bin/python3 - "${1-$STEPVAULT_VAULT}" "$pins" <<'PY'
import sys
value = 0xcbf29ce484222325
for byte in sys.argv[1].encode():
    value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
print(f"{sys.argv[2]}/{value:016x}.pin")
PY
}
pinned_size() { tail -n 4 "$(pin_of)" | head -n 1; }
log_size() { stepvault status --json | jq .log_size; }
pin_state() { stepvault status --json | jq -r '.pin + ":" + (.pin_trouble // "")'; }
grow() { for _ in $(seq "${1-1}"); do stepvault env get GROWN --at job > "$scratch/notes"; done; }
# keep NAME, put_back NAME: a copy of the whole vault, which no agent has open.
keep() { rm -rf "${seen:?}/$1" && cp -a "$(dirname "$STEPVAULT_VAULT")" "$seen/$1"; }
put_back() { rm -rf "$(dirname "$STEPVAULT_VAULT")" && cp -a "$seen/$1" "$(dirname "$STEPVAULT_VAULT")"; }
opens() { succeeds "$1" unlock; }
refused() { fails "$1" 1 "$2" unlock; }
# pinned_vault NAME: a vault of a passphrase and a key file, with a value to get; it is open.
pinned_vault() {
    new_vault "$1"
    place GROWN "$CANARY" job
}
add_key() { stepvault slot add --key-file "$scratch/$1.key" --passphrase-fd 3 3< "$scratch/pass" 2> "$scratch/err"; }

# ---- the file ----

pinned_vault kept
pin=$(pin_of)
is "a new vault is pinned at once" "$(sed -n 1p "$pin")" "\"$STEPVAULT_VAULT\""
is "the pin is ours alone" "$(stat -c %a "$pin" "$pins" | xargs)" "600 700"
grow
for _ in $(seq 20); do
    [ "$(pinned_size)" != "$(log_size)" ] || break
    sleep 0.1
done
is "soon after a commit the pin is that of the new head" "$(pinned_size)" "$(log_size)"
stepvault audit checkpoint > "$scratch/note"
grow
stepvault lock
is "it begins as a checkpoint does" "$(sed -n 2p "$pin")" "$(head -n 1 "$scratch/note")"
is "locked, it is that of the last head" "$(($(pinned_size) - $(sed -n 2p "$scratch/note")))" 3
opens "the vault opens with its pin"
is "nothing is said of it" "$err" ""
is "status says that it holds" "$(pin_state)" "held:"
has "also to a person" "$(stepvault status)" "pin"
is "no draft of a pin is left" "$(find "$pins" -name '*.new')" ""
add_key kept
stepvault lock

# ---- an older copy in its place ----

keep older
head_older=$(pinned_size)
unlock
grow 3
stepvault lock
keep newer
head_newer=$(pinned_size)
put_back older
before=$(stat -c '%i %y' "$pin"; cat "$pin")
refused "an older copy is refused" "last seen with $head_newer log entries and root "
has "with both heads" "$err" "found with $head_older and root "
has "and the way on" "$err" "stepvault restore"
is "no agent is left" "$(agents)" ""
fails "a command with a key file is refused as well" 1 "is behind what this machine last saw" stepvault env list --key-file "$scratch/kept.key"
fails "a step is not run" 125 "is behind what this machine last saw" stepvault run job --key-file "$scratch/kept.key" -- true
is "the pin stays as it is" "$(stat -c '%i %y' "$pin"; cat "$pin")" "$before"
is "and so does the older copy" "$(cmp "$STEPVAULT_VAULT" "$seen/older/vault.db" && echo same)" same
put_back newer
opens "the newer one opens again"
stepvault lock
keep newer

# A killed agent leaves a log beside the vault, which is part of the copy.
unlock
kill -9 "$(agent_pid)"
keep logged
is "a write-ahead log lies beside the vault" "$(stat -c %s "$seen/logged/vault.db-wal" | grep -c '[1-9]')" 1
unlock
grow 2
stepvault lock
put_back logged
refused "an older copy with its write-ahead log is refused" "is behind"
put_back newer

# Grown past the pin, but not out of it: on a machine that has not seen more.
unlock 2> "$scratch/err"
has "the copy from before is behind, too" "$(cat "$scratch/err")" "is behind"
XDG_STATE_HOME=$scratch/elsewhere unlock 2> "$scratch/err"
has "elsewhere it is not known" "$(cat "$scratch/err")" "was not seen here before"
grow 20
stepvault lock
refused "what grew elsewhere from an older copy is refused" "on another branch"

# ---- without a pin ----

rm "$pin"
put_back older
opens "without its pin the older copy opens"
has "which says so" "$err" "was not seen here before"
is "and is pinned from now on" "$(pin_state)" "held:"
stepvault lock
put_back newer
refused "what was newer is then another branch" "on another branch"
rm "$pin"
succeeds "a command with a key file makes the pin, too" stepvault env list --at / --key-file "$scratch/kept.key"
made=$(pinned_size)
succeeds "and goes on with it" stepvault run job --key-file "$scratch/kept.key" -- true
is "a run's entry is pinned when it is there" "$(($(pinned_size) - made))" 1
keep before_a_run
stepvault run job --key-file "$scratch/kept.key" -- true
put_back before_a_run
fails "so that the copy before the last run is refused" 125 "is behind" stepvault run job --key-file "$scratch/kept.key" -- true
rm -f "$pin"

# ---- another vault in its place ----

pinned_vault other
stepvault lock
cp "$scratch/data/other/vault.db" "$scratch/other.db"
pinned_vault mine
stepvault lock
cp "$scratch/other.db" "$STEPVAULT_VAULT"
refused "another vault with the same passphrase is refused" "this is another vault than this machine last saw here"
rm "$STEPVAULT_VAULT"
new_vault mine
is "a new vault where one was is nobody's rollback" "$(stepvault status --json | jq -r '.state, .pin' | xargs)" "open held"
stepvault lock
opens "and opens again"
stepvault lock

# ---- copies and moves ----

pinned_vault original
grow
stepvault lock
keep first
unlock
grow
stepvault lock
cp -a "$scratch/data/original" "$scratch/data/copy"
original=$STEPVAULT_VAULT
export STEPVAULT_VAULT=$scratch/data/copy/vault.db
opens "a copy elsewhere works on its own"
has "as one that was not seen there" "$err" "was not seen here before"
grow 2
stepvault lock
opens "... and again"
is "with a pin of its own" "$(pin_state)" "held:"
stepvault lock
export STEPVAULT_VAULT=$original
opens "while the original goes on"
is "without a word" "$err" ""
grow
stepvault lock
rm -r "$scratch/data/copy"
cp -a "$seen/first" "$scratch/data/second-copy"
export STEPVAULT_VAULT=$scratch/data/second-copy/vault.db
opens "an older copy elsewhere works on its own, too"
stepvault lock
rm -r "$scratch/data/second-copy"

# What the manual says of two copies that were both used.
pinned_vault one
stepvault lock
one=$STEPVAULT_VAULT
mkdir -m 700 "$scratch/data/two"
cp "$one" "$scratch/data/two/vault.db"
unlock
grow
stepvault lock
export STEPVAULT_VAULT=$scratch/data/two/vault.db
unlock 2> "$scratch/err"
grow 2
stepvault lock
mv "$one" "$STEPVAULT_VAULT"
refused "of two copies that were both used one in the other's place is refused" "last saw"
succeeds "... and stays by a restore onto itself" \
    stepvault restore "$STEPVAULT_VAULT" --vault "$STEPVAULT_VAULT" --passphrase-fd 3 --yes 3< "$scratch/pass"
opens "... which opens, and goes on"
stepvault lock

mv "$scratch/data/original" "$scratch/data/moved"
export STEPVAULT_VAULT=$scratch/data/moved/vault.db
keep whole
put_back first
refused "of a vault that was moved an older copy is refused" "is behind"
put_back whole
opens "itself it opens"
is "and has its pin there" "$err$(pin_state)" "held:"
is "not where it was" "$(test -e "$(pin_of "$original")" && echo there)" ""
stepvault lock

# The folder's name leads somewhere else: as whoever can write the parent folder could have it.
mv "$scratch/data/moved" "$scratch/data/linked"
ln -s linked "$scratch/data/moved"
cp -a "$scratch/data/linked" "$scratch/whole"
cp "$seen/first/vault.db" "$scratch/data/linked/vault.db"
refused "behind a symbolic link an older copy is refused" "is behind"
cp "$scratch/whole/vault.db" "$scratch/data/linked/vault.db"
opens "behind a symbolic link the vault itself opens"
is "and has its pin" "$err$(pin_state)" "held:"
stepvault lock
export STEPVAULT_VAULT=$scratch/data/linked/vault.db
is "under its canonical path" "$(pinned_size)" "$(stepvault status --json > "$scratch/notes"; pinned_size)"

# ---- an agent that is killed ----

pinned_vault killed
for _ in 1 2 3 4 5 6; do
    grow 3
    kill -9 "$(agent_pid)"
    unlock 2>> "$scratch/said" || break
done
is "killed right after commits, an agent leaves nothing that is refused" "$(cat "$scratch/said")$(pin_state)" "held:"
stepvault lock

# ---- two vaults ----

export STEPVAULT_VAULT=$scratch/data/killed/vault.db
unlock
STEPVAULT_VAULT=$scratch/data/linked/vault.db unlock
grow 2
(STEPVAULT_VAULT=$scratch/data/linked/vault.db; grow 2)
STEPVAULT_VAULT=$scratch/data/linked/vault.db stepvault lock
stepvault lock
is "two agents share the folder" "$(STEPVAULT_VAULT=$scratch/data/linked/vault.db; unlock 2>&1 && pin_state) $(unlock 2>&1 && pin_state)" "held: held:"
STEPVAULT_VAULT=$scratch/data/linked/vault.db stepvault lock

# ---- a pin that is none ----

pin=$(pin_of)
stepvault lock
# unreadable NAME PART: the pin as it is now is said to be unreadable, stops nothing, and is replaced.
unreadable() {
    opens "$1: the vault opens"
    has "... and the pin is said to be none" "$err" "$2"
    has "... as what could not be told" "$err" "could not be told"
    is "... a new one is in its place" "$(stat -c '%F %a' "$pin") $(pin_state)" "regular file 600 held:"
    stepvault lock
}
cp "$pin" "$scratch/good"
mv "$pin" "$scratch/target" && ln -s "$scratch/target" "$pin"
unreadable "a symbolic link" "is a symbolic link"
is "... and what it led to is as it was" "$(cmp "$scratch/target" "$scratch/good" && echo same)" same
rm "$pin" && mkfifo "$pin"
unreadable "a FIFO" "is not a regular file"
chmod 660 "$pin"
unreadable "a pin that others may write" "can be written by others"
if [ "$(id -u)" = 0 ]; then
    chown 12345 "$pin"
    unreadable "a pin of somebody else" "belongs to uid 12345"
else
    skip "a pin of somebody else" "not root"
fi
rm "$pin" && truncate -s 1G "$pin"
chmod 600 "$pin"
unreadable "a pin of 1 GiB" "is larger than"
head -c 3000 /dev/urandom > "$pin"
unreadable "garbage" "cannot be read"
: > "$pin"
unreadable "nothing" "cannot be read"
sed -i '1s/.*/"\/another\/path"/' "$pin"
unreadable "the pin of another path" "that of another path"
sed -i '3s/.*/99999999/' "$pin"
unreadable "a head that nobody signed" "broken signature"
sed -i '4{s/^A/B/;t;s/^./A/}' "$pin"
unreadable "a root that nobody signed" "broken signature"
head -c 100 "$pin" > "$scratch/cut" && cat "$scratch/cut" > "$pin"
unreadable "half a pin" "cannot be read"
rm "$pin" && mkdir "$pin"
opens "a folder: the vault opens"
has "... and the pin is said to be none" "$err" "is not a regular file"
has "... and that it cannot be replaced" "$(pin_state)" "unreadable:cannot replace the pin"
stepvault lock
rmdir "$pin"

# ---- where none can be ----

XDG_STATE_HOME=/proc/none
opens "without a state folder the vault opens"
has "... and says why there is no pin" "$err" "cannot make the folder /proc"
has "... as status does" "$(pin_state)" "none:cannot make the folder /proc"
stepvault lock
XDG_STATE_HOME=$scratch/state
unlock 2> "$scratch/err"
stepvault lock
chmod 770 "$pins"
opens "a folder of pins that others may write is not believed"
has "... which is said" "$err" "is open to others"
stepvault lock
chmod 700 "$pins"
if [ "$(id -u)" = 0 ] && unshare --mount true 2> /dev/null; then
    is "a read-only state folder stops nothing" "$(unshare --mount bash -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && stepvault unlock --passphrase-fd 3 3< "$2" 2> /dev/null &&
        stepvault status --json | jq -r "[.state, .pin, .pin_trouble] | join(\" \")" | sed "s/cannot write the pin [^:]*/cannot write/"; stepvault lock' - "$XDG_STATE_HOME" "$scratch/pass")" \
        "open held cannot write: Read-only file system"
else
    skip "a read-only state folder stops nothing" "no mount namespace"
fi

# ---- a wrong key ----

opens "the vault opens once more"
stepvault lock
before=$(stat -c '%i %y %s' "$pin" "$pins")
echo "wrong horse" > "$scratch/wrong"
fails "a wrong passphrase is refused" 1 "does not open" stepvault unlock --passphrase-fd 3 3< "$scratch/wrong"
is "and touches no pin" "$(stat -c '%i %y %s' "$pin" "$pins")" "$before"
unlock
holds "the log verifies"
finish
