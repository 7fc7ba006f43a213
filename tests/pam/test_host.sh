#!/bin/bash
# limit: 180
# sanitize: yes
# Programs with habits of their own, of which nothing is changed; and many logins at once.
. "$(dirname "$0")/fixture.bash"

host=$BUILD/tests/pam/host
[ -x "$host" ] || { echo "$host is not built" >&2; exit 1; }
# The module with as few others as there can be, which leave things open of their own.
cat > /etc/pam.d/alone << END
auth required pam_unix.so
auth optional $module deadline=30000
session required pam_permit.so
session optional $module deadline=30000
END
grep -v stepvault /etc/pam.d/alone > /etc/pam.d/without
# in_host HABIT [SERVICE]: logs tuser in. A sanitizer's report is a status of its own.
in_host() { "$host" "$1" "${2:-alone}" tuser pw || echo "$1: $?" >> "$scratch/ended"; }
value() { sed -n "s/^$1 //p" <<< "$out"; }

: > "$scratch/ended"
user_vault pw
for habit in none threads ignores-children reaps-children blocks-signals no-locked-memory no-standard-descriptors; do
    lock
    mark
    out=$(in_host "$habit")
    is "$habit: a locked vault gives the session its variable" "$(value variable)" "session-$CANARY"
    is "... and leaves nothing changed" "$(value changed) $(value children) $(value waited)" "nothing 0 none"
    out=$(in_host "$habit")
    is "... and so does an open one" "$(value variable) $(value changed)" "session-$CANARY nothing"
done
lock
mark
out=$(in_host few-descriptors)
is "few descriptors: the login succeeds" "$(value status) $(value changed)" "0 nothing"
lock
out=$(in_host few-processes)
is "few processes: the login succeeds" "$(value status) $(value changed)" "0 nothing"
lock
out=$(in_host forks-between)
is "a fork between authentication and session: no password crosses it" "$(value status) $(value variable) $(value changed)" "0 (null) nothing"

# What it adds to a session, with an open vault. The bar is 20 ms; a busy machine would fail it by itself.
in_host none > "$scratch/notes"
with=$(for _ in $(seq 15); do in_host none | sed -n 's/^open //p'; done | sort -n | sed -n 8p)
without=$(for _ in $(seq 15); do in_host none without | sed -n 's/^open //p'; done | sort -n | sed -n 8p)
echo "# opening a session of an open vault: $with ms, without the module $without ms"

# ---- many at once ----

unlockings() {
    tuser stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
    tuser stepvault audit log --json | jq -r 'select(.action == "unlock") | .time' | wc -l
    lock
}
before=$(unlockings)
logins=()
for number in $(seq 40); do
    in_host none > "$scratch/many.$number" &
    logins+=($!)
done
wait "${logins[@]}"
is "40 logins at once: all are in" "$(cat "$scratch"/many.* | grep -c '^status 0')" 40
is "... with one agent" "$(pgrep -c -u 4242 -P 1 stepvault-agent)" 1
lock
is "... and one derivation: the vault was unlocked once, and once to look" "$(unlockings)" $((before + 2))
is "no helper is left, nor a zombie" "$(pgrep -c stepvault-login) $(pgrep -c -r Z .)" "0 0"
is "every host ended well" "$(cat "$scratch/ended")" ""
echo "# $(cat "$scratch"/many.* | grep -c "session-$CANARY") of them with the variable"

finish
