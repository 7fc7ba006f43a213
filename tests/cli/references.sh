#!/bin/bash
# References: inject and run --env-file. What they find is what the step gets, byte for byte; whatever fails, nothing is
# written, and no file is ever half there. Runs in a mount namespace of its own where it may, for a full disk.
# sanitize: yes
# limit: 300
# shellcheck disable=SC2016 # what stands in single quotes is for the template, or for the command's own shell
here=$(cd "$(dirname "$0")" && pwd)
if [ "$(id -u)" = 0 ] && [ -z "${OWN_MOUNTS-}" ] && unshare -m true 2> /dev/null; then
    OWN_MOUNTS=1 exec unshare -m "$0" "$@"
fi
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
finish
