#!/bin/bash
# What every command owes a person and a pipe: tables on a terminal, tabs in a pipe, JSON, no colours, near names for what is
# misspelt, and advice that stands in one place.
# sanitize: yes
here=$(cd "$(dirname "$0")" && pwd)
. "$here/fixture.bash"

new_vault v
place STRIPE_KEY "$CANARY" billing
place OTHER "$CANARY" billing
account slack default "{\"token\":\"$CANARY\"}"
account slack work "{\"token\":\"$CANARY\"}"
stepvault bind billing slack:default
stepvault step add billing/notify

# ---- tables, tabs, JSON ----

tables=("status" "slot list" "account list" "account show slack:work" "env list --at billing" "step list" "step show billing" "audit log")
on_terminal() { "$here/terminal.py" -- stepvault "$@" | sed '/^echo: on$/d'; }
for words in "${tables[@]}"; do
    # shellcheck disable=SC2086 # words are meant
    set -- $words
    shown=$(TERM=xterm-256color on_terminal "$@")
    dumb=$(TERM=dumb on_terminal "$@")
    plain=$(NO_COLOR=1 TERM=xterm-256color on_terminal "$@")
    piped=$(stepvault "$@")
    json=$(stepvault "$@" --json)
    is "$words: no escape, whatever the terminal" "$(printf '%s' "$shown$dumb$plain" | tr -d '\n[:print:]' | wc -c)" 0
    is "$words: nor does a pipe get one" "$(printf '%s' "$piped" | tr -d '\n\t[:print:]' | wc -c)" 0
    lacks "$words: a terminal gets no tabs" "$shown" $'\t'
    has "$words: a pipe does" "$piped" $'\t'
    is "$words: each line of a pipe has as many cells" "$(awk -F '\t' '{ print NF }' <<< "$piped" | sort -u | wc -l)" 1
    is "$words: --json is JSON" "$(jq -s 'length > 0' <<< "$json")" true
    lacks "$words: none of it has a value" "$shown$piped$json" "$CANARY"
done
lacks "audit log: what fills its column is not padded" "$(on_terminal audit log)" "stepvault-manage   "
has "a table's headings stand on a terminal" "$(on_terminal step list)" "PATH"
lacks "and not in a pipe" "$(stepvault step list)" "PATH"
is "env get --json is the value" "$(stepvault env get STRIPE_KEY --at billing --json)" "{\"value\":\"$CANARY\"}"
place BYTES $'\xff' billing
is "or its bytes" "$(stepvault env get BYTES --at billing --json)" '{"value_base64":"/w=="}'
is "audit key --json is the key" "$(stepvault audit key --json | jq -r .key)" "$(stepvault audit key)"
is "audit checkpoint --json has the note" "$(stepvault audit checkpoint --json | jq -r '.note | split("\n")[1] | test("^[0-9]+$")')" true

# A pipe that is closed before the list is written: whoever reads it has seen enough.
{ sleep 0.3; stepvault env list --all 2> "$scratch/closed"; echo $? > "$scratch/code"; } | true
is "a list whose reader has gone is no failure" "$(cat "$scratch/code" "$scratch/closed")" 0
has "an empty list says on a terminal where it looked" "$(on_terminal env list)" "no variable is placed exactly at /; see: stepvault env list --all"
is "and nothing in a pipe" "$(stepvault env list 2>&1)" ""

# ---- near names ----

fails "a command" 2 "did you mean status?" stepvault statsu
fails "a subcommand" 2 "did you mean env unset?" stepvault env unst
fails "an option" 2 "did you mean --json?" stepvault status --jsn
fails "an option of run" 125 "did you mean --deliver?" stepvault run billing --delivr env -- true
fails "which is not one of export" 2 "does not know the option --delivr;" stepvault export billing --delivr env
fails "one of a choice" 2 "--outcome is one of granted|refused; did you mean granted?" stepvault audit log --outcome grantd
fails "what is no choice is not repeated" 2 "--outcome is one of granted|refused;" stepvault audit log --outcome "$CANARY"
fails "a step" 125 "did you mean billing/notify?" stepvault run billing/notfy -- true
fails "a variable" 4 "did you mean STRIPE_KEY?" stepvault env get STRIPE_KYE --at billing
fails "one to be taken away" 4 "did you mean STRIPE_KEY?" stepvault env unset STRIPEKEY --at billing
fails "an app" 4 "did you mean slack?" stepvault account show slakc:work
fails "a label" 4 "did you mean slack:work?" stepvault account show slack:wrok
fails "nothing near is nothing said" 4 "no variable FROBNICATION is placed at billing, or anywhere else" stepvault env get FROBNICATION --at billing
is "so said" "$err" "stepvault: no variable FROBNICATION is placed at billing, or anywhere else"

fails "a choice that was left open is asked for" 1 "; say which one is meant" stepvault bind billing slack --as two

# ---- help ----

fails "a wrong usage is sent to the command's help" 2 "an argument is missing: stepvault env unset NAME [--at PATH]; see: stepvault help env unset" stepvault env unset
fails "... a group's" 2 "see: stepvault help env" stepvault env
fails "... the launcher's" 125 "see: stepvault help run" stepvault run
fails "... that of all" 2 "see: stepvault help" stepvault frobnicate

# What the launcher takes is what help and completion say.
taken() { sed -n "s/^    {\"--\([a-z-]*\)\",.*\(ARGUMENTS_$1\).*/--\1/p" "$here/../../cli/launch/arguments.c" | sort; }
for command in run export; do
    is "help of $command has every option that it takes" \
        "$(stepvault __complete -- "$command" -- | tail -n +2 | cut -f 1 | grep -v version | sort)" "$(taken "${command^^}")"
done

is "help of everything fits a screen" "$(stepvault help | awk 'length > 79 || NR > 24' | wc -l)" 0
is "on a terminal, too" "$(on_terminal help | awk 'length > 79 || NR > 24' | wc -l)" 0

finish
