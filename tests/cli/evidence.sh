#!/bin/bash
# limit: 240
# What the log can prove, and to whom: who had what, the log as anybody can recompute it, what a kept note and a receipt are
# worth, and pruning. tests/peers/test_evidence.sh has others check it. TAP.
# shellcheck source=fixture.bash
. "$(dirname "$0")/fixture.bash"

# ---- who had it ----

new_vault who
place STRIPE_KEY "$CANARY-stripe" billing
place slack "$CANARY-variable" billing
account slack work "{\"oauth_access_token\":\"$CANARY\",\"bot_id\":\"$CANARY\"}"
account slack me@example.com "{\"oauth_access_token\":\"$CANARY\"}"
stepvault bind billing/notify slack:work 2> "$scratch/err"
stepvault bind billing/other slack:me@example.com --as mine --only oauth_access_token 2> "$scratch/err"
stepvault bind billing/other slack:me@example.com --as again --only oauth_access_token 2> "$scratch/err"
stepvault bind billing/bot slack:work --only bot_id 2> "$scratch/err"
for _ in 1 2; do stepvault run billing/notify -- true; done
stepvault run billing/notify -- /bin/false
stepvault run billing/other --deliver auths -- true
stepvault run billing/bot -- true
stepvault env get STRIPE_KEY --at billing > /dev/null
echo '{{ stepvault://env/STRIPE_KEY }} {{ stepvault://slack:work/bot_id }}' > template
stepvault inject billing/notify -i template > /dev/null
printf 'STRIPE_KEY=%s\nOTHER=1\n' "$CANARY-new" > import.env
stepvault env import import.env --at billing --replace 2> "$scratch/err"
stepvault run billing/unheard-of -- true 2> "$scratch/err"

# who WORD [OPTION...]: its lines with neither program nor times.
who() { stepvault audit who "$@" | awk -F'\t' '{ print $1, $2, $3, $4, $6, $7 }'; }

is "who had a variable: projections, gets, references, imports and settings told apart, with how often" "$(who STRIPE_KEY)" \
"STRIPE_KEY get billing 0 - 1
STRIPE_KEY import billing 0 - 1
STRIPE_KEY projection billing/bot 0 /usr/bin/true 1
STRIPE_KEY projection billing/notify 0 /bin/false 1
STRIPE_KEY projection billing/notify 0 /usr/bin/true 2
STRIPE_KEY projection billing/other 0 /usr/bin/true 1
STRIPE_KEY reference billing/notify 0 - 1
STRIPE_KEY set billing 0 - 1"
is "a derived name is a variable, too" "$(who SLACK_OAUTH_ACCESS_TOKEN | cut -d' ' -f2,3,6)" \
"projection billing/notify 1
projection billing/notify 2"
is "who had a property" "$(who slack:work.oauth_access_token)" \
"slack:work.oauth_access_token projection billing/notify 0 /bin/false 1
slack:work.oauth_access_token projection billing/notify 0 /usr/bin/true 2"
is "... of an account that is bound twice counts once a run" "$(who slack:me@example.com.oauth_access_token | cut -d' ' -f3,6)" "billing/other 1"
is "... as a reference" "$(who slack:work.bot_id | grep reference)" "slack:work.bot_id reference billing/notify 0 - 1"
is "a property of whatever account of the app" "$(who slack.oauth_access_token | cut -d' ' -f1 | sort -u)" \
"slack:me@example.com.oauth_access_token
slack:work.oauth_access_token"
is "a label with a dot is an account, not a property" "$(who slack:me@example.com | cut -d' ' -f1,2,3)" \
"slack:me@example.com projection billing/other
slack:me@example.com set -"
is "what is both a variable and an app is looked for as both" "$(who slack | cut -d' ' -f1 | sort -u)" \
"slack
slack:me@example.com
slack:work"
id=$(stepvault account list --json | jq -r '.accounts[] | select(.label == "work").id')
is "an account by its id" "$(who "$id")" "$(who slack:work)"
is "what nobody had has no line" "$(stepvault audit who NEVER; stepvault audit who slack:nobody)" ""
is "the program and the times are there" "$(stepvault audit who STRIPE_KEY | awk -F'\t' '$2 == "get" { print $5, ($8 == $9) }')" "$bin/stepvault-manage 1"
is "--since" "$(stepvault audit who STRIPE_KEY --since "$(date -u -d tomorrow +%Y-%m-%dT%H:%MZ)")" ""
is "--json" "$(stepvault audit who STRIPE_KEY --json | jq -c '.who[] | select(.how == "projection" and .times == 2) | [.what, .step, .uid, .command]')" \
    '["STRIPE_KEY","billing/notify",0,"/usr/bin/true"]'
is "... of nothing" "$(stepvault audit who NEVER --json)" '{"who":[]}'
fails "what is no name is not repeated" 2 "audit who wants a variable" stepvault audit who "a=$CANARY"
is "audit log --property" "$(stepvault audit log --property bot_id --json | jq -r .step | sort | uniq -c | tr -s ' \n' ' ')" " 1 billing/bot 4 billing/notify "
is "... of an account" "$(stepvault audit log --property oauth_access_token --account slack:me@example.com --json | jq -r .step)" billing/other
is "... that was not handed out" "$(stepvault audit log --property oauth_access_token --step billing/bot)" ""
lacks "no value is told" "$(stepvault audit who slack; stepvault audit who STRIPE_KEY --json)" "$CANARY"

# ---- the log, as anybody can recompute it ----

# root N: of RFC 6962 over the first N lines of an export.
root() {
    python3 -c '
import base64, hashlib, json, sys
sha = lambda data: hashlib.sha256(data).digest()
def tree(hashes):
    if len(hashes) < 2: return hashes[0] if hashes else sha(b"")
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\1" + tree(hashes[:half]) + tree(hashes[half:]))
def leaf(line):
    return bytes.fromhex(json.loads(line)["pruned"]) if line.startswith(b"{\"index\":") else sha(b"\0" + line.rstrip(b"\n"))
hashes = [leaf(line) for line in sys.stdin.buffer][:int(sys.argv[1])]
print(base64.b64encode(tree(hashes)).decode())' "$1"
}

stepvault audit checkpoint > note
stepvault audit checkpoint > later
stepvault audit export > exported
is "the first lines of an export give a checkpoint's root" "$(root "$(sed -n 2p note)" < exported)" "$(sed -n 3p note)"
is "... and so of a later one" "$(root "$(sed -n 2p later)" < exported)" "$(sed -n 3p later)"
is "an export is the whole log" "$(wc -l < exported)" "$(stepvault status --json | jq .log_size)"
is "... in the very bytes" "$(sha256sum < exported)" "$(stepvault audit log --json | sha256sum)"

finish
