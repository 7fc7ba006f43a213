#!/bin/bash
# limit: 240
# sanitize: yes
# Agents that are none, or die, and disks that are full: the login succeeds, and nothing comes of it that must not.
. "$(dirname "$0")/fixture.bash"

socket=/run/user/4242/stepvault/agent.sock
password=uncommon-Password-1
echo "tuser:$password" | chpasswd
user_vault "$password"

# impostor MODE REASON: logs in with it listening; $out is what the session said.
impostor() {
    end_user
    rm -f "$scratch/capture"
    install -m 666 /dev/null "$scratch/capture"
    chmod 777 "$scratch"
    as_id "${3:-4242}" "${4:-tuser}" impostor.py "$1" "${5:-$socket}" "$scratch/capture" 2> "$scratch/notes" &
    local process=$!
    eventually test -S "${5:-$socket}"
    mark
    out=$(su_in "$password" env)
    has "$1: the login succeeds" "$out" HOME=
    has "... and the journal says why" "$(journal)" "$2"
    lacks "... the password is not what it was sent" "$(tr -d '\0' < "$scratch/capture")" "$password"
    is "... and nothing is left" "$(pgrep -c stepvault-login) $(pgrep -c -r Z .)" "0 0"
    kill "$process"
    wait "$process" 2> "$scratch/notes"
    rm -f "$socket"
}
deadline 1000
impostor hang "took too long"
deadline 30000
impostor close "broke off"
impostor noise "broke off"
impostor flood "broke off"
impostor serve "broke off"
lacks "a name that is none comes from an impostor alone, and gives it away" "$out" GOOD_ONE
impostor leave "su:session uid 4242: the agent broke off"
impostor costly "the vault is not what it was"
impostor token "no token that holds; see which with: stepvault account list"
lacks "... and not whose" "$(journal)" slack
impostor names "variables left out that a session may not have: "
has "one that speaks properly is believed: it is the user's" "$out" GOOD_ONE=1
lacks "... but in what steers programs" "$out" /evil
many=$(grep -c MANY_ <<< "$out")
report $((many < 800 || many > 899)) "... and in numbers"
has "it was sent a slot key, as any agent is" "$(tr '\0' '\n' < "$scratch/capture")" '"slot_key"'

# Another user's socket, which only root could have put there.
mkdir -p /run/user/4242/stepvault
chown 4242 /run/user/4242/stepvault
chmod 700 /run/user/4242/stepvault
python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$socket"
chown 4243 "$socket"
mark
has "a socket of another user's: the login succeeds" "$(su_in "$password" 'echo in')" in
has "... and says why" "$(journal)" "the agent's socket is not the user's"
end_user

# An agent that dies while the vault is opened.
user_vault "$password"
for delay in 0.02 0.05 0.1 0.2 0.3; do
    mark
    (
        sleep "$delay"
        pkill -9 -u 4242 stepvault-agent
    ) &
    has "an agent that is killed after $delay s: the login succeeds" "$(su_in "$password" 'echo in')" in
    wait $!
    has "... and the journal says what came of it" "$(journal)" "su:session uid 4242: "
    end_user
done
has "and the vault opens at the next one" "$(su_in "$password")" SESSION_KEY
lock

# A helper that is killed.
(sleep 0.1; pkill -9 stepvault-login) &
mark
has "a helper that is killed: the login succeeds" "$(su_in "$password" 'echo in')" in
wait $!
has "... and the journal says what came of it" "$(journal)" "su:session uid 4242: "
end_user

# The child between is root's, and with it ends the helper, which would wait here for longer than this test.
user_vault "$password"
install -d -m 700 -o 4242 -g 4242 /run/user/4242/stepvault
tuser flock /run/user/4242/stepvault/login.lock sleep 100 &
eventually pgrep -u 4242 -x sleep
mark
su_in "$password" 'echo in' > "$scratch/out" &
login=$!
# Not the one that authentication asked, which is gone at once.
waits() { helper=$(pgrep -x -u 4242 stepvault-login) && find "/proc/$helper/fd" -lname '*/login.lock' | grep -q .; }
eventually waits
between=$(awk '$1 == "PPid:" {print $2}' "/proc/$helper/status")
other kill -9 "$between" 2> "$scratch/err"
has "who calls su cannot end the child between" "$(cat "$scratch/err")" "not permitted"
kill -9 "$between"
wait "$login"
has "the child between is killed: the login succeeds" "$(cat "$scratch/out")" in
has "... and the journal says why" "$(journal)" "su:session uid 4242: the helper ended without an answer"
ended() { ! pgrep stepvault-login; }
eventually ended
is "... and the helper ends with it" "$(pgrep -c stepvault-login)" 0
pkill -u 4242 -x sleep
end_user

# Between becoming the user and the helper's start there is the caller's memory: nobody is to look at it or have it dumped,
# whatever fs.suid_dumpable says.
strace -f -o "$scratch/calls" -e trace=setresuid,prctl,execve su tuser -c true > "$scratch/out" 2>&1
helper=$(awk '/execve\(.*stepvault-login/ { print $1 }' "$scratch/calls")
has "what becomes the helper is private from when it is the user's" \
    "$(grep "^$helper " "$scratch/calls" | sed '0,/setresuid(4242/d; /execve/q')" "prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE"

# A full disk.
mv /home/tuser/.local /run/kept
mkdir /home/tuser/.local
mount -t tmpfs -o size=$(($(du -sk /run/kept | cut -f1) + 100))k,uid=4242,mode=700 full /home/tuser/.local
cp -a /run/kept/. /home/tuser/.local/
head -c 1000000 /dev/zero > /home/tuser/.local/filler 2> "$scratch/notes"
mark
has "a full disk: the login succeeds" "$(su_in "$password" 'echo in')" in
has "... and the journal says why" "$(journal)" "su:session uid 4242: the vault's log cannot be written"
end_user
umount -l /home/tuser/.local

finish
