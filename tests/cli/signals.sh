#!/bin/bash
# Signals, exit statuses and terminals: `stepvault run` beside `env`, case by case, with an agent and with a key file alone; where
# they differ on purpose; and our own prompts.
# limit: 300
here=$(cd "$(dirname "$0")" && pwd)
. "$here/fixture.bash"

new_vault v --key-file "$scratch/key"
stepvault step add s

# compared TITLE: the cases, each a test.
compared() {
    local line verdict name
    "$here/signals.py" s "$scratch" > "$scratch/cases" 2>&1 || echo "not ok - signals.py came to its end" >> "$scratch/cases"
    while IFS= read -r line; do
        verdict=${line%% - *}
        name=${line#* - }
        case $line in
        "ok - "*"# SKIP "*) skip "$1: ${name%% # SKIP*}" "${name#*# SKIP }" ;;
        "ok - "* | "not ok - "*) report "$([ "$verdict" = ok ]; echo $?)" "$1: $name" ;;
        *) echo "$line" ;;
        esac
    done < "$scratch/cases"
}
compared "open vault"

# ---- where run differs from env on purpose ----

export STEPVAULT_KEY_FILE=
stepvault lock
try stepvault run s -- true
is "a locked vault is 125, whatever the command is" "$status" 125
try stepvault run s -- no-such-command
is "the command is looked for first: 127 although the vault is locked" "$status" 127
try stepvault run nowhere --key-file "$scratch/key" -- true
is "a step that is none is 125" "$status" 125
try stepvault run s --no-such-option -- true
is "a wrong option is 125" "$status" 125
try env --no-such-option true
is "as with env" "$status" 125

printf 'echo bare' > bare
chmod +x bare
try stepvault run s --key-file "$scratch/key" -- ./bare
is "a script without its #! line is 126: no shell is put in between" "$status$out" 126
is "which env does" "$(env ./bare)" bare

# The same with an agent for each command alone.
export STEPVAULT_KEY_FILE="$scratch/key"
compared "key file"
is "no agent is left" "$(agents)" ""

finish
