#!/bin/bash
# limit: 180
# Users who log in at the same time take turns at deriving, and nobody keeps anybody else from that, or from logging in.
. "$(dirname "$0")/fixture.bash"

turns=/run/stepvault-pam/.turns
host_alone deadline=30000
# logs_in NAME: with a locked vault, and gets the variable.
logs_in() {
    end_user 2> "$scratch/notes"
    out=$("$host" none alone tuser pw)
    has "$1: the session gets its variable" "$out" "variable session-$CANARY"
    has "... and nothing of the caller is changed" "$out" "changed nothing"
}

user_vault pw
logs_in "the first of all"
is "what is kept of turns is root's" "$(stat -c '%a %u' /run/stepvault-pam) $(stat -c '%a %u' "$turns")" "700 0 600 0"
is "nobody has one when all is done" "$(tr -d '\0' < "$turns" | wc -c)" 0
users=()
for id in $(seq 5001 5020); do
    add_user "$id"
    "$host" none alone "u$id" pw > "$scratch/many.$id" &
    users+=($!)
done
wait "${users[@]}"
is "20 users at once: all get theirs" "$(cat "$scratch"/many.* | grep -c "variable session-$CANARY")" 20
is "... an agent each" "$(for id in $(seq 5001 5020); do pgrep -c -u "$id" stepvault-agent; done | sort | uniq -c | tr -s ' ')" " 20 1"
for id in $(seq 5001 5020); do kill "$(pgrep -o -u "$id" stepvault-agent)"; done

# ---- who is in the way ----

flock "$turns" sleep 60 &
held() { ! flock -n "$turns" true; }
eventually held
logs_in "one who holds the table and hangs"
kill "$(pgrep -x sleep)"
wait $!
head -c 100000 /dev/urandom > "$turns"
logs_in "a table of noise"
rm "$turns"
ln -s /etc/shadow "$turns"
logs_in "a link for a table"
rm "$turns"
mkfifo -m 600 "$turns"
logs_in "a FIFO for a table"
rm "$turns"
chmod 777 /run/stepvault-pam
logs_in "a folder that is everybody's"
is "has no table" "$(ls -A /run/stepvault-pam)" ""
chmod 700 /run/stepvault-pam
end_user 2> "$scratch/notes"
has "a caller that may write no file is not killed for it" "$(other bash -c 'ulimit -f 0; exec "$@"' _ su tuser -c 'echo i""n-2' <<< pw 2>&1)" in-2

# All places but one are of users who have turns, again and again, whatever they are worth.
cat > "$scratch/crowd.py" << 'END'
import struct, sys, time
with open(sys.argv[1], "r+b", buffering=0) as table:
    print("begun", flush=True)
    while True:
        now = int(time.monotonic() * 1000)
        table.seek(32)
        table.write(b"".join(struct.pack("=QQQQ", 1, now, now + 400, 9000 + place) for place in range(63)))
        time.sleep(0.02)
END
logs_in "a table that is made anew"
python3 "$scratch/crowd.py" "$turns" > "$scratch/crowd" &
crowd=$!
eventually test -s "$scratch/crowd"
# A machine that stops for a while stops who is in the way, too, and a busy one is late in asking.
for time in 3000 6000 12000; do
    sed "s/deadline=30000/deadline=$time/" /etc/pam.d/alone > /etc/pam.d/hurried
    end_user 2> "$scratch/notes"
    mark
    out=$("$host" none hurried tuser pw)
    said=$(journal)
    [[ $said != *"too many users"* ]] || break
done
has "no turn in time: the login succeeds" "$out" "status 0"
has "... without the variable" "$out" "variable (null)"
has "... and the journal says why" "$said" "too many users log in at once"
is "... with neither an agent nor a helper left" "$(pgrep -c -u 4242)" 0
tuser stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
has "an open vault needs no turn" "$("$host" none alone tuser pw)" "variable session-$CANARY"
lock
kill "$crowd"
wait "$crowd" 2> "$scratch/notes"
logs_in "the crowd is gone"

# ---- helpers that do not keep to what was agreed ----

libexec=/usr/local/libexec/stepvault
mv "$libexec/stepvault-login" "$libexec/away"
cat > "$libexec/stepvault-login" << 'END'
#!/usr/bin/python3
import os, sys
os.write(1, b"r")
os.read(0, 65536)
os.write(1, b"t")
word = os.read(0, 1)
os.write(1, b"t" * 100000 + b"d" * 100000)
END
chmod 755 "$libexec/stepvault-login"
rm "$turns"
mark
has "one that wants turns without end: the login succeeds" "$("$host" none alone tuser pw)" "status 0"
has "... and the journal says that it made no sense" "$(journal)" "ended without an answer"
is "... and has no turn any more" "$(tr -d '\0' < "$turns" | wc -c)" 0
mv "$libexec/away" "$libexec/stepvault-login"

# What stands between a helper and its caller is root's altogether: with su the caller is as much a user's.
user_vault pw
su_in pw true > "$scratch/out"
agent=$(pgrep -o -u 4242 stepvault-agent)
kill -STOP "$agent"
su_in pw "echo i''n-2" > "$scratch/out" &
eventually pgrep -x stepvault-login
between=$(ps -o ppid= -p "$(pgrep -x stepvault-login)")
is "a user who called su is not the owner of what holds the deadline" "$(sed -n 's/^Uid:\t//p' "/proc/${between// /}/status")" "$(printf '0\t0\t0\t0')"
other kill -STOP "${between// /}" 2> "$scratch/notes"
is "... and cannot stop it" "$?" 1
kill -CONT "$agent"
wait $!
has "the login goes on when the agent does" "$(cat "$scratch/out")" in-2

finish
