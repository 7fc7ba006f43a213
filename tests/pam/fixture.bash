# shellcheck shell=bash
# What scripts share that log in for real. Source it first: it starts the script again within the rig.
if [ -z "${RIG:-}" ]; then
    if [ "$(id -u)" != 0 ] || ! unshare --mount --pid --fork true 2>/dev/null; then
        echo "1..0 # SKIP needs root and namespaces"
        exit 0
    fi
    exec "$(dirname "${BASH_SOURCE[0]}")/rig.sh" "$(realpath "$0")" "$@"
fi
# shellcheck source=tests/cli/fixture.bash
. "$RIG_TOP/tests/cli/fixture.bash"
chmod 755 "$scratch"
bin=/usr/local/bin
export PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin
drive=/usr/local/bin/drive.py
module=/usr/local/lib/stepvault/pam_stepvault.so # for programs of the tests
marked=0

# deadline MS: of the module, in Debian's stack.
deadline() { sed -i "s/\(pam_stepvault.so\)\( deadline=[0-9]*\)\?/\1 deadline=$1/" /etc/pam.d/common-*; }
# What is tried is what comes of a login, on a machine that may be busy; what is to be late sets its own.
[ -n "${untouched:-}" ] || deadline 30000
# Nor is there anything to be learnt of the seconds that a wrong password costs.
[ -n "${untouched:-}" ] || sed -i 's/\(pam_unix.so .*nullok\)$/\1 nodelay/' /etc/pam.d/common-auth
sed -i 's/delay=3000000/delay=0/' /etc/pam.d/login

# As a user, with the environment of a session.
as_id() {
    setpriv --reuid="$1" --regid="$1" --clear-groups env -i "HOME=/home/$2" "USER=$2" "PATH=$PATH" "XDG_RUNTIME_DIR=/run/user/$1" \
        TERM=dumb "${@:3}"
}
tuser() { as_id 4242 tuser "$@"; }
other() { as_id 4243 other "$@"; }

# eventually COMMAND...: waits until it succeeds, for a minute at most: the machine may be busy.
eventually() {
    for _ in $(seq 1200); do
        "$@" > "$scratch/eventually" 2>&1 && return
        sleep 0.05
    done
    return 1
}

# The journal since the last `mark`, of our module alone. What was sent is there when a line that is sent now is.
caught_up=0
catch_up() {
    caught_up=$((caught_up + 1))
    logger -u /dev/log "caught up $$ $caught_up $BASHPID"
    eventually grep -q "caught up $$ $caught_up $BASHPID\$" /run/syslog
}
mark() {
    catch_up
    marked=$(wc -l < /run/syslog)
}
journal() {
    catch_up
    tail -n "+$((marked + 1))" /run/syslog | sed -n 's/.*pam_stepvault(\([^)]*\)): /\1 /p'
}

state() { tuser stepvault status 2>/dev/null | sed -n 's/^state\t//p'; }
lock() { tuser stepvault lock; }
# The kinds of its slots. It is locked then.
slots() {
    tuser stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
    tuser stepvault slot list | cut -f1 | sort | tr '\n' ' '
    lock
}
# Unlocks with a password by the command; the status says whether it opens.
opens() {
    lock
    tuser stepvault unlock --passphrase-fd 3 3<<< "$1" 2> "$scratch/err"
    local status=$?
    lock
    return "$status"
}
# user_vault [PASSWORD]: a new vault of tuser with a login slot for the password and a variable for sessions. It is locked.
user_vault() {
    end_user
    rm -rf /home/tuser/.local
    (
        cd /home/tuser || exit
        tuser stepvault init --passphrase-fd 3 --no-recovery --kdf-time 0 3< "$scratch/pass" 2> "$scratch/notes"
        tuser stepvault slot add --login --kdf-time 0 --passphrase-fd 3 --new-passphrase-fd 4 3< "$scratch/pass" 4<<< "${1:-pw}"
        printf 'session-%s' "$CANARY" | tuser stepvault env set SESSION_KEY --raw --at login
        printf 'root-%s' "$CANARY" | tuser stepvault env set ROOT_KEY --raw --at / 2>> "$scratch/notes"
        tuser stepvault lock
    )
}
# add_user ID: uID, with the password `pw` and tuser's vault as it is: what is in it does not matter, and making one takes longer
# than all the rest.
add_user() {
    local name=u$1 home=/home/u$1
    echo "$name:x:$1:$1::$home:/bin/bash" >> /etc/passwd
    echo "$name:$(openssl passwd -6 -salt rig pw):19000:0:99999:7:::" >> /etc/shadow
    install -d -m 700 -o "$1" -g "$1" "$home" "/run/user/$1" "$home/.local" "$home/.local/share" "$home/.local/share/stepvault"
    install -m 600 -o "$1" -g "$1" /home/tuser/.local/share/stepvault/vault.db "$home/.local/share/stepvault/vault.db"
}
end_user() {
    local process
    for process in $(pgrep -u 4242 stepvault); do kill -9 "$process"; done
    rm -rf /run/user/4242/stepvault
}
# How many agents tuser has, when those that are about to end have ended.
agents_left() {
    local left
    for _ in $(seq 200); do
        left=$(pgrep -c -u 4242 stepvault-agent)
        [ "$left" != 0 ] || break
        sleep 0.05
    done
    echo "$left"
}
# An agent of tuser's, which is locked, as systemd's socket starts one.
start_agent() {
    tuser /usr/local/libexec/stepvault/stepvault-agent --vault /home/tuser/.local/share/stepvault/vault.db \
        --socket /run/user/4242/stepvault/agent.sock 2> "$scratch/notes" &
    eventually test -S /run/user/4242/stepvault/agent.sock
}
# host_alone [OPTION]: $host is a program that logs in by the service it is told: `without` has as few modules as there can be, since
# others leave things open of their own, and `alone` ours besides.
host_alone() {
    host=$BUILD/tests/pam/host
    [ -x "$host" ] || { echo "$host is not built" >&2; exit 1; }
    printf '%s\n' "auth required pam_unix.so" "session required pam_permit.so" > /etc/pam.d/without
    { cat /etc/pam.d/without; printf '%s\n' "auth optional $module $*" "session optional $module $*"; } > /etc/pam.d/alone
}
# Logs in by su as another user would: who_gets PASSWORD [COMMAND]
su_in() { other "$drive" "assword:=>$1" -- su tuser -c "${2:-env}" < /dev/null; }
chmod 644 "$scratch/pass"
