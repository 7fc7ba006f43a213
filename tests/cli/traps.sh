#!/bin/bash
# Traps that tools of this kind fell into, each with the test that says we did not. The numbers are those of the list the
# project began with; what a trap was stands beside it.
#
#    1  exit status or death by a signal lost       signals.sh: `exit status N is passed on`, `a death by SIG...`; below
#    2  handlers installed late; process 1          signals.sh: `ignored signals stay ignored`, `as process 1, ...`
#    3  ^C doubled, or lost, on a terminal          signals.sh: `^C reaches the command once`, `under tmux ...`
#    4  the command through `sh -c`                 below
#    5  values expanded, trimmed, cut at a newline  below; launcher.sh and the forms' tests for each form
#    6  the vault's own key handed on               below
#    7  a secret on a command line                  below
#    8  dangerous names dropped, not refused        below
#    9  redaction that misses                       below: nothing is redacted, and nothing stands between step and stream
#   10  an access log that fails open               below; agent.sh: `a full disk refuses ...`, `a read only disk ...`
#   11  one missing name, and each is fetched alone below
#   12  "missing" is remembered                     below; the same user as the only door: THREATS, P1
#   13  a document that can be read once            below
#   14  writes that grow with the vault             below (a ratio)
#   15  a package's name that is somebody else's    below
# limit: 200
# shellcheck disable=SC2016 # what stands in single quotes is for the command's own shell
here=$(cd "$(dirname "$0")" && pwd)
root=$(realpath "$here/../..")
. "$here/fixture.bash"

new_vault v
place TOKEN "$CANARY" s
account slack default "{\"token\":\"$CANARY\",\"bot\":\"$CANARY\"}"
stepvault bind s slack

# ---- 1 ----

try stepvault run s -- sh -c 'exit 42'
is "trap 1: the exit status is the command's" "$status" 42
try bash -c 'stepvault run s -- sh -c "kill -TERM \$\$"; echo $?'
is "trap 1: a death by SIGTERM is 143 to a shell, not 0 or 1" "$out" 143

# ---- 2 and 3 ----

is "trap 2: nothing is ignored or blocked that was not" "$(stepvault run s -- grep -E 'Sig(Blk|Ign)' /proc/self/status)" \
    "$(grep -E 'Sig(Blk|Ign)' /proc/self/status)"
is "trap 3: nobody stands between terminal and command who could pass a signal on" \
    "$(sh -c 'echo $$; exec stepvault run s -- sh -c "echo \$\$"' | uniq | wc -l)" 1

# ---- 4 ----

printf '%s\0' 'a b' '' "it's" '"q"' '$HOME' '`x`' $'two\nlines' '*' '-x' 'back\slash' '&& false' > want
xargs -0 stepvault run s -- /usr/bin/printf '%s\0' < want > got
is "trap 4: every argument arrives as it was given" "$(cmp want got 2>&1)" ""
stepvault run s -- /usr/bin/printf '%s|' 'one; two' > got
is "trap 4: one word with blanks is one word" "$(cat got)" 'one; two|'

# ---- 5 ----

number=0
for value in '$HOME' '${HOME}' '$(id)' '`id`' ' in front' 'behind ' $'\t' $'line\n' $'\n\nlines\n\n' 'a=b=c' "quote'\"s" 'back\slash\n' '#hash' '%s%n' \
    $'-----BEGIN KEY-----\nMIIE\n-----END KEY-----\n' $'\xff\xfe' ''; do
    number=$((number + 1))
    place "EXACT_$number" "$value" exact
    printf '%s' "$value" > "exact.$number"
done
exact() {
    local index
    for ((index = 1; index <= number; index++)); do
        stepvault run exact -- sh -c "printf %s \"\$EXACT_$index\"" | cmp - "exact.$index" || echo "run: $index"
        stepvault env get "EXACT_$index" --at exact | cmp - "exact.$index" || echo "get: $index"
    done 2>&1
}
is "trap 5: values are the bytes that were set" "$(exact)" ""

# ---- 6 ----

stepvault slot add --key-file "$scratch/key" --passphrase-fd 3 3< "$scratch/pass"
key=$(base64 -w 0 "$scratch/key")
stepvault lock
handed_on() {
    tr '\0' '\n' < /proc/$$/environ
    ls -l /proc/self/fd
}
export -f handed_on
shown=$(STEPVAULT_KEY_FILE=$scratch/key stepvault run s -- bash -c handed_on)
lacks "trap 6: the key file of the environment is not handed on" "$shown" "$scratch/key"
shown=$(stepvault run s --key-file "$scratch/key" -- bash -c handed_on)
lacks "trap 6: nor is that of the command line, as a name or a descriptor" "$shown" "$scratch/key"
lacks "trap 6: nor its content" "$shown" "$key"
lacks "trap 6: nor the vault" "$shown" "vault.db"
has "trap 6: while what the step was to get is there" "$shown" "TOKEN=$CANARY"
mkdir "$scratch/credentials"
cp "$scratch/key" "$scratch/credentials/stepvault.key"
shown=$(CREDENTIALS_DIRECTORY=$scratch/credentials stepvault run s -- bash -c handed_on)
lacks "trap 6: nor the folder in which systemd gave it" "$shown" "$scratch/credentials"
has "trap 6: which opened the vault" "$shown" "TOKEN=$CANARY"
unlock --for 1h
lacks "trap 6: with an agent, no descriptor of it is" "$(stepvault run s -- bash -c handed_on)" "socket:"

# ---- 7 ----

stepvault run s -- sh -c 'echo ready > ready; sleep 20' &
while [ ! -s ready ]; do sleep 0.05; done
lines=$(cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\0' ' ')
has "trap 7: the running step is looked at" "$lines" "sleep 20"
lacks "trap 7: no command line has the value, while the step runs" "$lines" "$CANARY"
kill %1
wait %1 2> /dev/null
fails "trap 7: a value as an argument is refused, and not repeated" 2 "does not go on the command line" stepvault env set "TOKEN=$CANARY" --at s
fails "trap 7: nor as a second word" 2 "does not go on the command line" stepvault env set TOKEN "$CANARY" --at s

# ---- 8 ----

for name in LD_PRELOAD LD_LIBRARY_PATH NODE_OPTIONS PERL5OPT PROMPT_COMMAND BASH_ENV PYTHONPATH PATH HOME; do
    try stepvault env set "$name" --at dangerous < /dev/null
    has "trap 8: $name is refused with its name" "$status $err" "1 stepvault: $name steers"
done
account ld default '{"preload":"x.so"}'
fails "trap 8: so is a name that only follows from a property" 1 LD_PRELOAD stepvault bind dangerous ld
printf '/x' | stepvault env set GIT_SSH --at dangerous --allow-dangerous-name
is "trap 8: what was allowed is delivered, not dropped" "$(stepvault run dangerous -- printenv GIT_SSH)" /x

# ---- 9 ----

is "trap 9: the step's stdout is the caller's own, with nothing in between" \
    "$( (stepvault run s -- readlink /proc/self/fd/1; readlink /proc/self/fd/1) | cat | uniq | wc -l)" 1
is "trap 9: so a value that a step prints is printed: no half of a promise" "$(stepvault run s -- printenv TOKEN)" "$CANARY"

# ---- 10 ----

# The log's file may not grow any more: what an answer needs cannot be made durable.
agent=$(agent_pid)
before=$(stepvault audit log --json | wc -l)
# asked METHOD PARAMETERS: the reply as the agent sends it.
asked() {
    local sockets=("$XDG_RUNTIME_DIR"/stepvault/*.sock)
    PYTHONPATH=$here /usr/bin/python3 -B -c '
import json, socket, sys
from agent_client import Client
agent = socket.socket(socket.AF_UNIX)
agent.connect(sys.argv[1])
print(json.dumps(Client(agent, sys.argv[2]).call(sys.argv[3], **json.loads(sys.argv[4]))))' "${sockets[0]}" "$STEPVAULT_VAULT" "$@"
}
has "trap 10: what is asked for has values" "$(asked Project '{"step":"s","deliver":["env","auths"]}')" "$CANARY"
prlimit --pid "$agent" --fsize=4096:
rm -f ran
fails "trap 10: where the log cannot be written, run says so" 125 "cannot be written: " stepvault run s -- touch ran
report "$([ ! -e ran ]; echo $?)" "trap 10: and does not run the step"
reply=$(asked Project '{"step":"s","deliver":["env","auths"]}')
is "trap 10: a program is told LogUnwritable" "$(jq -r .error <<< "$reply")" io.stepvault.Agent.LogUnwritable
is "trap 10: and is given a sentence, and nothing else" "$(jq -c '.parameters | keys' <<< "$reply")" '["message"]'
lacks "trap 10: with no value in it" "$reply" "$CANARY"
fails "trap 10: nor is one value handed out" 1 "cannot be written: " stepvault env get TOKEN --at s
is "trap 10: it is the same agent, and open" "$(agent_pid) $(stepvault status --json | jq -r .state)" "$agent open"
prlimit --pid "$agent" --fsize=unlimited:
succeeds "trap 10: where it can be written again, the step is run" stepvault run s -- touch ran
report "$([ -e ran ]; echo $?)" "trap 10: indeed"
is "trap 10: and the log has all of it: granted, what was refused meanwhile, granted" \
    "$(stepvault audit log --json | tail -n +$((before + 1)) | jq -r '"\(.refused // .action) \(.outcome)"' | uniq | paste -sd ,)" \
    "project granted,project refused,get refused,project granted"

# ---- 11 ----

# fill COUNT PATHS: variables FILL_0 ... at fill/0 ...
fill() {
    local sockets=("$XDG_RUNTIME_DIR"/stepvault/*.sock)
    "$root/tests/bench/fill.py" "${sockets[0]}" "$STEPVAULT_VAULT" "$@" > /dev/null
}
# took TIMES COMMAND...: microseconds.
took() {
    local started=${EPOCHREALTIME/./} index times=$1
    shift
    for ((index = 0; index < times; index++)); do "$@" > /dev/null 2>&1; done
    echo $((${EPOCHREALTIME/./} - started))
}
fill 200 1
entries() { stepvault audit log --json --step "$1" | wc -l; }
whole=$(took 20 stepvault run fill/0 -- true)
stepvault env unset FILL_7 --at fill/0
stepvault env block FILL_8 --at fill/0 2> /dev/null || stepvault env unset FILL_8 --at fill/0
before=$(entries fill/0)
holed=$(took 20 stepvault run fill/0 --keep FILL_7 --keep NOT_THERE -- true)
is "trap 11: 198 of 200 names are one answer, with one entry" "$(($(entries fill/0) - before))" 20
report "$((holed > 3 * whole + 200000))" "trap 11: and cost what 200 do"
echo "# 20 runs: 200 of 200 names $((whole / 1000)) ms, 198 of 200 $((holed / 1000)) ms"

# ---- 12 ----

fails "trap 12: a step that is none" 125 "no step late" stepvault run late -- true
stepvault step add late
succeeds "trap 12: is one as soon as it was added" stepvault run late -- true
fails "trap 12: a variable that is none" 4 "no variable LATE" stepvault env get LATE --at late
place LATE now late
is "trap 12: is there as soon as it was set" "$(stepvault run late -- printenv LATE)" now
fails "trap 12: an account that is none" 4 "no account of stripe" stepvault bind late stripe
account stripe default '{"key":"1"}'
succeeds "trap 12: is there as soon as it was added" stepvault bind late stripe
is "trap 12: and delivered" "$(stepvault run late -- printenv STRIPE_KEY)" 1
stepvault env unset LATE --at late
is "trap 12: and what was taken away is not remembered either" "$(stepvault run late -- printenv LATE)" ""

# ---- 13 ----

document="{\"slack\":{\"bot\":\"$CANARY\",\"token\":\"$CANARY\"}}"
is "trap 13: the document can be opened twice, and by two at once" \
    "$(stepvault run s --deliver auths -- sh -c 'cat "$STEPVAULT_AUTHS" | jq -cS . ; cat "$STEPVAULT_AUTHS" "$STEPVAULT_AUTHS" | jq -cS .; head -c 1 "$STEPVAULT_AUTHS"; jq -cS . < "$STEPVAULT_AUTHS"')" \
    "$document
$document
$document
{$document"
is "trap 13: from any position, as a file" "$(stepvault run s --deliver auths -- /usr/bin/python3 -c '
import json, os
file = open(os.environ["STEPVAULT_AUTHS"], "rb")
first = file.read()
file.seek(1)
print(json.loads(first) == json.loads(b"{" + file.read()), os.fstat(file.fileno()).st_size == len(first))')" "True True"

# ---- 14 ----

writes() {
    local index
    for ((index = 0; index < 40; index++)); do place "WRITE_$index" x "$1"; done
}
writes warm
small=$(took 1 writes small)
fill 20000 100
large=$(took 1 writes large)
report "$((large > 2 * small + 100000))" "trap 14: a write among 20 000 records costs what one among 300 does"
echo "# 40 writes: $((small / 1000)) ms, then $((large / 1000)) ms"

# ---- 15 ----

# What an installation puts into folders that it shares with others is called by our name.
installed=$(make -C "$root" -n install DESTDIR=/d PREFIX=/p 2> /dev/null | sed -E 's/\$(\{unit##\*\/\}|unit)/stepvault.unit/g' | grep -o '/d/p/\(bin\|lib\|libexec\|include\|share\)[^ ;|)]*' | sort -u)
has "trap 15: the list of what is installed" "$installed" /d/p/bin/stepvault
is "trap 15: is all called stepvault" "$(grep -vE '/(lib)?_?stepvault|/(bin|lib|libexec|include|pkgconfig|man[0-9]|user|system|doc)/?$|/man/man' <<< "$installed")" ""
# Without lists apt knows what is installed, and little else; Debian has some 60 000 names.
names=$(apt-cache pkgnames 2> /dev/null | wc -l)
if [ "$names" -lt 20000 ]; then
    skip "trap 15: Debian has no package of that name" "apt has no lists of packages on this machine"
else
    is "trap 15: Debian has no package of that name" "$(apt-cache pkgnames | grep -c '^stepvault')" 0
fi

finish
