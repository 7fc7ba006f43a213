#!/bin/bash
# Every command of stepvault-manage, good and bad, with the real agent.
# sanitize: yes
# limit: 120
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=fixture.bash
. "$here/fixture.bash"
# The default vault, where it is without XDG_DATA_HOME.
unset XDG_DATA_HOME
export TMPDIR="$scratch"
vault=$HOME/.local/share/stepvault/vault.db
passphrase=$pass

terminal() { "$here/terminal.py" "$@"; }
put() { printf '%s' "$1" | stepvault env set "${@:2}" 2>/dev/null; }

# ---- the command line ----

succeeds "help prints the commands" stepvault help
has "help lists env set" "$out" "env set"
is "help fits 80 columns" "$(for words in "" init unlock slot "slot add" account "account set" env "env set" bind step run export \
    audit "audit log" call; do
    # shellcheck disable=SC2086 # two words are two arguments
    stepvault help $words; done | awk 'length > 79' | wc -l)" 0
succeeds "--help stands anywhere" stepvault env set --help
has "it is the command's help" "$out" "stepvault env set NAME"
succeeds "a group has help" stepvault step --help
succeeds "run has help" stepvault help run
has "it shows the separator" "$out" "-- CMD"
succeeds "--version" stepvault --version
fails "no command is an error" 2 "a command is missing" stepvault
fails "a misspelt command is met with the right one" 2 "did you mean status?" stepvault statsu
fails "a misspelt subcommand, too" 2 "did you mean env unset?" stepvault env unst
fails "a misspelt option, too" 2 "did you mean --json?" stepvault status --jsn
fails "a group wants a subcommand" 2 "one of list, add, remove" stepvault slot
fails "a missing argument is named" 2 "stepvault env get NAME" stepvault env get
fails "an argument too many" 2 "an argument too many" stepvault lock s3cret
lacks "it is not echoed" "$err" s3cret

# ---- no vault ----

try stepvault status
is "status without a vault exits 4" "$status" 4
has "it says absent" "$out" absent
fails "a command without a vault" 4 "there is no vault at $vault; make one with: stepvault init, or put a backup there with: stepvault restore FILE" stepvault env list
fails "unlock without a vault" 4 "there is no vault" stepvault unlock --passphrase-fd 5 5<<< x
succeeds "lock without a vault" stepvault lock
is "no agent was started" "$(agents)" ""

# ---- init ----

fails "init wants a place for the recovery code" 2 "--no-recovery" stepvault init --passphrase-fd 5 5<<< "$passphrase"
fails "before it reads anything" 2 "--recovery-fd" stepvault init --passphrase-fd 77
fails "init refuses both ways at once" 2 "exclude" stepvault init --recovery-fd 1 --no-recovery
fails "init without a terminal" 1 "no terminal" stepvault init --no-recovery
has "it names the other ways" "$err" "--passphrase-fd"
fails "an empty passphrase" 1 "empty" stepvault init --no-recovery --passphrase-fd 5 5<<< ""
fails "a descriptor that is not open" 2 "no open descriptor" stepvault init --no-recovery --passphrase-fd 55
fails "a recovery descriptor that cannot be written" 2 "not open for writing" \
    stepvault init --passphrase-fd 5 --recovery-fd 6 5<<< "$passphrase" 6</dev/null
fails "a full disk under the recovery code" 1 "cannot write out the recovery code" \
    stepvault init --passphrase-fd 5 --recovery-fd 6 --kdf-time 0 5<<< "$passphrase" 6>/dev/full
is "no vault was made" "$(ls "$vault" 2>/dev/null)" ""
succeeds "init" stepvault init --passphrase-fd 5 --recovery-fd 6 --kdf-time 0 5<<< "$passphrase" 6> "$scratch/code"
is "nothing is on stdout" "$out" ""
is "the recovery code was written" "$(grep -cE '^([0-9A-Z]{4}-){8}[0-9A-Z]{4}$' "$scratch/code")" 1
is "the vault's folder is private" "$(stat -c %a "${vault%/*}")" 700
is "the vault is open" "$(stepvault status | sed -n 's/^state\t//p')" open
fails "init again" 1 "there is a vault at $vault already" stepvault init --no-recovery --passphrase-fd 5 5<<< x
has "the slots are listed" "$(stepvault slot list | cut -f1 | sort | tr '\n' ' ')" "passphrase recovery"
is "slot list --json is one document" "$(stepvault slot list --json | jq -r '.slots | length')" 2

# ---- unlock, lock, status ----

succeeds "unlock on an open vault reads no passphrase" stepvault unlock --passphrase-fd 5 --for 8h 5< /dev/null
is "and applies --for" "$(stepvault status --json | jq '.locks_in > 28000 and .locks_in <= 28800')" true
succeeds "and --idle" stepvault unlock --idle 15m
is "which status shows" "$(stepvault status --json | jq .idle_locks_after)" 900
succeeds "0 removes them" stepvault unlock --idle 0 --for 0
is "which status shows, too" "$(stepvault status --json | jq .locks_in)" 0
fails "a duration that is none" 2 "--for wants a duration" stepvault unlock --for soon
succeeds "lock" stepvault lock
is "its agent ended" "$(agents)" ""
succeeds "lock again" stepvault lock
try stepvault status --json
is "status of a locked vault exits 3" "$status" 3
is "it is one document" "$(jq -r '.state + " " + (.agent | tostring)' <<< "$out")" "locked false"
fails "a command on a locked vault" 3 "locked; unlock it with: stepvault unlock" stepvault env list
for words in "account list" "env get X" "step list" "audit log" "audit verify" "call Project"; do
    # shellcheck disable=SC2086 # two words are two arguments
    try stepvault $words
    is "$words on a locked vault exits 3" "$status" 3
done
try stepvault env set X < /dev/null
is "env set on a locked vault exits 3" "$status" 3
is "and starts no agent" "$(agents)" ""
fails "a wrong passphrase" 1 "the passphrase does not open the vault" stepvault unlock --passphrase-fd 5 5<<< wrong
is "leaves no agent" "$(agents)" ""
fails "unlock without a terminal" 1 "no terminal" stepvault unlock
is "leaves no agent, too" "$(agents)" ""
fails "a passphrase that is too long" 1 "longer than" stepvault unlock --passphrase-fd 5 5<<< "$(printf %01500d 0)"
fails "two ways at once" 2 "exclude" stepvault unlock --passphrase-fd 5 --key-file x 5<<< x
fails "a machine slot that is not there" 4 "it has: " stepvault unlock --key-file "$scratch/none"
succeeds "unlock by the recovery code" stepvault unlock --recovery-code-fd 5 5< "$scratch/code"
stepvault lock
fails "a recovery code with a slip" 1 "code" stepvault unlock --recovery-code-fd 5 5<<< "$(tr 0-9A-Z 1-9A-Z0 < "$scratch/code")"
succeeds "unlock by the passphrase" unlock
is "one agent runs" "$(pgrep -f -- "stepvault-agent --vault $vault " | wc -l)" \
    "$(stepvault status --json | jq '2 + (.protections | map(select(.name == "peer reader" and .held)) | length)')"

# ---- env ----

printf 'sk_live\n' | stepvault env set STRIPE_KEY --at billing 2> "$scratch/err"
is "env set is silent below /" "$(cat "$scratch/err")" ""
is "env get gives it back without the newline" "$(stepvault env get STRIPE_KEY --at billing | od -c | head -1)" \
    "$(printf sk_live | od -c | head -1)"
printf 'a\n\n' | stepvault env set STRIPE_KEY --at billing --raw
is "--raw keeps newlines" "$(stepvault env get STRIPE_KEY --at billing | wc -c)" 3
printf '\xff\x01\xc3' | stepvault env set BYTES --at billing
is "bytes that are no text come back" "$(stepvault env get BYTES --at billing | od -An -tx1)" " ff 01 c3"
printf '' | stepvault env set EMPTY --at billing
is "an empty value comes back" "$(stepvault env get EMPTY --at billing | wc -c)" 0
printf x | stepvault env set EVERYWHERE 2> "$scratch/err"
has "env set at / says that it reaches every step" "$(cat "$scratch/err")" "reaches every step"
is "env list means exactly there" "$(stepvault env list | cut -f1,2)" "$(printf '/\tEVERYWHERE')"
is "env list --all" "$(stepvault env list --all | wc -l)" 4
is "env list --json" "$(stepvault env list --at billing --json | jq -r '.variables | map(.name) | join(" ")')" \
    "BYTES EMPTY STRIPE_KEY"
fails "--all and --at" 2 "exclude" stepvault env list --all --at billing
fails "env get elsewhere says where" 4 "billing" stepvault env get STRIPE_KEY
fails "NAME=VALUE" 2 "the value of TOKEN does not go on the command line" stepvault env set TOKEN=s3cret
lacks "is not echoed" "$err" s3cret
fails "NAME VALUE" 2 "the value of TOKEN does not go" stepvault env set TOKEN s3cret
lacks "is not echoed, too" "$err" s3cret
fails "an option with a value" 2 "--value" stepvault env set TOKEN --value=s3cret
lacks "is not echoed, either" "$err" s3cret
head -c 65536 /dev/zero | tr '\0' x > "$scratch/largest"
succeeds "64 KiB" stepvault env set LARGE --at billing < "$scratch/largest"
succeeds "and a newline" stepvault env set LARGE --at billing < <(cat "$scratch/largest"; echo)
fails "and a byte" 1 "the value of LARGE is larger than 64 KiB" stepvault env set LARGE --at billing \
    < <(cat "$scratch/largest"; printf y)
fails "and a newline with --raw" 1 "larger than 64 KiB" stepvault env set LARGE --at billing --raw \
    < <(cat "$scratch/largest"; echo)
fails "much more" 1 "larger than 64 KiB" stepvault env set LARGE --at billing < <(head -c 10000000 /dev/zero)
fails "a NUL" 1 "holds a NUL byte" stepvault env set NUL < <(printf 'a\0b')
fails "a name that is none" 1 "2FAST" stepvault env set 2FAST < /dev/null
fails "a reserved name" 1 "STEPVAULT_" stepvault env set STEPVAULT_X < /dev/null
fails "a dangerous name" 1 "LD_PRELOAD" stepvault env set LD_PRELOAD --at billing < /dev/null
succeeds "which is allowed on demand" stepvault env set LD_PRELOAD --at billing --allow-dangerous-name < /dev/null
fails "a path that is none" 1 "Billing" stepvault env set X --at Billing < /dev/null
succeeds "env unset" stepvault env unset LD_PRELOAD --at billing
fails "env unset again" 4 "LD_PRELOAD" stepvault env unset LD_PRELOAD --at billing
succeeds "env block" stepvault env block EVERYWHERE --at billing/quiet
is "env list shows it" "$(stepvault env list --at billing/quiet | cut -f2,3)" "$(printf 'EVERYWHERE\tblocked')"

# ---- account ----

is "account add prints its name" "$(printf '{"oauth_access_token":"xoxb","oauth_uid":"\\u00fc"}' | stepvault account add acme)" \
    acme:default
fails "a second account wants a label" 1 "--label" stepvault account add acme <<< '{"a":"b"}'
is "and gets it" "$(stepvault account add acme --label work <<< '{"a":"b"}')" acme:work
fails "an ambiguous account" 1 "acme:work" stepvault account show acme
fails "an account that is not there" 4 "github" stepvault account show github
is "account show has names" "$(stepvault account show acme:default | sed -n 's/^properties\t//p')" \
    "oauth_access_token,oauth_uid"
lacks "and no values" "$(stepvault account show acme:default; stepvault account list; stepvault account list --json)" xoxb
is "account list of an app" "$(stepvault account list acme | cut -f1 | tr '\n' ' ')" "acme:default acme:work "
is "account show --json" "$(stepvault account show acme:work --json | jq -r .account.label)" work
id=$(stepvault account list | sed -n 's/^acme:work\t\([0-9a-f]*\).*/\1/p')
succeeds "an account by its id" stepvault account show "$id"
printf 'xoxp\n' | stepvault account set acme:work oauth_access_token
is "account set sets one" "$(stepvault account show acme:work --json | jq -r '.account.properties | sort | join(" ")')" \
    "a oauth_access_token"
succeeds "account set sets some" stepvault account set acme:work <<< '{"b":"1","c":"2"}'
succeeds "account set removes some" stepvault account set acme:work --unset a --unset c
is "as it was told" "$(stepvault account show acme:work --json | jq -r '.account.properties | sort | join(" ")')" \
    "b oauth_access_token"
fails "account set PROPERTY=VALUE" 2 "the value of token does not go" stepvault account set acme:work token=s3cret
lacks "is not echoed" "$err" s3cret
fails "account set PROPERTY VALUE" 2 "the value of token does not go" stepvault account set acme:work token s3cret
lacks "is not echoed, too" "$err" s3cret
fails "a property that is not UTF-8" 1 "the value of token is not UTF-8 text" stepvault account set acme:work token \
    < <(printf '\xff')
fails "properties that are no JSON" 1 "is not JSON" stepvault account set acme:work <<< 's3cret'
lacks "are not echoed" "$err" s3cret
fails "properties that are no object" 1 "not a JSON object" stepvault account set acme:work <<< '["s3cret"]'
fails "a property that is no string" 1 "the property token is not a string" stepvault account set acme:work <<< '{"token":1}'
fails "a property with a NUL" 1 "NUL" stepvault account set acme:work <<< '{"token":"a\u0000"}'
fails "a property over 64 KiB" 1 "larger than 64 KiB" stepvault account set acme:work \
    < <(printf '{"token":"'; cat "$scratch/largest"; printf 'x"}')
fails "more than a request holds" 1 "larger" stepvault account set acme:work < <(head -c 300000 /dev/zero | tr '\0' ' ')
fails "a property's name that is none" 1 "a.b" stepvault account set acme:work <<< '{"a.b":"c"}'
succeeds "account rename" stepvault account rename acme:work office
succeeds "a renamed account" stepvault account show acme:office
fails "a label that is taken" 1 "default" stepvault account rename acme:office default

# ---- bind ----

succeeds "bind" stepvault bind billing/notify acme:default
succeeds "bind again" stepvault bind billing/notify acme:default
fails "a taken alias" 1 "--replace" stepvault bind billing/notify acme:office
succeeds "bind --replace" stepvault bind billing/notify acme:office --replace
succeeds "bind with all its options" stepvault bind billing/notify acme:default --as main --only oauth_access_token \
    --env ACME_TOKEN=oauth_access_token
fails "bind --env wants a pair" 2 "NAME=PROPERTY" stepvault bind billing/notify acme:default --as x --env ACME_TOKEN
fails "bind --env twice for one name" 2 "twice" stepvault bind billing/notify acme:default --as x --env A=b --env A=c
has "a renamed variable is delivered" "$(stepvault run billing/notify -- env)" "ACME_TOKEN=xoxb"
fails "a bound account stays" 1 "billing/notify" stepvault account remove acme:office
succeeds "unbind" stepvault unbind billing/notify acme
fails "unbind again" 4 "acme" stepvault unbind billing/notify acme
succeeds "account remove" stepvault account remove acme:office
fails "account remove again" 4 "office" stepvault account remove acme:office

# ---- step ----

succeeds "step add" stepvault step add jobs/nightly --no-inherit
succeeds "step add again" stepvault step add jobs/nightly --no-inherit
is "step list" "$(stepvault step list jobs)" "$(printf 'jobs\tfolder\tinherits\t\njobs/nightly\tstep\tno-inherit\t')"
is "step list --json" "$(stepvault step list jobs --json | jq -r '.steps[1].path')" jobs/nightly
is "step show explains names" "$(stepvault step show billing/notify | grep ^STRIPE_KEY)" \
    "$(printf 'STRIPE_KEY\tvariable\tbilling\t\tgiven\t\t')"
is "step show --json" "$(stepvault step show billing/quiet --json | jq -r '.names[] | select(.name == "EVERYWHERE") | .path + " " + .state' |
    sort | tr '\n' ' ')" "/ hidden billing/quiet blocked "
try stepvault step show jobs/nightly
has "step show names a boundary" "$err" "boundary"
fails "a step that is none" 4 "nowhere" stepvault step show nowhere
fails "a step with something placed stays" 1 "billing" stepvault step remove billing
succeeds "unless --force" stepvault step remove billing --force
succeeds "step remove" stepvault step remove jobs/nightly
fails "step remove again" 4 "jobs/nightly" stepvault step remove jobs/nightly

# ---- call ----

is "call" "$(stepvault call Project '{"step":"billing/notify"}' | jq -r .variables.EVERYWHERE)" x
is "call by the full name" "$(stepvault call io.stepvault.Agent.GetVariable '{"path":"/","name":"EVERYWHERE"}')" '{"value":"x"}'
is "call with JSON on stdin" "$(stepvault call SetVariable - <<< '{"path":"/","name":"CALLED","value":"v"}')" '{"replaced":false}'
fails "call takes no value from argv" 2 "value does not go on the command line" \
    stepvault call SetVariable '{"path":"/","name":"X","value":"s3cret"}'
lacks "which is not echoed" "$err" s3cret
fails "call of a method that is none" 1 "Nonsense" stepvault call Nonsense
fails "call with a wrong parameter" 1 "stepp" stepvault call Project '{"stepp":"a"}'
fails "call with what is no JSON" 1 "is not JSON" stepvault call Project '{'
fails "call with what is no object" 2 "one JSON object" stepvault call Project '[]'
fails "call ends with the status of its error" 4 "nowhere" stepvault call Project '{"step":"nowhere"}'
fails "call of another vault" 1 "vault" stepvault call Status '{"vault":"/other.db"}'
has "call of another interface" "$(stepvault call org.varlink.service.GetInfo)" io.stepvault.Agent
is "call with several replies" "$(stepvault call ReadLog | jq -s 'map(.leaves | length) | add > 20')" true

# ---- audit ----

is "audit log has tabs in a pipe" "$(stepvault audit log | awk -F'\t' '{ print NF }' | sort -u)" 8
is "audit log --json is what was hashed" "$(stepvault audit log --json | head -1 | jq -r .action)" initialize
is "as many as were counted" "$(stepvault audit log --json | wc -l)" "$(stepvault status --json | jq .log_size)"
has "a leaf has the claimed command" "$(stepvault audit log --step billing/notify | tail -1 | cut -f3,4)" project
is "audit log --outcome" "$(stepvault audit log --outcome refused | cut -f2 | sort -u)" refused
is "audit log --variable" "$(stepvault audit log --variable CALLED | cut -f3,4)" "$(printf 'set-variable\t/ CALLED')"
is "audit log --uid of nobody" "$(stepvault audit log --uid 4000000000)" ""
is "audit log --since" "$(stepvault audit log --since 1h | wc -l)" "$(stepvault audit log | wc -l)"
is "audit log --since tomorrow" "$(stepvault audit log --since "$(date -u -d tomorrow +%Y-%m-%dT%H:%MZ)")" ""
fails "--since with what is no time" 2 "--since" stepvault audit log --since yesterday-ish
fails "--outcome with another word" 2 "granted|refused" stepvault audit log --outcome maybe
fails "--uid with a word" 2 "--uid wants a whole number" stepvault audit log --uid root
lacks "no value stands in the log" "$(stepvault audit log --json)" xoxb
for _ in 1 2 3; do stepvault audit log --json; done | head -1 > "$scratch/head" 2> "$scratch/err"
is "a closed pipe is no error" "$(cat "$scratch/err")" ""
succeeds "audit verify" stepvault audit verify
is "prints size and root" "$(cut -f1 <<< "$out" | tr '\n' ' ')" "size root checkpoints with text by hash only "
root=$(sed -n 's/^root\t//p' <<< "$out")
size=$(sed -n 's/^size\t//p' <<< "$out")
is "audit verify --json" "$(stepvault audit verify --json | jq -r '.root | length')" 64
stepvault audit checkpoint > "$scratch/note"
is "audit checkpoint is a note of that head" "$(sed -n 2p "$scratch/note") $(sed -n 3p "$scratch/note" | base64 -d | od -An -tx1 | tr -d ' \n')" "$size $root"
is "audit key is its verifier" "$(stepvault audit key | cut -d+ -f1)" "$(head -1 "$scratch/note")"
fails "a full stdout is an error" 1 "cannot write to standard output" bash -c 'stepvault env list --all > /dev/full'

# ---- slots and passwd ----

fails "slot add wants a key" 1 "no terminal" stepvault slot add --key-file "$scratch/machine.key"
fails "slot add wants one kind" 2 "one kind" stepvault slot add
fails "slot add with a wrong passphrase" 1 "does not open" \
    stepvault slot add --key-file "$scratch/machine.key" --passphrase-fd 5 5<<< wrong
rm -f "$scratch/machine.key"
succeeds "slot add --key-file" stepvault slot add --key-file "$scratch/machine.key" --passphrase-fd 5 5<<< "$passphrase"
is "makes the key file" "$(stat -c '%a %s' "$scratch/machine.key")" "600 32"
fails "a second recovery slot" 1 "--replace replaces it" \
    stepvault slot add --recovery --recovery-fd 6 --key-file "$scratch/machine.key" 6> "$scratch/code2"
is "no code is shown that would open nothing" "$(wc -c < "$scratch/code2")" 0
succeeds "slot add --recovery --replace renews the code" stepvault slot add --recovery --replace --recovery-fd 6 \
    --recovery-code-fd 5 5< "$scratch/code" 6> "$scratch/code2"
has "and says what it cannot do" "$err" "still open with the old one"
fails "the old code authorises nothing more" 1 "does not open" \
    stepvault passwd --recovery-code-fd 5 --new-passphrase-fd 6 --kdf-time 0 5< "$scratch/code" 6<<< x
succeeds "the new one does" stepvault passwd --recovery-code-fd 5 --new-passphrase-fd 6 --kdf-time 0 \
    5< "$scratch/code2" 6<<< "$passphrase"
is "the log has what was replaced" "$(stepvault audit log --json | jq -r 'select(.action == "add-slot" and .replaces) | .outcome')" granted
fails "one key at a time" 2 "exclude" stepvault passwd --recovery-code-fd 5 --passphrase-fd 6 5<<< x 6<<< x
succeeds "slot remove by kind" stepvault slot remove recovery --passphrase-fd 5 5<<< "$passphrase"
has "says what it cannot do" "$err" "stepvault rekey"
fails "what is not there is not replaced" 4 "no recovery slot to replace" \
    stepvault slot add --recovery --replace --recovery-fd 6 --key-file "$scratch/machine.key" 6> "$scratch/code2"
is "and no code is shown for it" "$(wc -c < "$scratch/code2")" 0
fails "slot add --recovery wants a place for the code" 2 "give --recovery-fd N" stepvault slot add --recovery --key-file "$scratch/machine.key"
lacks "... and advises no option that it has not" "$err" --no-recovery
succeeds "slot add --recovery by the key file" \
    stepvault slot add --recovery --recovery-fd 6 --key-file "$scratch/machine.key" 6> "$scratch/code2"
fails "slot remove of what is not there" 4 "login" stepvault slot remove login --key-file "$scratch/machine.key"
fails "three digits are no id" 4 "4 digits" stepvault slot remove abc --key-file "$scratch/machine.key"
fails "passwd with the wrong passphrase" 1 "does not open" \
    stepvault passwd --passphrase-fd 5 --new-passphrase-fd 6 --kdf-time 0 5<<< wrong 6<<< new
succeeds "passwd" stepvault passwd --passphrase-fd 5 --new-passphrase-fd 5 --kdf-time 0 5<<< "$passphrase
battery staple"
has "says what it cannot do" "$err" "still open with the old one, and have the key of this vault: stepvault rekey"
stepvault lock
fails "the old passphrase" 1 "does not open" stepvault unlock --passphrase-fd 5 5<<< "$passphrase"
passphrase='battery staple'
succeeds "passwd on a locked vault, by the key file" \
    stepvault passwd --key-file "$scratch/machine.key" --new-passphrase-fd 5 --kdf-time 0 5<<< 'third'
passphrase='third'
echo "$passphrase" > "$scratch/pass"
is "leaves it locked" "$(stepvault status | sed -n 's/^state\t//p')" locked
succeeds "slot list by the key file" stepvault slot list --key-file "$scratch/machine.key"
succeeds "slot remove on a locked vault" stepvault slot remove "$(sed -n 's/^recovery\t\(......\).*/\1/p' <<< "$out")" \
    --passphrase-fd 5 5<<< "$passphrase"
is "the slots that are left" "$(stepvault slot list --key-file "$scratch/machine.key" | cut -f1 | sort | tr '\n' ' ')" \
    "machine passphrase "

# ---- the key file instead of an agent ----

is "a command by the key file" "$(stepvault env get EVERYWHERE --key-file "$scratch/machine.key")" x
is "by STEPVAULT_KEY_FILE" "$(STEPVAULT_KEY_FILE="$scratch/machine.key" stepvault env get EVERYWHERE)" x
mkdir "$scratch/credentials"
cp "$scratch/machine.key" "$scratch/credentials/stepvault.key"
is "by the credential of a unit" "$(CREDENTIALS_DIRECTORY="$scratch/credentials" stepvault env get EVERYWHERE)" x
is "env set by the key file" "$(printf y | stepvault env set ONCE --at jobs --key-file "$scratch/machine.key" &&
    stepvault env get ONCE --at jobs --key-file "$scratch/machine.key")" y
succeeds "audit verify by the key file" stepvault audit verify --key-file "$scratch/machine.key"
is "leaves no agent" "$(agents)" ""
is "and the vault locked" "$(stepvault status | sed -n 's/^state\t//p')" locked
fails "a key file that is not there" 4 "none.key" stepvault env list --key-file "$scratch/none.key"
head -c 32 /dev/zero > "$scratch/wrong.key"
fails "a key file that others may read" 1 "wrong.key" stepvault env list --key-file "$scratch/wrong.key"
chmod 600 "$scratch/wrong.key"
fails "a key file of another vault" 1 "does not open" stepvault env list --key-file "$scratch/wrong.key"
succeeds "unlock by the key file" stepvault unlock --key-file "$scratch/machine.key"
stepvault lock

export STEPVAULT_VAULT=$scratch/second.db
succeeds "init by a key file alone" stepvault init --key-file "$scratch/second.key" --no-recovery
is "makes a machine slot alone" "$(stepvault slot list | cut -f1)" machine
is "with a key file for it" "$(stat -c '%a %s' "$scratch/second.key")" "600 32"
succeeds "a passphrase may come later" stepvault slot add --passphrase --new-passphrase-fd 5 --kdf-time 0 \
    --key-file "$scratch/second.key" 5<<< "$passphrase"
stepvault lock
succeeds "and opens it" unlock
succeeds "a machine slot goes" stepvault slot remove machine --passphrase-fd 5 5<<< "$passphrase"
fails "the last slot stays" 1 "last" stepvault slot remove passphrase --passphrase-fd 5 5<<< "$passphrase"
stepvault lock
unset STEPVAULT_VAULT

succeeds "init with both" stepvault init --vault "$scratch/third.db" --key-file "$scratch/third.key" --passphrase-fd 5 \
    --no-recovery --kdf-time 0 5<<< "$passphrase"
is "makes both slots" "$(stepvault --vault="$scratch/third.db" slot list | cut -f1 | sort | tr '\n' ' ')" "machine passphrase "
stepvault lock --vault "$scratch/third.db"
if [ ! -d "/run/user/$(id -u)" ]; then
    fails "without a runtime folder unlock says so" 1 "XDG_RUNTIME_DIR" env -u XDG_RUNTIME_DIR stepvault unlock \
        --passphrase-fd 5 5<<< "$passphrase"
    succeeds "a key file does without" env -u XDG_RUNTIME_DIR stepvault init --vault "$scratch/fourth.db" \
        --key-file "$scratch/fourth.key" --no-recovery
    has "which init says" "$err" "no agent stays"
    succeeds "and so do commands" env -u XDG_RUNTIME_DIR stepvault step list --vault "$scratch/fourth.db" \
        --key-file "$scratch/fourth.key"
fi

# ---- on a terminal ----

shown=$(terminal "Passphrase: " wrong "Passphrase: " "$passphrase" -- stepvault unlock)
is "a second try at the prompt" "$?" 0
lacks "what is typed is not shown" "$shown" "$passphrase"
has "echo is on afterwards" "$shown" "echo: on"
stepvault lock
terminal "Passphrase: " a "Passphrase: " b "Passphrase: " c -- stepvault unlock > /dev/null
is "three tries at the prompt" "$?" 1
shown=$(terminal "Passphrase: " ^C -- stepvault unlock)
is "an interrupt ends it" "$?" 130
has "with echo on" "$shown" "echo: on"
is "and leaves no agent" "$(agents)" ""
shown=$(terminal "New passphrase: " abc "again: " abd -- stepvault init --vault "$scratch/fifth.db" --kdf-time 0)
is "two passphrases that differ" "$?" 1
has "are told so" "$shown" "differ"
shown=$(terminal "New passphrase: " abc "again: " abc -- stepvault init --vault "$scratch/fifth.db" --kdf-time 0)
is "init on a terminal" "$?" 0
is "shows the recovery code on a line of its own" "$(grep -cE '^([0-9A-Z]{4}-){8}[0-9A-Z]{4}$' <<< "$shown")" 1
shown=$(terminal "Value of TOKEN: " geheim -- stepvault env set TOKEN --at a --vault "$scratch/fifth.db")
is "a value is asked for" "$?" 0
lacks "and not shown" "$shown" geheim
is "env get ends with a newline there" "$(terminal -- stepvault env get TOKEN --at a --vault "$scratch/fifth.db" | head -1)" geheim
terminal "Value of" "" -- stepvault env set TOKEN --at a --vault "$scratch/fifth.db" > /dev/null
is "nothing typed is no value" "$?" 1
shown=$(terminal "Property" token "Value of token" geheim "Property" "" -- stepvault account add app --vault "$scratch/fifth.db")
is "properties are asked for" "$?" 0
lacks "and not shown, too" "$shown" geheim
has "tables have headings there" "$(terminal -- stepvault account list --vault "$scratch/fifth.db")" "ACCOUNT "

# ---- the launcher's commands by way of stepvault-manage ----

export STEPVAULT_VAULT=$scratch/third.db
try unlock
succeeds "step add for a run" stepvault step add jobs
home=$(getent passwd "$(id -u)" | cut -d: -f6)
# shellcheck disable=SC2016 # for the command's own shell
succeeds "run without HOME" env -u HOME stepvault-manage run jobs -- sh -c 'echo "$HOME"; ulimit -c'
is "has the home of the user database and the caller's limits" "$out" "$home
$(ulimit -c)"
fails "a HOME that is no absolute path is replaced once, not for ever" 125 vault \
    env -u STEPVAULT_VAULT HOME=relative timeout 10 stepvault run jobs -- true
succeeds "options before run" stepvault --vault "$STEPVAULT_VAULT" run jobs -- true
fails "a failure of run" 125 "nowhere" stepvault --vault "$STEPVAULT_VAULT" run nowhere -- true

finish
