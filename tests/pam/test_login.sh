#!/bin/bash
# limit: 300
# The programs that log people in, with the module in Debian's own stack: who gets what, and what is left.
. "$(dirname "$0")/fixture.bash"

is "pam-auth-update puts the module last among what a login asks" "$(grep -l pam_stepvault /etc/pam.d/* | tr '\n' ' ')" \
    "/etc/pam.d/common-auth /etc/pam.d/common-password /etc/pam.d/common-session "

# ---- su ----

mark
has "a user without a vault logs in" "$(su_in pw 'echo in')" in
is "... and nothing is said" "$(journal)" ""
user_vault pw
mark
env=$(su_in pw)
has "su gets the session's variable" "$env" "SESSION_KEY=session-$CANARY"
lacks "... and nothing that is placed at the root" "$env" ROOT_KEY
is "the journal has the count, and no name" "$(journal)" "su:session uid 4242: variables set for the session: 1"
is "the vault is open" "$(state)" open
is "its agent is the user's, and a session of its own" "$(ps -o user=,ppid= -p "$(pgrep -o -u 4242 stepvault-agent)" | tr -s ' ')" "tuser 1"
is "it has nothing of the login" "$(find "/proc/$(pgrep -o -u 4242 stepvault-agent)/fd" -type l -printf '%l\n' | grep -c -e pts -e syslog -e /dev/log)" 0
is "the log says for what" "$(tuser stepvault audit log --json | jq -r 'select(.action == "project") | .step + " " + .claimed.purpose + " " + .claimed.reason + " " + .who.exe' | tail -1)" \
    "login login su /usr/local/libexec/stepvault/stepvault-login"
mark
has "an open vault gives it again" "$(su_in pw)" SESSION_KEY
lock
mark
has "a wrong password is refused by the system" "$(su_in wrong)" "Authentication failure"
is "... and not told to anybody" "$(journal) $(state)" " locked"
mark
lacks "root's su, which asks for no password: a locked vault gives the session nothing" "$(su tuser -c env)" SESSION_KEY
is "... quietly" "$(journal)" ""
su_in pw true > /dev/null
has "an open one gives it what there is" "$(su tuser -c env)" SESSION_KEY
has "runuser gets in" "$(runuser tuser -c 'echo in')" in

# ---- login ----

lock
mark
has "login" "$("$drive" 'assword:=>pw' '\$ =>env; exit' -- login tuser)" "SESSION_KEY=session-$CANARY"
has "... said once" "$(journal)" "login:session uid 4242: variables set for the session: 1"
lock
has "login after wrong passwords" "$("$drive" 'assword:=>bad' 'login:=>tuser' 'assword:=>pw' '\$ =>env; exit' -- login tuser)" SESSION_KEY
lock
out=$("$drive" '\$ =>echo in; env; exit' -- login -f tuser)
has "login -f" "$out" in
lacks "... has no password to open the vault with" "$out" SESSION_KEY

# ---- passwords ----

mark
has "passwd" "$(tuser "$drive" 'urrent.*:=>pw' 'ew password:=>correct-Horse-9' 'etype.*:=>correct-Horse-9' -- passwd)" "updated successfully"
is "adds a slot and keeps the old one" "$(slots)" "login login passphrase "
is "... and is quiet" "$(journal)" ""
opens pw
is "the old password still opens the vault" "$?" 0
has "a login with the new one gets in" "$(su_in correct-Horse-9)" SESSION_KEY
is "... and ends the old one" "$(slots)" "login passphrase "
opens pw
is "which opens nothing more" "$?" 1
mark
echo tuser:by-Root-1 | chpasswd
has "a password that root sets leaves the vault as it was" "$(journal)" "chpasswd:chauthtok uid 4242: the password was set without the old one; the vault opens with the old one still; enrol the new one with: stepvault slot add --login --replace"
has "a login with it gets in" "$(su_in by-Root-1 'echo in')" in
has "... and says why the vault stays shut" "$(journal)" "su:session uid 4242: the password does not open the vault; if root has set it, enrol it with: stepvault slot add --login --replace"
is "the agent started for it is gone" "$(agents_left)" 0
tuser stepvault slot add --login --replace --kdf-time 0 --passphrase-fd 3 --new-passphrase-fd 4 3< "$scratch/pass" 4<<< by-Root-1 2> "$scratch/notes"
has "what it says to do has it opened again" "$(su_in by-Root-1)" SESSION_KEY
lock
user_vault correct-Horse-9
echo tuser:correct-Horse-9 | chpasswd
chage -d 0 tuser
mark
out=$("$drive" 'assword:=>correct-Horse-9' 'urrent.*:=>correct-Horse-9' 'ew password:=>another-Horse-7' 'etype.*:=>another-Horse-7' '\$ =>env; exit' -- login tuser)
has "an expired password, changed at login" "$out" "SESSION_KEY=session-$CANARY"
is "... leaves the new one alone" "$(slots)" "login passphrase "
opens another-Horse-7
is "which opens the vault" "$?" 0
echo tuser:pw | chpasswd

# Where pam_unix cannot write the new password, and the stack goes on all the same: a file that is mounted cannot be renamed
# over. Both passwords must open the vault then, and the next change ends what never came to be.
user_vault pw
cp -p /etc/shadow /run/shadow
sed -i 's/^password.*pam_unix.so/password required pam_unix.so/; /pam_deny/d' /etc/pam.d/common-password
mount --bind /etc/shadow /etc/shadow
tuser "$drive" 'urrent.*:=>pw' 'ew password:=>never-Came-2-be' 'etype.*:=>never-Came-2-be' -- passwd > "$scratch/out"
umount /etc/shadow
has "a change that the system fails at" "$(cat "$scratch/out")" "password unchanged"
is "leaves the old slot" "$(slots)" "login login passphrase "
has "a login with the old password opens the vault" "$(su_in pw)" SESSION_KEY
is "... and keeps both, for who knows which is meant" "$(slots)" "login login passphrase "
tuser "$drive" 'urrent.*:=>pw' 'ew password:=>second-Try-3' 'etype.*:=>second-Try-3' -- passwd > "$scratch/out"
is "the next change makes no third" "$(slots)" "login login passphrase "
has "a login with it" "$(su_in second-Try-3)" SESSION_KEY
is "... leaves the new one" "$(slots)" "login passphrase "
opens never-Came-2-be
is "what never came to be opens nothing" "$?" 1
echo tuser:pw | chpasswd
user_vault pw

# Where is the password, with a session of login open?
echo tuser:uncommon-Password-1 | chpasswd
user_vault uncommon-Password-1
"$drive" 'assword:=>uncommon-Password-1' '\$ =>sleep 60; exit' -- login tuser > "$scratch/out" &
eventually pgrep -u 4242 -x sleep
is "login's memory has the password no more when the session is open" \
    "$(for process in $(pgrep -x login); do python3 "$RIG_TOP/tests/pam/memory_has.py" "$process" uncommon-Password-1; done)" ""
is "... and there was a login to look at" "$(pgrep -c -x login)" 1
pkill -u 4242 -x sleep
wait $!
echo tuser:pw | chpasswd

# ---- what must not get in anybody's way ----

# logs_in NAME REASON: long before a deadline of 30 s, or soon after one of 2 s, with that line in the journal.
logs_in() {
    local before after
    mark
    before=$(date +%s%N)
    out=$(su_in pw "echo i''n-2")
    after=$(date +%s%N)
    has "$1: the login succeeds" "$out" in-2
    has "... and the journal says why" "$(journal)" "$2"
    report $(((after - before) / 1000000 > 20000)) "... before long"
    is "... with nothing left of the helper" "$(pgrep -c stepvault-login)" 0
}
user_vault pw
su_in pw true > /dev/null
kill -STOP "$(pgrep -o -u 4242 stepvault-agent)"
deadline 2000
logs_in "a stopped agent" "took too long"
deadline 30000
end_user
vault=/home/tuser/.local/share/stepvault/vault.db
mv "$vault" "$vault.away"
mkfifo "$vault"
chown 4242 "$vault"
logs_in "a FIFO for a vault" "uid 4242: what is in the vault's place is no vault of the user's alone; see what it is with: stepvault unlock"
rm "$vault"
head -c 8192 /dev/urandom > "$vault"
chown 4242 "$vault"
chmod 600 "$vault"
logs_in "a vault of noise" "no vault of the user's alone"
cp "$vault.away" "$vault"
chown 0 "$vault"
logs_in "a vault of root's" "no vault of the user's alone"
rm "$vault"
mv "$vault.away" "$vault"
tuser python3 -c 'import os, sqlite3, sys, time; held = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in ("PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"): held.execute(line)
open(sys.argv[2], "w")
while os.path.exists(sys.argv[2]): time.sleep(0.05)' "$vault" /home/tuser/held &
eventually test -e /home/tuser/held
logs_in "a vault that another process holds" "another process holds the vault; wait until it ends"
rm /home/tuser/held
wait $!
mv /home/tuser /home/away
logs_in "no home" "su:session uid 4242: the user's home is not there; what makes or mounts it belongs in a line above"
is "... once" "$(journal | wc -l)" 1
sed -i 's|:/home/tuser:|:elsewhere:|' /etc/passwd
logs_in "a home that is no path" "su:session uid 4242: the user's home is not there"
sed -i 's|:elsewhere:|:/home/tuser:|' /etc/passwd
mv /home/away /home/tuser
has "with the home back" "$(su_in pw)" SESSION_KEY
rm -rf /run/user/4242/*
gone() { ! pgrep -u 4242 stepvault-agent; }
eventually gone
is "the agent ends when what is in the runtime folder goes, as at the end of the last session" "$(pgrep -u 4242 stepvault-agent)" ""
mv /run/user/4242 /run/user/away
logs_in "no runtime folder" "no runtime folder"
mv /run/user/away /run/user/4242
chmod 000 /usr/local/libexec/stepvault/stepvault-login
mv /usr/local/libexec/stepvault/stepvault-login /usr/local/libexec/stepvault/away
logs_in "no helper" "ended without an answer; see that it is there: /usr/local/libexec/stepvault/stepvault-login"
mv /usr/local/libexec/stepvault/away /usr/local/libexec/stepvault/stepvault-login
chmod 711 /usr/local/libexec/stepvault/stepvault-login
sed -i 's/pam_stepvault.so/pam_stepvault.so stpe=login/' /etc/pam.d/common-session
logs_in "an option that is none" "does nothing: it does not understand the option stpe=login; see pam_stepvault(8)"
sed -i 's/ stpe=login/ step=elsewhere/' /etc/pam.d/common-session
logs_in "a step that is not there" "no such step"
tuser stepvault step add elsewhere
logs_in "a step that inherits" "no boundary; make it one with: stepvault step add STEP --no-inherit"
tuser stepvault step add elsewhere --no-inherit 2> "$scratch/notes"
mark
su_in pw true > "$scratch/out"
lacks "... after which it is one" "$(journal)" boundary
sed -i 's/ step=elsewhere//' /etc/pam.d/common-session
has "and then all is well" "$(su_in pw)" SESSION_KEY
head -c 60000 /dev/zero | tr '\0' x | tuser stepvault env set LONG_ONE --at login
for number in $(seq 1 6); do head -c 60000 /dev/zero | tr '\0' y | tuser stepvault env set "LONG_$number" --at login; done
mark
has "more than a session may have is left out, and the login succeeds" "$(su_in pw 'echo in')" in
has "... which the journal says" "$(journal)" "variables left out that a session may not have: "
other prlimit --stack=524288 "$drive" 'assword:=>pw' -- su tuser -c 'echo i''n-3' < /dev/null > "$scratch/out"
has "... and more than execve takes beside a small stack" "$(cat "$scratch/out")" in-3
for number in $(seq 1 20); do printf 'HUGE_%s=%060000d\n' "$number" 0; done | install -m 644 /dev/stdin "$scratch/huge"
tuser stepvault env import "$scratch/huge" --at login 2> "$scratch/notes"
logs_in "a step of more than the agent hands out" "su:session uid 4242: the step has more than a session may be given; see what it has"

finish
