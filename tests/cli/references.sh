#!/bin/bash
# References: inject and run --env-file. What they find is what the step gets, byte for byte; whatever fails, nothing is
# written, and no file is ever half there. Runs in a mount namespace of its own where it may, for a full disk.
# sanitize: yes
# limit: 300
# shellcheck disable=SC2016 # what stands in single quotes is for the template, or for the command's own shell
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/own_mounts.bash
. "$here/own_mounts.bash"
# shellcheck source=fixture.bash
. "$here/fixture.bash"
trap 'umount -l "$scratch/disk" 2> /dev/null; leave' EXIT

new_vault vault
place PAYMENT_KEY "$CANARY-stripe" billing
place ABOVE "$CANARY-above"
place HIDDEN "$CANARY-hidden"
place ELSEWHERE "$CANARY-elsewhere" other
stepvault env block HIDDEN --at billing
printf '%s-pem\n\n  two \xff\xfe $HOME `x` \\ "q" \n\n' "$CANARY" > "$scratch/bytes"
stepvault env set BYTES --raw --at billing/notify < "$scratch/bytes"
account slack team "{\"oauth_access_token\":\"$CANARY-xoxb\",\"other\":\"$CANARY-other\",\"oauth_refresh_token\":\"$CANARY-refresh\"}"
account stripe one "{\"key\":\"$CANARY-1\"}"
account stripe two "{\"key\":\"$CANARY-2\"}"
account unbound default "{\"token\":\"$CANARY-unbound\"}"
stepvault bind billing slack --as chat --only oauth_access_token
stepvault bind billing/notify stripe:one
stepvault bind billing/notify stripe:two --as second
stepvault step add closed --no-inherit
export STEPVAULT_STEP=billing/notify
last_leaf() { stepvault audit log --json | tail -n 1; }

# ---- inject: what users of `op inject` expect ----
template='# {{ not ours }}
slack: "{{ stepvault://slack/oauth_access_token }}"
again: {{stepvault://slack:team/oauth_access_token}}
stripe: {{ stepvault://env/PAYMENT_KEY }}, {{	stepvault://stripe:two/key	}}
above: {{ stepvault://env/ABOVE }}{{{ $x }}}'
expected="# {{ not ours }}
slack: \"$CANARY-xoxb\"
again: $CANARY-xoxb
stripe: $CANARY-stripe, $CANARY-2
above: $CANARY-above{{{ \$x }}}"
printf '%s' "$template" > template
is "inject fills a template from stdin to stdout" "$(stepvault inject < template)" "$expected"
is "... of the step that is named" "$(stepvault inject billing/notify < template)" "$expected"
is "... from a file that -i names" "$(stepvault inject -i template < /dev/null)" "$expected"
is "... or --in-file" "$(stepvault inject --in-file=template < /dev/null)" "$expected"
is "... and - is stdin" "$(stepvault inject -i - -o - < template)" "$expected"
is "... also through a pipe with a name" "$(mkfifo pipe && { cat template > pipe & } && stepvault inject -i pipe)" "$expected"
succeeds "-o writes a file" stepvault inject -i template -o result
is "... with the same" "$(cat result)" "$expected"
is "... that is its owner's alone" "$(stat -c %a result)" 600
is "... and nothing is on stdout or stderr" "$out$err" ""
printf '%s' "{{ stepvault://env/BYTES }}" | stepvault inject > bytes
succeeds "a value comes byte for byte, newlines and what is no text included" cmp bytes "$scratch/bytes"
{ head -c 300000 /dev/urandom | tr -d '{'; printf '\0{{ stepvault://env/ABOVE }}\0'; } > binary
stepvault inject -i binary -o filled
is "a template of any bytes passes byte for byte" "$(sha256sum < filled)" \
    "$({ head -c -28 binary; printf '%s-above\0' "$CANARY"; } | sha256sum)"
succeeds "a template may take its own place" stepvault inject -i template -o template
is "... and is filled then" "$(cat template)" "$expected"
printf '%s' "$template" > template
is "an empty template is an empty result" "$(stepvault inject < /dev/null | wc -c)" 0
succeeds "a reference without braces passes" stepvault inject < <(printf 'a\nurl: stepvault://slack/oauth_access_token\n')
is "... as it is" "$out" "a
url: stepvault://slack/oauth_access_token"
has "... and is noted" "$err" "the first on line 2"
is "a value that looks like a reference is not resolved again" \
    "$(printf '{{ stepvault://slack/oauth_access_token }}' | stepvault env set NESTED --at nested && printf '{{ stepvault://env/NESTED }}' | stepvault inject nested)" \
    "{{ stepvault://slack/oauth_access_token }}"
fails "no app is called env" 1 "means a variable" stepvault account add env <<< '{"token":"t"}'
is "a derived name is a variable like others" "$(printf '{{ stepvault://env/SECOND_KEY }}' | stepvault inject)" "$CANARY-2"

# ---- the log ----
stepvault inject --reason "for the deploy" < template > /dev/null
leaf=$(last_leaf)
is "the log lists exactly what was handed out" "$(jq -c '[.action, .outcome, .step, .deliver, .variables, .accounts]' <<< "$leaf")" \
    '["project","granted","billing/notify",[],[],[]]'
is "... because of references" "$(jq -c '[.references.variables, [.references.accounts[] | [.alias, .app, .label, .properties]]]' <<< "$leaf")" \
    '[["ABOVE","PAYMENT_KEY"],[["chat","slack","team",["oauth_access_token"]],["second","stripe","two",["key"]]]]'
is "... and what inject claims" "$(jq -c .claimed <<< "$leaf")" '{"purpose":"inject","reason":"for the deploy"}'
lacks "... and no value" "$leaf" "$CANARY"
is "... and is found by variable and account" \
    "$(stepvault audit log --json --variable ABOVE | tail -n 1 | jq .writer_seq),$(stepvault audit log --json --account stripe:two | tail -n 1 | jq .writer_seq)" \
    "$(jq '"\(.writer_seq),\(.writer_seq)"' -r <<< "$leaf")"

# ---- refused: what the step does not get ----
# refused NAME STATUS PART REFERENCE [STEP]: inject fails, writes nothing, leaves FILE as it was, and it is logged.
refused() {
    echo before > kept
    printf 'a {{ stepvault://env/ABOVE }} {{ %s }}' "$4" > bad
    fails "$1" "$2" "$3" stepvault inject "${5-billing/notify}" -i bad
    fails "... to a file" "$2" "$3" stepvault inject "${5-billing/notify}" -i bad -o kept
    is "... which stays" "$(cat kept)" before
    is "... and is logged" "$(last_leaf | jq -c '[.outcome, .why != null, .references]')" '["refused",true,null]'
}
refused "a variable of another path" 4 "billing/notify gets nothing" stepvault://env/ELSEWHERE
refused "a variable that is nowhere" 4 "billing/notify gets nothing" stepvault://env/NOWHERE
refused "a blocked variable" 4 "gets nothing" stepvault://env/HIDDEN
refused "a property that the binding leaves out" 4 "gets nothing" stepvault://slack/other
refused "a property that there is not" 4 "gets nothing" stepvault://slack/nothing
refused "a refresh token that no binding names" 4 "gets nothing" stepvault://slack:team/oauth_refresh_token
refused "an account that is not bound" 4 "gets nothing" stepvault://unbound/token
refused "an app that there is not" 4 "gets nothing" stepvault://nothing/token
refused "another label" 4 "gets nothing" stepvault://slack:home/oauth_access_token
refused "the alias instead of the app" 4 "gets nothing" stepvault://chat/oauth_access_token
refused "a step behind a boundary" 4 "closed gets nothing" stepvault://env/ABOVE closed
refused "a step that there is not" 4 "" stepvault://env/ABOVE typo
refused "one of two accounts" 1 "stripe:two and stripe:one" stepvault://stripe/key
same() { stepvault inject <<< "{{ $1 }}" 2>&1 | sed "s|$1|REFERENCE|"; }
is "what exists elsewhere is refused in the words for what does not exist" \
    "$(same stepvault://env/ELSEWHERE),$(same stepvault://unbound/token),$(same stepvault://slack/other)" \
    "$(same stepvault://env/NOWHERE),$(same stepvault://nothing/token),$(same stepvault://slack/nothing)"

# ---- refused: templates that are broken ----
for bad in 'stepvault://env/ABOVE' 'stepvault://env/ABOVE }' 'stepvault://env/ABOVE
}}' 'stepvault://env/AB OVE }}' 'stepvault://env/ABOVE/x }}' 'stepvault://slack }}' 'stepvault:// }}' 'stepvault://env:x/ABOVE }}' \
    'stepvault://env/STEPVAULT_AUTHS }}' 'stepvault://slack/{{ stepvault://env/ABOVE }} }}'; do
    printf 'one\ntwo {{ %s' "$bad" > bad
    fails "broken: $(head -n 1 <<< "$bad")" 1 "bad, line 2" stepvault inject -i bad
done
before=$(stepvault status --json | jq .log_size)
stepvault inject -i bad 2> /dev/null
is "a broken template asks for nothing" "$(stepvault status --json | jq .log_size)" "$before"
head -c 17000000 /dev/zero > huge
fails "a template of over 16 MiB" 1 "huge" stepvault inject -i huge
fails "an endless template" 1 "template" timeout 60 stepvault inject < /dev/zero
rm huge
fails "a template that is not there" 4 "cannot read" stepvault inject -i nothing
fails "a folder as a template" 1 "" stepvault inject -i .
fails "no step" 2 "PATH of a step" env -u STEPVAULT_STEP stepvault inject -i template
fails "a step that is no path" 1 "valid path" stepvault inject ../x -i template
fails "two steps" 2 "too many" stepvault inject a b -i template
fails "an option that inject has not" 2 "no option" stepvault inject -x

# ---- many and large ----
for number in $(seq 600); do echo "A$number={{ stepvault://env/ABOVE }}{{ stepvault://nested$number/x }}"; done > many
fails "one missing in a thousand" 4 "nested1/" stepvault inject -i many
head -c 65000 /dev/zero | tr '\0' "v" > large
for number in $(seq 20); do
    stepvault env set "LARGE_$number" --at large < ./large
    printf '{{ stepvault://env/LARGE_%s }}' "$number"
done > many
is "values of more than one projection are asked for in several" "$(stepvault inject large -i many | wc -c)" 1300000
for number in $(seq 300); do printf '%s' "$number" | stepvault env set "SMALL_$number" --at small; done
for number in $(seq 300); do echo "{{ stepvault://env/SMALL_$number }}"; done > many
is "more references than one call has are asked for in several" "$(stepvault inject small -i many)" "$(seq 300)"
for number in $(seq 1100); do printf '{{ stepvault://env/LARGE_1 }}'; done > many
fails "a result of over 64 MiB" 1 "over 67108864 bytes" stepvault inject large -i many

# ---- the file ----
echo target > target
ln -s target link
fails "a symbolic link is not written to" 1 "symbolic link" stepvault inject -i template -o link
is "... nor replaced" "$(readlink link),$(cat target)" "target,target"
ln -s nowhere dangling
fails "a dangling link neither" 1 "symbolic link" stepvault inject -i template -o dangling
mkdir -p folder
fails "a folder" 1 "no regular file" stepvault inject -i template -o folder
fails "a folder's name with a slash" 1 "not the path of a file" stepvault inject -i template -o folder/
fails "a pipe" 1 "no regular file" stepvault inject -i template -o pipe
fails "a device" 1 "no regular file" stepvault inject -i template -o /dev/null
fails "a folder that is not there" 1 "cannot write" stepvault inject -i template -o nowhere/result
umask 000
chmod 666 result
stepvault inject -i template -o result
is "an open file becomes its owner's alone, whatever the umask is" "$(stat -c %a result)" 600
umask 022
ln result second-name
echo "{{ stepvault://env/ABOVE }}" | stepvault inject -o result
is "another name of the old file keeps the old one" "$(cat second-name),$(cat result)" "$expected,$CANARY-above"
fails "stdout that is closed" 1 "cannot write to standard output" sh -c 'stepvault inject -i template >&-'
fails "stdout that is full" 1 "cannot write to standard output" sh -c 'stepvault inject -i template > /dev/full'
for number in $(seq 20); do printf '{{ stepvault://env/LARGE_%s }}' "$number"; done > many
{ stepvault inject large -i many 2> closed; echo $? > code; } | true
is "stdout that is closed early" "$(cat code closed)" "1
stepvault: cannot write to standard output: Broken pipe"

# Faults: the file system makes no nameless file; the process is killed at each of its writes and renames; no room.
# fault NAME INJECTION: inject with that fault leaves the whole old file or the whole new one.
new=$(for number in $(seq 20); do cat large; done | sha256sum)
fault() {
    echo old > faulty
    { strace -f -o /dev/null -e "$2" stepvault-manage inject large -i many -o faulty 2> fault-errors; } 2> /dev/null
    case $(sha256sum < faulty) in
        "$(echo old | sha256sum)") is "$1: the old file is there" "${3-old}" old ;;
        "$new") is "$1: the new file is there" "${3-new}" new ;;
        *) report 1 "$1: half a file is there" ;;
    esac
}
case $bin in
    *sanitize*) traced= ;;
    *) traced=$(strace -f -o /dev/null true 2> /dev/null && echo yes) ;;
esac
if [ -n "$traced" ]; then
    fault "no fault" trace=none new
    fault "a file system that makes no nameless file" inject=openat:error=EOPNOTSUPP:when=1 new
    for number in 1 2 3 20; do
        fault "killed at write $number" "inject=write:signal=KILL:when=$number" old
    done
    fault "killed at fsync" inject=fsync:signal=KILL:when=1 old
    is "what is killed leaves no draft" "$(find . -name '.stepvault-*' | wc -l)" 0
    fault "killed at rename" inject=renameat:signal=KILL:when=1
    find . -name '.stepvault-*' -exec rm {} +
    for call in write fsync linkat renameat; do
        fault "$call fails" "inject=$call:error=EIO:when=1" old
        has "... and is said" "$(cat fault-errors)" "cannot write faulty: Input/output error"
    done
    is "what fails leaves no draft" "$(find . -name '.stepvault-*' | wc -l)" 0
else
    skip "faults of files" "strace cannot follow here"
fi
if [ -n "${OWN_MOUNTS-}" ]; then
    mkdir "$scratch/disk"
    mount -t tmpfs -o size=600k none "$scratch/disk"
    echo old > "$scratch/disk/result"
    fails "a full disk" 1 "No space left" stepvault inject large -i many -o "$scratch/disk/result"
    is "... keeps the old file and nothing else" "$(cat "$scratch/disk/result"; ls -A "$scratch/disk")" "old
result"
    mount -o remount,ro "$scratch/disk"
    fails "a read-only disk" 1 "Read-only file system" stepvault inject -i template -o "$scratch/disk/result"
    umount "$scratch/disk"
else
    skip "a full and a read-only disk" "needs root and a mount namespace"
fi
is "no draft is left behind" "$(find . -name '.stepvault-*' | wc -l)" 0

# ---- run --env-file ----
cat > first.env <<'END'
# a comment
LITERAL='two words'
export EXPORTED=yes
EMPTY=
TOKEN=stepvault://slack:team/oauth_access_token
QUOTED="stepvault://env/PAYMENT_KEY"
BYTES_AGAIN='stepvault://env/BYTES'
ABOVE=stepvault://env/BYTES
SECOND_KEY=from-the-file
TWICE=first
END
printf 'TWICE=second\nOVERRULED=stepvault://env/ABOVE\n' > second.env
printf 'OVERRULED=plain\n' > third.env
# with OPTION... COMMAND: run with these files; the command's words follow.
files=(--env-file first.env --env-file second.env --env-file=third.env)
value() { stepvault run "${files[@]}" -- sh -c "printf %s \"\$$1\""; }
is "a literal is as it stands" "$(value LITERAL)" "two words"
is "... also exported, or empty" "$(value EXPORTED)$(value EMPTY)" yes
is "a reference is the value" "$(value TOKEN)" "$CANARY-xoxb"
is "... in quotes of the file, too" "$(value QUOTED)" "$CANARY-stripe"
value BYTES_AGAIN > bytes
succeeds "... byte for byte" cmp bytes "$scratch/bytes"
value ABOVE > bytes
succeeds "the file beats what the step gets from the vault" cmp bytes "$scratch/bytes"
is "... a derived name too" "$(value SECOND_KEY)" from-the-file
is "... and what is inherited" "$(EXPORTED=no TWICE=no value EXPORTED)" yes
is "a later file beats an earlier one" "$(value TWICE)" second
is "... a literal a reference" "$(value OVERRULED)" plain
is "... which is not asked for then" "$(last_leaf | jq -c '.references | [.variables, [.accounts[].properties]]')" \
    '[["BYTES","PAYMENT_KEY"],[["oauth_access_token"]]]'
is "... while the step gets all else as usual" "$(last_leaf | jq -c '[.deliver, .variables]')" '[["env"],["ABOVE","BYTES","PAYMENT_KEY"]]'
is "... indeed" "$(value PAYMENT_KEY),$(value CHAT_OAUTH_ACCESS_TOKEN)" "$CANARY-stripe,$CANARY-xoxb"
is "each name is there once" "$(stepvault run "${files[@]}" -- env -0 | tr '\n\0' ' \n' | cut -d= -f1 | sort | uniq -d)" ""
is "with --pristine the file counts as well" "$(stepvault run --pristine "${files[@]}" -- env | grep -c '^LITERAL=')" 1
is "with --deliver auths derived names are found all the same" \
    "$(printf 'K=stepvault://env/CHAT_OAUTH_ACCESS_TOKEN\n' | stepvault run --deliver auths --env-file - -- sh -c 'echo "$K,$CHAT_OAUTH_ACCESS_TOKEN"')" "$CANARY-xoxb,"
is "a run within takes out what came from the vault, and leaves what the file says" \
    "$(stepvault run "${files[@]}" --keep STEPVAULT_VAULT -- stepvault run nested -- sh -c 'echo "$TOKEN,$QUOTED,$LITERAL,$OVERRULED"')" ",,two words,plain"
is "a file may be a pipe" "$(stepvault run --env-file <(cat first.env) -- sh -c 'echo "$LITERAL"')" "two words"
is "... or standard input, of which nothing is left" "$(stepvault run --env-file - -- sh -c 'cat; echo "$LITERAL"' < first.env)" "two words"
is "without references nothing more is asked or logged" \
    "$(stepvault run --env-file third.env -- true; last_leaf | jq .references)" null
is "a command is found in the file's PATH" \
    "$(mkdir -p tools && printf '#!/bin/sh\necho found $0' > tools/only-here && chmod +x tools/only-here; echo "PATH=$PWD/tools:/usr/bin:/bin" | stepvault run --allow-dangerous-name --env-file - -- only-here)" \
    "found $PWD/tools/only-here"
is "... and not in the caller's" "$(echo 'PATH=/nowhere' | stepvault run --allow-dangerous-name --env-file - -- env 2>&1)" \
    'stepvault: the command "env" is not found'
is "another dialect is opted into" "$(echo 'A=one two' | stepvault run --dialect node --env-file - -- sh -c 'echo "$A"')" "one two"
echo 'HOST=$HOME`id`$(id)' > expand.env
is "nothing is expanded or executed" "$(stepvault run --dialect docker --env-file expand.env -- sh -c 'echo "$HOST"')" '$HOME`id`$(id)'

# bad_file NAME PART LINES: 125 with the line, and nothing is asked for.
bad_file() {
    local before
    before=$(stepvault status --json | jq .log_size)
    printf 'GOOD=1\n%s' "$3" > bad.env
    fails "$1" 125 "$2" stepvault run --env-file bad.env -- true
    is "... and nothing is asked for" "$(stepvault status --json | jq .log_size)" "$before"
}
bad_file "a reference within other text" "bad.env, line 2: URL has stepvault:// within" "URL=https://x/stepvault://env/ABOVE"
bad_file "... after a quoted blank" "bad.env, line 2: URL" "URL=' stepvault://env/ABOVE'"
bad_file "a broken reference" "bad.env, line 2: URL: the reference" "URL=stepvault://slack"
bad_file "... which is not repeated" "bad.env, line 2: URL: the reference" "URL=stepvault://slack/$CANARY?x"
bad_file "text behind a reference" "bad.env, line 2: URL: the reference" "URL='stepvault://env/ABOVE '"
bad_file "a name that steers the loader" "bad.env, line 2: LD_PRELOAD steers" "LD_PRELOAD=/tmp/x.so"
bad_file "... with a reference" "bad.env, line 2: PATH steers" "PATH=stepvault://env/ABOVE"
bad_file "a name of stepvault's" "bad.env, line 2: STEPVAULT_AUTHS is reserved" "STEPVAULT_AUTHS=/tmp/x"
bad_file "a line that is none" "bad.env, line 2" "$CANARY"
bad_file "what the dialects disagree on" "bad.env, line 2" 'A=$HOME'
bad_file "a name set twice in one file" "bad.env, line 2" "GOOD=2"
printf 'A=1\0\n' > bad.env
fails "a NUL byte" 125 "bad.env" stepvault run --env-file bad.env -- true
for missing in ELSEWHERE NOWHERE HIDDEN; do
    echo "A=stepvault://env/$missing" > bad.env
    fails "a reference to what the step does not get: $missing" 125 "gets nothing that stepvault://env/$missing" \
        stepvault run --env-file bad.env -- touch ran
done
is "... is logged" "$(last_leaf | jq -c '[.outcome, .variable, .claimed.purpose]')" '["refused","HIDDEN","run"]'
is "... and does not run the command" "$(find . -name ran)" ""
head -c 1100000 /dev/zero | tr '\0' x > bad.env
fails "a file of over a mebibyte" 125 "larger than 1048576 bytes" stepvault run --env-file bad.env -- true
for number in $(seq 1100); do echo "A$number=stepvault://env/ABOVE"; done > bad.env
fails "more references than one call has" 125 "1024 references" stepvault run --env-file bad.env -- true
fails "a file that is not there" 125 "cannot read the env file nothing.env" stepvault run --env-file nothing.env -- true
fails "a folder" 125 "" stepvault run --env-file . -- true
fails "standard input twice" 125 "there once" stepvault run --env-file - --env-file - -- true
fails "a dialect that there is not" 125 "strict" stepvault run --dialect perl --env-file first.env -- true
fails "no file" 125 "--env-file" stepvault run --env-file= -- true
fails "export takes no file" 2 "does not know the option --env-file" stepvault export --env-file first.env

# ---- with a key file and no agent ----
stepvault slot add --key-file "$scratch/key" --passphrase-fd 3 3< "$scratch/pass" 2> /dev/null
stepvault lock
fails "inject on a locked vault" 3 "locked" stepvault inject -i template
is "... with a key file" "$(stepvault inject -i template --key-file "$scratch/key")" "$expected"
is "... in several calls" "$(stepvault inject large -i many --key-file "$scratch/key" | wc -c)" 1300000
is "run --env-file with a key file" "$(stepvault run --key-file "$scratch/key" --env-file first.env -- sh -c 'echo "$TOKEN"')" "$CANARY-xoxb"
finish
