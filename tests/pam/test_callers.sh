#!/bin/bash
# limit: 240
# Debian's own programs that ask for passwords, or open sessions, besides those of test_login.sh and test_sshd.sh.
. "$(dirname "$0")/fixture.bash"

for program in sudo doas cron atd at vlock-main; do
    command -v "$program" > "$scratch/notes" && continue
    echo "1..0 # SKIP there is no $program"
    exit 0
done
# Counts how often the helper is started: `helpers`.
real=/usr/local/libexec/stepvault/stepvault-login
mv "$real" "$real.real"
install -m 755 /dev/stdin "$real" << END
#!/bin/sh
cat /proc/\$\$/environ > /run/environment
grep Groups: /proc/self/status > /run/groups
echo started >> /run/helpers
exec $real.real
END
for file in helpers environment groups jobs; do install -m 666 /dev/null "/run/$file"; done
helpers() { wc -l < /run/helpers; }
# Whoever resolves the host's name does not wait for a server.
echo "127.0.0.1 localhost $(uname -n)" > /etc/hosts
user_vault pw

# ---- sudo and doas: the user's password, and another's session ----

# An admin may have put the module where the sessions of sudo and cron are, too.
cp /etc/pam.d/common-session /etc/pam.d/common-session-noninteractive
printf '%s\n' 'Defaults timestamp_type=global' 'tuser ALL=(ALL:ALL) ALL' 'other ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers
chmod 440 /etc/sudoers
echo 'permit tuser' > /etc/doas.conf
sudo_as() { tuser "$drive" 'assword.*:=>pw' -- "$@"; }
start_agent
before=$(helpers)
mark
has "sudo" "$(sudo_as sudo env)" SUDO_USER=tuser
has "sudo with the timestamp" "$(tuser sudo -n env)" SUDO_USER=tuser
has "sudo for another user, as at a login" "$(sudo_as sudo -k -u other -i env)" HOME=/home/other
has "sudo without a password" "$(other sudo -n -u tuser env)" SUDO_USER=other
has "a wrong password" "$(tuser "$drive" 'assword.*:=>wrong' 'assword.*:=>pw' -- sudo -k env)" SUDO_USER=tuser
has "doas" "$(sudo_as doas env)" DOAS_USER=tuser
is "... none of them starts a helper, or says a word" "$(helpers) $(journal)" "$before "
is "... or opens the vault" "$(state)" locked
su_in pw true > /dev/null
before=$(helpers)
lacks "an open vault gives sudo nothing" "$(sudo_as sudo -k -u tuser env)$(other sudo -n -u tuser -i env)" SESSION_KEY
is "... which does not look at it" "$(helpers)" "$before"

# ---- cron and at ----

mkdir -p /var/spool/cron/crontabs /var/spool/cron/atjobs /var/spool/cron/atspool
install -m 600 -o daemon -g daemon /dev/null /var/spool/cron/atjobs/.SEQ
chown daemon:daemon /var/spool/cron/at*
chmod 1770 /var/spool/cron/at*
rm -rf /etc/cron.d /etc/cron.{hourly,daily,weekly,monthly}
: > /etc/at.deny
before=$(helpers)
mark
echo '@reboot tuser (env; echo cron-is-done) >> /run/jobs' > /etc/crontab
cron -f &
eventually grep -q cron-is-done /run/jobs
report $? "cron runs a job"
# A job that is there when atd starts is run at once, and no signal can come too early for it.
echo '(env; echo at-is-done) >> /run/jobs' | (cd / && tuser at now) 2> "$scratch/notes"
atd -f &
eventually grep -q at-is-done /run/jobs
report $? "atd runs one"
lacks "they have nothing of the open vault" "$(cat /run/jobs)" SESSION_KEY
is "... which is not looked at" "$(helpers) $(journal)" "$before "

# ---- su, runuser and login, once more ----

lock
groupadd extra
usermod -aG extra tuser
has "su -l" "$(other "$drive" 'assword:=>pw' -- su -l tuser -c env)" "SESSION_KEY=session-$CANARY"
is "runuser -l gets in" "$(runuser -l tuser -c 'echo i''n')" in
lock
evil=$(setpriv --reuid=4243 --regid=4243 --groups=4243,20 env -i PATH="$PATH" HOME=/evil STEPVAULT_VAULT=/evil/vault.db STEPVAULT_SOCKET=/evil/sock \
    STEPVAULT_KEY_FILE=/evil/key XDG_DATA_HOME=/evil XDG_RUNTIME_DIR=/evil XDG_CONFIG_HOME=/evil LD_PRELOAD=/evil.so "$drive" 'assword:=>pw' -- su tuser -c env)
has "whatever the caller's environment says, it is the user's vault" "$evil" "SESSION_KEY=session-$CANARY"
is "... because the helper has a list of its own" "$(tr '\0' '\n' < /run/environment | sort)" "$(printf '%s\n' HOME=/home/tuser LANG=C.UTF-8 LOGNAME=tuser PATH=/usr/local/bin:/usr/bin:/bin USER=tuser)"
is "... and the user's groups, with none of the caller's" "$(tr -s '\t' ' ' < /run/groups)" "Groups: 4242 $(getent group extra | cut -d: -f3) "
lock
has "login does not end with the agent that it started" "$("$drive" 'assword:=>pw' '\$ =>pkill -9 stepvault-agent; sleep 0.5; echo still-i''n; exit' -- login tuser)" still-in
end_user
su_in pw true > /dev/null
mark
out=$("$drive" 'assword:=>bad' 'login:=>tuser' 'assword:=>worse' 'login:=>tuser' 'assword:=>wrong' 'login:=>tuser' 'assword:=>bad' 'login:=>tuser' \
    'assword:=>worse' -- login tuser)
has "login ends after wrong passwords, and closes a session that it never opened" "$out" "Maximum number of tries exceeded"
is "... which leaves the vault open, and is not told to anybody" "$(state) $(journal)" "open "
lock
chmod 755 /run/user/4242
mark
has "a runtime folder that others may look into" "$(su_in pw 'echo i''n')" in
chmod 700 /run/user/4242
has "... is none" "$(journal)" "su:session uid 4242: the user has no runtime folder"
sed -i 's/pam_stepvault.so/pam_stepvault.so debug/' /etc/pam.d/common-*
mark
su_in pw true > /dev/null
has "with debug, the journal says more" "$(journal)" "no agent runs"
lacks "... and no name, value or password" "$(cat /run/syslog)" SESSION_KEY
lacks "... in all that any case wrote" "$(cat /run/syslog)" "session-$CANARY"
sed -i 's/pam_stepvault.so debug/pam_stepvault.so/' /etc/pam.d/common-*

# ---- programs that authenticate, and open no session ----

lock
start_agent
out=$(tuser "$drive" 'assword.*:=>wrong' -- chsh -s /bin/sh)$(tuser "$drive" 'assword.*:=>pw' -- chsh -s /bin/sh)
is "chsh" "$(getent passwd tuser | cut -d: -f7) $(state)" "/bin/sh open"
lock
start_agent
out=$(tuser env VLOCK_MESSAGE=locked-screen "$drive" 'locked-screen=>' 'assword:=>pw' -- vlock-main)
is "vlock opens the vault of its session's agent" "$? $(state)" "0 open"
lock
start_agent
printf '@include common-%s\n' auth account > /etc/pam.d/xsecurelock
tuser env XSECURELOCK_PAM_SERVICE=xsecurelock /usr/local/libexec/xsecurelock/authproto_pam > "$scratch/out" <<< $'p 2\npw'
is "xsecurelock's authentication does, too" "$? $(state)" "0 open"
lock

# ---- users ----

for file in passwd shadow; do sed -i 's/^tuser:\(.*\)/&\nTuser:\1/' "/etc/$file"; done
has "another name of the same user opens the same vault" "$(other "$drive" 'assword:=>pw' -- su Tuser -c env)" "SESSION_KEY=session-$CANARY"
echo "homeless:x:4244:4244:::/bin/sh" >> /etc/passwd
echo "homeless:$(openssl passwd -6 -salt rig pw):19000:0:99999:7:::" >> /etc/shadow
has "a user to whom no home is given logs in" "$(other "$drive" 'assword:=>pw' -- su homeless -c 'echo i''n')" in
mount -t tmpfs -o mode=700 rig /root
install -d -m 700 /run/user/0
echo root:for-Root-1 | chpasswd
as_root() { env -i HOME=/root PATH="$PATH" XDG_RUNTIME_DIR=/run/user/0 "$@"; }
(
    cd / || exit
    as_root stepvault init --passphrase-fd 3 --no-recovery --kdf-time 0 3< "$scratch/pass"
    as_root stepvault slot add --login --kdf-time 0 --passphrase-fd 3 --new-passphrase-fd 4 3< "$scratch/pass" 4<<< for-Root-1
    printf 'roots-%s' "$CANARY" | as_root stepvault env set SESSION_KEY --raw --at login
    as_root stepvault lock
) 2> "$scratch/notes"
has "root's own login opens root's vault" "$("$drive" 'assword:=>for-Root-1' '# =>env; exit' -- login root)" "SESSION_KEY=roots-$CANARY"
has "... su by a user with root's password, too" "$(other "$drive" 'assword:=>for-Root-1' -- su -c env)" "SESSION_KEY=roots-$CANARY"
lacks "... and sudo does not" "$(sudo_as sudo -k -i env)" SESSION_KEY
as_root stepvault lock
mv /run/user/0 /run/user/away
mark
has "root without a runtime folder logs in" "$(other "$drive" 'assword:=>for-Root-1' -- su -c 'echo i''n')" in
has "... and the journal says why the vault stays shut" "$(journal)" "su:session uid 0: the user has no runtime folder"

# ---- passwords ----

cp -p /etc/shadow /run/shadow
mount --bind /etc/shadow /etc/shadow
out=$(tuser "$drive" 'urrent.*:=>pw' 'ew password:=>never-Came-2-be' 'etype.*:=>never-Came-2-be' -- passwd)
umount /etc/shadow
has "a change that the system fails at, in Debian's stack" "$out" "password unchanged"
is "... does not come as far as the vault" "$(slots)" "login passphrase "
has "... which the old password opens" "$(su_in pw)" SESSION_KEY
out=$(tuser "$drive" 'urrent.*:=>pw' 'ew password:=>pw' 'etype.*:=>pw' $'ew password:=>\x04' -- passwd)
echo tuser:pw | chpasswd
is "the same password again changes nothing" "$(slots)" "login passphrase "
passwd -q -e tuser
out=$(other "$drive" 'assword:=>pw' 'urrent.*:=>pw' 'ew password:=>after-Expiry-5' 'etype.*:=>after-Expiry-5' -- su tuser -c env)
has "su with an expired password, changed on the way" "$out" "SESSION_KEY=session-$CANARY"
is "... leaves the new one alone" "$(slots)" "login passphrase "
opens after-Expiry-5
is "... which opens the vault" "$?" 0

finish
