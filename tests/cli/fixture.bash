# shellcheck shell=bash
# What scripts share that test the real programs: a scratch folder with folders for the vault, sockets and HOME in it,
# TAP, and an end that leaves no process behind. Values that must stay secret have CANARY in them.
set -u
bin=$(realpath "${BUILD:-$(dirname "${BASH_SOURCE[0]}")/../../build}/bin")
scratch=$(realpath "$(mktemp -d)")
count=0
failed=0
CANARY=c4n4ry
pass="correct horse $CANARY"

mkdir -m 700 "$scratch/run" "$scratch/data" "$scratch/home" "$scratch/work"
export HOME="$scratch/home" XDG_RUNTIME_DIR="$scratch/run" XDG_DATA_HOME="$scratch/data" XDG_STATE_HOME="$scratch/state" PATH="$bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
unset STEPVAULT_VAULT STEPVAULT_SOCKET STEPVAULT_STEP STEPVAULT_KEY_FILE CREDENTIALS_DIRECTORY STEPVAULT_AUTHS STEPVAULT_DELIVERED
printf '%s\n' "$pass" > "$scratch/pass"
cd "$scratch/work" || exit 1

# The agents of this script's vaults, by process id; a zombie has no command line and is none.
agents() {
    local process command
    for process in /proc/[0-9]*; do
        command=$({ tr '\0' ' ' < "$process/cmdline"; } 2>/dev/null) || continue
        case $command in "stepvault-agent --vault $scratch/"*) basename "$process" ;; esac
    done
}
# The agent itself, without the process that reads who asks.
agent_pid() { stepvault status --json 2>/dev/null | jq -r '.pid // .agent.pid // empty'; }
end_agents() {
    local process
    for process in $(agents); do kill -9 "$process" 2>/dev/null; done
}
leave() {
    local job
    for job in $(jobs -p); do kill "$job" 2>/dev/null; done
    end_agents
    cd /
    rm -rf "$scratch"
}
trap leave EXIT

report() {
    count=$((count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $count - $2"
    else
        failed=$((failed + 1))
        echo "not ok $count - $2"
    fi
}
skip() {
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}
finish() {
    echo "1..$count"
    [ "$failed" = 0 ]
}
# is NAME ACTUAL EXPECTED
is() {
    if [ "$2" = "$3" ]; then report 0 "$1"; else
        report 1 "$1"
        printf '# got:  %.600q\n# want: %.600q\n' "$2" "$3"
    fi
}
# has NAME TEXT PART
has() {
    case $2 in *"$3"*) report 0 "$1" ;; *) report 1 "$1"; printf '# no %q in %.600q\n' "$3" "$2" ;; esac
}
lacks() {
    case $2 in *"$3"*) report 1 "$1"; printf '# %q is in %.600q\n' "$3" "$2" ;; *) report 0 "$1" ;; esac
}
# Runs a command; leaves $status, $out and $err.
try() {
    status=0
    "$@" > "$scratch/out" 2> "$scratch/err" || status=$?
    out=$(tr -d '\0' < "$scratch/out")
    err=$(tr -d '\0' < "$scratch/err")
}
# fails NAME STATUS PART COMMAND...: that exit status, nothing on stdout, one line on stderr from us that has PART, and no
# secret.
fails() {
    local name=$1 expected=$2 part=$3
    shift 3
    try "$@"
    if [ "$status" = "$expected" ] && [ -z "$out" ] && [ "$(wc -l < "$scratch/err")" = 1 ] &&
        [[ $err == "stepvault: "* && $err == *"$part"* && $err != *"$CANARY"* ]]; then
        report 0 "$name"
    else
        report 1 "$name"
        printf '# status %s, want %s; stdout %.300q; stderr %.900q, want %q\n' "$status" "$expected" "$out" "$err" "$part"
    fi
}
# succeeds NAME COMMAND...: exit status 0.
succeeds() {
    local name=$1
    shift
    try "$@"
    report "$status" "$name"
    [ "$status" = 0 ] || printf '# status %s; stderr %.900q\n' "$status" "$err"
}
# Makes a vault of a passphrase (or, with arguments, as they say) and turns to it; it is open.
new_vault() {
    export STEPVAULT_VAULT="$scratch/data/$1/vault.db"
    shift
    [ $# -gt 0 ] || set -- --passphrase-fd 3 --kdf-time 0
    stepvault init "$@" --no-recovery 3< "$scratch/pass" 2> "$scratch/err" || cat "$scratch/err"
}
unlock() { stepvault unlock --passphrase-fd 3 "$@" 3< "$scratch/pass"; }
# place NAME VALUE [PATH]
place() { printf '%s' "$2" | stepvault env set "$1" --raw --at "${3:-/}" 2>> "$scratch/notes"; }
# account APP LABEL JSON: with any properties, whatever the catalogue says of the app.
account() { printf '{"app":"%s","label":"%s","properties":%s}' "$@" | stepvault call AddAccount - > /dev/null; }
# holds NAME [OPTION...]: the log and every row verify.
holds() {
    try stepvault audit verify "${@:2}"
    report "$status" "$1"
    [ "$status" = 0 ] || printf '# %s\n' "$err"
}
