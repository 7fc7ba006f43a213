#!/bin/bash
# The bars of the spine, each a figure of this one run beside its limit:
#
#   launch      `stepvault run` of true, 10 secrets, against `env FOO=bar true`, with either launcher; and with 100 000 variables
#               in the vault
#   throughput  durable projections a second, 64 connections, 5 secrets each; and with one connection a call
#   memory      resident memory of the agent with 10 000 records, and of the launcher
#   order       strace: the log is synced before the reply is sent
#
# The vault lies in $BENCH_FOLDER (default: here, below build/), which must be on a block device. Exit status 1 if a bar is missed.
# BENCH_PAIRS (default 1000) is how many pairs a ratio is made of.
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

pairs=${BENCH_PAIRS:-1000}

agent_pid() {
    "$bin/stepvault" status --json | jq .pid
}

ratio_of() {
    local figure=${1#ratio }
    echo "${figure%% *}"
}

gcc -O2 -D_GNU_SOURCE -o "$folder/pair" "$top/tests/bench/pair.c"
gcc -O2 -D_GNU_SOURCE -o "$folder/load" "$top/tests/bench/load.c"
case $(stat -f -c %T "$folder") in
tmpfs | ramfs | overlayfs)
    echo "bars.sh: $folder is not on a block device; set BENCH_FOLDER" >&2
    exit 2
    ;;
esac

"$bin/stepvault" init --key-file "$folder/key" --no-recovery 2>/dev/null
secrets "$bin/stepvault"
for i in 1 2 3 4 5; do
    printf 'the value of secret number %s' "$i" | "$bin/stepvault" env set "SECRET_$i" --at load/step
done

launcher=$(readelf -d "$bin/stepvault" | grep -q NEEDED && echo glibc || echo musl)
limit=$([ "$launcher" = musl ] && echo 1.2 || echo 1.45)

small=$("$folder/pair" "$pairs" "$bin/stepvault" run launch/step -- true :: env FOO=bar true)
echo "launch, small vault: $small"
bar "run / env FOO=bar true, 10 secrets, $launcher launcher" "$(ratio_of "$small")" "$limit" most
if [ "$launcher" = musl ] && [ -x "$bin/stepvault-glibc" ]; then
    glibc=$("$folder/pair" "$pairs" "$bin/stepvault-glibc" run launch/step -- true :: env FOO=bar true)
    echo "launch, glibc launcher: $glibc"
    bar "run / env FOO=bar true, 10 secrets, glibc launcher" "$(ratio_of "$glibc")" 1.45 most
fi

pid=$(agent_pid)
echo "throughput, kept connections: $("$folder/load" "$socket" "$vault" load/step 64 5 keep | tee "$folder/keep")"
bar "durable projections a second, 64 connections, 5 secrets" "$(sed 's/ .*//' "$folder/keep")" 20000 least
echo "throughput, one connection a call: $("$folder/load" "$socket" "$vault" load/step 64 5 reconnect)"

strace -qq -f -e trace=pwrite64,fdatasync,sendto -o "$folder/trace" -p "$pid" &
tracer=$!
sleep 0.5
"$bin/stepvault" run launch/step -- true
sleep 0.3
kill "$tracer" 2>/dev/null || true
wait "$tracer" 2>/dev/null || true
sync_line=$(grep -n fdatasync "$folder/trace" | head -n 1 | cut -d: -f1)
reply_line=$(grep -n 'sendto.*parameters' "$folder/trace" | head -n 1 | cut -d: -f1)
echo "order: fdatasync is call ${sync_line:-none}, the reply call ${reply_line:-none} of the trace"
bar "calls from the reply back to the sync before it" "$((${reply_line:-0} - ${sync_line:-999}))" 1 least

/usr/bin/python3 "$top/tests/bench/fill.py" "$socket" "$vault" 10000
agent_pid >/dev/null # answers when the import's work on the file is over, too
bar "agent's VmRSS in KiB, 10 000 records" "$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")" 10240 most
/usr/bin/python3 - "$bin/stepvault" "$folder" >"$folder/launcher" <<'PYTHON'
import os, re, signal, subprocess, sys, time
# A listener that never answers holds the launcher where it is largest before its reply; its memory is read there.
import socket
program, folder = sys.argv[1:]
path = folder + "/held/stepvault/agent.sock"
os.makedirs(os.path.dirname(path), 0o700)
os.chmod(folder + "/held", 0o700)
listener = socket.socket(socket.AF_UNIX)
os.umask(0o177)
listener.bind(path)
listener.listen()
environment = dict(os.environ, XDG_RUNTIME_DIR=folder + "/held")
child = subprocess.Popen([program, "run", "launch/step", "--", "true"], env=environment)
connection, _ = listener.accept()
connection.recv(65536)
time.sleep(0.1)
print(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{child.pid}/status").read())[1])
child.send_signal(signal.SIGKILL)
child.wait()
PYTHON
bar "launcher's largest VmRSS in KiB, request sent" "$(cat "$folder/launcher")" 1536 most

/usr/bin/python3 "$top/tests/bench/fill.py" "$socket" "$vault" 100000
large=$("$folder/pair" "$pairs" "$bin/stepvault" run launch/step -- true :: env FOO=bar true)
echo "launch, 100 000 variables: $large"
growth=$(awk -v a="$(ratio_of "$large")" -v b="$(ratio_of "$small")" 'BEGIN { printf "%.3f", a / b }')
bar "the same with 100 000 variables / small vault" "$growth" 1.1 most
echo "agent's VmRSS in KiB, 100 000 records: $(awk '/VmRSS/ {print $2}' "/proc/$pid/status")"
exit $missed
