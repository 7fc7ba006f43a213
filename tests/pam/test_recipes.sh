#!/bin/bash
# limit: 120
# What docs/RECIPES.md says of logins, taken from the page and done as root and as the user would.
# shellcheck disable=SC2034
untouched=1
. "$(dirname "$0")/fixture.bash"
# shellcheck source=tests/peers/document.bash
. "$RIG_TOP/tests/peers/document.bash"

recipe() { block RECIPES.md "Every login, by PAM" "$1" | sed 's/^  //'; }
# As the user, on a terminal: typed N ANSWERS...
typed() { tuser "$drive" "${@:2}" -- sh -ec "$(recipe "$1")" 2>&1; }
passphrase='assphrase:=>'$(cat "$scratch/pass")

is "the module is installed by" "$(recipe 1)" "make install-pam"
deadline 30000
tuser stepvault init --passphrase-fd 3 --no-recovery --kdf-time 0 3< "$scratch/pass" 2> "$scratch/notes"
typed 2 "$passphrase" 'password:=>pw' 'again:=>pw' "GITHUB_TOKEN=>token-$CANARY" > "$scratch/out"
lock
has "then the login has the variable" "$(su_in pw)" "GITHUB_TOKEN=token-$CANARY"

echo tuser:by-Root-1 | chpasswd
lock
lacks "of a password that root has set the vault knows nothing" "$(su_in by-Root-1)" GITHUB_TOKEN
typed 3 "$passphrase" 'password:=>by-Root-1' 'again:=>by-Root-1' > "$scratch/out"
has "until it is told" "$(su_in by-Root-1)" GITHUB_TOKEN

lock
out=$(tuser "$drive" 'assphrase.*:=>by-Root-1' -- sh -ec "$(recipe 4)"$'\nenv')
has "a shell that came without a password gets them by hand" "$out" "GITHUB_TOKEN=token-$CANARY"

typed 5 "DEPLOY_TOKEN=>deploy-$CANARY" > "$scratch/out"
printf '@include common-auth\n@include common-account\n@include common-session\n%s deadline=30000\n' "$(recipe 6)" > /etc/pam.d/su
out=$(su_in by-Root-1)
has "a service's own step gives it more" "$out" "DEPLOY_TOKEN=deploy-$CANARY"
has "... beside what all have" "$out" "GITHUB_TOKEN=token-$CANARY"

install -d -m 700 /run/user/0
succeeds "root locks the vault, with an environment of a session's" env -u XDG_DATA_HOME -u XDG_STATE_HOME XDG_RUNTIME_DIR=/run/user/0 \
    sh -ec "$(recipe 7 | sed 's/USER/tuser/')"
is "... which it is then" "$(state)" locked

succeeds "pam-auth-update takes it out" env DEBIAN_FRONTEND=noninteractive sh -ec "$(recipe 8)"
is "... of all stacks" "$(grep -l pam_stepvault /etc/pam.d/common-*)" ""
{
    printf '@include common-%s\n' auth account password session
    recipe 9 | sed 's/$/ deadline=30000/'
} > /etc/pam.d/su
lock
has "and by hand it is in again" "$(su_in by-Root-1)" "GITHUB_TOKEN=token-$CANARY"
rm "$(find /usr/lib -name pam_stepvault.so | head -1)"
has "lines whose module is gone keep nobody out" "$(su_in by-Root-1 'echo in')" in

finish
