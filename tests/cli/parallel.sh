#!/bin/bash
# Many commands at once on a key file, with no agent: each waits for its turn, none fails, and waiting costs nothing.
# sanitize: yes
# limit: 150
here=$(realpath "$(dirname "$0")")
# shellcheck source=tests/cli/fixture.bash
. "$here/fixture.bash"
new_vault parallel --key-file "$scratch/key"
place WHO "the value of $CANARY" job
place OTHER 2 other

# run_many COUNT: that many at once; their failures are counted and said.
run_many() {
    local jobs=() job number bad=0
    for number in $(seq "$1"); do
        stepvault run job -- printenv WHO > "$scratch/many.$number" 2>> "$scratch/many.err" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || bad=$((bad + 1)); done
    many="$bad $(cat "$scratch"/many.[0-9]* | grep -cFx "the value of $CANARY") $(sort -u "$scratch/many.err" | head -n 3)"
    rm -f "$scratch"/many.*
}
projections() { stepvault audit log --step job --json | wc -l; }

for records in 100 10000; do
    unset STEPVAULT_KEY_FILE
    stepvault unlock --key-file "$scratch/key" 2>> "$scratch/notes"
    /usr/bin/python3 "$here/../bench/fill.py" "$XDG_RUNTIME_DIR"/stepvault/*.sock "$STEPVAULT_VAULT" "$records" > /dev/null
    stepvault lock
    export STEPVAULT_KEY_FILE="$scratch/key"
    before=$(projections)
    run_many 50
    is "50 runs at once on $records records all get their value" "$many" "0 50 "
    is "... and each is in the log" "$(($(projections) - before))" 50
done
is "... and no agent is left" "$(agents)" ""

# await COMMAND...: until it succeeds, for 20 s at most.
await() {
    local tries=200
    until "$@" || [ $((tries -= 1)) = 0 ]; do sleep 0.1; done
}
# A holder: the agent of one command that has an import under way keeps the vault open until it is told to let go.
hold() {
    mkfifo "$scratch/release"
    /usr/bin/python3 - "$STEPVAULT_VAULT" "$scratch" <<'PYTHON' &
import os, sys
sys.path.insert(0, os.environ["HERE"])
from agent_client import connected, slot_key
vault, scratch = sys.argv[1:]
process, client = connected(vault)
reply = client.call("StageImport", slot_key=slot_key(open(scratch + "/key", "rb").read()))
open(scratch + "/held", "w").write(f"{process.pid} {'error' in reply}")
open(scratch + "/release").read()
client.close()
process.wait()
PYTHON
    holder=$!
    await test -s "$scratch/held"
    read -r held failed_to_hold < "$scratch/held"
}
export HERE="$here" BUILD="${bin%/bin}"
# cpu PID...: ticks that the processes have used.
cpu() {
    local process total=0 fields
    for process; do
        fields=$(sed 's/.*) //' "/proc/$process/stat" 2> /dev/null) || continue
        # shellcheck disable=SC2086
        set -- $fields
        total=$((total + ${12} + ${13}))
    done
    echo $total
}
crowd_waits() { [ "$(waiting | wc -l)" -ge 20 ]; }
waiting() { agents | grep -vx "$held"; }

hold
is "an import under way holds the vault" "$failed_to_hold" False
for number in $(seq 20); do
    stepvault run job -- printenv WHO > "$scratch/wait.$number" 2>> "$scratch/wait.err" &
done
await crowd_waits
sleep 1
mapfile -t crowd < <(waiting)
ticks=$(cpu "${crowd[@]}")
sleep 2
ticks=$(($(cpu "${crowd[@]}") - ticks))
report "$((ticks > 40))" "20 that wait for 2 s use less than 0.4 s of processor time together"
echo "# $ticks ticks of $(getconf CLK_TCK) a second"
is "... and none has its value yet" "$(cat "$scratch"/wait.[0-9]*)" ""
kill -9 "$held"
for job in $(jobs -p); do [ "$job" = "$holder" ] || wait "$job"; done
is "kill -9 of the holder lets all the others go on" "$(cat "$scratch"/wait.[0-9]* | grep -cFx "the value of $CANARY") $(cat "$scratch/wait.err")" "20 "
echo > "$scratch/release"
wait "$holder"
rm -f "$scratch"/wait.* "$scratch/held" "$scratch/release"
holds "... and the vault verifies"

# An agent that is unlocked while others wait: they ask it.
hold
for number in $(seq 20); do
    stepvault run job -- printenv WHO > "$scratch/wait.$number" 2>> "$scratch/wait.err" &
done
await crowd_waits
stepvault unlock --key-file "$scratch/key" 2> "$scratch/unlock.err" &
unlocking=$!
sleep 0.5
echo > "$scratch/release"
wait "$unlocking"
is "unlock gets its turn among 20 runs that wait" "$? $(grep -v open "$scratch/unlock.err")" "0 "
for job in $(jobs -p); do wait "$job"; done
is "... and each of them gets its value, from it or before it" "$(cat "$scratch"/wait.[0-9]* | grep -cFx "the value of $CANARY") $(cat "$scratch/wait.err")" "20 "
is "... and it is open" "$(stepvault status --json | jq -r .state)" open
stepvault lock
# Without it the rest would have waited for a minute.
report "$((SECONDS > 130))" "... and nobody waited for one that stays"
holds "the vault verifies"
finish
