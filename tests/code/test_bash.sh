#!/bin/bash
# Code steps in bash, and what run --code does for every language: files of JSON, results, statuses, what is refused.
# sanitize: yes
# shellcheck disable=SC2016 # what stands in single quotes is another shell's
# shellcheck source=code.bash
. "$(dirname "$0")/code.bash"
code_vault

# ---- bash ----
file step.sh <<< 'jq -r ".trigger.event.amount, .look[\"\$return_value\"].id" "$PIPEDREAM_STEPS"
echo "$BILLING_CHANNEL ${#SLACK_OAUTH_ACCESS_TOKEN} $(jq -r "keys | join(\",\")" "$STEPVAULT_AUTHS") $1 $STEPVAULT_STEP ${0##*/}"
echo "\$return_value:json={\"ok\":true}" >> "$PIPEDREAM_EXPORTS"
printf "%s\n" "lines:json=[1," "2]" "text=a \"b\"" "twice=1" "twice=2" >> "$PIPEDREAM_EXPORTS"'
gives "bash: steps, exports" '{"$return_value":{"ok":true},"lines":[1,2],"text":"a \"b\"","twice":"2"}' step.sh --event event.json --steps steps.json -- argument
is "bash: variables, accounts, arguments" "$out" $'5\n7\n#billing 11 slack argument billing/notify step.sh'
file nothing.bash <<< 'cat "$PIPEDREAM_STEPS"'
gives "bash: nothing given, nothing exported" '{}' nothing.bash
is "bash: the event is null then" "$out" '{"trigger":{"event":null}}'
file bad.sh <<< 'echo "a:json={" >> "$PIPEDREAM_EXPORTS"'
refused "bash: an export that is not JSON" "the export a is not JSON" bad.sh
file line.sh <<< 'echo "no line" >> "$PIPEDREAM_EXPORTS"'
refused "bash: a line that is no export" "line 1 of what the code exported" line.sh
file exits.sh <<< 'echo "a=1" >> "$PIPEDREAM_EXPORTS"; exit 7'
ends "bash: its exit status, with what was exported" 7 '{"a":"1"}' exits.sh
file ./-folder/step.sh <<< 'echo "$0 $1"'
try stepvault run billing/notify --code=-folder/step.sh -- argument
is "bash: a folder whose name begins with a dash" "$status $out" "0 ./-folder/step.sh argument"
rm -r ./-folder

# ---- what is given ----
file event.js <<< 'return event;'
for value in null 5 '"text"' '[1]' '{"a":{}}'; do
    echo "$value" > value.json
    gives "an event that is $value" "$(if [ "$value" = null ]; then echo '{"$return_value":null}'; else echo "{\"\$return_value\":$value}"; fi)" event.js --event value.json
done
rm -f result.json
try stepvault run billing/notify --code event.js --event - --result result.json < event.json
is "an event on standard input" "$status $(cat result.json)" '0 {"$return_value":{"amount":5,"items":[1,"zwei"]}}'
printf '{"a":' > cut.json
refused "an event that is not JSON" "the event cut.json is not JSON" event.js --event cut.json
printf '1,2' > two.json
refused "an event that is two values" "the event two.json is not JSON" event.js --event two.json
echo '[1]' > list.json
refused "steps that are no object" "the steps list.json is not a JSON object" event.js --steps list.json
refused "props that are no object" "the props list.json is not a JSON object" event.js --props list.json
refused "bash: an event that is not JSON" "the event cut.json is not JSON" step.sh --event cut.json
refused "an event that is not there" "cannot read the event none.json" event.js --event none.json
truncate -s 65M large.json
refused "an event over 64 MiB" "64 MiB" event.js --event large.json
rm large.json
refused "an ending that nobody knows" "the ending .rb of step.rb" step.rb
step none.js
has "code that is not there" "$status $err" "127 stepvault: cannot read the code none.js"

# ---- results ----
try bash -c 'stepvault run billing/notify --code event.js --event event.json --result 7 7> result.fd'
is "a result to a descriptor" "$status $(cat result.fd)" '0 {"$return_value":{"amount":5,"items":[1,"zwei"]}}'
file large.sh <<< 'printf "text=%0300000d\n" 0 >> "$PIPEDREAM_EXPORTS"'
try python3 -c '
import os, subprocess, time
reading, writing = os.pipe()
os.set_blocking(writing, False)
run = subprocess.Popen(["stepvault", "run", "billing/notify", "--code", "large.sh", "--result", str(writing)], pass_fds=[writing])
os.close(writing)
time.sleep(0.5)
print(len(open(reading, "rb").read()), run.wait())'
is "... that does not block, and is read slowly" "$out" "300012 0"
try stepvault run billing/notify --code event.js --event event.json --result - -- x
is "a result to stdout, a line" "$status $out $(ls -A -- -* 2> /dev/null)" '0 {"$return_value":{"amount":5,"items":[1,"zwei"]}} '
try stepvault run billing/notify --code event.js --result 77
is "a descriptor that is not open: before anything runs" "$status ${err%%77*}" "125 stepvault: the descriptor "
try stepvault run billing/notify --code event.js --event event.json --result ./3
is "a file whose name is digits" "$status $(cat 3) $(stat -c %a 3)" '0 {"$return_value":{"amount":5,"items":[1,"zwei"]}} 600'
file silent.js <<< 'process.reallyExit(3);'
step silent.js
has "code that ends without a result" "$status $err" "3 stepvault: the code has ended without leaving a result"
echo old > kept.json
try stepvault run billing/notify --code exits.sh --result kept.json
is "an old result is replaced" "$(cat kept.json)" '{"a":"1"}'
try stepvault run billing/notify --code bad.sh --result kept.json
is "... but by nothing that cannot be written" "$(cat kept.json)" '{"a":"1"}'
file plain.js <<< 'console.log("printed"); process.exitCode = 4;'
try stepvault run billing/notify --code plain.js
is "without --result" "$status $out" "4 printed"
file leak.py <<< 'def handler(pd):
    token = pd.inputs["slack"]["$auth"]["oauth_access_token"]
    print("the token is", token)
    return {"token": token, token: [1]}'
step leak.py --mask
is "--mask scrubs output and result" "$status $out $result" '0 the token is *** {"$return_value":{"token":"***","***":[1]}}'

# Whoever reads what somebody else makes shorter is killed.
file late.sh <<< '{ exec 3>> "$PIPEDREAM_EXPORTS" && : > opened; until [ -e ended ]; do sleep 0.05; done
if echo late=1 >&3; then echo changed; else echo refused; fi > late.new && mv late.new late; } > /dev/null 2>&1 &
until [ -e opened ]; do sleep 0.05; done
echo text=early >> "$PIPEDREAM_EXPORTS"'
gives "a result is read though something that goes on has it open" '{"text":"early"}' late.sh
: > ended
until [ -e late ]; do sleep 0.05; done
is "... which changes it no more" "$(cat late)" "refused"

# ---- code that becomes another step's ----
vault=$STEPVAULT_VAULT
export vault
file inner.sh <<< 'jq -c . "$PIPEDREAM_STEPS"; ls -l /proc/$$/fd | grep -c memfd:stepvault-code'
file inner.js <<< 'console.log(JSON.stringify(steps))'
file becomes.sh <<< 'exec stepvault run --vault "$vault" billing/notify --code "$1" --steps "$PIPEDREAM_STEPS"'
all='{"trigger":{"event":{"amount":5,"items":[1,"zwei"]}},"look":{"$return_value":{"id":7}}}'
for last in "--result=result.json" "--event=event.json"; do
    try stepvault run billing/notify --code becomes.sh --event event.json --steps steps.json "$last" -- inner.sh
    is "${last%=*}: the steps that code was given reach what it becomes, and nothing else stays open" "$status $out" "0 $all
2"
    try stepvault run billing/notify --code becomes.sh --event event.json --steps steps.json "$last" -- inner.js
    is "... in another language, too" "$status $out" "0 $all"
done
file takes.sh <<< 'exec stepvault run --vault "$vault" billing/notify --code inner.sh --event "$STEPVAULT_AUTHS"'
try stepvault run billing/notify --code takes.sh
has "what is not handed on is not taken for what comes after it" "$status $err" "125 stepvault: cannot read the event /proc/"

# ---- a step without accounts ----
stepvault step add billing/none > /dev/null
file none.js <<< 'return Object.keys(auths);'
try stepvault run billing/none --code none.js --result none.json
is "a step without accounts may run code" "$status $(cat none.json)" '0 {"$return_value":[]}'
finish
