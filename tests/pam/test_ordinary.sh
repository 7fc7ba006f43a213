#!/bin/bash
# limit: 120
# sanitize: yes
# The module as an ordinary user has it, in a locker of the screen: under pam_wrapper, libpamtest and pamtester.
. "$(dirname "$0")/fixture.bash"

wrapper=$(find /usr/local/lib /usr/lib -name libpam_wrapper.so 2> "$scratch/notes" | head -1)
if [ -z "$wrapper" ] || [ ! -x "$BUILD/tests/pam/ordinary" ]; then
    echo "1..0 # SKIP there is no pam_wrapper"
    exit 0
fi
cp "$BUILD"/tests/pam/{host,ordinary} /usr/local/bin/
install -d -o 4242 -m 700 "$scratch/services"
cd "$scratch/services" || exit 1
# pam_unix asks its setgid helper of the user's own password, and of nobody else's.
printf '%s\n' "auth required pam_unix.so" "auth optional $module deadline=30000" "session required pam_permit.so" "session optional $module deadline=30000" | tee locker sudo > session
sed 's/pam_unix.so/pam_permit.so/' session > permitted
for kind in auth account password session; do echo "$kind required $module"; done | tee alone > other
chown 4242 ./*
cd "$scratch" || exit 1
# pam_wrapper's folders outlive a program that executes another one.
trap 'find /tmp -maxdepth 1 -name "pam.?" -user 4242 -exec rm -rf {} +; leave' EXIT

# A module with sanitizers wants theirs to be there first.
sanitizer=$(ldd /usr/local/bin/ordinary | sed -n 's/.*=> \(.*libasan[^ ]*\).*/\1/p')
wrapped() { tuser env "LD_PRELOAD=$sanitizer $wrapper" PAM_WRAPPER=1 "PAM_WRAPPER_SERVICE_DIR=$scratch/services" "BETWEEN=${between:-}" "$@"; }
start_agent="/usr/local/libexec/stepvault/stepvault-agent --vault /home/tuser/.local/share/stepvault/vault.db \
    --socket /run/user/4242/stepvault/agent.sock 2> /dev/null & for n in \$(seq 1200); do [ -S /run/user/4242/stepvault/agent.sock ] && break; sleep 0.05; done"

user_vault pw
try wrapped ordinary session tuser aoc pw
is "auth and session give the variable" "$status $(grep SESSION "$scratch/out")" "0 SESSION_KEY=session-$CANARY"
is "and the vault is open" "$(state)" open
lock
succeeds "pamtester: authenticate, open, close" wrapped pamtester session tuser authenticate open_session close_session < <(echo pw)
lock
tuser sh -c "$start_agent"
try wrapped ordinary locker tuser a pw
is "a locker that calls auth alone opens the vault of an agent that runs" "$status $(state)" "0 open"
lock
between=$start_agent
try wrapped ordinary locker tuser abr pw
is "one whose agent came later opens it by setcred" "$status $(state)" "0 open"
lock
try wrapped ordinary locker tuser abs pw
is "... and not where a login will open a session" "$status $(state)" "0 locked"
between=
lock
try wrapped ordinary locker tuser a wrong
is "a wrong password is refused by the others" "$((status > 0)) $(state)" "1 locked"
try wrapped ordinary permitted other aso pw
is "of another user there is nothing to be had" "$status $out" "0 "
try wrapped ordinary sudo tuser ao pw
is "sudo's sessions are left alone" "$status $out $(state)" "0  locked"
# Root may have more processes than there are to be had; an ordinary user's clone is refused.
try wrapped host few-processes permitted tuser pw
is "no process to be had: the session opens, and nothing is left changed" "$status $(grep -c -e '^status 0' -e '^changed nothing' -e '^waited none' "$scratch/out")" "0 3"
try wrapped ordinary alone tuser a pw
is "the module alone admits nobody" "$((status > 0))" 1
try wrapped ordinary session tuser aco pw
is "a close before any open harms nothing" "$status" 0
lock
try wrapped ordinary session tuser oo pw
is "nor do two opens without a password" "$status $out" "0 "
is "nothing of a helper is left" "$(pgrep -c stepvault-login)" 0

finish
