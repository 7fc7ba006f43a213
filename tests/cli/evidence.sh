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
try stepvault audit who NEVER
is "... and a misspelt name is not silence" "$status $err" \
    "0 stepvault: the log has no entry by which anybody had that; names are those of the time"
is "the program and the times are there" "$(stepvault audit who STRIPE_KEY | awk -F'\t' '$2 == "get" { print $5, ($8 == $9) }')" "$bin/stepvault-manage 1"
is "--since" "$(stepvault audit who STRIPE_KEY --since "$(date -u -d tomorrow +%Y-%m-%dT%H:%MZ)")" ""
is "--json" "$(stepvault audit who STRIPE_KEY --json | jq -c '.who[] | select(.how == "projection" and .times == 2) | [.what, .step, .uid, .command]')" \
    '["STRIPE_KEY","billing/notify",0,"/usr/bin/true"]'
is "... of nothing" "$(stepvault audit who NEVER --json)" '{"who":[],"pruned":0}'
fails "what is no name is not repeated" 2 "audit who wants a variable" stepvault audit who "a=$CANARY"
is "audit log --property" "$(stepvault audit log --property bot_id --json | jq -r .step | sort | uniq -c | tr -s ' \n' ' ')" " 1 billing/bot 4 billing/notify "
is "... of an account" "$(stepvault audit log --property oauth_access_token --account slack:me@example.com --json | jq -r .step)" billing/other
is "... that was not handed out" "$(stepvault audit log --property oauth_access_token --step billing/bot)" ""
lacks "no value is told" "$(stepvault audit who slack; stepvault audit who STRIPE_KEY --json)" "$CANARY"

# What goes to the helper, and comes from it, is had, too.
stepvault call AddClient "{\"app\":\"gitlab\",\"client_id\":\"id\",\"client_secret\":\"$CANARY\"}" > /dev/null
stepvault slot add --key-file helper.key --passphrase-fd 3 3< "$scratch/pass" 2> "$scratch/err"
stepvault lock
"$(dirname "$bin")/tests/cli/connected_tool" "$STEPVAULT_VAULT" helper.key gitlab "$CANARY"
unlock 2> "$scratch/err"
is "a connected account: what OAuth set, and what the helper got" "$(who gitlab.oauth_refresh_token | cut -d' ' -f1,2,3,6)" \
"gitlab:default.oauth_refresh_token helper - 1
gitlab:default.oauth_refresh_token set - 1"
is "... of what the helper did not get" "$(who gitlab.oauth_access_token | cut -d' ' -f2)" set
is "... of the account" "$(who gitlab | cut -d' ' -f1,2)" "gitlab:default helper
gitlab:default set"
is "audit log --property has it" "$(stepvault audit log --property oauth_refresh_token --json | jq -r .action)" "connect
refresh"
lacks "... and no value" "$(stepvault audit log --account gitlab --json)" "$CANARY"

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

# ---- a kept checkpoint ----

for number in $(seq 300); do printf 'NAME_%s=%s\n' "$number" "$number"; done > many.env
fill() { # leaves N entries or more behind
    local left
    for left in $(seq "$1"); do stepvault env get "NAME_$left" --at many > /dev/null; done
}
new_vault kept
stepvault audit key > trusted.key
stepvault env import many.env --at many 2> "$scratch/err"
fill 300
stepvault audit checkpoint > kept.note
size=$(sed -n 2p kept.note)
fill 20
is "audit verify --against prints the note's size and era" "$(stepvault audit verify --against kept.note | sed -n '4,5p')" \
"contains	the kept checkpoint of $size entries
era	0"
is "... and takes it from stdin" "$(stepvault audit verify --against - < kept.note | sed -n 5p)" "era	0"
is "... of the head itself, the proof is empty" \
    "$(stepvault audit verify --json | jq -j .note | stepvault audit verify --against - --json | jq -c '[.total == .against.size, .against.proof]')" '[true,[]]'
stepvault audit verify --against kept.note --json > verified.json
is "--json has the proof, and the signed head that it leads to" "$(jq -r '.note | split("\n")[1]' verified.json),$(jq '.against.proof | length > 4' verified.json)" \
    "$(jq .total verified.json),true"

sed '2s/.*/7/' kept.note > changed.note
fails "a changed note" 1 "is not signed by" stepvault audit verify --against changed.note
sed '$s/...$/AA=/' kept.note > changed.note
fails "a false signature" 1 "is not signed by" stepvault audit verify --against changed.note
sed '$d' kept.note > changed.note
fails "a note without a signature" 4 "is not signed by any key of this log" stepvault audit verify --against changed.note
sed '$s/ [^ ]*$/ AAAAAAAAAAAAAAAAAAAAAAAA/' kept.note > changed.note
fails "... with one of another key only" 4 "is not signed by any key of this log" stepvault audit verify --against changed.note
cat kept.note > changed.note && printf -- '\xe2\x80\x94 witness.example AAAAAAAAAAAAAAAAAAAAAAAA\n' >> changed.note
succeeds "... and one of another key beside ours" stepvault audit verify --against changed.note
sed '3s/$/\nan extension/' kept.note > changed.note
fails "a line more than was signed" 1 "is not signed by" stepvault audit verify --against changed.note
echo "$CANARY" > changed.note
fails "what is no note" 1 "that is no signed checkpoint of a log" stepvault audit verify --against changed.note
fails "no file" 4 "cannot open the checkpoint" stepvault audit verify --against missing.note
head -c 70000 /dev/zero | tr '\0' x > changed.note
fails "an endless one" 1 "the checkpoint" stepvault audit verify --against changed.note
fails "a note of another log" 4 "the checkpoint is of another log: stepvault/v1/" stepvault audit verify --against note

# An older copy of the file that went on otherwise: the same key signs both branches.
stepvault lock
cp "$STEPVAULT_VAULT" older.db
unlock --for 1d 2> "$scratch/err"
fill 3
stepvault audit checkpoint > ahead.note
stepvault lock
cp "$STEPVAULT_VAULT" newer.db
cp older.db "$STEPVAULT_VAULT"
XDG_STATE_HOME=$scratch/elsewhere unlock --for 1d 2> "$scratch/err"
fails "a size that the log never had" 1 "and the log has" stepvault audit verify --against ahead.note
fill 6
fails "a branch of the log" 1 "did not grow from the checkpoint" stepvault audit verify --against ahead.note
succeeds "... whose older part is shared" stepvault audit verify --against kept.note
stepvault lock
cp newer.db "$STEPVAULT_VAULT"
unlock --for 1d 2> "$scratch/err"

# ---- receipts ----

stepvault audit prove 7 > 7.tlog-proof
stepvault audit prove 7 --size "$size" > early.tlog-proof
is "a receipt is a tlog-proof" "$(sed -n '1p;3p' 7.tlog-proof)" "c2sp.org/tlog-proof@v1
index 7"
is "... which carries its entry" "$(sed -n 's/^extra //p' 7.tlog-proof | base64 -d)" "$(stepvault audit log --json | sed -n 8p)"
is "... and the signed head" "$(sed '1,/^$/d' 7.tlog-proof)" "$(stepvault audit verify --json | jq -r .note)"
is "... or the kept checkpoint of a size" "$(stepvault audit prove 7 --size "$size" | sed '1,/^$/d')" "$(cat kept.note)"
is "--json" "$(stepvault audit prove 7 --json | jq -c '[.index, (.hash | length), (.proof | length > 5)]')" '[7,64,true]'
fails "an entry that there is not" 4 "there is no entry 100000" stepvault audit prove 100000
fails "... not that early" 4 "there is no entry $size among the first $size" stepvault audit prove "$size" --size "$size"
fails "a size of no kept checkpoint" 4 "keeps no checkpoint of 11 entries" stepvault audit prove 7 --size 11
fails "no number" 2 "audit prove wants the number of an entry" stepvault audit prove "$CANARY"
fails "no entry" 2 "" stepvault audit prove

# ---- pruning ----

prunes() { stepvault audit prune --passphrase-fd 3 "$@" 3< "$scratch/pass"; }
tomorrow=$(date -u -d tomorrow +%Y-%m-%d)
fails "no time" 2 "audit prune wants --before" prunes
fails "a wrong passphrase" 1 "" stepvault audit prune --before "$tomorrow" --passphrase-fd 3 3<<< "not $CANARY"
is "... takes nothing" "$(stepvault audit log --json | sed -n 2p | jq -r .action)" import
try prunes --before 2020-01-01
has "what is old enough is nothing" "$status $err" "0 stepvault: nothing was pruned"
try prunes --before "$tomorrow"
has "whole blocks are pruned" "$status $err" "0 stepvault: entries 0 to 255 were pruned: only their hashes are left, but of those that announce a signing key"
stepvault audit export > pruned.jsonl
is "a pruned entry leaves its hash in an export" "$(sed -n 8p pruned.jsonl)" '{"index":7,"pruned":"'"$(stepvault audit prove 7 --json | jq -r .hash)"'"}'
is "... so that the kept checkpoint's root comes out" "$(root "$size" < pruned.jsonl)" "$(sed -n 3p kept.note)"
try stepvault audit log --json
is "audit log has the others" "$(head -n 1 <<< "$out")" "$(sed -n 257p pruned.jsonl)"
has "... and says so" "$err" "entries before number 256 were pruned"
try stepvault audit who NAME_1
has "audit who says so, too" "$err" "entries before number 256 were pruned"
is "the leaf says what was pruned" "$(grep '"action":"prune"' pruned.jsonl | tail -n 1 | jq -c '[.before[:10], .pruned]')" "[\"$tomorrow\",{\"from\":0,\"to\":256}]"
is "audit verify holds, against the kept checkpoint, too" "$(stepvault audit verify --against kept.note | sed -n 4p)" "contains	the kept checkpoint of $size entries"
size_now=$(stepvault audit verify | sed -n 's/^size\t//p')
is "... and says how many were verified with their text, and how many by their hash only" \
    "$(stepvault audit verify | sed -n '4,$p')" "with text	$((size_now - $(grep -c '^{"index":' pruned.jsonl)))
by hash only	$(grep -c '^{"index":' pruned.jsonl)"
is "... in JSON, too" "$(stepvault audit verify --json | jq -c '[.by_hash, .done == .total]')" "[$(grep -c '^{"index":' pruned.jsonl),true]"
is "check says the same" "$(stepvault check | sed -En 's/^tree\tholds\t(.*), root .*/\1/p')" \
    "$size_now entries, $((size_now - $(grep -c '^{"index":' pruned.jsonl))) with their text and $(grep -c '^{"index":' pruned.jsonl) by their hash only"
is "a receipt of a pruned entry has no entry" "$(stepvault audit prove 7 | sed -n 2p)" "index 7"
stepvault audit prove 7 --size "$size" > later.tlog-proof
is "... and else is the same" "$(sed 1d later.tlog-proof)" "$(sed 1,2d early.tlog-proof)"
stepvault lock
unlock --for 1d 2> "$scratch/err"
holds "after a new unlock, too"
is "there is nothing left to prune" "$(prunes --before "$tomorrow" 2>&1)" "stepvault: nothing was pruned: no block of 256 entries is that old and was not pruned before"
is "audit key --all" "$(stepvault audit key --all)" "0	0	1	$(stepvault audit key)"
is "... as JSON" "$(stepvault audit key --all --json | jq -c '[.eras[] | .first, .key == "'"$(cat trusted.key)"'"]')" "[0,true]"
stepvault lock
try stepvault audit prune --before "$tomorrow" --passphrase-fd 3 3< "$scratch/pass"
has "a locked vault is pruned, too" "$status $err" "0 stepvault: nothing was pruned"

# ---- pruning, killed ----

new_vault killed --key-file killed.key
place NAME value
seq 800 | xargs -P 4 -I {} stepvault env get NAME > /dev/null
stepvault audit checkpoint > killed.note
stepvault lock
killed=0 whole=0 sound=0 done=0
for round in $(seq 12); do
    cp "$scratch/data/killed/vault.db" "$scratch/data/killed/$round.db"
    export STEPVAULT_VAULT="$scratch/data/killed/$round.db"
    stepvault unlock --key-file killed.key 2> "$scratch/err"
    agent=$(agent_pid)
    stepvault audit prune --before "$tomorrow" --key-file killed.key > "$scratch/out" 2>&1 &
    sleep "0.0$(printf %02d $((round * 6)))"
    kill -9 "$agent"
    wait $! || killed=$((killed + 1))
    stepvault unlock --key-file killed.key 2> "$scratch/err"
    stepvault audit verify --against killed.note > "$scratch/out" 2>&1 && sound=$((sound + 1))
    pruned=$(stepvault audit export | grep -c '^{"index":')
    leaves=$(stepvault audit log --json 2> "$scratch/err" | grep -c '"action":"prune"')
    case $pruned,$leaves in 0,0) whole=$((whole + 1)) ;; 768,1) whole=$((whole + 1)) done=$((done + 1)) ;; *) echo "# round $round: $pruned entries pruned, $leaves leaves" ;; esac
    stepvault lock
done
is "an agent that is killed has pruned all of a turn or nothing, with its entry" "$whole" 12
is "... and the log grew from the kept checkpoint" "$sound" 12
echo "# $killed of 12 commands saw the agent end, and $done vaults were pruned"

finish
