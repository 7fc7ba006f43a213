#!/bin/bash
# What a launcher of code steps costs beside the bare start of its language: a step of one line, BENCH_PAIRS (default 100) times
# in turn with `node -e 0`, with `python3 -c pass` and with `bash -c :`. Each figure is the median of the differences of the
# pairs, so that both sides have the same noise. Exit status 1 if Node's is over its bar of 15 ms.
# shellcheck disable=SC2016 # what stands in single quotes is other languages'
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
launchers=$build/bin/launchers
folder=$(mktemp -d "$build/bench.XXXXXX")
trap 'rm -rf "$folder"' EXIT
missed=0

echo '{"slack":{"oauth_access_token":"xoxb"}}' > "$folder/auths"
echo '{"amount":5}' > "$folder/event"
export STEPVAULT_AUTHS=$folder/auths STEPVAULT_EVENT=$folder/event STEPVAULT_RESULT=$folder/result STEPVAULT_STEP=billing/notify
echo 'async (event, steps, auths) => [event.amount, auths.slack.oauth_access_token];' > "$folder/function.js"
echo 'export default async (event, steps, auths) => [event.amount, auths.slack.oauth_access_token];' > "$folder/module.mjs"
echo 'import "node:fs"; export default async (event, steps, auths) => [event.amount, auths.slack];' > "$folder/importing.mjs"
echo 'export default { props: { slack: { type: "app", app: "slack" } }, run() { return this.slack.$auth; } };' > "$folder/component.mjs"
printf 'def handler(pd):\n    return pd.inputs["slack"]["$auth"]\n' > "$folder/step.py"
echo ':' > "$folder/step.sh"

# difference COMMAND... :: COMMAND...: by how many milliseconds the first is slower than the second.
difference() {
    /usr/bin/python3 - "${BENCH_PAIRS:-100}" "$@" <<'PYTHON'
import statistics, subprocess, sys, time
pairs, words = int(sys.argv[1]), sys.argv[2:]
commands = words[:words.index("::")], words[words.index("::") + 1:]
def ms(command):
    start = time.monotonic()
    subprocess.run(command, check=True, close_fds=False)
    return (time.monotonic() - start) * 1000
differences = [ms(commands[0]) - ms(commands[1]) for _ in range(pairs)]
print(f"{statistics.median(differences):.1f}")
PYTHON
}
# bar NAME LIMIT|- COMMAND... :: COMMAND...
bar() {
    local name=$1 limit=$2 figure verdict=
    figure=$(difference "${@:3}")
    if [ "$limit" != - ]; then
        verdict="(most $limit) ok"
        if ! awk -v a="$figure" -v b="$limit" 'BEGIN { exit !(a <= b) }'; then
            verdict="(most $limit) MISSED"
            missed=1
        fi
    fi
    printf '%-62s %7s ms   %s\n' "$name" "$figure" "$verdict"
}

bar "node: a function, beside node -e 0" 15 node "$launchers/node.cjs" "$folder/function.js" :: node -e 0
bar "node: a function of an ES module, beside node -e 0" 15 node "$launchers/node.cjs" "$folder/module.mjs" :: node -e 0
bar "node: a function of an ES module that imports, beside node -e 0" 15 node "$launchers/node.cjs" "$folder/importing.mjs" :: node -e 0
bar "node: a component, beside node -e 0" 15 node "$launchers/node.cjs" "$folder/component.mjs" :: node -e 0
bar "python: a handler, beside python3 -c pass" - /usr/bin/python3 "$launchers/python.py" "$folder/step.py" :: /usr/bin/python3 -c pass
bar "bash: beside bash -c :" - bash "$launchers/bash.sh" "$folder/step.sh" :: bash -c :
exit $missed
