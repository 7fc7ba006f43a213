#!/bin/bash
# What the commands mean: each rule that must not be guessed, one test each, with the real programs.
# shellcheck disable=SC2016 # what stands in single quotes is for the command's own shell
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=fixture.bash
. "$here/fixture.bash"

names() { stepvault export "$1" --format json | jq -r 'keys | join(" ")'; }
given() { stepvault export "$1" --format json | jq -r --arg name "$2" '.[$name] // "-"'; }
explained() { stepvault step show "$1" --json | jq -r --arg name "$2" '.names[] | select(.name == $name) | [.path, .state, .by] | join(" ")'; }
leaves() { stepvault audit log --json "$@"; }
last_leaf() { leaves "$@" | tail -n 1; }
# until COMMAND: waits up to ten seconds for it to succeed.
until_true() {
    for _ in $(seq 200); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}

# ---- init ----
export STEPVAULT_VAULT="$scratch/data/stepvault/vault.db"
fails "init without a terminal insists on a word about the recovery code" 2 "--no-recovery" \
    stepvault init --passphrase-fd 3 --kdf-time 0 3< "$scratch/pass"
is "... and has made no vault" "$(ls "$scratch/data")" ""
fails "status of no vault exits 4" 4 "no vault" stepvault env list
stepvault status > "$scratch/out"
is "... and says absent" "$?:$(grep -c absent "$scratch/out")" "4:1"
try stepvault init --passphrase-fd 3 --recovery-fd 4 --kdf-time 0 3< "$scratch/pass" 4> "$scratch/code"
is "init with --recovery-fd exits 0 with nothing on stdout" "$status:$out" "0:"
code=$(cat "$scratch/code")
is "the recovery code is alone on its descriptor, 36 digits in fours" \
    "$(grep -Ecx '([0-9A-HJKMNP-TV-Z]{4}-?){9}' "$scratch/code"):$(wc -l < "$scratch/code")" "1:1"
is "init leaves the vault open, its agent running" "$(stepvault status --json | jq -r .state)" open
is "the vault file is private" "$(stat -c %a "$STEPVAULT_VAULT" "$(dirname "$STEPVAULT_VAULT")" | tr '\n' ' ')" "600 700 "
fails "init on a vault that is there is refused" 1 "already" stepvault init --passphrase-fd 3 --no-recovery --kdf-time 0 3< "$scratch/pass"
passphrase_left() { head -n 1 <&3 | cmp -s - "$scratch/pass"; }
(stepvault unlock --passphrase-fd 3 && passphrase_left) 3< "$scratch/pass"
report $? "unlock on an open vault exits 0 and does not read the passphrase"

# ---- variables: what is placed where ----
try stepvault env set DEFAULT_PLACE < <(printf 'value %s\n' "$CANARY")
is "env set without --at says on stderr that it reaches every step" \
    "$status:$out:$(wc -l < "$scratch/err"):$(grep -c 'every step' "$scratch/err")" "0::1:1"
is "... and places at /" "$(stepvault env get DEFAULT_PLACE)" "value $CANARY"
for words in "SOME=$CANARY" "SOME $CANARY" "--at / SOME=$CANARY"; do
    # shellcheck disable=SC2086 # several words are meant
    fails "env set ${words//$CANARY/VALUE} is refused and not echoed" 2 "SOME" stepvault env set $words
done
fails "... not even where the name is no name" 2 "command line" stepvault env set "=$CANARY"
fails "... and nothing was placed by them" 4 "no variable SOME" stepvault env get SOME
for path in "" a a/b a/b/c; do place DEEP "at ${path:-/}" "${path:-/}"; done
is "what is placed at a path reaches every step at or below it, and the nearest wins" \
    "$(given / DEEP),$(given a DEEP),$(given a/b DEEP),$(given a/b/c DEEP)" "at /,at a,at a/b,at a/b/c"
place SIDE x sibling
is "what is placed beside reaches it not" "$(given a/b SIDE)" -
place BELOW x a/b/c/d
is "what is placed below reaches it not" "$(given a/b/c BELOW)" -
place PREFIX x ab
stepvault step add abc
is "a path that begins alike is not above" "$(given abc PREFIX)" -
is "step show tells which placing is given and which it hides" "$(explained a/b DEEP | tr '\n' ';')" "a/b given ;a hidden a/b;/ hidden a/b;"
stepvault env unset DEEP --at a/b
is "env unset lets the next one through" "$(given a/b DEEP)" "at a"
fails "env unset of what is placed elsewhere names where" 4 "; it is placed at " stepvault env unset DEEP --at sibling
fails "env get of what is placed elsewhere names where" 4 "a/b/c/d" stepvault env get BELOW
fails "env get of what is nowhere says so" 4 "NOWHERE" stepvault env get NOWHERE --at a
is "env list lists what is placed exactly there, by name" "$(stepvault env list --at a/b/c --json | jq -r '[.. | .name? // empty] | join(" ")')" DEEP
lacks "... and no value" "$(stepvault env list --all; stepvault env list --all --json)" "$CANARY"

# ---- block, boundary ----
stepvault env block DEEP --at a/b
is "a block hides what is above, at the path and below it" "$(given a/b DEEP),$(given a DEEP)" "-,at a"
is "... but not what is placed nearer" "$(given a/b/c DEEP)" "at a/b/c"
is "step show shows the block" "$(explained a/b DEEP | head -n 1)" "a/b blocked "
fails "env get of a block has no value" 4 "blocked" stepvault env get DEEP --at a/b
is "a blocked name is taken out of the environment, too" "$(DEEP=outer stepvault run a/b -- sh -c 'echo ${DEEP-gone}')" gone
stepvault env unset DEEP --at a/b
is "env unset removes the block" "$(given a/b DEEP)" "at a"
stepvault step add walled --no-inherit
place INSIDE in walled
place INNER in walled/inner
is "a boundary takes only what is placed at or below it" "$(names walled)" INSIDE
is "... and so does what is below it" "$(names walled/inner)" "INNER INSIDE"
is "login is created as a boundary" "$(stepvault step list --json | jq -c '.steps[] | select(.path == "login")')" \
    '{"path":"login","step":true,"inherits":false}'
is "... and gets nothing from /" "$(names login)" ""

# ---- when a path is a step ----
fails "a path with nothing placed at it is no step, whatever it would inherit" 125 "step add newpath" stepvault run newpath -- true
fails "... nor for export" 4 "step add newpath" stepvault export newpath
fails "a typo is answered with the step it is near to" 125 "did you mean sibling?" stepvault run siblign -- true
fails "a path that only has others below it is no step" 125 "step add deep/er" sh -c 'printf x | stepvault env set X --at deep/er/est && stepvault run deep/er -- true'
stepvault step add newpath
is "step add makes it one" "$(given newpath DEEP)" "at /"
stepvault env unset SIDE --at sibling
is "a path stays a step when the last thing placed there goes" "$(stepvault run sibling -- echo ran)" ran
fails "step remove is refused while something is placed there" 1 "DEEP" stepvault step remove a
succeeds "step remove --force removes what is placed exactly there" stepvault step remove a --force
fails "... so that it is no step" 125 "no step a" stepvault run a -- true
is "... and what is below it stays" "$(given a/b/c DEEP)" "at a/b/c"
is "step remove of an empty one needs no --force" "$(stepvault step remove newpath; echo $?)" 0
is "/ always is a step" "$(stepvault run / -- echo ran)" ran
fails "... and cannot be removed" 1 "/" stepvault step remove /

# ---- accounts ----
is "the first account of an app is labelled default" "$(printf '{"token":"%s-1"}' "$CANARY" | stepvault account add acme)" acme:default
fails "a second without --label is refused and shows the flag" 1 "--label" stepvault account add acme < <(printf '{"token":"%s-2"}' "$CANARY")
account acme two "{\"token\":\"$CANARY-2\",\"extra\":\"e\"}"
fails "a label is there once" 1 "acme:two" stepvault account add acme --label two < <(printf '{"token":"x"}')
fails "an ambiguous account lists the choices" 1 "acme:two" stepvault bind team acme
has "... all of them" "$err" acme:default
id=$(stepvault account show acme:two --json | jq -r .account.id)
is "an account is found by its id" "$(stepvault account show "$id" --json | jq -r .account.label)" two
fails "an account that is not there is not found" 4 "acme:three" stepvault account show acme:three
both=$(stepvault account show acme:two; stepvault account list; stepvault account show acme:two --json; stepvault account list --json)
has "account show and list name the properties" "$both" token
lacks "... and never show a value" "$both" "$CANARY"
fails "account values are a JSON object of strings" 1 "" stepvault account add other < <(printf '{"token":{"a":"%s"}}' "$CANARY")
fails "... and nothing else" 1 "" stepvault account add other < <(printf '"%s"' "$CANARY")
succeeds "bind" stepvault bind team acme:default
succeeds "bind again with the same account exits 0" stepvault bind team acme:default
fails "another account under a taken alias is refused and shows the flag" 1 "--replace" stepvault bind team acme:two
succeeds "... unless --replace" stepvault bind team acme:two --replace
is "... which replaces it" "$(given team ACME_TOKEN)" "$CANARY-2"
succeeds "two accounts of one app are bound under two aliases" stepvault bind team acme:default --as acme_one
is "... and are delivered under them" "$(stepvault export team | jq -c 'map_values(.token)')" \
    "{\"acme\":\"$CANARY-2\",\"acme_one\":\"$CANARY-1\"}"
fails "removing a bound account is refused and lists the bindings" 1 "team" stepvault account remove acme:two
succeeds "account rename keeps the bindings" stepvault account rename acme:two second
is "... and the value" "$(given team ACME_TOKEN)" "$CANARY-2"
succeeds "account set sets one property from stdin" stepvault account set acme:second token < <(printf '%s-3\n' "$CANARY")
is "... without one trailing newline, and leaves the others" "$(given team ACME_TOKEN),$(given team ACME_EXTRA)" "$CANARY-3,e"
succeeds "account set takes a JSON object" stepvault account set acme:second < <(printf '{"extra":"f","more":"g"}')
is "... and the others stay" "$(stepvault export team | jq -Sc .acme)" "{\"extra\":\"f\",\"more\":\"g\",\"token\":\"$CANARY-3\"}"
stepvault bind team acme:second --only token --replace
is "--only limits the properties" "$(stepvault export team | jq -r '.acme | keys | join(" ")')" token
stepvault bind team acme:second --env GITHUB_TOKEN=token --env MORE=more --replace
is "--env renames" "$(given team GITHUB_TOKEN),$(given team MORE),$(given team ACME_TOKEN)" "$CANARY-3,g,-"
stepvault step add team/sub
stepvault bind team/sub acme:default
is "the nearest placing of an alias wins" "$(stepvault export team/sub | jq -r .acme.token)" "$CANARY-1"
succeeds "unbind" stepvault unbind team/sub acme
is "... lets the one above through" "$(stepvault export team/sub | jq -r .acme.token)" "$CANARY-3"
fails "unbind of what is not bound there is not found" 4 "acme" stepvault unbind team/sub acme
account clash default '{"a_b":"1","a-b":"2"}'
fails "two sources of one final name at one level are an error that names both" 1 "clash.a-b" stepvault bind team clash
place DERIVED_KEY variable team
account derived default '{"key":"property","other":"o"}'
stepvault bind team derived
is "a variable beats a derived name of the same level" "$(given team DERIVED_KEY)" variable
has "... and step show says so" "$(stepvault step show team --json | jq -c '.names[] | select(.name == "DERIVED_KEY")')" '"state":"hidden"'

# ---- values, byte for byte ----
same() {
    stepvault env set EXACT "${@:3}" --at exact < "$2" && stepvault env get EXACT --at exact | cmp -s - "${expected:-$2}"
    report $? "$1"
}
printf 'two newlines\n\n' > "$scratch/v1"
same "--raw keeps trailing newlines" "$scratch/v1" --raw
printf 'two newlines\n' > "$scratch/v2"
expected=$scratch/v2 same "without --raw one trailing newline is dropped, no more" "$scratch/v1"
/usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(1, 256)) * 200)' > "$scratch/v3"
same "all bytes but NUL go round" "$scratch/v3" --raw
openssl genpkey -algorithm ed25519 > "$scratch/v4" 2>/dev/null
same "a PEM key goes round" "$scratch/v4" --raw
printf '%s' 'a$HOME `id` "q" '"'"'s'"'"' \n \\ $(id) !! %s ${x} ; & | * ?' > "$scratch/v5"
same "dollar, backtick, quotes and backslashes go round" "$scratch/v5"
: > "$scratch/v6"
same "an empty value is a value" "$scratch/v6"
head -c 65536 /dev/zero | tr '\0' x > "$scratch/v7"
same "64 KiB go round" "$scratch/v7"
stepvault env set EXACT --raw --at exact < "$scratch/v3"
stepvault run exact -- sh -c 'tr "\0" "\n" < /dev/null; cat /proc/self/environ' > "$scratch/environ"
/usr/bin/python3 - "$scratch/environ" "$scratch/v3" << 'PY'
import sys
entries = open(sys.argv[1], "rb").read().split(b"\0")
sys.exit(b"EXACT=" + open(sys.argv[2], "rb").read() not in entries)
PY
report $? "a step gets the same bytes in its environment"
stepvault env set EXACT --raw --at exact < "$scratch/v1"
is "export --format json has them as text" "$(given exact EXACT | od -An -c)" "$(od -An -c "$scratch/v1" | sed '$ s/$/  \\n/' | cat)" 2> /dev/null

# ---- run: what the child gets ----
place KNOWN_NAME k somewhere
is "run takes out names the vault knows and this step was not given" "$(KNOWN_NAME=outer OTHER=o stepvault run team -- sh -c 'echo ${KNOWN_NAME-gone} $OTHER')" "gone o"
is "... also what an account derives under its default alias, bound or not" "$(CLASH_A_B=outer stepvault run walled -- sh -c 'echo ${CLASH_A_B-gone}')" gone
is "... and a binding's final names" "$(GITHUB_TOKEN=outer stepvault run walled -- sh -c 'echo ${GITHUB_TOKEN-gone}')" gone
is "--keep NAME keeps one" "$(KNOWN_NAME=outer GITHUB_TOKEN=outer stepvault run walled --keep KNOWN_NAME -- sh -c 'echo $KNOWN_NAME ${GITHUB_TOKEN-gone}')" "outer gone"
is "what the step is given goes before what is inherited, kept or not" "$(DERIVED_KEY=outer stepvault run team --keep DERIVED_KEY -- sh -c 'echo $DERIVED_KEY')" variable
is "run takes out stepvault's own names" "$(STEPVAULT_STEP=walled stepvault run -- env | grep -c '^STEPVAULT_[^D]')" 0
for name in PATH HOME TERM LC_ALL TZ; do
    printf x | stepvault env set "$name" --at elsewhere --allow-dangerous-name
done
is "the names that --pristine keeps are never taken out" "$(TERM=dumb TZ=UTC LC_ALL=C stepvault run walled -- sh -c 'echo $TERM $TZ $LC_ALL; test -n "$PATH$HOME" && echo both')" "dumb UTC C
both"
is "--pristine keeps only those" "$(FOO=1 TERM=dumb TZ=UTC LC_ALL=C LANG=C USER=u SHELL=/bin/sh stepvault run walled --pristine -- /usr/bin/env | sed 's/=.*//' | sort | tr '\n' ' ')" \
    "HOME INSIDE LANG LC_ALL PATH PWD SHELL STEPVAULT_DELIVERED TERM TZ USER "
is "an inner run drops what an outer one delivered" \
    "$(stepvault run team -- stepvault run walled -- sh -c 'echo ${MORE-gone} ${DERIVED_KEY-gone} $INSIDE')" "gone gone in"
is "... also names that the vault has forgotten meanwhile" \
    "$(printf x | stepvault env set FLEETING --at fleeting; stepvault run fleeting -- sh -c 'stepvault env unset FLEETING --at fleeting && stepvault run walled -- sh -c "echo \${FLEETING-gone}"')" gone
documents='ls -l /proc/$$/fd | grep -c memfd:stepvault-auths'
is "run --deliver auths opens one document" "$(stepvault run team --deliver auths -- sh -c "$documents")" 1
is "... and an inner run closes the outer's" "$(stepvault run team --deliver auths -- stepvault run walled -- sh -c "$documents"'; echo ${STEPVAULT_AUTHS-gone}')" "0
gone"
is "the document's path holds in grandchildren" "$(stepvault run team --deliver auths -- sh -c 'sh -c "cat \$STEPVAULT_AUTHS"; true' | jq -r .acme.token)" "$CANARY-3"
is "... on a descriptor of 10 or more" "$(stepvault run team --deliver auths -- sh -c 'case ${STEPVAULT_AUTHS##*/} in [0-9]) echo low ;; *) echo high ;; esac')" high
is "... is read-only and sealed" "$(stepvault run team --deliver auths -- /usr/bin/python3 -c '
import fcntl, os
fd = int(os.environ["STEPVAULT_AUTHS"].rsplit("/", 1)[1])
print(oct(os.fstat(fd).st_mode & 0o777), fcntl.fcntl(fd, 1034) & 15)')" "0o400 15"
is "without --deliver env the accounts are not in the environment" "$(stepvault run team --deliver auths -- sh -c 'echo ${MORE-gone} ${GITHUB_TOKEN-gone} $DERIVED_KEY')" "gone gone variable"
is "--deliver is repeatable" "$(stepvault run team --deliver auths --deliver env -- sh -c 'echo $MORE; jq -r .acme.more < "$STEPVAULT_AUTHS"')" "g
g"
is "export --own is what is placed exactly there" "$(stepvault export a/b/c --own --format json)" '{"DEEP":"at a/b/c"}'
succeeds "STEPVAULT_STEP stands for PATH" env STEPVAULT_STEP=walled stepvault run -- test -n x
is "... in export too" "$(STEPVAULT_STEP=walled stepvault export --format json)" '{"INSIDE":"in"}'
fails "without -- run shows the corrected line" 125 "stepvault run walled -- echo hello" stepvault run walled echo hello
is "options go before or after PATH" "$(stepvault run --pristine walled --reason why -- echo ran)" ran
is "run exits as its child" "$(stepvault run walled -- sh -c 'exit 42'; echo $?)" 42
is "... by signal, too" "$(stepvault run walled -- sh -c 'kill -TERM $$'; echo $?)" 143
is "run becomes the command: same process id" "$(sh -c 'echo $$; exec stepvault run walled -- sh -c "echo \$\$"' | uniq | wc -l)" 1
for number in $(seq 40); do head -c 65000 /dev/zero | tr '\0' x | stepvault env set "BIG_$number" --at big; done
fails "over 1 MiB for one step is refused by the agent" 125 "big" stepvault run big -- true
for number in $(seq 16 40); do stepvault env unset "BIG_$number" --at big; done
fails "an over-long environment is caught before the exec: the largest variable, and how much too much" 125 "BIG_" \
    sh -c 'ulimit -s 1024; exec stepvault run big -- true'
has "... how much" "$err" "bytes more than"

# ---- audit ----
is "audit log --json is JSON Lines, oldest first" "$(leaves | jq -s '[.[].time] == ([.[].time] | sort)'),$(leaves | head -n 1 | jq -r .action)" "true,initialize"
lacks "no value is in the log" "$(leaves)" "$CANARY"
lacks "... nor a value of the environment" "$(leaves)" "at a/b/c"
stepvault run team --reason "because" -- /bin/echo "$CANARY argument" > /dev/null
leaf=$(last_leaf)
is "a run's leaf has executable, parent and claims" \
    "$(jq -r '[.action, .outcome, .step, .who.uid, .who.exe, .who.parent.exe, .claimed.purpose, .claimed.command, .claimed.reason] | join(" ")' <<< "$leaf")" \
    "project granted team $(id -u) $bin/stepvault $(readlink /proc/$$/exe) run /bin/echo because"
lacks "... and never arguments" "$leaf" argument
is "... and the names that were handed out" "$(jq -r '[(.variables | index("DERIVED_KEY") != null), (.accounts[] | .alias)] | join(" ")' <<< "$leaf")" "true acme acme_one derived"
stepvault env get DERIVED_KEY --at team > /dev/null
is "env get is logged" "$(last_leaf | jq -r '[.action, .path, .variable, .outcome] | join(" ")')" "get team DERIVED_KEY granted"
stepvault export team > /dev/null
is "export is logged" "$(last_leaf | jq -r '[.action, .step, .claimed.purpose] | join(" ")')" "project team export"
stepvault call GetVariable '{"path":"team","name":"DERIVED_KEY"}' > /dev/null
is "call is logged" "$(last_leaf | jq -r .action)" get
try stepvault env get NOTHING_THERE
is "a refusal is logged" "$(last_leaf --outcome refused | jq -r '[.variable, .why] | join(" ")')" "NOTHING_THERE NotFound"
is "--step filters" "$(leaves --step walled | jq -r .step | sort -u)" walled
is "... exactly" "$(leaves --step a | jq -r '.step // .path' | sort -u)" a
is "--variable filters, projections too" "$(leaves --variable INSIDE | jq -r .action | sort -u | tr '\n' ' ')" "project set-variable "
is "--account filters, projections too" "$(leaves --account acme:second | jq -r .action | sort -u | grep -c -e project -e bind -e set-account -e rename-account)" 4
is "--outcome filters" "$(leaves --outcome granted | jq -r .outcome | sort -u)" granted
is "--uid filters" "$(leaves --uid "$(id -u)" | wc -l),$(leaves --uid 54321 | wc -l)" "$(leaves | wc -l),0"
sleep 1.1
place LATE x late
is "--since filters" "$(leaves --since 1s | jq -r .action | sort -u)" set-variable
is "... by a time of a leaf, inclusive" "$(leaves --since "$(last_leaf | jq -r .time)" | wc -l)" 1
is "filters are combined" "$(leaves --step walled --outcome refused | wc -l)" 0
fails "a filter that cannot be is an error" 2 "" stepvault audit log --outcome maybe
holds "audit verify holds over all of it"
is "audit checkpoint is a signed note of the log's size before it" "$(stepvault audit checkpoint | sed -n 2p)" "$(($(leaves | wc -l) - 1))"
is "... and is logged itself" "$(last_leaf | jq -r .action)" checkpoint
has "audit key is its verifier key" "$(stepvault audit key)" "stepvault/v1/"

# ---- which vault, which agent ----
first=$STEPVAULT_VAULT
new_vault other
place ONLY_OTHER x
is "each vault has its agent, with a reader and a spawner" "$(agents | wc -l)" 6
socket=$(stepvault status --json | jq -r '.socket // empty')
[ -n "$socket" ] || socket=$(tr '\0' '\n' < "/proc/$(agents | head -n 1)/cmdline" | tail -n 1)
fails "an agent that holds another vault refuses" 1 "another vault" env STEPVAULT_VAULT="$first" STEPVAULT_SOCKET="$(find "$scratch/run" -type s | while read -r name; do STEPVAULT_SOCKET=$name stepvault env get ONLY_OTHER > /dev/null 2>&1 && echo "$name"; done)" stepvault env list
fails "... a run too" 125 "another vault" env STEPVAULT_VAULT="$first" STEPVAULT_SOCKET="$(find "$scratch/run" -type s | while read -r name; do STEPVAULT_SOCKET=$name stepvault env get ONLY_OTHER > /dev/null 2>&1 && echo "$name"; done)" stepvault run walled -- true
export STEPVAULT_VAULT=$first
fails "STEPVAULT_VAULT names the file" 4 "placed" env STEPVAULT_VAULT="$scratch/data/other/vault.db" stepvault env get INSIDE
is "--vault goes before it" "$(stepvault env get ONLY_OTHER --vault "$scratch/data/other/vault.db")" x
is "without either it is below XDG_DATA_HOME" "$(env -u STEPVAULT_VAULT stepvault status --json | jq -r .vault)" "$scratch/data/stepvault/vault.db"
STEPVAULT_VAULT="$scratch/data/other/vault.db" stepvault lock

# ---- slots ----
fails "slot add asks for a key although the vault is open" 1 "" stepvault slot add --key-file "$scratch/new.key" < /dev/null
fails "... a wrong one does not do" 1 "does not open" stepvault slot add --key-file "$scratch/new.key" --passphrase-fd 3 3<<< wrong
rm -f "$scratch/new.key"
succeeds "slot add --key-file makes the key" stepvault slot add --key-file "$scratch/new.key" --passphrase-fd 3 3< "$scratch/pass"
is "... 32 bytes, private" "$(stat -c '%s %a' "$scratch/new.key")" "32 600"
is "slot list shows the slots" "$(stepvault slot list --json | jq -r '[.slots[].kind] | sort | join(" ")')" "machine passphrase recovery"
fails "slot remove asks for a key although the vault is open" 1 "" stepvault slot remove machine < /dev/null
succeeds "the key file is fresh enough for passwd" stepvault passwd --key-file "$scratch/new.key" --new-passphrase-fd 4 --kdf-time 0 4< <(printf 'changed %s\n' "$CANARY")
fails "passwd: the old passphrase is dead" 1 "does not open" stepvault slot remove machine --passphrase-fd 3 3< "$scratch/pass"
stepvault lock
fails "... for unlock, too" 1 "does not open" unlock
is "... and leaves no agent behind" "$(agents | wc -l)" 0
printf 'changed %s\n' "$CANARY" > "$scratch/pass"
succeeds "... and the new one works" unlock
holds "... and the log verifies"
is "... and has it" "$(leaves | jq -r 'select(.action == "replace-passphrase") | .outcome' | tail -n 1)" granted
succeeds "slot remove with the passphrase" stepvault slot remove machine --passphrase-fd 3 3< "$scratch/pass"
stepvault lock
fails "a key file whose slot was removed is dead" 4 "no machine slot" stepvault unlock --key-file "$scratch/new.key"
fails "a recovery code with a typing error is told so" 1 "" stepvault unlock --recovery-code-fd 3 3<<< "0000-${code#*-}"
printf '%s' "$code" > "$scratch/code"
succeeds "the recovery code unlocks" stepvault unlock --recovery-code-fd 3 3< "$scratch/code"
is "... without its hyphens and in small letters, too" "$(stepvault lock; tr -d '-' < "$scratch/code" | tr '[:upper:]' '[:lower:]' > "$scratch/code2"; stepvault unlock --recovery-code-fd 3 3< "$scratch/code2"; echo $?)" 0
stepvault slot remove recovery --passphrase-fd 3 3< "$scratch/pass"
fails "the last slot stays" 1 "" stepvault slot remove passphrase --passphrase-fd 3 3< "$scratch/pass"

# ---- locking ----
succeeds "lock exits 0" stepvault lock
is "... and ends the agent" "$(agents | wc -l)" 0
is "... and closes the file and its socket" "$(find "$scratch" -name '*.sock' -o -name '*-shm')" ""
succeeds "lock exits 0 if nothing was open" stepvault lock
fails "a command on a locked vault fails at once with exit 3 and says unlock" 3 "stepvault unlock" stepvault env list
for words in "env get DEEP" "account list" "bind a acme:default" "step list" "export walled" "audit log" "audit verify"; do
    # shellcheck disable=SC2086 # several words are meant
    fails "... stepvault $words" 3 "stepvault unlock" stepvault $words
done
fails "... and run with 125" 125 "stepvault unlock" stepvault run walled -- true
is "... and leaves no agent behind" "$(agents | wc -l)" 0
stepvault status > "$scratch/out"
is "status of a locked vault exits 3" "$?" 3
unlock --for 2s
is "unlock --for locks again" "$(stepvault status --json | jq -r .state; until_true sh -c '! stepvault status > /dev/null 2>&1'; stepvault status --json | jq -r .state)" "open
locked"
unlock --idle 2s
sleep 1.2; stepvault env list > /dev/null; sleep 1.2
is "--idle is put off by use" "$(stepvault status --json | jq -r .state)" open
is "... and locks without" "$(until_true sh -c '! stepvault status > /dev/null 2>&1'; stepvault status --json | jq -r .state)" locked
until_true test -z "$(agents)"
unlock
is "the leaves say why it was locked" "$(leaves | jq -r 'select(.action == "lock") | .cause // "asked"' | tail -n 2 | tr '\n' ' ')" "lifetime idle "
stepvault unlock --for 1h
is "--for applies to an open vault" "$(stepvault status --json | jq '.locks_in > 3500')" true
stepvault unlock --for 0
is "... and 0 takes it away" "$(stepvault status --json | jq .locks_in)" 0
is "the agent ends when its socket is removed" "$(find "$scratch/run" -name '*.sock' -delete; for _ in $(seq 100); do [ -z "$(agents)" ] && break; sleep 0.05; done; agents | wc -l)" 0

# ---- a command with a key file ----
head -c 32 /dev/urandom > "$scratch/wrong.key"
chmod 600 "$scratch/wrong.key"
fails "a key file is refused by a vault that has no slot for any" 1 "no machine slot" stepvault env list --key-file "$scratch/wrong.key"
new_vault machine --key-file "$scratch/machine.key"
is "init --key-file makes the key and needs no passphrase" "$(stat -c '%s %a' "$scratch/machine.key") $(stepvault slot list --json | jq -r '.slots[].kind')" "32 600 machine"
place MACHINE m job
stepvault lock
fails "a key file of another vault is refused" 1 "does not open" stepvault env get MACHINE --at job --key-file "$scratch/wrong.key"
fails "a vault without the key at hand is locked" 3 "stepvault unlock" stepvault env get MACHINE --at job
is "--key-file opens the vault for one command" "$(stepvault env get MACHINE --at job --key-file "$scratch/machine.key")" m
is "STEPVAULT_KEY_FILE does" "$(STEPVAULT_KEY_FILE="$scratch/machine.key" stepvault env get MACHINE --at job)" m
mkdir "$scratch/credentials"
cp "$scratch/machine.key" "$scratch/credentials/stepvault.key"
is "CREDENTIALS_DIRECTORY does" "$(CREDENTIALS_DIRECTORY="$scratch/credentials" stepvault run job -- sh -c 'echo $MACHINE')" m
is "run reaps the agent before the exec" "$(stepvault run job --key-file "$scratch/machine.key" -- sh -c 'echo $MACHINE; read -r children < /proc/$$/task/$$/children; echo "[$children]"'; agents | wc -l)" "m
[]
0"
is "... and needs no runtime folder" "$(env -u XDG_RUNTIME_DIR stepvault run job --key-file "$scratch/machine.key" -- sh -c 'echo $MACHINE')" m
is "several at once wait for each other" "$(for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do stepvault run job --key-file "$scratch/machine.key" -- sh -c 'echo $MACHINE' & done; wait; echo "$SECONDS s" > "$scratch/took")" "$(yes m | head -n 16)"
stepvault unlock --key-file "$scratch/machine.key"
is "with an agent that has the vault open the key is not needed" "$(stepvault env get MACHINE --at job --key-file "$scratch/no-such.key")" m
holds "the log of all these agents is one, and verifies"
stepvault lock

# ---- what others can see ----
export STEPVAULT_VAULT=$first
unlock
place SECRET "$CANARY-memory-value" secret
account vendor default "{\"token\":\"$CANARY-memory-token\"}"
stepvault bind secret vendor
seen=$(for _ in 1 2 3; do
    place SECRET "$CANARY-memory-value" secret & stepvault export secret > /dev/null & stepvault run secret -- sleep 0.1 &
    for process in $(pgrep stepvault); do tr '\0' ' ' < "/proc/$process/cmdline"; done 2> /dev/null | grep -a "$CANARY"
    wait
done)
is "no secret is on a command line" "$seen" ""
is "... nor in the agent's environment" "$(for process in $(agents); do tr '\0' '\n' < "/proc/$process/environ"; done | grep -c -e "$CANARY" -e STEPVAULT)" 0
agent=$(stepvault status --json | jq -r .pid)
is "the agent is not dumpable: its /proc belongs to root" "$(for process in $(agents); do
    /usr/bin/python3 -c 'import sys; print(open(f"/proc/{sys.argv[1]}/coredump_filter").read().strip(), end=" ")' "$process" > /dev/null
    grep -c '^CoreDumping:.0' "/proc/$process/status"; awk '/Max core file size/ {print $5, $6}' "/proc/$process/limits"; done | sort -u | tr '\n' ' ')" "0 0 1 "
is "the agent cannot gain privileges and has a filter of system calls" "$(awk '/^(NoNewPrivs|Seccomp):/ {printf "%s ", $2}' "/proc/$agent/status")" "1 2 "
if [ "$(id -u)" = 0 ]; then
    chmod 711 "$scratch" "$scratch/run"
    is "another user cannot trace the agent" "$(setpriv --reuid 12345 --regid 12345 --clear-groups cat "/proc/$agent/environ" 2>&1 | grep -c denied)" 1
    cp -r "$bin" "$scratch/bin"
    # An agent of an ordinary user, and that user as the one who looks.
    mkdir -m 700 "$scratch/user" "$scratch/user/run"
    chown -R 12345:12345 "$scratch/user"
    chmod 755 "$scratch/bin"
    is "not even its own user can" "$(setpriv --reuid 12345 --regid 12345 --clear-groups env HOME="$scratch/user" XDG_RUNTIME_DIR="$scratch/user/run" XDG_DATA_HOME="$scratch/user" STEPVAULT_VAULT="$scratch/user/vault.db" \
        bash -c "$scratch/bin/stepvault init --key-file $scratch/user/key --no-recovery 2>/dev/null
            pid=\$($scratch/bin/stepvault status --json | jq -r .pid)
            head -c 1 /proc/\$pid/mem 2>&1 | grep -ci denied; head -c 1 /proc/\$pid/environ 2>&1 | grep -ci denied
            strace -p \$pid 2>&1 | grep -c 'not permitted'; $scratch/bin/stepvault lock")" "1
1
1"
    chmod 700 "$scratch" "$scratch/run"
    stepvault run secret --deliver auths --deliver env -- true
    stepvault export secret > /dev/null
    stepvault env get SECRET --at secret > /dev/null
    try "$here/memory_scan.py" "$agent" "$CANARY-memory-value" "$CANARY-memory-token" "$pass" "changed $CANARY"
    is "after a projection no value and no passphrase remains in the agent's memory" "$status:$out" "0:"
    try "$here/memory_scan.py" "$agent" "stepvault-agent"
    is "... where the same search finds what is there" "$status" 1
else
    skip "another user cannot trace the agent" "needs root"
    skip "not even its own user can" "needs root"
    skip "after a projection no value and no passphrase remains in the agent's memory" "needs root"
fi

# ---- what the file shows ----

# Everything that people name or set is said here once, and looked for in the bytes of the file.
said=(quietpath QUIET_NAME quietvalue quietold quietapp quietlabel quiet_property quietsecret quiet_alias QUIET_RENAMED quietnote
    quietreason quietmoved QUIET_IMPORTED quietimported)
printf quietold | stepvault env set QUIET_NAME --at quietpath
printf quietvalue | stepvault env set QUIET_NAME --at quietpath --note quietnote --expires 2030-01-02 2>> "$scratch/notes"
account quietapp quietlabel '{"quiet_property":"quietsecret"}'
stepvault bind quietpath quietapp --as quiet_alias --env QUIET_RENAMED=quiet_property
printf 'QUIET_IMPORTED=quietimported\n' | stepvault env import - --at quietpath 2>> "$scratch/notes"
is "what is looked for was there" "$(stepvault run quietpath --reason quietreason -- sh -c 'echo "$QUIET_NAME $QUIET_RENAMED $QUIET_IMPORTED"')" \
    "quietvalue quietsecret quietimported"
stepvault step move quietpath quietmoved > /dev/null
stepvault audit checkpoint > /dev/null
shown() {
    local word
    for word in "${said[@]}" 2030-01-02 /bin/stepvault 'set-variable' granted; do
        grep -qaiF -e "$word" "$STEPVAULT_VAULT"* && echo "$word"
    done
    grep -qaF 'CREATE TABLE records' "$STEPVAULT_VAULT" || echo "no table either"
}
is "none of it is in the file of an open vault, nor in its log" "$(shown)" ""
stepvault lock
is "nor in that of a locked one" "$(shown)" ""
is "while a file that had it would be noticed" "$(cp "$STEPVAULT_VAULT" "$scratch/copy" && printf quietlabel >> "$scratch/copy" && STEPVAULT_VAULT=$scratch/copy shown)" quietlabel
unlock

# ---- refusals while locked ----
# The journal is a socket of ours, at /dev/log of a mount namespace of our own.
cat > "$scratch/journal.py" << 'PY'
import socket, sys
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/dev/log")
print("ready", flush=True)
while True:
    with open(sys.argv[1], "ab") as file:
        file.write(journal.recv(65536) + b"\n")
PY
cat > "$scratch/locked.sh" << 'SH'
mkdir "$scratch/dev" && mount -t tmpfs none "$scratch/dev" || exit 77
for name in null zero urandom random tty full; do cp -a "/dev/$name" "$scratch/dev/"; done
ln -s /proc/self/fd "$scratch/dev/fd"
mount --bind "$scratch/dev" /dev || exit 77
/usr/bin/python3 "$scratch/journal.py" "$scratch/journal" > "$scratch/ready" &
journal=$!
for _ in $(seq 100); do [ -s "$scratch/ready" ] && break; sleep 0.05; done
stepvault run secret-step -- true
stepvault env get SECRET --at secret
# An agent that runs and is locked: started by its socket alone.
stepvault-agent --vault "$STEPVAULT_VAULT" --socket "$socket" &
agent=$!
for _ in $(seq 100); do [ -S "$socket" ] && break; sleep 0.05; done
for _ in 1 2 3; do stepvault env get SECRET --at secret-path; stepvault run secret-step -- true; done
stepvault status --json > "$scratch/status"
stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
stepvault audit log --json > "$scratch/leaves"
stepvault lock
wait $agent
sleep 0.2
kill $journal
SH
stepvault lock
socket=$scratch/run/locked.sock
if [ "$(id -u)" = 0 ] && unshare -m true 2> /dev/null; then
    export scratch socket
    STEPVAULT_SOCKET=$socket unshare -m bash "$scratch/locked.sh" 2> "$scratch/locked.err"
    journal=$(cat "$scratch/journal")
    is "with no agent the command writes the journal line itself" "$(grep -c -e 'stepvault\[.*refused run while locked: uid 0 ' -e 'refused env get while locked' "$scratch/journal")" 2
    is "a locked agent writes a line" "$(grep -c 'stepvault-agent\[.*refused' "$scratch/journal" | sed 's/[1-9][0-9]*/some/')" some
    lacks "... without names" "$journal" secret-path
    lacks "... of steps either" "$journal" secret-step
    is "refusals wait, and status counts them" "$(jq -r '.waiting_refusals' "$scratch/status")" 6
    is "they become leaves once the vault is unlocked, by program" \
        "$(jq -rs '[.[] | select(.action == "refusals") | {refused, count, why}] | group_by(.refused) | map("\(.[0].refused) \(map(.count) | add) \(.[0].why)") | join(", ")' "$scratch/leaves")" "get 3 Locked, project 3 Locked"
    is "... before the leaf of what unlocked it" "$(jq -rs '[.[].action] | .[-2:] | map(select(. == "refusals" or . == "unlock")) | join(" ")' "$scratch/leaves")" "refusals unlock"
else
    skip "with no agent the command writes the journal line itself" "needs root and a mount namespace"
    skip "refusals wait, become leaves and go to the journal" "needs root and a mount namespace"
fi
unlock
holds "after all of this audit verify holds"
is "... and no value changed" "$(stepvault env get INSIDE --at walled),$(stepvault env get SECRET --at secret)" "in,$CANARY-memory-value"
finish
