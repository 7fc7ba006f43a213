#!/bin/bash
# limit: 180
# The units of systemd: checked by systemd-analyze, a socket handed over by systemd-socket-activate, and then all of it under
# a real manager, which is process 1 of a namespace: the recipes of docs/RECIPES.md, word for word, for a system's and for
# a user's manager. TAP.
# shellcheck disable=SC2016 # the steps' and the namespaces' own shells expand
here=$(realpath "$(dirname "$0")")
# shellcheck source=../cli/fixture.bash
. "$here/../cli/fixture.bash"
# shellcheck source=document.bash
. "$here/document.bash"

installed=$scratch/root/usr/local
make -C "$here/../.." --no-print-directory -s -o all BUILD="$(dirname "$bin")" PREFIX=/usr/local DESTDIR="$scratch/root" install > "$scratch/made" 2>&1
report $? "make install"

# ---- the files ----

# The paths of programs are those of an installation; for the check they lead to this build.
mkdir "$scratch/units" "$scratch/user-units"
for unit in "$installed"/lib/systemd/system/*; do
    sed "s|/usr/local/|$installed/|" "$unit" > "$scratch/units/$(basename "$unit" | sed 's/@/@daemon/')"
done
for unit in "$installed"/lib/systemd/user/*; do
    sed "s|/usr/local/|$installed/|" "$unit" > "$scratch/user-units/$(basename "$unit")"
done
try systemd-analyze verify --man=no "$scratch"/units/*
is "systemd-analyze finds nothing wrong with the system's units" "$status $err" "0 "
try systemd-analyze verify --man=no --user "$scratch"/user-units/*
is "systemd-analyze finds nothing wrong with the user's units" "$status $err" "0 "
sed -i 's/^NoNewPrivileges/NoNewPrivilege/' "$scratch"/units/*.service
try systemd-analyze verify --man=no "$scratch"/units/*
has "what is wrong would be found" "$err" "NoNewPrivilege"

# ---- a socket that is handed over ----

export STEPVAULT_VAULT="$scratch/data/activated/vault.db" STEPVAULT_SOCKET="$scratch/run/stepvault/agent.sock"
mkdir -m 700 "$scratch/run/stepvault"
systemd-socket-activate --setenv=XDG_STATE_HOME --listen="$STEPVAULT_SOCKET" "$bin/stepvault-agent" --vault "$STEPVAULT_VAULT" 2> "$scratch/activate" &
activated=$!
for _ in $(seq 100); do
    [ ! -S "$STEPVAULT_SOCKET" ] || break
    sleep 0.05
done
chmod 600 "$STEPVAULT_SOCKET"
new_vault activated --passphrase-fd 3 --kdf-time 0
is "the first call starts the agent on the socket it was handed" "$(stepvault status --json | jq -r '.state, .pid' | xargs)" "open $activated"
place GREETING hello job
is "a step is given its own through it" "$(stepvault run job -- sh -c 'echo $GREETING')" hello
stepvault lock
wait "$activated"
report $? "the agent ends when it is locked"
is "and leaves the socket to whoever listens" "$([ -S "$STEPVAULT_SOCKET" ] && echo there)" there
unset STEPVAULT_SOCKET STEPVAULT_VAULT

# ---- under a real manager ----

# A folder of /etc with what programs look up there, a user `billing`, and the units of the recipes.
make_etc() {
    local etc=$1 file
    mkdir -p "$etc/systemd/system"
    for file in passwd group shadow nsswitch.conf ld.so.cache localtime machine-id login.defs alternatives pam.d security; do
        [ ! -e "/etc/$file" ] || cp -a "/etc/$file" "$etc/"
    done
    echo 'billing:x:4711:4711::/run/billing:/bin/sh' >> "$etc/passwd"
    echo 'billing:x:4711:' >> "$etc/group"
    block RECIPES.md "systemd: a service's vault" 2 > "$etc/systemd/system/billing-notify.service"
    block RECIPES.md "systemd: a service's vault" 3 > "$etc/systemd/system/billing-alone.service"
}

# The fewest units that a manager needs, in place of the machine's own: nothing of the machine is started.
make_units() {
    local target
    for target in sysinit basic sockets multi-user shutdown timers paths slices umount default exit; do
        printf '[Unit]\nDefaultDependencies=no\n' > "$1/$target.target"
    done
}

make_machine() {
    make_etc "$scratch/etc"
    mkdir "$scratch/minimal" "$scratch/machine"
    make_units "$scratch/minimal"
    cat > "$scratch/minimal/inside.service" <<UNIT
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
Environment=SCRATCH=$scratch HERE=$here
ExecStart=/bin/bash $here/systemd_inside.sh
StandardOutput=file:$scratch/inside.out
StandardError=file:$scratch/inside.err
UNIT
    cat > "$scratch/minimal/user-manager.service" <<UNIT
[Unit]
DefaultDependencies=no
[Service]
Type=notify
User=billing
Delegate=yes
RuntimeDirectory=user/4711
RuntimeDirectoryMode=0700
Environment=HOME=/run/billing XDG_RUNTIME_DIR=/run/user/4711 SYSTEMD_UNIT_PATH=/run/billing/.config/systemd/user:/usr/local/lib/systemd/user:/usr/lib/systemd/user
ExecStart=/lib/systemd/systemd --user --unit=basic.target --log-target=console
UNIT
    # It reports what it did; it copies nothing that is secret.
    cat > "$installed/bin/notify" <<'SCRIPT'
#!/bin/sh
echo "$STRIPE_KEY, key file: $(cat /run/credentials/*/stepvault.key > /dev/null 2>&1 && echo readable || echo none)" > /run/billing/notified
SCRIPT
    chmod 755 "$installed/bin/notify"
    chmod 711 "$scratch" "$scratch/root"
}

# In a mount namespace of its own (shared with nobody outside, but within: systemd hands credentials over by that); process 1
# of a process namespace is what comes of it.
boot='
    set -e
    mkdir "$1/cgroup"
    mount -t cgroup2 cgroup2 "$1/cgroup"
    mkdir "$1/cgroup/stepvault-test-$2"
    echo $$ > "$1/cgroup/stepvault-test-$2/cgroup.procs"
    exec unshare --pid --cgroup --uts --ipc --fork --kill-child --mount-proc bash -ec "
        mount --make-rshared /
        [ ! -d /sys/fs/cgroup ] || umount -R /sys/fs/cgroup || true
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        mount -t tmpfs -o mode=755 tmpfs /run
        mount --bind $1/machine /var/lib
        mkdir -p /run/lock /run/billing /var/lib/systemd
        chown 4711:4711 /run/billing
        mount --bind $1/root/usr/local /usr/local
        mount --bind $1/etc /etc
        : > $1/console
        mount --bind $1/console /dev/console
        exec env -i container=other PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            SYSTEMD_UNIT_PATH=/etc/systemd/system:/usr/local/lib/systemd/system:$1/minimal \
            /lib/systemd/systemd --system --unit=inside.service --log-target=console --show-status=0"
'

# Takes the groups of processes away again that the manager made.
remove_groups() {
    unshare --mount bash -c '
        mount -t cgroup2 cgroup2 "$1/cgroup" || exit 0
        for _ in $(seq 50); do
            [ ! -d "$1/cgroup/stepvault-test-$2" ] ||
                find "$1/cgroup/stepvault-test-$2" -depth -type d -exec rmdir {} + 2> /dev/null
            [ -d "$1/cgroup/stepvault-test-$2" ] || exit 0
            sleep 0.1
        done' - "$scratch" $$
}

if ! unshare --mount --pid --cgroup --fork bash -c 'mount --make-rprivate / && mount -t cgroup2 cgroup2 "$1"' - "$scratch/work" 2> /dev/null; then
    skip "under a running systemd" "no namespace can be made here, or no cgroup2 be mounted"
    finish
    exit
fi

make_machine
unshare --mount bash -c "$boot" - "$scratch" $$ > "$scratch/boot" 2>&1 &
manager=$!
for _ in $(seq 600); do
    ! grep -q '^end' "$scratch/inside.out" 2> /dev/null || break
    kill -0 "$manager" 2> /dev/null || break
    sleep 0.1
done
kill -KILL "$manager" 2> /dev/null
wait "$manager" 2> /dev/null
remove_groups
while IFS=$'\x1f' read -r name got want; do
    [ "$name" = end ] || is "$name" "$got" "$want"
done < "$scratch/inside.out"
is "all of it was tried under a running systemd" "$(tail -n 1 "$scratch/inside.out")" end
[ "$failed" = 0 ] || sed 's/^/# /' "$scratch/boot" "$scratch/console" "$scratch/inside.err"
finish
