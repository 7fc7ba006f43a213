#!/bin/bash
# README's table for who comes from another tool: every command in its last column is run as it stands, in the order of the rows,
# with stand-ins for the programs that it takes from. TAP.
# shellcheck disable=SC2016 # the stand-ins' own shells expand
here=$(realpath "$(dirname "$0")")
# shellcheck source=../cli/fixture.bash
. "$here/../cli/fixture.bash"

# A program that says what it was given, whatever it was started with.
mkdir "$scratch/bin"
export PATH="$scratch/bin:$PATH"
stand_in() { printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1"; }
stand_in deploy 'env | grep "$CANARY"'
stand_in "$scratch/bin/node" 'env | grep "$CANARY"; [ -z "$STEPVAULT_AUTHS" ] || cat "$STEPVAULT_AUTHS"'
stand_in "$scratch/bin/sops" "echo '{\"FROM_SOPS\":\"$CANARY-sops\"}'"
stand_in "$scratch/bin/doppler" "echo '{\"FROM_DOPPLER\":\"$CANARY-doppler\"}'"
stand_in "$scratch/bin/vault" "echo '{\"data\":{\"data\":{\"FROM_VAULT\":\"$CANARY-vault\"}}}'"
export CANARY
echo "FROM_DOTENV=$CANARY-dotenv" > .env
echo "export default (event, steps, auths) => auths.slack;" > step.mjs
echo "TOKEN=stepvault://slack/oauth_access_token" > deploy.env
echo "token: {{ stepvault://slack/oauth_access_token }}" > config.tpl
echo "{\"accessKeyId\":\"AKIAABCDEFGHIJKLMNOP\",\"secretAccessKey\":\"$CANARY-aws\"}" > answers

# A password store with one entry, by a key without a passphrase.
mkdir -m 700 "$HOME/.gnupg"
gpg --batch --quiet --passphrase '' --quick-generate-key ann@example.org default default never 2> "$scratch/gpg"
pass init ann@example.org > "$scratch/gpg" 2>&1
printf '%s\n' "$CANARY-pass" | pass insert --multiline stripe/key > "$scratch/gpg" 2>&1

new_vault coming
account slack default "{\"oauth_access_token\":\"$CANARY-slack\"}"
stepvault bind app slack 2> "$scratch/err"

# The commands of the last column, row by row: what stands in backquotes and begins a line of a shell.
sed -n '/^## Coming from/,/^## Sec/p' "$here/../../README.md" | grep '^|' | sed '1,2d; s/\\|/\x01/g' | awk -F'|' '{ print $4 }' |
    grep -o '`[^`]*`' | tr -d '`' | tr '\001' '|' | grep -E '^(stepvault [a-z]+ |eval |[a-z]+ .*\| )' > commands
is "the table has its commands" "$(wc -l < commands)" 19
while read -r command; do
    try bash -o pipefail -c "$command" < answers
    [ "$status" = 0 ] || printf '# %s\n' "$err"
    report "$status" "$command"
    cp "$scratch/out" last
done < commands

given=$(stepvault run app -- ./deploy)
for name in FROM_DOTENV=dotenv STRIPE_KEY=pass FROM_SOPS=sops FROM_DOPPLER=doppler FROM_VAULT=vault AWS_SECRET_ACCESS_KEY=aws; do
    has "the step is given ${name%%=*}" "$given" "${name%%=*}=$CANARY-${name##*=}"
done
is "the template is filled" "$(cat config.yml)" "token: $CANARY-slack"
has "the file for docker is whole" "$(cat app.env)" "FROM_VAULT=$CANARY-vault"
try stepvault run app --env-file deploy.env -- ./deploy
has "the reference is resolved" "$out" "TOKEN=$CANARY-slack"
holds "the log verifies"
gpgconf --kill all
finish
