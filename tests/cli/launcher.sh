#!/bin/bash
# The launcher (stepvault run, stepvault export) against an agent that answers what each test says, also badly.
# sanitize: yes
# shellcheck disable=SC2016 # what stands in single quotes is for the command's own shell
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=fixture.bash
. "$here/fixture.bash"

# The launcher with its neighbours: the agent of one command, and a stepvault-manage that says what it was given.
mkdir -m 700 "$scratch/bin" "$scratch/agent"
cp "$bin/stepvault" "$scratch/bin/stepvault"
printf '#!/bin/sh\nexec /usr/bin/python3 %s %s "$@"\n' "$here/fake_agent.py" "$scratch/agent" > "$scratch/bin/stepvault-agent"
printf '#!/bin/sh\necho manage "$@"\n' > "$scratch/bin/stepvault-manage"
chmod 755 "$scratch/bin/stepvault-agent" "$scratch/bin/stepvault-manage"
export PATH="$scratch/bin:/usr/local/bin:/usr/bin:/bin"
unset XDG_DATA_HOME
export HOME="$scratch" STEPVAULT_VAULT="$scratch/vault.db"
export STEPVAULT_SOCKET="$scratch/run/agent.sock"
touch "$scratch/vault.db"

answer() {
    printf '%s' "$1" > "$scratch/agent/answer.new" && mv "$scratch/agent/answer.new" "$scratch/agent/answer.json"
    : > "$scratch/agent/requests.jsonl"
}
usual='{"variables":{"STRIPE_KEY":"sk_1","TWO_LINES":"a b\n$HOME"},"auths":{"slack":{"oauth_access_token":"xoxb"}},
        "known":["EDITOR_TOKEN","LANG","PATH","HOME","TZ","LC_ALL","PWD"]}'
answer "$usual"
/usr/bin/python3 "$here/fake_agent.py" "$scratch/agent" "$STEPVAULT_SOCKET" &
for _ in $(seq 200); do [ -S "$STEPVAULT_SOCKET" ] && break; sleep 0.05; done

requests() { wc -l < "$scratch/agent/requests.jsonl"; }
asked() { jq -r "$1" < "$scratch/agent/requests.jsonl"; }
names_of() { sed 's/=.*//' | sort | tr '\n' ' '; }

# ---- the command line ----
fails "run needs a command" 125 "run needs a command: stepvault run billing -- COMMAND" stepvault run billing
fails "run needs a command after --" 125 "run needs a command" stepvault run billing --
fails "run needs a step" 125 "PATH of a step, or STEPVAULT_STEP" stepvault run -- true
fails "an empty STEPVAULT_STEP is none" 125 "STEPVAULT_STEP" env STEPVAULT_STEP= stepvault run -- true
fails "a malformed path is refused" 125 "Billing" stepvault run Billing -- true
fails "an unknown option is named without its value" 125 "option --stripe-key;" stepvault run a --stripe-key=sk_live -- true
lacks "... and its value is not repeated" "$err" sk_live
fails "an option of export is none of run" 125 "run does not know the option --own" stepvault run a --own -- true
fails "an option without its value" 125 "--reason needs a value" stepvault run a --reason
fails "the -- before the command is no value" 125 "--keep needs a value" stepvault run a --keep -- true
fails "a flag with a value" 125 "--pristine takes no value" stepvault run a --pristine=yes -- true
fails "an unknown form names the known ones" 125 "it knows env, auths and credentials" stepvault run a --deliver credential -- true
fails "--keep takes a name" 125 "--keep takes the name" stepvault run a --keep SECRET=value -- true
lacks "... and repeats no value" "$err" value
is "none of these asked the agent" "$(requests)" 0

# The corrected line is run as it stands, and must do what was meant.
corrected() {
    local name=$1 expected=$2
    shift 2
    try "$@"
    case $status:$err in
    125:"stepvault: run needs -- before the command: "*) ;;
    *) report 1 "$name"; printf '# %s %q\n' "$status" "$err"; return ;;
    esac
    is "$name" "$(eval "${err#*before the command: }")" "$expected"
}
corrected "without -- the corrected line works" "[a b] [c]" stepvault run billing/notify printf '[%s] [%s]' 'a b' c
corrected "... with options before and after" "[-x]" stepvault run --pristine billing --deliver auths printf '[%s]' -x
corrected "... with quotes, newlines and nothing" "[it's][a
b][][\$HOME][*]" stepvault run billing printf '[%s]' "it's" "a
b" '' "\$HOME" '*'
corrected "... with bytes that are no text" $'[\xff\x1b]' stepvault run billing printf '[%s]' $'\xff\x1b'
corrected "... when a later word is --" "--" stepvault run billing printf %s --
export STEPVAULT_STEP=from/environment
corrected "... with STEPVAULT_STEP the command comes first" "x" stepvault run printf '%s' x
corrected "... and a path is still a path" "x" stepvault run billing/notify printf '%s' x
try stepvault run -- printf '%s' ran
is "STEPVAULT_STEP stands for PATH" "$out:$(asked .parameters.step | tail -1)" "ran:from/environment"
try stepvault run other -- true
is "PATH goes before STEPVAULT_STEP" "$(asked .parameters.step | tail -1)" other
unset STEPVAULT_STEP
long=$(printf 'x%.0s' $(seq 3000))
fails "a long corrected line is cut between words" 125 "stepvault run a -- echo one ..." stepvault run a echo one "$long"

# ---- what is asked ----
answer "$usual"
ODD_NAME=1 stepvault run --reason=why billing/notify --deliver env --deliver auths --keep ODD --keep=EVEN -- true
is "the request names vault, step, forms, purpose and claims" \
    "$(asked '[.method, .parameters.vault, .parameters.step, .parameters.form, .parameters.deliver[], .parameters.purpose,
        .parameters.reason, .parameters.command, .parameters.keep[]] | join(" ")')" \
    "io.stepvault.Agent.Project $scratch/vault.db billing/notify environment env auths run why /usr/bin/true ODD EVEN"
is "the agent can see who asks" "$(asked .exe)" "$scratch/bin/stepvault"
is "inherited names are told, ours and the basic ones are not" \
    "$(asked '.parameters.inherited | map(select(. == "ODD_NAME" or . == "STEPVAULT_VAULT" or . == "PATH" or . == "HOME")) | join(" ")')" ODD_NAME
ln -s /usr/bin/true here
answer "$usual"
stepvault run billing -- ./here
env PATH=":/usr/bin" "$scratch/bin/stepvault" run billing -- here
is "the command is claimed by its absolute path" "$(asked .parameters.command | tr '\n' ' ')" "$scratch/work/./here $scratch/work/here "
stepvault run billing --vault "$scratch/../${scratch##*/}/vault.db" -- true
is "the vault's path is made canonical" "$(asked .parameters.vault | tail -1)" "$scratch/vault.db"

# ---- the command ----
answer "$usual"
fails "a command that is not found is 127" 127 "no-such-command" stepvault run a -- no-such-command
fails "... nor a path" 127 "/no/such" stepvault run a -- /no/such
fails "... nor nothing" 127 "is not found" stepvault run a -- ''
is "and costs no projection" "$(asked .method | grep -c Project)" 0
echo 'echo hi' > not-executable; printf '#!/no/interpreter\n' > no-interpreter; echo 'echo hi' > no-script; mkdir folder
chmod 755 no-interpreter no-script
fails "a file that is not executable is 126" 126 "cannot be executed" stepvault run a -- ./not-executable
fails "a folder is 126" 126 "cannot be executed" stepvault run a -- ./folder
is "with the reason and no advice that is for something else" "$err" "stepvault: ./folder cannot be executed"
fails "a missing interpreter is 126" 126 "its interpreter is not found" stepvault run a -- ./no-interpreter
fails "there is no shell for what is no script" 126 "neither a program nor a script" stepvault run a -- ./no-script
mkdir p1 p2; cp not-executable p1/tool; printf '#!/bin/sh\necho second\n' > p2/tool; chmod 755 p2/tool
try env PATH="$scratch/work/p1:$scratch/work/p2:$PATH" stepvault run a -- tool
is "the search goes on past what cannot be executed" "$out" second
fails "only such a file is 126" 126 "p1/tool" env PATH="$scratch/work/p1" "$scratch/bin/stepvault" run a -- tool
try env -u PATH "$scratch/bin/stepvault" run a -- sh -c 'echo found'
is "without PATH the usual folders are searched" "$out" found
answer "{\"variables\":{\"PATH\":\"$scratch/work/p2\"},\"step_names\":[{\"name\":\"PATH\",\"state\":\"given\"}]}"
try stepvault run a -- tool
is "a PATH that the vault gives is the one that is searched" "$out" second
fails "... and only that one" 127 "is not found" stepvault run a -- true
answer '{"variables":{},"step_names":[{"name":"PATH","state":"hidden"}]}'
fails "a hidden PATH is not searched" 127 "is not found" stepvault run a -- tool
answer "$usual"

# ---- transparency ----
stepvault run a -- sh -c 'exit 7'
is "the exit status is the command's" $? 7
stepvault run a -- sh -c 'kill -TERM $$' 2>/dev/null
is "so is death by a signal" $? 143
stepvault run a -- sh -c 'echo $$ > pid' & pid=$!
wait $pid
is "the command takes the launcher's place" "$(cat pid)" $pid
try stepvault run a -- sh -c 'printf "<%s>" "$0" "$@"' 'a b' '' -- '*' $'new\nline' $'\xff' --pristine
is "arguments arrive as they are" "$out" $'<a b><><--><*><new\nline><\xff><--pristine>'
printf 'input' > input
is "standard input is the command's" "$(stepvault run a -- cat < input)" input
is "no signal is blocked or ignored anew" "$(stepvault run a -- grep -E '^Sig(Blk|Ign)' /proc/self/status)" \
    "$(grep -E '^Sig(Blk|Ign)' /proc/self/status)"
is "what is ignored stays ignored" "$(trap '' INT; stepvault run a -- sh -c 'kill -INT $$; echo alive')" alive
is "the limits are the caller's" "$(stepvault run a -- sh -c 'ulimit -c; ulimit -Hc; ulimit -n; umask; pwd')" \
    "$(sh -c 'ulimit -c; ulimit -Hc; ulimit -n; umask; pwd')"
exec 7< input
is "open descriptors are the caller's, and no others" \
    "$(stepvault run a -- sh -c 'cat <&7; cd /proc/$$/fd; echo *')" "$(exec 7< input; sh -c 'cat <&7; cd /proc/$$/fd; echo *')"
exec 7<&-

# ---- the environment ----
export EDITOR_TOKEN=old ODD=odd STRIPE_KEY=stale
try stepvault run a -- env
has "a variable is delivered" "$out" "STRIPE_KEY=sk_1"
lacks "... in place of an inherited one" "$out" stale
has "values are bytes, not shell" "$(stepvault run a -- sh -c 'printf "%s" "$TWO_LINES"')" $'a b\n$HOME'
lacks "a name the vault knows is dropped" "$out" EDITOR_TOKEN
has "one it does not know stays" "$out" ODD=odd
has "PATH stays whatever the vault knows" "$out" "PATH=$PATH"
has "so does HOME" "$out" "HOME=$HOME"
is "stepvault's own names do not reach the command" "$(grep '^STEPVAULT_' <<< "$out")" "STEPVAULT_DELIVERED=STRIPE_KEY,TWO_LINES"
is "--keep keeps a name" "$(stepvault run a --keep EDITOR_TOKEN -- sh -c 'echo $EDITOR_TOKEN')" old
is "--keep keeps one of ours" "$(stepvault run a --keep STEPVAULT_VAULT -- sh -c 'echo $STEPVAULT_VAULT')" "$STEPVAULT_VAULT"
is "--keep does not hide what is delivered" "$(stepvault run a --keep STRIPE_KEY -- sh -c 'echo $STRIPE_KEY')" sk_1
is "--pristine starts from the basic names" \
    "$(env LANG=C LC_ALL=C TERM=x TZ=UTC USER=u SHELL=s PWD=/ stepvault run a --pristine -- env | grep -v '^\$' | names_of)" \
    "HOME LANG LC_ALL PATH PWD SHELL STEPVAULT_DELIVERED STRIPE_KEY TERM TWO_LINES TZ USER "
has "--pristine --keep keeps one more" "$(stepvault run a --pristine --keep ODD -- env)" ODD=odd
is "--pristine tells the agent no names" "$(asked '.parameters.inherited | length' | tail -1)" 1
answer '{"variables":{}}'
lacks "nothing delivered, nothing said" "$(stepvault run a -- env)" STEPVAULT_DELIVERED
answer "$usual"
cat > strange.py <<'PY'
import ctypes, sys
libc = ctypes.CDLL(None)
argv = (ctypes.c_char_p * 8)(b"stepvault", b"run", b"a", b"--", b"/usr/bin/cat", b"/proc/self/environ", None)
env = (ctypes.c_char_p * 8)(b"NOEQUALS", b"=empty", b"B\xff=1", b"DOUBLE=1", b"DOUBLE=2",
                           *[name.encode() for name in sys.argv[2:4]], None)
libc.execve(sys.argv[1].encode(), argv, env)
PY
is "strange entries pass as they are" \
    "$(/usr/bin/python3 strange.py "$scratch/bin/stepvault" "STEPVAULT_VAULT=$STEPVAULT_VAULT" "STEPVAULT_SOCKET=$STEPVAULT_SOCKET" |
        tr '\0' '|' | tail -c 39)" $'NOEQUALS|=empty|B\xff=1|DOUBLE=1|DOUBLE=2|'
is "... and only proper names are told" "$(asked '.parameters.inherited | join(" ")' | tail -1)" "DOUBLE DOUBLE"
unset EDITOR_TOKEN ODD STRIPE_KEY

# ---- the accounts' document ----
cat > look.py <<'PY'
import fcntl, os, re, stat
path = os.environ["STEPVAULT_AUTHS"]
pid, number = re.fullmatch(r"/proc/(\d+)/fd/(\d+)", path).groups()
fd = int(number)
print(open(path).read(), os.read(fd, 100).decode(), int(pid) == os.getpid(), fd >= 10, os.readlink(path),
      oct(stat.S_IMODE(os.stat(path).st_mode)), os.get_inheritable(fd), fcntl.fcntl(fd, 1034) & 15)
for flags in (os.O_WRONLY, os.O_RDWR | os.O_TRUNC):
    try:
        os.write(os.open(path, flags), b"x")
        print("written")
    except OSError:
        print("refused")
PY
document='{"slack":{"oauth_access_token":"xoxb"}}'
try stepvault run a --deliver auths -- /usr/bin/python3 look.py
is "the document is a sealed memfd of the command's own" "$out" \
    "$document $document True True /memfd:stepvault-auths (deleted) 0o400 True 15
refused
refused"
is "a grandchild reads it by its path" "$(stepvault run a --deliver auths -- sh -c 'sh -c "sh -c \"cat \\\$STEPVAULT_AUTHS; true\"; true"; true')" "$document"
is "auths alone asks for nothing else" "$(asked '.parameters.deliver | join(" ")' | tail -1)" auths
is "without auths there is no document" "$(stepvault run a -- sh -c 'echo $STEPVAULT_AUTHS; ls -l /proc/self/fd | grep -c memfd')" "
0"

# ---- a run within a run ----
answer '{"steps":{"outer":{"variables":{"OUTER_KEY":"1","LANG":"C"},"auths":{"o":{}}},"inner":{"variables":{"INNER_KEY":"2"},"auths":{"i":{}}}}}'
export OUR_SOCKET=$STEPVAULT_SOCKET OUR_VAULT=$STEPVAULT_VAULT
nested() {
    stepvault run outer --deliver env --deliver auths -- \
        env STEPVAULT_SOCKET="$OUR_SOCKET" STEPVAULT_VAULT="$OUR_VAULT" stepvault run inner "$@"
}
is "an inner run drops what the outer one delivered" "$(nested -- env | grep -E '^(STEPVAULT|OUTER|INNER|LANG)' | sort)" \
    "INNER_KEY=2
LANG=C
STEPVAULT_DELIVERED=INNER_KEY"
is "... and closes its document" "$(nested -- sh -c 'ls -l /proc/self/fd | grep -c memfd')" 0
is "... and may have its own" "$(nested --deliver auths -- sh -c 'ls -l /proc/$$/fd | grep -c memfd; cat $STEPVAULT_AUTHS')" '1
{"i":{}}'
is "--keep keeps both" "$(nested --keep OUTER_KEY --keep STEPVAULT_AUTHS -- sh -c 'echo $OUTER_KEY; cat $STEPVAULT_AUTHS')" '1
{"o":{}}'
is "a descriptor that is no such document stays open" \
    "$(exec 17< input; STEPVAULT_AUTHS=/proc/$$/fd/17 stepvault run inner -- sh -c 'cat /proc/self/fd/17')" input
for odd in /proc/1/fd/ /proc/1/fd/99999999999 /proc/x/fd/-1 /proc/ '' x; do
    STEPVAULT_AUTHS=$odd stepvault run inner -- true || break
done
is "an odd STEPVAULT_AUTHS does no harm" $? 0
unset OUR_SOCKET OUR_VAULT

# ---- too large ----
/usr/bin/python3 - > big.json <<'PY'
import json
print(json.dumps({"variables": {"BIG_A": "a" * 60000, "BIGGEST": "b" * 65000, "BIG_C": "c" * 50000}}))
PY
answer "$(cat big.json)"
fails "an environment that is too large is said before the exec" 125 "largest variable is BIGGEST with 65009 bytes" \
    bash -c 'ulimit -s 512; exec stepvault run a --pristine -- true'
has "... and how much is too much" "$err" "bytes more than the 126976 bytes"
try stepvault run a -- true
is "the same fits where the stack is usual" $status 0
/usr/bin/python3 - > big.json <<'PY'
import json
print(json.dumps({"variables": {"N" * 240 + str(i): "" for i in range(1000)}}))
PY
answer "$(cat big.json)"
fails "one entry that is too large is named" 125 "STEPVAULT_DELIVERED is" stepvault run a -- true
is "near the limit a command runs or is refused, never 126" \
    "$(for size in $(seq 115000 700 131000); do
        arg=$(head -c "$size" /dev/zero | tr '\0' x)
        answer '{"variables":{}}'
        env -i PATH="$PATH" STEPVAULT_VAULT="$STEPVAULT_VAULT" STEPVAULT_SOCKET="$STEPVAULT_SOCKET" \
            bash -c 'ulimit -s 512; arg=$1; exec stepvault run a --pristine -- true "$arg"' - "$arg" 2>/dev/null
        echo $?
    done | sort -u | tr '\n' ' ')" "0 125 "
answer '{"variables":{}}'
fails "too many names for a request are said" 125 "the names of the environment's variables are over" \
    /usr/bin/python3 -c 'import os,sys; os.execve(sys.argv[1], ["stepvault","run","a","--","true"],
        {**os.environ, **{"V" * 100 + str(i): "" for i in range(3000)}})' "$scratch/bin/stepvault"

# ---- hostile agents ----
raw() { printf '{"raw":"%s"%s}' "$(printf '%b' "$1" | base64 -w0)" "${2:-}"; }
hostile() {
    answer "$2"
    fails "$1" 125 "$3" timeout 30 stepvault run a --deliver auths -- echo ran
}
hostile "an agent that closes" "$(raw '')" "closed the connection before it answered"
hostile "an agent that stops in a reply" "$(raw '{"parameters":{')" "closed the connection"
hostile "an agent that is no agent" "$(raw 'HTTP/1.1 400 Bad\r\n\0')" "not a JSON object"
hostile "an empty frame" "$(raw '\0')" "not a JSON object"
hostile "a list" "$(raw '[]\0')" "not a JSON object"
hostile "a reply of depth 100" "$(raw "{\"a\":$(printf '[%.0s' $(seq 100))$(printf ']%.0s' $(seq 100))}\\0")" "not a JSON object"
hostile "bytes that are not UTF-8" "$(raw '{"a":"\\0377"}\0')" "not a JSON object"
hostile "a reply that never ends" '{"zeros":9000000}' "larger than 8388608 bytes"
hostile "nothing in it" "$(raw '{"parameters":{}}\0')" "no proper environment"
hostile "no base64" "$(raw '{"parameters":{"environment":"QT0x!"}}\0')" "no proper environment"
hostile "an entry that does not end" "$(raw '{"parameters":{"environment":"QT0x"}}\0')" "no proper environment"
hostile "a name that is ours" "$(raw '{"parameters":{"environment":"U1RFUFZBVUxUX1g9MQA="}}\0')" "no proper environment"
hostile "no document" "$(raw '{"parameters":{"environment":""}}\0')" "no proper auths_base64"
hostile "a document that is none" "$(raw '{"parameters":{"environment":"","auths_base64":"eA=="}}\0')" "no proper auths_base64"
hostile "a drop that is no list" "$(raw '{"parameters":{"environment":"","auths_base64":"e30=","drop":"A"}}\0')" "no proper drop"
hostile "a drop of numbers" "$(raw '{"parameters":{"environment":"","auths_base64":"e30=","drop":[1]}}\0')" "no proper drop"
hostile "an error of a later agent" '{"error":{"name":"io.stepvault.Agent.Newer","message":"something new"}}' "something new"
hostile "a call it does not know" '{"error":{"name":"org.varlink.service.MethodNotFound"}}' "older than this program"
hostile "a sentence that would steer the terminal" '{"error":{"name":"io.stepvault.Agent.Failed","message":"a\u001b[2J\nb"}}' "a?[2J?b"
entries() { raw "{\"parameters\":{\"environment\":\"\",\"credentials_entries\":\"$(printf '%b' "$1" | base64 -w0)\"}}\\0"; }
for odd in '../a=1' '.a=1' 'a/b=1' '=1' 'a b=1' 'a' "$(printf 'a%.0s' $(seq 256))=1" 'a\0377=1'; do
    answer "$(entries "$odd\0")"
    fails "a file named ${odd:0:8} is none of the folder's" 125 "no proper credentials_entries" stepvault run a --deliver credentials -- true
done
answer "$(entries 'a=1\0b=2')"
fails "a file that does not end" 125 "no proper credentials_entries" stepvault run a --deliver credentials -- true
answer "$(entries 'a=1\0a=2\0')"
fails "two files of one name" 125 "cannot make the credentials: File exists" stepvault run a --deliver credentials -- true
answer "$(raw '{"parameters":{"environment":""}}\0')"
fails "an agent that knows no credentials" 125 "no proper credentials_entries" stepvault run a --deliver credentials -- true
is "... and no folder is left of any of them" "$(ls "$XDG_RUNTIME_DIR/stepvault/credentials")" ""
answer '{"variables":{"A":"1"},"chunk":7}'
is "a reply in pieces" "$(stepvault run a -- sh -c 'echo $A')" 1

# ---- locked, keys, no agent ----
locked="{\"locked\":true,${usual#?}"
answer "$locked"
fails "a locked vault says how to unlock it" 125 "is locked; unlock it with: stepvault unlock" stepvault run a -- true
head -c 32 /dev/zero > key; chmod 600 key
is "a key file opens it" "$(stepvault run a --key-file key -- sh -c 'echo $STRIPE_KEY')" sk_1
is "... and is sent only when it is needed" "$(asked 'select(.method | endswith("Project")) | .parameters | has("slot_key")' | tr '\n' ' ')" "false false true "
is "... as base64 of the file" "$(asked '.parameters.slot_key.key // empty')" "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
is "STEPVAULT_KEY_FILE is one" "$(STEPVAULT_KEY_FILE=key stepvault run a -- sh -c 'echo $STRIPE_KEY$STEPVAULT_KEY_FILE')" sk_1
mkdir credentials; cp key credentials/stepvault.key; chmod 600 credentials/stepvault.key
is "so is systemd's credential" "$(CREDENTIALS_DIRECTORY=$PWD/credentials stepvault run a -- sh -c 'echo $STRIPE_KEY')" sk_1
answer "$usual"
is "an open vault gets no key" "$(stepvault run a --key-file /nonexistent -- sh -c 'echo $STRIPE_KEY'; asked '.parameters | has("slot_key")')" "sk_1
false"
answer "$locked"
fails "a key file that is not there" 125 "no key file" stepvault run a --key-file /nonexistent -- true
chmod 644 key
fails "a key file open to others" 125 "is open to others" stepvault run a --key-file key -- true
chmod 600 key
answer "$usual"
export STEPVAULT_SOCKET="$scratch/run/none.sock"
fails "no agent is a locked vault" 125 "vault.db is locked; unlock it with" stepvault run a -- true
fails "no agent and no vault" 125 "there is no vault at $scratch/absent.db; make one with: stepvault init, or put a backup there with: stepvault restore FILE" \
    stepvault run a --vault "$scratch/absent.db" -- true
fails "no place for a socket" 125 "XDG_RUNTIME_DIR" env -u STEPVAULT_SOCKET XDG_RUNTIME_DIR=relative stepvault run a -- true
/usr/bin/python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$scratch/run/dead.sock"
fails "a dead socket is no agent" 125 "is locked" env STEPVAULT_SOCKET="$scratch/run/dead.sock" stepvault run a -- true
touch "$scratch/run/file.sock"
fails "a file is no socket" 125 "is not a socket" env STEPVAULT_SOCKET="$scratch/run/file.sock" stepvault run a -- true
mkdir -m 755 "$scratch/open"; /usr/bin/python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$scratch/open/a.sock"
fails "a socket in a folder of others is not trusted" 125 "is open to others" env STEPVAULT_SOCKET="$scratch/open/a.sock" stepvault run a -- true
exec 9< input
try stepvault run a --key-file key --deliver auths -- sh -c 'cat $STEPVAULT_AUTHS; read -r c < /proc/$$/task/$$/children; echo "<$c>"'
exec 9<&-
is "with a key file one command has an agent of its own, which is gone before it runs" "$out" "$document<>"
is "... it is asked with the key at once" "$(asked '.parameters | has("slot_key")')" true
is "... knows its vault" "$(jq -r '.argv | join(" ")' "$scratch/agent/agent-argv.json")" "--vault $scratch/vault.db --connection 3"
lacks "... has no descriptor of the caller" "$(jq -r '.fds | join(" ")' "$scratch/agent/agent-argv.json")" 9
is "... and little of its environment, besides how the network is reached" "$(asked '.environment | map(select(IN("PWD", "LC_CTYPE", "LANG", "TZ") or test("^SSL_CERT_|_proxy$|_PROXY$") | not)) | join(" ")')" "HOME PATH XDG_RUNTIME_DIR XDG_STATE_HOME"
echo 'exit 1' > "$scratch/bin/stepvault-agent"
fails "an agent that cannot be started" 125 "stepvault-agent" stepvault run a --key-file key -- true
printf '#!/bin/sh\nexit 1\n' > "$scratch/bin/stepvault-agent"
fails "an agent that ends at once" 125 "closed the connection" stepvault run a --key-file key -- true
export STEPVAULT_SOCKET="$scratch/run/agent.sock"

# ---- refusals that no agent can log go to the journal ----
cat > journal.sh <<'SH'
mount -t tmpfs none /dev && /usr/bin/python3 -c '
import socket, subprocess, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
log.settimeout(10)
subprocess.run(["stepvault", "run", "secret/step", "--", "/usr/bin/true"], stderr=subprocess.PIPE)
print(log.recv(4096).decode())'
SH
if unshare -m true 2>/dev/null; then
    line=$(STEPVAULT_SOCKET="$scratch/run/none.sock" unshare -m sh journal.sh)
    has "a refusal with no agent is told to the journal" "$line" "<85>stepvault["
    has "... with user, process and executable" "$line" "refused run while locked: uid $(id -u) pid "
    has "... of the launcher" "$line" "exe $scratch/bin/stepvault"
    lacks "... without the step" "$line" secret
else
    count=$((count + 1)); echo "ok $count - a refusal with no agent is told to the journal # SKIP needs a mount namespace"
fi

# ---- what stepvault-manage does ----
is "other commands are passed on" "$(stepvault env list --at / 'a b')" "manage env list --at / a b"
is "so are options and no command" "$(stepvault --version; stepvault)" "manage --version
manage"
is "run --help is help run" "$(stepvault run --help; stepvault run a -h -- true; stepvault export --help)" "manage help run
manage help run
manage help export"
is "--help after -- is the command's" "$(stepvault run a -- printf '%s' --help)" --help
is "where HOME is needed and not set, stepvault-manage takes over" \
    "$(env -u HOME -u STEPVAULT_VAULT stepvault run a --reason x -- true)" "manage run a --reason x -- true"
try env -u HOME stepvault run a -- echo direct
is "... and only there" "$out" direct
mv "$scratch/bin/stepvault-manage" "$scratch/bin/away"
fails "without stepvault-manage there is a sentence" 1 "stepvault-manage is neither beside" stepvault status
mkdir -p "$scratch/tree/bin" "$scratch/tree/libexec/stepvault"
cp "$bin/stepvault" "$scratch/tree/bin/"; cp "$scratch/bin/away" "$scratch/tree/libexec/stepvault/stepvault-manage"
is "an installed tree may be moved" "$("$scratch/tree/bin/stepvault" status)" "manage status"
mv "$scratch/bin/away" "$scratch/bin/stepvault-manage"

# ---- export ----
answer "$usual"
is "export gives the auths document" "$(stepvault export a)" "$document"
is "... asked for as such" "$(asked '[.parameters.purpose, .parameters.deliver[], (.parameters | has("own"))] | map(tostring) | join(" ")')" "export auths false"
is "export --format json gives names and values" "$(stepvault export a --format json --own --reason r)" '{"STRIPE_KEY":"sk_1","TWO_LINES":"a b\n$HOME"}'
is "... asked for as such" "$(asked '[.parameters.deliver[], .parameters.own, .parameters.reason] | map(tostring) | join(" ")' | tail -1)" "env true r"
answer '{"variables":{"A":"ok"},"binary":{"RAW":"gP8="}}'
fails "a value that is no text is refused by name, and nothing is printed" 1 "the value of RAW is not UTF-8" stepvault export a --format json
answer '{"variables":{}}'
is "an empty step is an empty object" "$(stepvault export a --format=json)" "{}"
answer "$usual"
try sh -c 'stepvault export a > /dev/full'
is "a full disk is an error" "$status:$err" "1:stepvault: cannot write the document: No space left on device"
try sh -c 'stepvault export a >&-'
is "so is a closed stdout" "$status" 1
fails "export knows its formats" 2 "it knows auths, json, dotenv, shell, docker and nul" stepvault export a --format yaml
fails "export takes one path" 2 "export takes one PATH" stepvault export a b
fails "export takes no command" 2 "export takes no command" stepvault export a -- env
fails "export needs a path" 2 "export needs the PATH" stepvault export
answer "$locked"
fails "a locked vault is 3" 3 "stepvault unlock" stepvault export a
answer '{"error":{"name":"io.stepvault.Agent.NotFound","message":"there is no step a"}}'
fails "what is not found is 4" 4 "there is no step a" stepvault export a

finish
