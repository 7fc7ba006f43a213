#!/bin/bash
# limit: 300
# What the PAM module costs a login, and many logins at once (issue 7): with an open vault under 20 ms; with a locked one the
# derivation and under 50 ms; 200 of one user and 20 users at once: all in, one agent a user, one derivation at a time a user.
# shellcheck source=tests/pam/fixture.bash
. "$(dirname "$0")/../pam/fixture.bash"

host_alone deadline=2000

# median COMMAND...: of 15 runs, what it prints.
median() { for _ in $(seq 15); do "$@"; done | sort -n | sed -n 8p; }
opening() { "$host" none "$1" tuser pw | sed -n 's/^open //p'; }
opening_locked() {
    lock
    opening alone
}
unlocking() {
    local started
    lock
    started=$(date +%s%N)
    tuser stepvault unlock --passphrase-fd 3 3<<< "$1"
    echo $((($(date +%s%N) - started) / 1000000))
}

user_vault pw
su_in pw true > "$scratch/notes"
open=$(($(median opening alone) - $(median opening without)))
report $((open >= 20)) "an open vault adds $open ms to a session (bar 20)"
# By the passphrase, which costs the same here: one derivation, and two programs' start.
locked=$(median opening_locked)
unlocking=$(median unlocking "$pass")
report $((locked - unlocking >= 50)) "a locked one takes $locked ms, where unlocking it takes $unlocking ms (bar 50 more)"

# at_once NUMBER USER...: so many logins, by turns of these users.
at_once() {
    local number=$1 logins=() users=("${@:2}") at started
    rm -f "$scratch"/many.*
    started=$(date +%s%N)
    for at in $(seq "$number"); do
        "$host" none alone "${users[at % ${#users[@]}]}" pw > "$scratch/many.$at" &
        logins+=($!)
    done
    echo 0 > "$scratch/memory"
    while pgrep -x stepvault-login > "$scratch/now" || pgrep -x host > "$scratch/now"; do
        ps -eo rss=,comm= | awk '/stepvault-login/ { sum += $1 } END { print sum + 0 }'
        sleep 0.02
    done >> "$scratch/memory"
    wait "${logins[@]}"
    took=$((($(date +%s%N) - started) / 1000000))
    memory=$(($(sort -n "$scratch/memory" | tail -1) / 1024))
}
lock
at_once 200 tuser
is "200 logins of one user at once: all are in ($took ms, helpers $memory MiB)" "$(cat "$scratch"/many.* | grep -c '^status 0')" 200
is "... with the variable" "$(cat "$scratch"/many.* | grep -c "session-$CANARY")" 200
is "... and one agent" "$(pgrep -c -u 4242 -P 1 stepvault-agent)" 1
report $((memory >= 600)) "... and the memory of one derivation"

users=()
for id in $(seq 5001 5020); do
    add_user "$id"
    users+=("u$id")
done
lock
at_once 20 "${users[@]}"
is "20 users at once: all are in ($took ms, helpers $memory MiB)" "$(cat "$scratch"/many.* | grep -c '^status 0')" 20
is "... with an agent each" "$(for id in $(seq 5001 5020); do pgrep -c -u "$id" -P 1 stepvault-agent; done | grep -cx 1)" "$(cat "$scratch"/many.* | grep -c "session-$CANARY")"
echo "# $(cat "$scratch"/many.* | grep -c "session-$CANARY") of them with the variable"

finish
