#!/bin/bash
# limit: 180
# sanitize: yes
# Programs with habits of their own, of which nothing is changed; and many logins at once.
. "$(dirname "$0")/fixture.bash"

host_alone deadline=30000
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
# What is not there to be had: the session goes without, and nothing is left open half-way. PAM itself may not do without.
scant() {
    local status
    out=$(in_host "$1" without)
    status=$(value status)
    out=$(in_host "$1")
    is "$1: what comes of the login is the same, and nothing is left changed" "$(value status) $(value changed) $(value waited)" "$status nothing none"
}
for habit in few-descriptors few-processes; do
    lock
    scant "$habit"
done
lock
su_in pw true > "$scratch/notes"
for left in 0 1 2 3 4 5; do scant "descriptors-left-$left"; done
# Sanitizers' own memory would not be there, either, and theirs is not counted.
many=200
grown() { value grown; }
grown="0 mappings, 0 KiB locked, 0 bytes"
if grep -q __asan_init "$host"; then
    many=40
    grown=
    grown() { :; }
else
    scant little-memory
    scant no-memory
    is "... what was to cross sshd's bridge does not stay in its environment" "$(value bridge)" "(null)"
fi
lock
out=$(in_host forks-between)
is "a fork between authentication and session: no password crosses it" "$(value status) $(value variable) $(value changed)" "0 (null) nothing"

# What is closed in the caller is not the first thing that the helper opens.
mv /usr/local/libexec/stepvault/stepvault-login /usr/local/libexec/stepvault/away
printf '#!/bin/sh\nreadlink /proc/$$/fd/2 > /home/tuser/stderr\n' > /usr/local/libexec/stepvault/stepvault-login
chmod 755 /usr/local/libexec/stepvault/stepvault-login
for habit in none no-standard-descriptors; do
    rm -f /home/tuser/stderr
    in_host "$habit" > "$scratch/notes"
    is "$habit: the helper's stderr leads nowhere" "$(cat /home/tuser/stderr)" /dev/null
done
mv /usr/local/libexec/stepvault/away /usr/local/libexec/stepvault/stepvault-login

# Again and again in one process, of which the C library is to keep no freed memory to itself: then it is the same to a byte.
often() { GLIBC_TUNABLES=glibc.malloc.tcache_count=0 "$host" none "$1" tuser pw "$2" || echo "$1: $?" >> "$scratch/ended"; }
su_in pw true > "$scratch/notes"
out=$(often alone 60)
is "60 logins in one process are given the variable" "$(value given)" 60
is "... and leave it as it was" "$(value changed) $(value waited) $(grown)" "nothing none $grown"
sed 's/deadline=30000/deadline=1/' /etc/pam.d/alone > /etc/pam.d/short
out=$(often short 20)
is "nor do 20 whose helper is killed at once leave anything" "$(value changed) $(value waited) $(grown)" "nothing none $grown"
mv /usr/local/libexec/stepvault/stepvault-login /usr/local/libexec/stepvault/away
out=$(often alone 20)
is "nor 20 without one" "$(value given) $(value changed) $(value waited) $(grown)" "0 nothing none $grown"
mv /usr/local/libexec/stepvault/away /usr/local/libexec/stepvault/stepvault-login

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
for number in $(seq "$many"); do
    in_host none > "$scratch/many.$number" &
    logins+=($!)
done
wait "${logins[@]}"
is "$many logins at once: all are in" "$(cat "$scratch"/many.* | grep -c '^status 0')" "$many"
is "... with one agent" "$(pgrep -c -u 4242 -P 1 stepvault-agent)" 1
lock
is "... and one derivation: the vault was unlocked once, and once to look" "$(unlockings)" $((before + 2))
is "no helper is left, nor a zombie" "$(pgrep -c stepvault-login) $(pgrep -c -r Z .)" "0 0"
is "every host ended well" "$(cat "$scratch/ended")" ""
echo "# $(cat "$scratch"/many.* | grep -c "session-$CANARY") of them with the variable"

finish
