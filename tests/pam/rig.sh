#!/bin/bash
# rig.sh COMMAND...: runs it as root in namespaces of its own, in which this machine has stepvault's PAM module in Debian's
# own stack, and the users tuser (4242) and other (4243) with the password `pw`. Nothing of it is outside: /etc is an overlay;
# /run, /home, /var/log, /usr/local, /dev are new; processes end with the command. Needs root. BUILD is the build folder.
set -eu
if [ "${1:-}" != --inside ]; then
    top=$(realpath "$(dirname "$0")/../..")
    RIG=$(mktemp -d)
    RIG_BUILD=$(realpath "${BUILD:-$top/build}")
    RIG_TOP=$top
    export RIG RIG_BUILD RIG_TOP
    status=0
    unshare --mount --pid --ipc --uts --fork --kill-child --propagation private "$0" --inside "$@" || status=$?
    rm -rf "$RIG"
    exit "$status"
fi
shift
mount -t tmpfs -o mode=755 rig "$RIG"
mount -t proc proc /proc
overlay() {
    mkdir -p "$RIG/$2.up" "$RIG/$2.work"
    mount -t overlay -o "lowerdir=$1,upperdir=$RIG/$2.up,workdir=$RIG/$2.work" overlay "$1"
}
security=$(dirname "$(find /usr/lib /lib -name pam_unix.so | head -1)")
overlay /etc etc
overlay /usr/share share
overlay /var/lib lib
overlay /var/cache cache # of debconf, which allows one at a time
overlay "$security" security
for folder in /run /home /var/log /var/spool /usr/local; do mount -t tmpfs -o mode=755 rig "$folder"; done

# A /dev of its own, for its own /dev/log.
mkdir "$RIG/dev"
mount --rbind /dev "$RIG/dev"
mount -t tmpfs -o mode=755 rig /dev
for node in null zero full random urandom tty; do
    touch "/dev/$node"
    mount --bind "$RIG/dev/$node" "/dev/$node"
done
mkdir /dev/pts /dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts /dev/pts
ln -s pts/ptmx /dev/ptmx
ln -s /proc/self/fd /dev/fd
for name in stdin:0 stdout:1 stderr:2; do ln -s "/proc/self/fd/${name#*:}" "/dev/${name%:*}"; done
mount -t tmpfs -o mode=1777 rig /dev/shm
mkdir -p /run/lock /run/user /run/sshd /var/log/journal
python3 "$RIG_TOP/tests/pam/syslog.py" /dev/log /run/syslog &
for _ in $(seq 1200); do [ -S /dev/log ] && break; sleep 0.05; done

mkdir -p /usr/local/libexec/stepvault /usr/local/bin
install -m 755 "$RIG_BUILD"/bin/stepvault /usr/local/bin/
install -m 755 "$RIG_BUILD"/bin/stepvault-{manage,agent} /usr/local/libexec/stepvault/
install -m 711 "$RIG_BUILD/bin/stepvault-login" /usr/local/libexec/stepvault/
# Programs of the system take the ordinary module, the tests' own (/usr/local/lib/stepvault) the one of the build, which may have
# sanitizers: these must be there before the program is.
mkdir -p /usr/local/lib/stepvault
install -m 644 "$RIG_BUILD/lib/pam_stepvault.so" /usr/local/lib/stepvault/
if grep -q __asan_init "$RIG_BUILD/lib/pam_stepvault.so"; then ordinary=$RIG_TOP/build; else ordinary=$RIG_BUILD; fi
install -m 644 "$ordinary/lib/pam_stepvault.so" "$security/"
# What users of the rig run: the tree may lie where they cannot go.
install -m 755 "$RIG_TOP"/tests/pam/{drive,impostor}.py /usr/local/bin/
install -m 644 "$RIG_TOP/pam/stepvault.pam-config" /usr/share/pam-configs/stepvault
for user in tuser:4242 other:4243; do
    name=${user%:*} id=${user#*:}
    echo "$name:x:$id:$id::/home/$name:/bin/bash" >> /etc/passwd
    echo "$name:x:$id:" >> /etc/group
    # SHA-512 of `pw`.
    echo "$name:$(openssl passwd -6 -salt rig pw):19000:0:99999:7:::" >> /etc/shadow
    install -d -m 700 -o "$id" -g "$id" "/home/$name" "/run/user/$id"
done
# What tests/deps unpacked and did not install; or whatever else RIG_EXTRA has. By whom it was unpacked does not matter.
RIG_EXTRA=${RIG_EXTRA:-$RIG_TOP/build/pam/root}
if [ -d "$RIG_EXTRA" ]; then
    mkdir -p /usr/local/sbin /usr/local/lib
    cp "$RIG_EXTRA"/usr/sbin/* /usr/local/sbin/
    [ ! -e "$RIG_EXTRA/usr/bin/pamtester" ] || cp "$RIG_EXTRA/usr/bin/pamtester" /usr/local/bin/
    cp -P "$RIG_EXTRA"/usr/lib/*/lib*.so* /usr/local/lib/
    for folder in "$RIG_EXTRA"/usr/lib/*/pam_wrapper; do [ ! -d "$folder" ] || cp -r "$folder" /usr/local/lib/; done
    rm -f /usr/local/lib/libpam.so* /usr/local/lib/libpam_misc.so* /usr/local/lib/libpamc.so*
    cp "$RIG_EXTRA"/etc/pam.d/* /etc/pam.d/
    for program in usr/bin/sudo usr/bin/doas usr/sbin/vlock-main; do
        [ ! -e "$RIG_EXTRA/$program" ] || install -m 4755 "$RIG_EXTRA/$program" /usr/local/bin/
    done
    [ ! -e "$RIG_EXTRA/usr/bin/at" ] || install -m 6755 -o daemon -g daemon "$RIG_EXTRA/usr/bin/at" /usr/local/bin/
    for folder in sudo xsecurelock; do
        [ ! -d "$RIG_EXTRA/usr/libexec/$folder" ] || cp -r --no-preserve=ownership "$RIG_EXTRA/usr/libexec/$folder" /usr/local/libexec/
    done
    [ ! -d /usr/local/libexec/sudo ] || cp -P /usr/local/libexec/sudo/libsudo_util.so* /usr/local/lib/
    printf 'Path %s\n' "plugin_dir /usr/local/libexec/sudo/" "sesh /usr/local/libexec/sudo/sesh" > /etc/sudo.conf
    ldconfig
fi
grep -q ^sshd: /etc/passwd || echo "sshd:x:101:65534::/run/sshd:/usr/sbin/nologin" >> /etc/passwd
DEBIAN_FRONTEND=noninteractive pam-auth-update --package > /run/pam-auth-update 2>&1 || {
    cat /run/pam-auth-update >&2
    exit 1
}
cd /
exec env -i PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LC_ALL=C.UTF-8 \
    ${TMPDIR:+TMPDIR="$TMPDIR"} BUILD="$RIG_BUILD" RIG_TOP="$RIG_TOP" RIG="$RIG" "$@"
