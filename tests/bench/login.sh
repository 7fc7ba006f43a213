#!/bin/bash
# limit: 300
# What the PAM module costs a login, and many logins at once (issue 7): with an open vault under 20 ms; with a locked one the
# derivation and under 50 ms; 200 of one user and 20 users at once: all in, one agent a user, one derivation at a time a user.
# shellcheck source=tests/pam/fixture.bash
. "$(dirname "$0")/../pam/fixture.bash"

host=$BUILD/tests/pam/host
[ -x "$host" ] || { echo "$host is not built" >&2; exit 1; }
cat > /etc/pam.d/alone << END
auth required pam_unix.so
auth optional pam_stepvault.so
session required pam_permit.so
session optional pam_stepvault.so
END
grep -v stepvault /etc/pam.d/alone > /etc/pam.d/without

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
    echo "u$id:x:$id:$id::/home/u$id:/bin/bash" >> /etc/passwd
    echo "u$id:$(openssl passwd -6 -salt rig pw):19000:0:99999:7:::" >> /etc/shadow
    install -d -m 700 -o "$id" -g "$id" "/home/u$id" "/run/user/$id" "/home/u$id/.local" "/home/u$id/.local/share" "/home/u$id/.local/share/stepvault"
    # The same vault for all: what it is does not matter, and making it takes longer than all the rest.
    install -m 600 -o "$id" -g "$id" /home/tuser/.local/share/stepvault/vault.db "/home/u$id/.local/share/stepvault/vault.db"
    users+=("u$id")
done
lock
at_once 20 "${users[@]}"
is "20 users at once: all are in ($took ms, helpers $memory MiB)" "$(cat "$scratch"/many.* | grep -c '^status 0')" 20
is "... with an agent each" "$(for id in $(seq 5001 5020); do pgrep -c -u "$id" -P 1 stepvault-agent; done | grep -cx 1)" "$(cat "$scratch"/many.* | grep -c "session-$CANARY")"
echo "# $(cat "$scratch"/many.* | grep -c "session-$CANARY") of them with the variable"

finish
