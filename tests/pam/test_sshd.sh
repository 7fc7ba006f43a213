#!/bin/bash
# limit: 180
# sshd with the module in Debian's own stack: by password, by key, and by keyboard-interactive.
. "$(dirname "$0")/fixture.bash"

sshd=$(command -v sshd) || {
    echo "1..0 # SKIP there is no sshd"
    exit 0
}
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$scratch/ssh"
chmod 755 "$scratch/ssh"
ssh-keygen -q -t ed25519 -N "" -f "$scratch/ssh/host"
ssh-keygen -q -t ed25519 -N "" -f "$scratch/ssh/key"
install -d -m 700 -o 4242 -g 4242 /home/tuser/.ssh
install -m 600 -o 4242 -g 4242 "$scratch/ssh/key.pub" /home/tuser/.ssh/authorized_keys
cat > "$scratch/ssh/config" << END
UsePAM yes
ListenAddress 127.0.0.1
Port $port
HostKey $scratch/ssh/host
KbdInteractiveAuthentication yes
PidFile none
END
cat > "$scratch/ssh/askpass" << 'END'
#!/bin/sh
echo "$SSH_TEST_PASSWORD"
END
chmod 755 "$scratch/ssh/askpass"
"$sshd" -D -e -f "$scratch/ssh/config" 2> "$scratch/ssh/log" &
eventually bash -c ": > /dev/tcp/127.0.0.1/$port"

# ssh_in METHOD [COMMAND]
ssh_in() {
    SSH_TEST_PASSWORD=${password:-pw} SSH_ASKPASS=$scratch/ssh/askpass SSH_ASKPASS_REQUIRE=force DISPLAY=:0 setsid -w ssh -F none -p "$port" \
        -i "$scratch/ssh/key" -o IdentitiesOnly=yes -o PreferredAuthentications="$1" -o StrictHostKeyChecking=no \
        -o NumberOfPasswordPrompts=1 -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR tuser@127.0.0.1 "${2:-env}" < /dev/null 2>&1
}

user_vault pw
mark
out=$(ssh_in publickey)
has "a key logs in" "$out" HOME=/home/tuser
lacks "... and opens no vault" "$out" SESSION_KEY
is "... quietly" "$(journal)" ""
mark
has "a password gives the session its variable" "$(ssh_in password)" "SESSION_KEY=session-$CANARY"
is "... said once" "$(journal)" "sshd:session uid 4242: variables set for the session: 1"
has "a key gets it from the open vault" "$(ssh_in publickey)" "SESSION_KEY=session-$CANARY"
has "keyboard-interactive gets it from the open vault" "$(ssh_in keyboard-interactive)" "SESSION_KEY=session-$CANARY"
lock
has "... and where no agent runs" "$(ssh_in keyboard-interactive)" "SESSION_KEY=session-$CANARY"
lacks "the bridge between sshd's processes is not the session's" "$(ssh_in keyboard-interactive)" STEPVAULT
is "... and nothing of it is left" "$(ls /run/stepvault-pam)" ""
lock

chmod 755 /run/stepvault-pam
mark
has "a bridge that is everybody's: the login succeeds" "$(ssh_in keyboard-interactive 'echo in')" in
is "... and the journal says why it is not crossed" "$(journal)" \
    "sshd:auth uid 4242: the keys cannot be kept for the session; see that root's alone is /run/stepvault-pam"
chmod 700 /run/stepvault-pam

start_agent
has "keyboard-interactive opens the vault of an agent that runs" "$(ssh_in keyboard-interactive)" "SESSION_KEY=session-$CANARY"
lock

# Two lines in one stack, as the page has it: the first opens the vault for both.
tuser stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
tuser stepvault step add login/ssh --no-inherit 2> "$scratch/notes"
printf 'ssh-%s' "$CANARY" | tuser stepvault env set DEPLOY_TOKEN --raw --at login/ssh
printf 'first' | tuser stepvault env set BOTH --raw --at login
printf 'second' | tuser stepvault env set BOTH --raw --at login/ssh
echo "session optional pam_stepvault.so step=login/ssh deadline=30000" >> /etc/pam.d/sshd
for method in password keyboard-interactive; do
    lock
    agents_left > "$scratch/notes"
    mark
    out=$(ssh_in "$method")
    has "two steps, by $method: the session has the first one's" "$out" "SESSION_KEY=session-$CANARY"
    has "... and the second one's" "$out" "DEPLOY_TOKEN=ssh-$CANARY"
    has "... and of what both have the second one's" "$out" BOTH=second
    is "... said of each" "$(journal)" "sshd:session uid 4242: variables set for the session: 2
sshd:session uid 4242: variables set for the session: 2"
done
sed -i '$d' /etc/pam.d/sshd
tuser stepvault env unset BOTH --at login 2> "$scratch/notes"
lock

# All variables of a session come from somewhere, and sshd ends one that would have more than it takes.
tuser stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
seq -f 'MANY_%g=x' 1000 > "$scratch/many"
tuser stepvault env import "$scratch/many" --at login > "$scratch/notes" 2>&1
mark
given=$(ssh_in password 'env | grep -c -e MANY_ -e SESSION_KEY')
report $((given < 800 || given > 900)) "more variables than sshd takes: at most 900 are given"
has "... and the journal says that some are not" "$(journal)" "variables left out that a session may not have: $((1001 - given));"

# What one process of sshd waited for in vain, the other does not wait for again.
kill -STOP "$(pgrep -o -u 4242 stepvault-agent)"
deadline 1000
mark
has "keyboard-interactive with a stopped agent: the login succeeds" "$(ssh_in keyboard-interactive 'echo in')" in
is "... and waits once" "$(journal | cut -d ' ' -f 1)" sshd:auth
deadline 30000
end_user

install -d -m 700 /run/stepvault-pam
touch -d '-1 hour' /run/stepvault-pam/0123456789abcdef
has "any login" "$(ssh_in publickey)" HOME=
is "... sweeps away what crossed the bridge for a session that was never opened" "$(ls /run/stepvault-pam)" ""

# Where is the password, with a session open?
password=uncommon-Password-1
echo "tuser:$password" | chpasswd
user_vault "$password"
ssh_in password 'sleep 60' > /dev/null &
session=$!
eventually pgrep -u 4242 -x sleep
for process in $(pgrep -x sshd); do
    python3 "$RIG_TOP/tests/pam/memory_has.py" "$process" "$password" && echo "# $process has it"
done > "$scratch/found"
is "no process of sshd has the password when the session is open" "$(cat "$scratch/found")" ""
is "... and there were some to look at" "$(($(pgrep -c -x sshd) > 1))" 1
is "nor have the agent's" "$(for process in $(pgrep -u 4242 stepvault); do python3 "$RIG_TOP/tests/pam/memory_has.py" "$process" "$password"; done)" ""
has "... of a vault that is open" "$(state)" open
kill "$(pgrep -u 4242 -x sleep)"
wait "$session"

finish
