#!/bin/bash
# limit: 240
# Logins on a machine that systemd runs: the rig's process 1 is a real one, with dbus, logind, pam_systemd and the users' managers.
# The script is three: outside; process 1, until that becomes systemd; and a service of it, which is the test.
# shellcheck disable=SC2016 # the namespaces' own shells expand
here=$(realpath "$(dirname "$0")")

# ---- outside ----

outside() {
    local folder status=0
    if [ "$(id -u)" != 0 ] || ! unshare --mount --pid --cgroup --fork bash -c 'mount --make-rprivate / && mount -t cgroup2 cgroup2 /mnt' 2> /dev/null; then
        echo "1..0 # SKIP needs root, namespaces and cgroup2"
        return
    fi
    folder=$(mktemp -d)
    mkdir "$folder/cgroup"
    : > "$folder/said"
    # A group for all that systemd will start.
    unshare --mount bash -ec '
        mount -t cgroup2 cgroup2 "$1/cgroup"
        mkdir "$1/cgroup/stepvault-pam-$2"
        echo $$ > "$1/cgroup/stepvault-pam-$2/cgroup.procs"
        exec unshare --cgroup "$3/rig.sh" "$3/test_systemd.sh" --boot "$1"' - "$folder" $$ "$here" > "$folder/boot" 2>&1 &
    for _ in $(seq 2000); do
        ! grep -q '^1\.\.' "$folder/said" || break
        kill -0 $! 2> /dev/null || break
        sleep 0.1
    done
    # Process 1 ends with who waits for it in the rig, and all that it started with it.
    kill -KILL "$(pgrep -P $!)" 2> /dev/null
    wait $! 2> /dev/null
    unshare --mount bash -c '
        mount -t cgroup2 cgroup2 "$1/cgroup"
        for _ in $(seq 100); do
            find "$1/cgroup/stepvault-pam-$2" -depth -type d -exec rmdir {} + 2> /dev/null
            [ -d "$1/cgroup/stepvault-pam-$2" ] || break
            sleep 0.1
        done' - "$folder" $$
    cat "$folder/said"
    grep -q '^1\.\.' "$folder/said" || echo "not ok - all of it is tried under a running systemd"
    if grep -q '^not ok' "$folder/said" || ! grep -q '^1\.\.' "$folder/said"; then
        sed 's/^/# /' "$folder/boot" "$folder/errors"
        status=1
    fi
    rm -rf "$folder"
    return "$status"
}

# ---- process 1 ----

# What logins need of dbus and pam_systemd, which need not be installed, and of this machine's units those of logins alone.
place_programs() {
    local extra=$RIG_TOP/build/pam/systemd
    if [ ! -e /usr/share/pam-configs/systemd ]; then
        cp "$extra"/lib/*/security/pam_systemd.so "$(dirname "$(find /usr/lib -name pam_unix.so | head -1)")/"
        cp "$extra/usr/share/pam-configs/systemd" /usr/share/pam-configs/
        DEBIAN_FRONTEND=noninteractive pam-auth-update --package
    fi
    [ -e /usr/share/dbus-1/system.conf ] || cp -r "$extra/usr/share/dbus-1" /usr/share/
    if ! command -v dbus-daemon > /dev/null; then
        cp "$extra/usr/bin/dbus-daemon" /usr/local/bin/
        cp -P "$extra"/lib/*/libdbus-1.so* /usr/local/lib/
        ldconfig
    fi
    grep -q ^messagebus: /etc/passwd || echo 'messagebus:x:102:65534::/nonexistent:/usr/sbin/nologin' >> /etc/passwd
}

# unit NAME LINE...
unit() { printf '%s\n' "[Unit]" "DefaultDependencies=no" "${@:2}" > "$RIG/units/system/$1"; }

place_units() {
    local units=/usr/lib/systemd target folder
    mkdir -p "$RIG/units/system" "$RIG/units/user" "$RIG/units/none"
    for target in sysinit basic sockets multi-user shutdown timers paths default; do unit "$target.target"; done
    cp -r $units/system/{user@.service,user-runtime-dir@.service,user-.slice.d,user.slice} "$RIG/units/system/"
    cp $units/user/{basic,sockets,timers,paths,default,shutdown,exit}.target $units/user/systemd-exit.service "$RIG/units/user/"
    unit dbus.socket "[Socket]" "ListenStream=/run/dbus/system_bus_socket"
    unit dbus.service "Requires=dbus.socket" "[Service]" "Type=notify" \
        "ExecStart=$(command -v dbus-daemon) --system --address=systemd: --nofork --nopidfile"
    unit systemd-logind.service "Requires=dbus.service" "After=dbus.service" "[Service]" "Type=notify" "BusName=org.freedesktop.login1" \
        "ExecStart=/lib/systemd/systemd-logind" "RuntimeDirectoryPreserve=yes" "StateDirectory=systemd/linger" \
        "RuntimeDirectory=systemd/sessions systemd/seats systemd/users systemd/inhibit systemd/shutdown"
    unit inside.service "Requires=systemd-logind.service" "After=systemd-logind.service" "[Service]" "Type=oneshot" \
        "Environment=PATH=$PATH HOME=/root LC_ALL=C.UTF-8 BUILD=$BUILD RIG_TOP=$RIG_TOP RIG=$RIG${TMPDIR:+ TMPDIR=$TMPDIR}" \
        "ExecStart=$here/test_systemd.sh" "StandardOutput=file:$1/said" "StandardError=file:$1/errors"
    mount --bind "$RIG/units/system" $units/system
    mount --bind "$RIG/units/user" $units/user
    for folder in "$units"/*-generators; do mount --bind "$RIG/units/none" "$folder"; done
    rm -rf /etc/systemd/{system,user}/*
    printf '[Login]\nUserStopDelaySec=1\n' > /etc/systemd/logind.conf
}

boot() {
    set -e
    mount --make-rshared /
    ! mountpoint -q /sys/fs/cgroup || umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    rmdir /run/user/*
    place_programs
    place_units "$1"
    exec env -i container=other PATH="$PATH" /lib/systemd/systemd --system --unit=inside.service --log-target=console --show-status=0
}

if [ -z "${RIG:-}" ]; then
    outside
    exit
fi
[ "${1:-}" != --boot ] || boot "$2"

# ---- a service: the test ----

# shellcheck source=tests/pam/fixture.bash
. "$here/fixture.bash"

# comes COMMAND...: within 40 s it succeeds.
comes() {
    for _ in $(seq 400); do
        ! "$@" > /dev/null 2>&1 || return 0
        sleep 0.1
    done
    return 1
}
fades() { comes eval '! '"$(printf '%q ' "$@")"; }
# starts NAME COMMAND...: a login that stays until `ends NAME`, its environment in NAME.env and its session in NAME.session.
starts() {
    local name=/home/tuser/$1
    rm -f "$name".*
    mkfifo -m 666 "$name.end"
    DRIVE_SECONDS=200 "$drive" 'assword:=>pw' "\\$ =>env > $1.env; echo > $1.there; read x < $1.end; exit" -- "${@:2}" > "$scratch/$1" &
    comes test -e "$name.there" || sed 's/^/# /' "$scratch/$1"
    sed -n 's/^XDG_SESSION_ID=//p' "$name.env" > "$name.session"
}
session() { cat "/home/tuser/$1.session"; }
ends() { echo > "/home/tuser/$1.end"; }
gone() { fades loginctl show-session "$(session "$1")"; }
agent() { pgrep -o -u 4242 stepvault-agent; }
group() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }
manager() { systemctl show -P ActiveState user@4242.service; }
members() { xargs -n 1 ps -o comm= -p < "/sys/fs/cgroup/user.slice/user-4242.slice/session-$(session "$1").scope/cgroup.procs" | sort -u | xargs; }
# Where processes of ours are.
groups() { for process in $(pgrep stepvault); do group "$process"; done | sort -u; }
users() { tuser systemctl --user "$@"; }
service=/user.slice/user-4242.slice/user@4242.service/app.slice/stepvault-agent.service
ended() { [ "$(manager)" = inactive ] && ! agent && [ ! -e /run/user/4242 ]; }

loginctl enable-linger tuser
comes test -S /run/user/4242/systemd/private
user_vault pw
fades agent
report $? "nobody's agent runs"
loginctl disable-linger tuser
comes ended
report $? "nobody is here"

# ---- no unit is installed ----

mark
starts one login tuser
has "login gets the session's variable" "$(cat /home/tuser/one.env)" "SESSION_KEY=session-$CANARY"
is "the journal says so, and nothing else" "$(journal)" "login:session uid 4242: variables set for the session: 1"
agent=$(agent)
is "the agent is the user's manager's" "$(group "$agent")" "$service"
is "nothing of ours is the session's" "$(members one)" "bash login"
starts two setpriv --reuid=4243 --regid=4243 --clear-groups su -l tuser
has "su -l gets it" "$(cat /home/tuser/two.env)" "SESSION_KEY=session-$CANARY"
is "of the same agent" "$(agent)" "$agent"
ends one
gone one
report $? "the first session ends when its user leaves"
is "and the agent with the vault open does not" "$(agent) $(state)" "$agent open"
ends two
comes ended
report $? "after the last one the manager, the agent and the runtime folder end"

# ---- the units are installed; the home folder is reached by a link ----

mkdir -p /usr/local/lib/systemd/user
for unit in "$RIG_TOP"/vault/agent/systemd/user/*; do
    sed 's|@libexecdir@|/usr/local/libexec/stepvault|' "$unit" > "/usr/local/lib/systemd/user/$(basename "$unit")"
done
ln -s tuser /home/link
sed -i 's|:/home/tuser:|:/home/link:|' /etc/passwd
loginctl enable-linger tuser
starts one login tuser
has "with units that are not enabled" "$(cat /home/tuser/one.env)" "SESSION_KEY=session-$CANARY"
is "the agent is the unit's" "$(users show -P FragmentPath stepvault-agent.service) $(agent) $(group "$(agent)")" \
    "/usr/local/lib/systemd/user/stepvault-agent.service $(users show -P MainPID stepvault-agent.service) $service"
agent=$(agent)
loginctl terminate-session "$(session one)"
gone one
report $? "a session is ended"
sleep 2
is "with linger the agent stays, and the vault open" "$(agent) $(state)" "$agent open"
loginctl disable-linger tuser
comes ended
report $? "until nobody is to linger"

# Enabled, and not yet listening while the session opens.
mkdir -p /etc/systemd/user/{default.target.wants,stepvault-agent.socket.d}
ln -s /usr/local/lib/systemd/user/stepvault-agent.socket /etc/systemd/user/default.target.wants/
printf '[Socket]\nExecStartPre=/bin/sleep 1\n' > /etc/systemd/user/stepvault-agent.socket.d/late.conf
starts one login tuser
has "a socket that comes late is waited for" "$(cat /home/tuser/one.env)" "SESSION_KEY=session-$CANARY"
is "and all of ours is its agent's" "$(groups)" "$service"

# ---- the manager's own session ----

sed 's/^@include common-session-noninteractive/&\nsession optional pam_stepvault.so debug/' /usr/lib/pam.d/systemd-user > /etc/pam.d/systemd-user
rm -r /etc/systemd/user/*
systemctl stop user@4242.service
tuser stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
mark
systemctl start user@4242.service
is "the vault is open while the manager starts" "$(state)" open
is "of which nothing is said" "$(journal)" ""
lacks "the manager has no variable" "$(tr '\0' '\n' < "/proc/$(systemctl show -P MainPID user@4242.service)/environ"; users show-environment)" SESSION_KEY
lock

# ---- a manager that hangs ----

ends one
comes ended
starts one login tuser
lock
users stop stepvault-agent.socket
process=$(systemctl show -P MainPID user@4242.service)
kill -STOP "$process"
deadline 12000
starts two setpriv --reuid=4243 --regid=4243 --clear-groups su -l tuser
has "is done without" "$(cat /home/tuser/two.env)" "SESSION_KEY=session-$CANARY"
is "for what it costs: the agent is the session's" "$(groups)" "/user.slice/user-4242.slice/session-$(session two).scope"
is "and nobody asks the manager any more" "$(pgrep -u 4242 -x systemctl; pgrep -u 4242 -x systemd-run)" ""
kill -CONT "$process"
finish
