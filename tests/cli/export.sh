#!/bin/bash
# stepvault export with the real agent: what is in each form, and what is refused. That the readers of each form read the value
# back is tested with thousands of values in tests/peers/test_export.sh.
# sanitize: yes
# shellcheck disable=SC2016 # what stands in single quotes is for the command's own shell
# shellcheck source-path=SCRIPTDIR
source "$(dirname "$0")/fixture.bash"

new_vault first
pem=$'-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n'
place PEM "$pem" app
place QUOTES "it's \$HOME \`id\`" app
place EMPTY '' app
place ABOVE inherited
account slack main '{"oauth_access_token":"xoxb"}'
stepvault bind app slack > /dev/null
export_as() { stepvault export app --format "$@"; }

is "dotenv" "$(export_as dotenv)" "ABOVE='inherited'
EMPTY=''
PEM='$pem'
QUOTES=\"it's \$HOME \`id\`\"
SLACK_OAUTH_ACCESS_TOKEN='xoxb'"
is "... is read by python-dotenv as it is" \
    "$(export_as dotenv > .env; /usr/bin/python3 -c 'import dotenv; v = dotenv.dotenv_values(".env"); print([*v], v["PEM"] + v["QUOTES"])')" \
    "['ABOVE', 'EMPTY', 'PEM', 'QUOTES', 'SLACK_OAUTH_ACCESS_TOKEN'] ${pem}it's \$HOME \`id\`"
is "shell" "$(export_as shell)" "export ABOVE='inherited'
export EMPTY=''
export PEM='$pem'
export QUOTES='it'\\''s \$HOME \`id\`'
export SLACK_OAUTH_ACCESS_TOKEN='xoxb'"
for shell in dash bash zsh; do
    is "... which $shell evaluates" \
        "$($shell -c 'eval "$(stepvault export app --format shell)"; env -0' | grep -zE '^(ABOVE|EMPTY|PEM|QUOTES|SLACK)' | sort -z | tr '\0' '|')" \
        "ABOVE=inherited|EMPTY=|PEM=$pem|QUOTES=it's \$HOME \`id\`|SLACK_OAUTH_ACCESS_TOKEN=xoxb|"
done
is "nul" "$(export_as nul | tr '\0' '|')" "ABOVE=inherited|EMPTY=|PEM=$pem|QUOTES=it's \$HOME \`id\`|SLACK_OAUTH_ACCESS_TOKEN=xoxb|"
is "... which xargs and env read" "$(export_as nul --own | xargs -0 sh -c 'env -i "$@" sh -c "printf %s \"\$QUOTES\""' -)" "it's \$HOME \`id\`"
fails "docker has no line breaks, and prints nothing" 1 "the value of PEM has a line break" export_as docker
stepvault env block PEM --at app/container > /dev/null
is "docker" "$(stepvault export app/container --format docker)" "ABOVE=inherited
EMPTY=
QUOTES=it's \$HOME \`id\`
SLACK_OAUTH_ACCESS_TOKEN=xoxb"
is "json has the same names" "$(export_as json | jq -r 'keys | join(" ")')" "ABOVE EMPTY PEM QUOTES SLACK_OAUTH_ACCESS_TOKEN"
is "auths is still the default" "$(stepvault export app)" '{"slack":{"oauth_access_token":"xoxb"}}'
is "--own leaves out what is inherited" "$(export_as shell --own | grep -c ABOVE)" 0
is "STEPVAULT_STEP names the step" "$(STEPVAULT_STEP=app stepvault export --format nul | head -zn 1 | tr -d '\0')" "ABOVE=inherited"
is "the log has the names, as for json" \
    "$(stepvault audit log --step app --json | tail -1 | jq -r '[.claimed.purpose, .deliver[], .variables[], .accounts[].names[]] | join(" ")')" \
    "export env ABOVE EMPTY PEM QUOTES SLACK_OAUTH_ACCESS_TOKEN"

# What each form refuses: name, value, form, reason.
number=0
refuses() {
    number=$((number + 1))
    place FIRST "$CANARY" "bad$number"
    printf '%b' "$3" | stepvault env set "$2" --raw --at "bad$number" --allow-dangerous-name 2> /dev/null
    fails "$1 refuses $2 of ${3:0:30}" 1 "$4" stepvault export "bad$number" --format "$1"
}
refuses dotenv BYTES '\0377' 'the value of BYTES is not UTF-8 text'
refuses dotenv REFERENCE 'a${HOME}b' 'the value of REFERENCE has a ${...}, which python-dotenv replaces'
refuses dotenv BOTH 'it'\''s "x"\n' 'the value of BOTH mixes quotes, backslashes or line breaks'
refuses dotenv RETURN 'say "x"\r' 'the value of RETURN mixes'
refuses dotenv SLASHES 'a\\\\\\\\b #' 'the value of SLASHES mixes'
refuses dotenv __proto__ x "npm's dotenv loses a variable named __proto__"
refuses shell UID x 'a shell does not take a variable named UID'
refuses shell _ x 'a variable named _ as'
refuses shell RANDOM 1 'a variable named RANDOM'
refuses docker LINES 'a\nb' 'the value of LINES has a line break'
refuses docker RETURN 'a\r' 'the value of RETURN ends in a carriage return'
refuses docker BYTES '\0377' 'the value of BYTES is not UTF-8 text'
refuses docker LONG "$(printf 'x%.0s' $(seq 65531))" 'the value of LONG makes a line over the 65535 bytes'
refuses json BYTES '\0377' 'the value of BYTES is not UTF-8'
fails "a form that is nearly one" 2 'does not know "dotnev"; did you mean dotenv?' export_as dotnev
fails "a form that is none" 2 'does not know "yaml"; it knows auths, json, dotenv, shell, docker and nul' export_as yaml
try sh -c 'stepvault export app --format nul > /dev/full'
is "a full disk is an error" "$status:$err" "1:stepvault: cannot write the document: No space left on device"
is "a terminal is written to like a file" \
    "$(script -qec "stepvault export app/container --format docker" /dev/null < /dev/null | tr -d '\r' | tail -1)" "SLACK_OAUTH_ACCESS_TOKEN=xoxb"
finish
