#!/bin/bash
# The slot of a login password: slot add --login, and what opens the vault then.
# shellcheck source=tests/cli/fixture.bash
here=$(dirname "$(realpath "$0")")
. "$here/fixture.bash"

# add PASSWORD: a login slot for it, authorised by the passphrase.
add() { stepvault slot add --login --kdf-time 0 --passphrase-fd 5 --new-passphrase-fd 6 5< "$scratch/pass" 6<<< "$1"; }

new_vault login
fails "a login slot is a kind of its own" 2 "one kind of slot" stepvault slot add --login --passphrase
fails "where there is no vault, nobody is asked for anything" 4 "there is no vault" stepvault slot add --login --vault "$scratch/none"
fails "it wants a passphrase that opens the vault" 1 "the passphrase does not open the vault; if it is lost" \
    stepvault slot add --login --kdf-time 0 --passphrase-fd 5 --new-passphrase-fd 6 5<<< wrong 6<<< "login $CANARY"
fails "and a password" 1 "empty" \
    stepvault slot add --login --kdf-time 0 --passphrase-fd 5 --new-passphrase-fd 6 5< "$scratch/pass" 6<<< ""
succeeds "slot add --login" add "login $CANARY"
is "the slot is listed" "$(stepvault slot list | cut -f1 | sort | tr '\n' ' ')" "login passphrase "
is "and its derivation is no less than the least" "$(stepvault slot list | grep ^login | cut -f4)" "argon2id m=65536 t=3 p=4"
stepvault lock
fails "another password does not open the vault" 1 "the passphrase or login password does not open the vault" \
    stepvault unlock --passphrase-fd 5 5<<< "other $CANARY"
succeeds "the login password does" stepvault unlock --passphrase-fd 5 5<<< "login $CANARY"
is "it is open then" "$(stepvault status | sed -n 's/^state\t//p')" open
stepvault lock
succeeds "so does the passphrase still" unlock
is "the log names the slot of each unlocking" \
    "$(stepvault audit log --json | jq -r 'select(.action == "unlock" and .outcome == "granted") | .slot' | sort -u | wc -l)" 2

succeeds "a second login slot" add "later $CANARY"
fails "a third is refused before anything is derived" 1 "--replace puts one in the place of both" \
    stepvault slot add --login --passphrase-fd 5 --new-passphrase-fd 6 5< "$scratch/pass" 6<<< "third $CANARY"
is "slots are listed as they were made" "$(stepvault slot list | cut -f1 | tr '\n' ' ')" "passphrase login login "
is "... the later password's last" "$(stepvault slot list | cut -f3 | sort -c 2>&1)" ""
shown=$(python3 "$here/terminal.py" -- stepvault slot add --login)
has "on a terminal, too, where nothing was typed yet" "$shown" "--replace puts one in the place of both"
lacks "... nor asked for" "$shown" "assphrase"
for password in login later; do
    stepvault lock
    succeeds "the $password password opens it" stepvault unlock --passphrase-fd 5 5<<< "$password $CANARY"
done
fails "a wrong passphrase removes none" 1 "the passphrase does not open the vault" stepvault slot remove passphrase --passphrase-fd 5 5<<< wrong
fails "a kind of two slots is no slot to remove" 1 "means 2 slots" stepvault slot remove login --passphrase-fd 5 5< "$scratch/pass"
succeeds "one goes by its id" stepvault slot remove "$(stepvault slot list | grep ^login | cut -f2 | head -1)" --passphrase-fd 5 5< "$scratch/pass"
succeeds "the other is replaced" stepvault slot add --login --replace --kdf-time 0 --passphrase-fd 5 --new-passphrase-fd 6 \
    5< "$scratch/pass" 6<<< "third $CANARY"
stepvault lock
fails "and opens no more" 1 "does not open" stepvault unlock --passphrase-fd 5 5<<< "later $CANARY"
is "of a locked vault the slots are listed, too" "$(stepvault slot list | cut -f1 | sort | tr '\n' ' ')" "login passphrase "
is "... which opens nothing and leaves no agent" "$(agents)" ""
python3 "$here/terminal.py" "Passphrase or login password: " "third $CANARY" -- stepvault unlock > "$scratch/shown"
is "on a terminal either is asked for" "$(stepvault status | sed -n 's/^state\t//p')" open
# What a change of the password leaves that no login came after.
succeeds "two again" add "fourth $CANARY"
succeeds "both are replaced by one" stepvault slot add --login --replace --kdf-time 0 --passphrase-fd 5 --new-passphrase-fd 6 \
    5< "$scratch/pass" 6<<< "fifth $CANARY"
is "which is there alone" "$(stepvault slot list | cut -f1 | sort | tr '\n' ' ')" "login passphrase "
for password in third fourth; do
    stepvault lock
    fails "the $password opens no more" 1 "does not open" stepvault unlock --passphrase-fd 5 5<<< "$password $CANARY"
done
succeeds "the fifth does" stepvault unlock --passphrase-fd 5 5<<< "fifth $CANARY"
lacks "no password is in what was said or kept" "$(cat "$scratch/err"; grep -rla "$CANARY" "$scratch/data" "$scratch/run" "$scratch/state")" "$scratch"
holds "the vault holds"
stepvault lock

new_vault keyed --key-file "$scratch/machine.key"
succeeds "a login slot beside a key file alone" stepvault slot add --login --kdf-time 0 --new-passphrase-fd 6 \
    --key-file "$scratch/machine.key" 6<<< "login $CANARY"
stepvault lock
succeeds "opens a vault that has no passphrase" stepvault unlock --passphrase-fd 5 5<<< "login $CANARY"
stepvault lock
python3 "$here/terminal.py" "Login password: " "login $CANARY" -- stepvault unlock > "$scratch/shown"
is "and is what is asked for" "$(stepvault status | sed -n 's/^state\t//p')" open
stepvault lock

# What authorises where there is no passphrase.
shown=$(STEPVAULT_KEY_FILE='' python3 "$here/terminal.py" -- stepvault slot add --login)
has "who has no key file at hand is told what opens the vault" "$shown" "the vault has no passphrase slot; it has: "
lacks "... and asked for nothing" "$shown" "assphrase: "
export STEPVAULT_VAULT="$scratch/data/coded/vault.db"
stepvault init --key-file "$scratch/machine.key" --recovery-fd 4 4> "$scratch/code" 2>> "$scratch/notes"
shown=$(python3 "$here/terminal.py" "ecovery code: " "$(cat "$scratch/code")" "Login password: " "login $CANARY" "again: " "login $CANARY" -- \
    stepvault slot add --login --kdf-time 0)
is "the recovery code is asked for where there is one" "$(stepvault slot list | cut -f1 | sort | tr '\n' ' ')" "login machine recovery "
lacks "... and nothing else" "$shown" "never asked"
stepvault lock

# ---- rekey: the password's slot goes on where the password is given ----

# opens PASSWORD: the vault, which is locked then.
opens() {
    local status=0
    stepvault lock
    stepvault unlock --passphrase-fd 5 5<<< "$1" || status=$?
    stepvault lock
    return "$status"
}
rekey() { stepvault rekey --no-recovery --passphrase-fd 5 "$@" 5< "$scratch/pass"; }
new_vault renewed
add "old $CANARY"
add "new $CANARY"
try rekey --login-password-fd 6 6<<< "wrong $CANARY"
is "rekey with a login password that opens nothing" "$status" 1
has "... says so" "$err" "the login password does not open the vault"
is "... and changes nothing" "$(stepvault slot list | cut -f1 | sort | tr '\n' ' ')" "login login passphrase "
stepvault lock
try rekey --yes --login-password-fd 6 6<<< "old $CANARY"
is "rekey of a locked vault with the password of one of two" "$status" 0
has "keeps that one's slot" "$err" "slots: 2 kept, 0 made, 1 removed"
lacks "... and has nothing to say of logins" "$err" "slot add --login"
succeeds "the password still opens it" opens "old $CANARY"
fails "the other one does not" 1 "does not open" opens "new $CANARY"
succeeds "the passphrase opens it" unlock
try rekey
is "rekey without it" "$status" 1
has "names the slot that would go" "$(sed -En 's/.*the ([a-z]+) slot [0-9a-f]+ (.*)/\1 \2/p' <<< "$err" | sort | tr '\n' ' ')" \
    "login is removed passphrase stays"
has "... and what makes another" "$err" "until \`stepvault slot add --login\`"
is "on a terminal it is asked for" "$(python3 "$here/terminal.py" "Passphrase: " "$pass" "Login password (empty" "old $CANARY" -- \
    stepvault rekey --no-recovery 2>&1 | grep -c 'slots: 2 kept, 0 made, 0 removed')" 1
succeeds "and opens the vault under the new key" opens "old $CANARY"
succeeds "the passphrase opens it" unlock
is "left empty, its slot goes when that is confirmed" "$(python3 "$here/terminal.py" "Passphrase: " "$pass" "Login password (empty" "" \
    "key, which those" yes -- stepvault rekey --no-recovery 2>&1 | grep -c 'slots: 1 kept, 0 made, 1 removed')" 1
fails "and it opens nothing" 1 "does not open" opens "old $CANARY"
succeeds "the passphrase opens it" unlock
fails "a descriptor of it wants a slot" 4 "no login slot" rekey --login-password-fd 6 6<<< "old $CANARY"
holds "the vault holds"
stepvault lock

new_vault keyed-login --key-file "$scratch/other.key"
stepvault slot add --login --kdf-time 0 --new-passphrase-fd 6 --key-file "$scratch/other.key" 6<<< "login $CANARY"
mv "$scratch/other.key" "$scratch/lost.key"
stepvault unlock --passphrase-fd 5 5<<< "login $CANARY"
try stepvault rekey --no-recovery --yes --login-password-fd 6 6<<< "login $CANARY"
is "the login password alone authorises" "$status" 0
has "and its slot is the only one then" "$err" "slots: 1 kept, 0 made, 1 removed"
succeeds "which opens it" opens "login $CANARY"

finish
