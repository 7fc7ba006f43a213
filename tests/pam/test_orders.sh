#!/bin/bash
# limit: 240
# The orders in which programs call PAM that have no terminal to be run at: lockers of the screen, display managers, polkit.
. "$(dirname "$0")/fixture.bash"

[ -x "$BUILD/tests/pam/calls" ] || { echo "$BUILD/tests/pam/calls is not built" >&2; exit 1; }
install -m 755 "$BUILD/tests/pam/calls" /usr/local/bin/
# As Debian's login, display managers and lockers have it.
printf '@include common-%s\n' auth account password session > /etc/pam.d/person
# Where nothing keeps the module from being called after a wrong password.
cat > /etc/pam.d/plain << END
auth required pam_unix.so nodelay
auth optional pam_stepvault.so deadline=30000
account required pam_permit.so
session required pam_permit.so
session optional pam_stepvault.so deadline=30000
END
sed -i 's/pam_unix.so nullok/pam_unix.so nodelay/' /etc/pam.d/common-auth
# locked_agent: as it is behind a locked screen.
locked_agent() {
    lock
    start_agent
}
# order OPERATIONS [SERVICE [PASSWORD...]]: by root, for tuser or $user.
order() { out=$(calls "${2:-person}" "${user:-tuser}" "$1" "${@:3}"); }
order_as() {
    if [ "$1" = root ]; then order "$2" person pw; else out=$(tuser calls person tuser "$2" pw); fi
}
value() { sed -n "s/^$1 //p" <<< "$out" | paste -sd ' '; }
# How often a key was tried.
tries() { tuser stepvault audit log --json | jq -r 'select(.action == "unlock" or .action == "refusals") | .time' | wc -l; }

# ---- lockers: the session's agent is locked ----

user_vault pw
while read -r operations name; do
    for who in root "the user"; do
        locked_agent
        order_as "$who" "$operations"
        is "$name, by $who: all calls succeed, and the vault is open" "$(value '[a-z]' | tr -d ' 0') $(state)" " open"
    done
done << END
a xsecurelock, slock, physlock
af swaylock
ar waylock
am xscreensaver
END
lock
agents_left > "$scratch/notes"
install -m 2755 -g shadow /usr/local/bin/calls /usr/local/bin/calls-as-shadow
out=$(tuser calls-as-shadow person tuser ao pw)
is "a setgid locker opens it, too" "$(value '[a-z]' | tr -d ' 0') $(state)" " open"
is "... and the agent has nothing of its group" "$(sed -n 's/^[GU]id:\t//p' "/proc/$(pgrep -o -u 4242 stepvault-agent)/status" | tr '\n\t' '  ')" "4242 4242 4242 4242 4242 4242 4242 4242 "
lock
order af person pw
is "a locker where no agent runs starts none" "$(value a) $(agents_left)" "0 0"

sed 's/pam_unix.so nodelay/pam_permit.so/' /etc/pam.d/plain > /etc/pam.d/permitted
mark
out=$(other calls permitted tuser aov pw)
is "a program of another user's has nothing of it, and nothing is said" "$(value '[a-z]' | tr -d ' 0') $(value variable)$(journal)" " none"

# ---- wrong passwords ----

su_in pw true > /dev/null
before=$(tries)
order aaa plain wrong
is "wrong passwords, in a stack that goes on after them: the open vault stays open" "$(value a) $(state)" "7 7 11 open"
is "... and nothing was tried on it" "$(tries)" "$before"
locked_agent
order aaaa plain wrong bad worse pw
is "three wrong passwords and a right one: it opens the vault" "$(value a) $(state)" "7 7 11 0 open"
is "... and each was tried once" "$(tries)" $((before + 4))
locked_agent
mark
order aaaa person wrong bad worse pw
is "in Debian's stack the wrong ones do not come so far" "$(value a) $(state) $(tries) $(journal)" "7 7 7 0 open $((before + 5)) "
order c person
is "a close of a session that was never opened leaves it open" "$(value c) $(state)" "0 open"

# ---- display managers ----

sed 's/^auth .*/auth required pam_permit.so/; s/^@include common-auth/auth required pam_permit.so/' /etc/pam.d/person | tee /etc/pam.d/lightdm-greeter > /etc/pam.d/gdm-launch-environment
while read -r operations name; do
    lock
    order "$operations" person pw
    is "$name: the session gets the variable" "$(value variable)" "session-$CANARY"
    is "... all calls succeed, and whoever waits for children sees none of ours" "$(value '[a-z]' | tr -d ' 0') $(value reaped) $(value left)" " 0 none"
    is "... nor is a helper left" "$(pgrep -c stepvault-login)" 0
done << END
THameo(v)cdw gdm's session worker, whose child becomes the session
Hamoevcdw lightdm's session child, sddm's helper
HamSeovcdw a caller that wants nothing said
END
lock
order 'Tam(eov)ovcdw' person pw
is "a session that a child opens before: the password is with whoever asked for it" "$(value variable) $(value left)" "none session-$CANARY none"
lock
order 'THam(eov)cdw' person pw
is "authentication in one process and the session in its child: it is opened without the password" "$(value variable) $(value o)" "none 0"
lock
order 'ameovcdw' person pw
is "nothing is said to whoever logs in" "$(value texts)" 0
useradd --system --home-dir /var/lib/greeter --create-home greeter
mark
for service in gdm-launch-environment lightdm-greeter; do
    user=greeter order ameocd "$service"
    is "$service, whose user has no vault: quiet, and nothing is waited for" "$(value '[a-z]' | tr -d ' 0')$(journal)" ""
done

# ---- services that have no session, or another user's ----

lock
order am person pw
is "ftp's way, which opens no session: no agent is left behind" "$(value a) $(value m) $(agents_left)" "0 0 0"
lock
order alU person pw
is "the password waits in one locked page that no core file has" "$(value locked)" 1
order alol person pw
is "... until the session is opened" "$(value locked)" "1 0"
lock
mark
order aUrov person pw
is "a session that becomes root's gets nothing of the first user's password" "$(value variable) $(value o) $(state)" "none 0 locked"
is "... and root, who has no vault, is not told so" "$(journal)" ""
cp /etc/pam.d/person /etc/pam.d/systemd-user
su_in pw true > /dev/null
order movcd systemd-user
is "systemd-user, with an open vault: the manager of the user's services gets nothing" "$(value variable) $(value o)" "none 0"

# ---- polkit's helper ----

cp /etc/pam.d/person /etc/pam.d/polkit-1
su_in pw true > "$scratch/notes"
order amrov polkit-1 pw
is "pkexec, with an open vault: its session gets nothing" "$(value '[a-z]' | tr -d ' 0') $(value variable)" " none"
locked_agent
mark
order Pam person pw
is "polkit's sandbox, which sees no vault and no agent: authentication succeeds" "$(value a) $(value m) $(value texts) $(state)" "0 0 0 locked"
is "... and nothing is said in the journal" "$(journal)" ""

finish
