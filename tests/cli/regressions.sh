#!/bin/bash
# What was once wrong, with the real programs: each block says the promise that it broke.
# sanitize: yes
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=fixture.bash
. "$here/fixture.bash"
new_vault vault

# ---- a boundary holds as long as something lies below it (P1) ----
stepvault step add walled --no-inherit
place OUTSIDE "$CANARY-outside"
place INSIDE "$CANARY-inside" walled/step
names() { stepvault export "$1" --format json | jq -r 'keys | join(",")'; }
is "below a boundary a step gets only what is placed there" "$(names walled/step)" INSIDE
stepvault step remove walled
is "... and still does when the boundary itself is no step any more" "$(names walled/step)" INSIDE
stepvault step remove walled/step --force
is "... and the boundary goes with the last path below it" "$(stepvault step list --json | jq -c '[.steps[].path]')" '["/","login"]'
stepvault env unset OUTSIDE

# ---- standard streams that are closed ----
place KEPT "$CANARY-kept"
fails "a closed stdin is no empty value" 1 "the value of KEPT" sh -c 'stepvault env set KEPT --at / <&-'
is "... and the value is as it was" "$(stepvault env get KEPT)" "$CANARY-kept"
for words in "env get KEPT" "env list" "status --json" "audit log" "audit key"; do
    fails "$words without a stdout fails" 1 "standard output" sh -c "stepvault $words >&-"
done
succeeds "... and what prints nothing succeeds" sh -c 'stepvault env set KEPT2 --at kept >&- < /dev/null'
agent=$bin/stepvault-agent
mkdir -m 700 "$scratch/closed"
# Without the runner's sanitizer options: leaks cannot be looked for in an undumpable process.
env -u ASAN_OPTIONS "$agent" --vault "$scratch/closed/vault.db" --socket "$scratch/closed/agent.sock" <&- >&- 2>&- &
started=$!
for _ in $(seq 100); do
    [ -S "$scratch/closed/agent.sock" ] && break
    sleep 0.1
done
is "an agent's missing standard streams are /dev/null" \
    "$(for number in 0 1 2; do readlink "/proc/$started/fd/$number"; done | sort -u)" /dev/null
kill "$started"
wait "$started"

# ---- values in the wrong place are not repeated (P5) ----
fails "properties on the command line are not repeated" 1 '"{..."' \
    stepvault account set app "{\"token\":\"$CANARY-token\"}"
fails "... for add as well" 1 '"{..."' stepvault account add "{\"token\":\"$CANARY-token\"}"

# ---- a projection whose entry would be too large is refused with an entry (P2) ----
long=$(head -c 120 /dev/zero | tr '\0' p)
account wide default "$(jq -nc --arg long "$long" '[range(256) | {"\($long)\(.)": "v"}] | add')"
stepvault bind wide/step wide --as "a$(head -c 63 /dev/zero | tr '\0' a)"
fails "a projection of too many names is refused" 125 "log entry" stepvault run wide/step -- true
is "... and the refusal does not wait in memory" "$(stepvault status --json | jq '.waiting_refusals // .agent.waiting_refusals')" 0
is "... but is an entry that says of what step, and names nothing as handed out" \
    "$(stepvault audit log --json | tail -1 | jq -c '[.action, .outcome, .why, .step, has("accounts")]')" \
    '["project","refused","TooLarge","wide/step",false]'
holds "the log and the rows verify"
stepvault lock

# ---- who unlocks at the same time as another finds it done ----
new_vault together --key-file "$scratch/together.key"
stepvault lock
: > codes
for _ in 1 2 3 4 5 6; do
    unlocking=()
    for _ in 1 2 3; do
        { stepvault unlock --key-file "$scratch/together.key" 2>> codes; echo $? >> codes; } &
        unlocking+=($!)
    done
    wait "${unlocking[@]}"
    stepvault lock
done
is "three who unlock at once all succeed" "$(sort codes | uniq -c | tr -s ' ')" " 18 0"

# ---- an agent that ends before it reads a request is no matter of folders ----
ends_unread() {
    rm -f "$scratch/run/unread.sock"
    python3 - "$scratch/run/unread.sock" << 'PY' &
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
connection, _ = listener.accept()
connection.recv(1, socket.MSG_PEEK)  # the request is there, and stays
PY
    while [ ! -S "$scratch/run/unread.sock" ]; do sleep 0.02; done
}
ends_unread
fails "an agent that read no request may be asked again" 1 "the agent ended before it read the request; try the command again" \
    env STEPVAULT_SOCKET="$scratch/run/unread.sock" stepvault slot remove machine --key-file "$scratch/together.key"
ends_unread
fails "... by each command" 1 "try the command again" env STEPVAULT_SOCKET="$scratch/run/unread.sock" stepvault status
finish
