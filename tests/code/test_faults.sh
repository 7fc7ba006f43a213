#!/bin/bash
# Code that throws, hangs, prints binary, exits early or leaves children; results that are too large, have nowhere to go or
# arrive two at once; and what one step leaves for the next. Runs in a mount namespace of its own where it may, for a full disk.
# sanitize: yes
# shellcheck disable=SC2016 # what stands in single quotes is the code's
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/own_mounts.bash
. "$here/../cli/own_mounts.bash"
# shellcheck source=code.bash
. "$here/code.bash"
trap 'umount -l "$scratch/disk" 2> /dev/null; leave' EXIT
code_vault

# wait_for FILE: until it has a line.
wait_for() {
    for _ in $(seq 600); do
        [ ! -s "$1" ] || return 0
        sleep 0.05
    done
    return 1
}
# names: what is in the folder.
names() { find . -maxdepth 1 ! -name . -printf '%f\n' | sort | tr '\n' ' '; }

# ---- how code ends ----
file throws.js <<< 'this.before = 1; throw new TypeError("no such thing");'
ends "Node: code that throws: status 1, and the result says so" 1 '{"before":1,"$error":{"name":"TypeError","message":"no such thing"}}' throws.js
has "... its stack is on stderr" "$err" "TypeError: no such thing"
file throws.py <<< 'def handler(pd):
    raise KeyError("gone")'
step throws.py
has "Python: code that throws" "$status $result" '1 {"$error":{"name":"KeyError"'
has "... its stack is on stderr" "$err" "throws.py"
file fails.sh <<< 'set -e; echo "seen:json=[1]" >> "$PIPEDREAM_EXPORTS"; false; echo "seen=2" >> "$PIPEDREAM_EXPORTS"'
ends "bash: code that fails leaves what it exported" 1 '{"seen":[1]}' fails.sh
file killed.sh <<< 'echo "seen=1" >> "$PIPEDREAM_EXPORTS"; kill -9 $$'
mkdir killed && cd killed || exit 1
step ../killed.sh
is "killed: the same to whoever started it, and nothing is left" "$status $(names)" "137 "
has "... which is said" "$err" "stepvault: the code was ended by signal 9 and left no result"
echo old > kept
try stepvault run billing/notify --code ../killed.sh --result kept
is "... and an old result stays" "$(cat kept) $(names)" "old kept "
cd ..
file hangs.sh <<< 'echo $$ > started; exec sleep 1000'
# ended SIGNAL: the status of a run that gets it while its code hangs.
ended() {
    rm -f started
    # A shell starts what is in the background with SIGINT ignored.
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.setpgid(0, 0)
os.execvp(sys.argv[1], sys.argv[1:])' stepvault run billing/notify --code hangs.sh --result hangs.json 2> hangs.err &
    wait_for started || echo "it did not start"
    kill "-$1" -- "${2-}$!"
    wait $!
    echo $?
}
is "code that hangs ends by SIGTERM" "$(ended TERM) $(cat hangs.json 2> /dev/null)" "143 "
is "... and by what a terminal's ^C sends" "$(ended INT -) $(cat hangs.json 2> /dev/null)" "130 "
file binary.sh <<< 'i=0; while [ $i -lt 256 ]; do printf "\\x$(printf %x $i)"; i=$((i + 1)); done; head -c 300000 /dev/zero'
stepvault run billing/notify --code binary.sh > plain.out
stepvault run billing/notify --code binary.sh --result binary.json > awaited.out
is "binary output passes as it is" "$(cksum < plain.out) $(cksum < awaited.out) $(cat binary.json)" "$(bash binary.sh | cksum) $(bash binary.sh | cksum) {}"
file child.sh <<< 'sleep 1000 > /dev/null 2>&1 & echo $! >> child; echo "left=yes" >> "$PIPEDREAM_EXPORTS"'
try stepvault run billing/notify --code child.sh --result 1
is "a child that is left behind holds nothing up, nor a pipe of the result" "$status $out $(stepvault run billing/notify --code child.sh --result 9 9>&1 > /dev/null | cat)" '0 {"left":"yes"} {"left":"yes"}'
# shellcheck disable=SC2046 # two numbers
is "... and lives" "$(kill -0 $(cat child) && echo yes; kill $(cat child))" yes

# ---- what is not there ----
fails "no runtime" 127 'the command "node" is not found' env PATH=/nowhere "$bin/stepvault" run billing/notify --code throws.js
mkdir folder.py
fails "a folder of code" 126 "the code folder.py is no regular file" stepvault run billing/notify --code folder.py
file none <<< 'x'
fails "code without an ending" 125 "has no ending" stepvault run billing/notify --code none
fails "props for bash" 125 "code in bash has no --props" stepvault run billing/notify --code fails.sh --props none
fails "a result without code" 125 "--result is said with --code only" stepvault run billing/notify --result x -- true
fails "one standard input for two" 125 "standard input cannot be both" stepvault run billing/notify --code fails.sh --event - --env-file -
fails "... of the steps" 125 "both the steps and an env file" stepvault run billing/notify --code fails.sh --steps - --env-file -
fails "... of event and props" 125 "both the event and the props" stepvault run billing/notify --code fails.js --event - --props -
fails "arguments without --" 125 "run needs -- before the code's arguments: stepvault run billing/notify --code fails.sh -- x" \
    stepvault run billing/notify --code fails.sh x
fails "a descriptor that is open for reading only" 125 "the descriptor 7 of --result is not open for writing" \
    bash -c 'stepvault run billing/notify --code fails.sh --result 7 7< /dev/null'
fails "an ending that nobody knows" 125 "of no language" stepvault run billing/notify --code a.rb
lacks "... is refused before the vault is asked" "$(stepvault audit log --json)" "a.rb"
file where.sh <<< 'true'
stepvault run billing/notify --code where.sh
is "the log names the file of code" "$(stepvault audit log --json | tail -n 1 | jq -r '.claimed.command, (.deliver | join(" "))')" "$PWD/where.sh
env auths"
STEPVAULT_STEP=billing/notify try stepvault run --code where.sh
is "the step of the environment is taken" "$status" 0

# ---- standard input ----
file stdin.sh <<< 'jq -c .trigger.event "$PIPEDREAM_STEPS"; cat | wc -c'
is "an event on standard input leaves nothing there" "$(echo '{"a":1}' | stepvault run billing/notify --code stdin.sh --event -)" '{"a":1}
0'
file given.sh <<< 'jq -c .a "$PIPEDREAM_STEPS"; cat | wc -c'
is "... as steps do" "$(echo '{"a":1}' | stepvault run billing/notify --code given.sh --steps -)" '1
0'
is "without it standard input is the code's" "$(echo four | stepvault run billing/notify --code stdin.sh)" 'null
5'

python3 -c 'print("[" * 9000 + "]" * 9000)' > deep.json
file deep.py <<< 'def handler(pd): return 1'
refused "an event that is nested deeper than Python reads" "the event is nested too deeply for Python's json" deep.py --event deep.json

# ---- results ----
file large.sh <<< 'printf "large=" >> "$PIPEDREAM_EXPORTS"; head -c 68000000 /dev/zero | tr "\0" x >> "$PIPEDREAM_EXPORTS"'
refused "a result over 64 MiB" "64 MiB" large.sh
file numbers.sh <<< 'printf "%s\n" "a:json=0.1" "b:json=12345678901234567890" "c:json= { \"x y\" : [ 1.50 , 1e400 ] } " "d:json=\"\\\" \"" >> "$PIPEDREAM_EXPORTS"'
gives "JSON that is exported is left as it was written, but for blanks" '{"a":0.1,"b":12345678901234567890,"c":{"x y":[1.50,1e400]},"d":"\" "}' numbers.sh
file bytes.sh <<< 'printf "bytes=\377\376\n" >> "$PIPEDREAM_EXPORTS"'
refused "an export that is not text" "the export bytes is not UTF-8 text" bytes.sh
file many.sh <<< 'for i in $(seq 4097); do echo "n$i=1"; done >> "$PIPEDREAM_EXPORTS"'
refused "more exports than are taken" "more than 4096 names" many.sh
file often.sh <<< '{ for i in $(seq 4096); do echo "n$i=1"; done; yes n4096=2 | head -n 2000000; } >> "$PIPEDREAM_EXPORTS"'
step often.sh
is "as many as are taken, however often one is" "$status $(wc -c < result.json) $(grep -c '"n4096":"2"' result.json)" "0 48047 1"
file small.sh <<< 'echo "ok=1" >> "$PIPEDREAM_EXPORTS"'
fails "a result in place of a device" 125 "/dev/null is no regular file" stepvault run billing/notify --code small.sh --result /dev/null
fails "a result in no folder" 125 "cannot write nowhere/result" stepvault run billing/notify --code small.sh --result nowhere/result
fails "a reader of the result that has gone is an error like others" 125 "cannot write the result: Broken pipe" python3 -c 'import os, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
reader, writer = os.pipe()
os.dup2(writer, 5)
os.close(reader)
os.execvp(sys.argv[1], sys.argv[1:])' stepvault run billing/notify --code small.sh --result 5
mkdir many && cd many || exit 1
file ../slow.sh <<< 'for i in $(seq 2000); do echo "n$i:json=\"$1\""; done >> "$PIPEDREAM_EXPORTS"'
stepvault run billing/notify --code ../slow.sh --result both.json -- one &
stepvault run billing/notify --code ../slow.sh --result both.json -- two
wait $!
is "two at once to one file: one of them, whole" "$(jq -c '[length, (map(.) | unique | length)]' both.json) $(names)$(stat -c %a both.json)" "[2000,1] both.json 600"
cd ..
if [ -n "${OWN_MOUNTS-}" ]; then
    mkdir "$scratch/disk"
    mount -t tmpfs -o size=600k none "$scratch/disk"
    file mebibyte.sh <<< 'printf "large=" >> "$PIPEDREAM_EXPORTS"; head -c 1048576 /dev/zero | tr "\0" x >> "$PIPEDREAM_EXPORTS"'
    echo old > "$scratch/disk/result"
    fails "a full disk" 125 "No space left" stepvault run billing/notify --code mebibyte.sh --result "$scratch/disk/result"
    is "... keeps the old file and nothing else" "$(cat "$scratch/disk/result"; ls -A "$scratch/disk")" "old
result"
    umount "$scratch/disk"
else
    skip "a full disk" "needs root and a mount namespace"
fi

# ---- --db ----
mkdir elsewhere
file count.js <<< 'export default { props: { db: "$.service.db" }, async run() { process.chdir("elsewhere"); this.db.set("n", (this.db.get("n") ?? 0) + 1); } }'
step count.js --db count.json
step count.js --db count.json
is "the object of --db goes on, wherever the code goes" "$status $(cat count.json) $(ls elsewhere)" '0 {"n":2} '

# ---- what --mask is told of ----
place STRIPE_KEY "sk-$CANARY" billing
printf 'TOKEN=stepvault://slack/oauth_access_token\nREGION=eu-west-1\n' > refers.env
is "every way of delivery is scrubbed, and what a file says itself is not" \
    "$(stepvault run billing/notify --mask --deliver auths --env-file refers.env -- sh -c 'cat "$STEPVAULT_AUTHS"; echo " $TOKEN $REGION $STRIPE_KEY"')" \
    '{"slack":{"oauth_access_token":"***"}} *** eu-west-1 ***'
is "... files, too" "$(stepvault run billing/notify --mask --deliver credentials -- sh -c 'cat "$CREDENTIALS_DIRECTORY/STRIPE_KEY"; echo; cat "$CREDENTIALS_DIRECTORY/slack.oauth_access_token"')" '***
***'
is "the values do not stay open in the command" "$(stepvault run billing/notify --mask -- sh -c 'ls -l /proc/$$/fd' | grep -c stepvault-mask)" 0

# ---- from step to step ----
file first.py <<< 'def handler(pd):
    pd.export("name", "Zoë")
    return {"id": 7}'
file second.js <<< 'this.read = steps.first.name; return steps.first["$return_value"].id + event.add;'
file third.sh <<< 'echo "sum:json=$(jq ".second[\"\$return_value\"]" "$PIPEDREAM_STEPS")" >> "$PIPEDREAM_EXPORTS"'
echo '{"add":5}' > event.json
gives "Python's result" '{"$return_value":{"id":7},"name":"Zoë"}' first.py
jq -c '{first: .}' result.json > steps.json
gives "... is what Node's code reads as steps" '{"$return_value":12,"read":"Zoë"}' second.js --steps steps.json --event event.json
jq -c --slurpfile before steps.json '$before[0] + {second: .}' result.json > next.json
gives "... and bash's" '{"sum":12}' third.sh --steps next.json
finish
