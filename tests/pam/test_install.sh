#!/bin/bash
# make install-pam and uninstall-pam on a machine with Debian's stack: there as documented, and gone without trace.
# shellcheck disable=SC2034
untouched=1
. "$(dirname "$0")/fixture.bash"

# What of /etc and elsewhere a stack is made of, and what is kept while it is used.
stack() {
    grep -H . /etc/pam.d/* | sort
    find /usr/share/pam-configs "$modules" /var/lib/pam -type f | sort
    find /run -maxdepth 1 -name 'stepvault*'
}
modules=$(dirname "$(find /usr/lib -name pam_stepvault.so | head -1)")
# The programs are built, by whom they belong to; here they are only put into place.
in_tree() { (cd "$RIG_TOP" && make -s -o all BUILD="$(realpath --relative-to="$RIG_TOP" "$BUILD")" "$@"); }
export DEBIAN_FRONTEND=noninteractive

pam-auth-update --package --remove stepvault 2> "$scratch/notes"
rm -r /usr/local/libexec/stepvault /usr/share/pam-configs/stepvault "$modules/pam_stepvault.so"
stack > "$scratch/before"
is "a machine without it" "$(grep -c stepvault "$scratch/before")" 0
succeeds "make install-pam" in_tree install-pam
is "puts the module into the stacks of logins" "$(grep -l pam_stepvault /etc/pam.d/* | tr '\n' ' ')" \
    "/etc/pam.d/common-auth /etc/pam.d/common-password /etc/pam.d/common-session "
is "last of all" "$(for kind in auth password session; do grep "^$kind" "/etc/pam.d/common-$kind" | tail -1; done | grep -c pam_stepvault)" 3
is "its helper is for executing alone" "$(stat -c %a /usr/local/libexec/stepvault/stepvault-login)" 711
is "and the page is there" "$(find /usr/local/share/man -name 'pam_stepvault.8')" /usr/local/share/man/man8/pam_stepvault.8
user_vault pw
has "a login works" "$(su_in pw)" "SESSION_KEY=session-$CANARY"
succeeds "make uninstall-pam" in_tree uninstall-pam
stack > "$scratch/after"
is "leaves nothing" "$(diff "$scratch/before" "$scratch/after")" ""
has "and a login works" "$(su_in pw 'echo in')" in
succeeds "into the folder of a package" in_tree install-pam DESTDIR="$scratch/package"
is "nothing but files is made" "$(find "$scratch/package" -name '*pam*' -type f -o -name stepvault-login | sed "s|$scratch/package||" | sort | tr '\n' ' ')" \
    "$modules/pam_stepvault.so /usr/local/libexec/stepvault/stepvault-login /usr/local/share/man/man8/pam_stepvault.8 "
stack > "$scratch/after"
is "and the machine is as it was" "$(diff "$scratch/before" "$scratch/after")" ""

finish
