#!/bin/bash
# limit: 180
# sanitize: yes
# The helper by itself, as root, whose vault it is: jobs that are none, and what it answers to those that are.
. "$(dirname "$0")/fixture.bash"

export HOME=/home/admin XDG_RUNTIME_DIR=/run/user/0
unset XDG_DATA_HOME XDG_STATE_HOME
install -d -m 700 "$HOME" "$XDG_RUNTIME_DIR"
asked() { python3 "$RIG_TOP/tests/pam/job.py" "$@"; }
lock() { stepvault lock; }

is "a user without a vault" "$(asked session password=pw)" "0 no_vault"
is "a session whose user has no home" "$(HOME=/home/nobody asked session password=pw)" "0 no_home"
is "... which may still be made when the password is asked for" "$(HOME=/home/nobody asked unlock password=pw)" "0 no_vault"
for job in "" 00 00000000 ffffffff 00000010 000000100102 0000001001090000753000000000000000000000 \
    0000001002020000753000000000000000000000 000000100102000075300000000000000000ffff "$(printf '%02000d' 0)"; do
    is "a job that is none: ${job:0:44}" "$(asked raw "$job")" "0 bad_job"
done
stepvault init --passphrase-fd 3 --no-recovery --kdf-time 0 3< "$scratch/pass" 2> "$scratch/notes"
printf 'session-%s' "$CANARY" | stepvault env set SESSION_KEY --raw --at login
lock
is "a vault without a login slot" "$(asked session password=pw)" "0 no_slot"
is "... and its agent goes again" "$(asked unlock password=pw)" "0 no_agent"
stepvault slot add --login --kdf-time 0 --passphrase-fd 3 --new-passphrase-fd 4 3< "$scratch/pass" 4<<< pw
lock
is "no password" "$(asked session)" "0 locked"
is "a wrong one" "$(asked session password=wrong)" "0 wrong"
is "keys that are none" "$(asked session keys=KEYS=00)" "0 bad_job"
keys=$(asked derive password=pw)
has "keys are derived" "$keys" "0 done KEYS="
is "... and open the vault" "$(asked session "keys=${keys#0 done }")" "0 done SESSION_KEY=session-$CANARY"
lock
gone=$(printf '%032d.%064d' 0 0)
is "a key whose slot is not there any more" "$(asked session "keys=KEYS=$gone")" "0 wrong"
is "... beside one whose slot is" "$(asked session "keys=KEYS=$gone,${keys#*KEYS=}")" "0 done SESSION_KEY=session-$CANARY"
is "an open one needs no password" "$(asked session)" "0 done SESSION_KEY=session-$CANARY"
is "a step that is not there" "$(asked session step=elsewhere)" "0 no_step"
is "a step whose name is none" "$(asked session step=a//b)" "0 bad_job"
is "a new password" "$(asked password password=pw new_password=second)" "0 done"
is "... and another" "$(asked password password=second new_password=third)" "0 done"
lock
is "which opens the vault" "$(asked session password=third)" "0 done SESSION_KEY=session-$CANARY"
is "a new password without the old" "$(asked password new_password=fourth)" "0 no_old"
lock

finish
