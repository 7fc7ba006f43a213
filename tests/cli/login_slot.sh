#!/bin/bash
# The slot of a login password: slot add --login, and what opens the vault then.
# shellcheck source=tests/cli/fixture.bash
. "$(dirname "$0")/fixture.bash"

# add PASSWORD: a login slot for it, authorised by the passphrase.
add() { stepvault slot add --login --kdf-time 0 --passphrase-fd 5 --new-passphrase-fd 6 5< "$scratch/pass" 6<<< "$1"; }

new_vault login
fails "a login slot is a kind of its own" 2 "one kind of slot" stepvault slot add --login --passphrase
fails "it wants a passphrase that opens the vault" 1 "does not open" \
    stepvault slot add --login --kdf-time 0 --passphrase-fd 5 --new-passphrase-fd 6 5<<< wrong 6<<< "login $CANARY"
fails "and a password" 1 "empty" \
    stepvault slot add --login --kdf-time 0 --passphrase-fd 5 --new-passphrase-fd 6 5< "$scratch/pass" 6<<< ""
succeeds "slot add --login" add "login $CANARY"
is "the slot is listed" "$(stepvault slot list | cut -f1 | sort | tr '\n' ' ')" "login passphrase "
is "and its derivation is no less than the least" "$(stepvault slot list | grep ^login | cut -f4)" "argon2id m=65536 t=3 p=4"
stepvault lock
fails "another password does not open the vault" 1 "the passphrase does not open the vault" \
    stepvault unlock --passphrase-fd 5 5<<< "other $CANARY"
succeeds "the login password does" stepvault unlock --passphrase-fd 5 5<<< "login $CANARY"
is "it is open then" "$(stepvault status | sed -n 's/^state\t//p')" open
stepvault lock
succeeds "so does the passphrase still" unlock
is "the log names the slot of each unlocking" \
    "$(stepvault audit log --json | jq -r 'select(.action == "unlock" and .outcome == "granted") | .slot' | sort -u | wc -l)" 2

succeeds "a second login slot" add "later $CANARY"
fails "a third is refused before anything is derived" 1 "two login slots already" \
    stepvault slot add --login --passphrase-fd 5 --new-passphrase-fd 6 5< "$scratch/pass" 6<<< "third $CANARY"
fails "nor is one of two replaced" 1 "two login slots already" \
    stepvault slot add --login --replace --passphrase-fd 5 --new-passphrase-fd 6 5< "$scratch/pass" 6<<< "third $CANARY"
for password in login later; do
    stepvault lock
    succeeds "the $password password opens it" stepvault unlock --passphrase-fd 5 5<<< "$password $CANARY"
done
fails "a kind of two slots is no slot to remove" 1 "means 2 slots" stepvault slot remove login --passphrase-fd 5 5< "$scratch/pass"
succeeds "one goes by its id" stepvault slot remove "$(stepvault slot list | grep ^login | cut -f2 | head -1)" --passphrase-fd 5 5< "$scratch/pass"
succeeds "the other is replaced" stepvault slot add --login --replace --kdf-time 0 --passphrase-fd 5 --new-passphrase-fd 6 \
    5< "$scratch/pass" 6<<< "third $CANARY"
stepvault lock
fails "and opens no more" 1 "does not open" stepvault unlock --passphrase-fd 5 5<<< "later $CANARY"
succeeds "the new one opens it" stepvault unlock --passphrase-fd 5 5<<< "third $CANARY"
lacks "no password is in what was said or kept" "$(cat "$scratch/err"; grep -rla "$CANARY" "$scratch/data" "$scratch/run" "$scratch/state")" "$scratch"
holds "the vault holds"
stepvault lock

new_vault keyed --key-file "$scratch/machine.key"
succeeds "a login slot beside a key file alone" stepvault slot add --login --kdf-time 0 --new-passphrase-fd 6 \
    --key-file "$scratch/machine.key" 6<<< "login $CANARY"
stepvault lock
succeeds "opens a vault that has no passphrase" stepvault unlock --passphrase-fd 5 5<<< "login $CANARY"
stepvault lock

finish
