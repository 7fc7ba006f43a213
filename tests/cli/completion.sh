#!/bin/bash
# Completion: what `stepvault __complete` answers, and what real shells make of it. Names come from the open vault alone, and
# values never.
# limit: 240
# shellcheck disable=SC2016 # what stands in single quotes is typed into a shell
here=$(cd "$(dirname "$0")" && pwd)
files=$(realpath "$here/../../cli/completion")
. "$here/fixture.bash"

# words LINE...: the candidates, in one line.
words() { stepvault __complete -- "$@" | tail -n +2 | cut -f 1 | paste -sd ' '; }

new_vault v
place STRIPE_KEY "key $CANARY" billing
place TOKEN "$CANARY" billing/notify
place ROOT "$CANARY" /
place PLAIN "$CANARY" a.b-c_d/e.1
account slack default "{\"token\":\"$CANARY\"}"
account slack me@example.com "{\"bot_token\":\"$CANARY\",\"token\":\"$CANARY\"}"
account slack a+b_c-d.1 "{\"token\":\"$CANARY\"}"
account acme-2 only "{\"key\":\"$CANARY\"}"
stepvault bind billing slack:default --as chat
place STAYS "$CANARY" past
place CHANGED "$CANARY" past
place CHANGED "new $CANARY" past
place GONE "$CANARY" past
stepvault env unset GONE --at past

# ---- the engine ----

is "commands begin as what is typed" "$(words st)" "status step"
is "a group's subcommands follow it" "$(words step sh)" "show"
is "a topic of help is completed, too" "$(words help step sh)" "show"
is "options of the command come first, then everybody's" "$(words env list --)" "--at --all --stale --expiring --json --vault --key-file --help --version"
is "an option that was given is offered once" "$(words env list --all --a)" "--at"
is "one that may be repeated is offered again" "$(words bind a slack --only b --onl)" "--only"
is "paths come one level at a time" "$(words run a)" "a.b-c_d a.b-c_d/e.1"
is "below a path those below it" "$(words run a.b-c_d/)" "a.b-c_d/e.1"
is "an argument's path" "$(words step show bill)" "billing billing/notify"
is "variables are those of the path that was named" "$(words env get --at billing S)" "STRIPE_KEY"
is "named behind an equals sign, or after it" "$(words env get --at=billing '')" "STRIPE_KEY"
is "without one those of the root" "$(words env unset '')" "ROOT"
is "what can be blocked is what is inherited" "$(words env block --at billing/notify '')" "ROOT STRIPE_KEY"
is "what is restored is what was, unset or not" "$(words env restore --at past '')" "CHANGED GONE"
is "... so is what is forgotten, and what has a history" "$(words env forget --at past C) $(words env history --at past G)" "CHANGED GONE"
for client in google:work slack:default; do
    stepvault client add "${client%:*}" --label "${client#*:}" --client-id id --public > "$scratch/out" 2> "$scratch/err"
done
is "clients, too" "$(words client remove '') / $(words connect gmail --client goo)" "google:work slack:default / google:work"
is "... which are added of apps of the catalogue" "$(words client add slack_)" "slack_bot slack_v2"
is "accounts have their labels" "$(words account show '')" "acme-2:only slack:a+b_c-d.1 slack:default slack:me@example.com"
is "apps stand once" "$(words account list '')" "acme-2 slack"
is "aliases are those of the path" "$(words unbind billing '')" "chat"
is "properties are those of the account" "$(words account set slack:me@example.com '')" "bot_token token"
is "choices are those of the option" "$(words audit log --outcome '')" "granted refused"
is "with its equals sign in front" "$(words audit log --outcome=g)" "--outcome=granted"
is "who had it may be asked of a variable and of an account" "$(words audit who '')" "ROOT acme-2:only slack:a+b_c-d.1 slack:default slack:me@example.com"
is "a kept checkpoint is a file" "$(stepvault __complete -- audit verify --against x)" ":files"
is "slots are named by their kinds" "$(words slot remove p)" "passphrase"
is "apps to add come from the catalogue" "$(words connect slack)" "$(stepvault app list | cut -f 1 | grep ^slack | paste -sd ' ')"
is "an option of one letter has its value, too" "$(stepvault __complete -- inject -o x)" ":files"
is "a file is the shell's" "$(stepvault __complete -- unlock --key-file x)" ":files"
is "behind run's -- stands a command" "$(stepvault __complete -- run billing -- x)" ":command"
is "which is said before" "$(words run billing '')" "--"
is "an unknown command has nothing" "$(words frobnicate '')" ""
is "nor has an argument too many" "$(words env get A '')" ""
is "descriptions follow a tab" "$(stepvault __complete -- step show bill | sed -n 2p)" $'billing\tstep'
is "no word at all is no error" "$(stepvault __complete; echo "$?")" ":words
$(stepvault __complete -- '' | tail -n +2)
0"
everything() {
    local line
    for line in "run " "env get --at billing " "env get --at billing/notify " "account show " "account set slack:default " "unbind billing " \
        "env block --at billing/notify " "bind billing slack --only " "account list "; do
        # shellcheck disable=SC2086 # words are meant
        stepvault __complete -- $line "" 2>&1
    done
}
lacks "no value is ever said" "$(everything)" "$CANARY"

before=$(stepvault audit log --json | wc -l)
everything > /dev/null
is "completion leaves no entry in the log" "$(stepvault audit log --json | wc -l)" "$before"

# ---- the shells ----

cat > "$scratch/lines" <<'LINES'
stepvault unl
stepvault env ge
stepvault env get --at bil
stepvault env get --at=bil
stepvault env get --at billing S
stepvault account show ac
stepvault account show slack:m
stepvault account show slack:me@
stepvault account show slack:a+
stepvault account show "slack:m
stepvault account show slack\:m
stepvault run a.b-c_d/
stepvault run --deliver=au
stepvault unbind billing 
stepvault --vault /etc/passw
stepvault unlock --key-file=/etc/passw
stepvault run billing -- cat /etc/passw
stepvault env get --at '$(touch pwned)
stepvault env get --at '$(touch pwned)' --raw ST
?stepvault account show sl
LINES
completed() { sed -n 's/.* => stepvault //p'; }
expected='unlock 
env get 
env get --at billing
env get --at=billing
env get --at billing STRIPE_KEY 
account show acme-2:only 
account show slack:me@example.com 
account show slack:me@example.com 
account show slack:a+b_c-d.1 
account show "slack:me@example.com" 
account show slack:me@example.com 
run a.b-c_d/e.1 
run --deliver=auths 
unbind billing chat 
--vault /etc/passwd
unlock --key-file=/etc/passwd
run billing -- cat /etc/passwd'
for shell in bash zsh; do
    case $shell in bash) file=$files/stepvault.bash ;; zsh) file=$files/_stepvault ;; esac
    "$here/typing_at.py" "$shell" "source $file" < "$scratch/lines" > "$scratch/$shell.shown" 2>&1
    is "$shell: Tab completes words, names and files" "$(head -n 17 "$scratch/$shell.shown" | completed | sed 's/passw[a-z]*-* *$/passwd/')" "$expected"
    has "$shell: candidates are shown" "$(sed -n '/^stepvault account show sl =>/,$p' "$scratch/$shell.shown")" "me@example.com"
    report "$([ ! -e pwned ]; echo $?)" "$shell: what is typed is not run"
    lacks "$shell: no value is shown" "$(cat "$scratch/$shell.shown")" "$CANARY"
done
fishes() {
    fish --no-config -c 'source $argv[1]; for line in (cat $argv[2] | string replace -r "^\?" ""); complete -C $line; end' "$files/stepvault.fish" \
        "$scratch/lines" 2>&1
}
fishes > "$scratch/fish.shown"
shown=$(cat "$scratch/fish.shown")
has "fish: words come with what they do" "$shown" $'unlock\topen the vault'
has "fish: paths" "$shown" $'billing/notify\tstep'
has "fish: behind an equals sign" "$shown" $'--at=billing/notify\tstep'
has "fish: odd names" "$shown" "slack:a+b_c-d.1"
has "fish: files" "$shown" "--key-file=/etc/passwd"
has "fish: the command of run" "$shown" $'\n/etc/passwd'
report "$([ ! -e pwned ]; echo $?)" "fish: what is typed is not run"
lacks "fish: no value is shown" "$shown" "$CANARY"

# ---- a vault that is not open ----

stepvault slot add --key-file "$scratch/key" --passphrase-fd 3 3< "$scratch/pass"
before=$(stepvault audit log --json | wc -l)
stepvault lock
# quiet NAME WORD...: nothing but the directive, nothing on stderr, and at once.
quiet() {
    local name=$1 started=${EPOCHREALTIME/./}
    shift
    try stepvault __complete -- "$@"
    is "$name" "$status$out$err" "0:words"
    report "$(((${EPOCHREALTIME/./} - started) > 1000000))" "$name: at once"
}
quiet "locked: no names" run ''
STEPVAULT_KEY_FILE=$scratch/key quiet "locked, with a key file at hand: no names" run ''
quiet "locked, with a key file on the line: no names" --key-file "$scratch/key" run ''
quiet "no vault: no names" --vault "$scratch/nowhere/vault.db" run ''
XDG_RUNTIME_DIR=$scratch/nowhere quiet "no folder for sockets: no names" run ''
is "no agent was started" "$(agents)" ""
is "commands are completed all the same" "$(words stat)" "status"
printf 'stepvault stat\nstepvault run \n' > "$scratch/lines"
for shell in bash zsh; do
    case $shell in bash) file=$files/stepvault.bash ;; zsh) file=$files/_stepvault ;; esac
    is "$shell, locked: words, and no message" "$("$here/typing_at.py" "$shell" "source $file" < "$scratch/lines")" "stepvault stat => stepvault status 
stepvault run  => stepvault run "
done
is "fish, locked: words, and no message" "$(fishes)" $'status\tsay whether the vault is open'
unlock --for 1h
# Both are the unlock's own: its entry, and the lock's.
is "nothing of it stands in the log" "$(stepvault audit log --json | tail -n +$((before + 1)) | jq -r .action | sort | paste -sd ' ')" "lock unlock"

# An agent that hangs is not waited for.
kill -STOP "$(agents | head -n 1)"
started=${EPOCHREALTIME/./}
try timeout 5 stepvault __complete -- run ''
is "an agent that hangs: silence" "$status$out$err" "0"
report "$(((${EPOCHREALTIME/./} - started) > 2000000))" "it is not waited for"
kill -CONT "$(agents | head -n 1)"

finish
