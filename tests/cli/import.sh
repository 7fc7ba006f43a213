#!/bin/bash
# `stepvault env import`: each source with good and bad input, and what holds for all of them. The samples of Bitwarden's
# and 1Password's exports are written from their documentation (bitwarden.com/help/condition-bitwarden-import,
# support.1password.com/1pux-format) and from the test data of bitwarden/clients' importers.
# sanitize: yes
# limit: 240
# shellcheck disable=SC2016
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/fixture.bash
. "$here/fixture.bash"

import() { stepvault env import "$@"; }
# value NAME [PATH]: the exact bytes, in hexadecimal
value() { stepvault env get "$1" --at "${2:-/}" | od -An -v -tx1 | tr -d ' \n'; }
hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
names() { stepvault env list --all | cut -f1,2 | sort | tr '\t\n' ' ;'; }
# property ACCOUNT NAME, as a step gets it
property() {
    stepvault step add probe 2> /dev/null
    stepvault bind probe "$1" --as it --replace 2> /dev/null
    stepvault export probe 2> /dev/null | jq -r --arg name "$2" '.it[$name]'
}

imports() { stepvault audit log --json | grep -c '"import"'; }

# ---- .env ----

new_vault dotenv
cat > .env <<EOF
# keys
PLAIN=abc-$CANARY
export QUOTED=' two  words \$HOME \`id\` '   # a comment
DOUBLE="it's $CANARY"
EMPTY=
PEM='-----BEGIN KEY-----
$CANARY/+=
-----END KEY-----
'
EOF
succeeds "a .env file is imported" import .env --at app
has "what it was read as is said" "$err" ".env is read as a .env file, --dialect strict"
has "that docker would keep quotes is said" "$err" "the first in line 3; docker's --env-file would keep the quotes"
has "the counts are said" "$err" "5 added, 0 replaced, 0 unchanged"
lacks "and no value" "$err" "$CANARY"
is "a quoted value keeps blanks, dollar and backquotes" "$(value QUOTED app)" "$(hex " two  words \$HOME \`id\` ")"
is "so does a value of several lines" "$(value PEM app)" "$(sed -n "/^PEM/,\$p" .env | sed "s/PEM='//;\$d" | od -An -v -tx1 | tr -d ' \n')"
is "an empty value is one" "$(value EMPTY app)" ""
succeeds "the same again" import .env --at app
has "changes nothing" "$err" "0 added, 0 replaced, 5 unchanged"
before=$(stepvault env list --all)
fails "a line whose value the readers disagree on is refused with its number" 1 "standard input, line 2: TOKEN: a shell expands \$ in double quotes" \
    import - <<< "A=1
TOKEN=\"\$$CANARY\""
is "and nothing of the file is imported" "$(stepvault env list --all)" "$before"
printf 'TOKEN="$%s"\nUNIX=$HOME\n' "$CANARY" > node.env
succeeds "--dialect opts in to one reader" import node.env --at node --dialect node
is "and nothing is expanded" "$(value TOKEN node) $(value UNIX node)" "$(hex "\$$CANARY") $(hex '$HOME')"
fails "in no dialect is a command run" 1 "line 1: a shell runs what stands in backquotes" import - --dialect shell --format dotenv <<< "A=\`touch $scratch/ran\`"
[ ! -e "$scratch/ran" ]
report $? "it was not"
fails "a name set twice is refused" 1 "line 2: A is set again, after line 1" import - <<< $'A=1\nA=2'
fails "a line without a name does not show what it is" 1 "line 1: no = follows its name" import - <<< "$CANARY"
fails "a name that no variable has" 1 "line 1: its name has more in it than letters, digits and _" import - --format dotenv <<< 'spring.url=x'
lacks "is not helped by quotes" "$err" "in '...'"
fails "nor is a blank before the =" 1 "line 1: a shell runs a name with a blank behind it as a command; --dialect node, python would take it" import - --format dotenv <<< 'A = 1'
printf 'A=1\nB=$X\nC=%s\n%s\nD="a$\nb"\nA=2\nE=3\n' "$CANARY" "$CANARY" > bad.env
fails "of several refused lines the first is told, and how many there are" 1 "bad.env, line 2: B: a shell expands \$; in '...' all would read it alike; --dialect node, python, docker would take it; and 3 more, which --dry-run lists (--skip-refused leaves all of them out)" import bad.env
try import bad.env --dry-run
is "a dry run lists each, and what is not refused" "$status $(cut -f1,3,4 <<< "$out" | tr '\t\n' ':;')" \
    "1 B:refused:line 2;:refused:line 4;D:refused:line 5;:refused:line 7;C:new:line 3;E:new:line 8;"
has "with the reason" "$out" $'\tline 7\tA is set again, after line 1'
has "and says what it comes to" "$err" "4 of 6 entries are refused, so nothing would be imported"
lacks "and shows no value" "$out$err" "$CANARY"
is "none of it was imported" "$(stepvault env list --at bad)" ""
try import bad.env --at bad --dry-run --skip-refused
is "with --skip-refused they are left out" "$status $(cut -f3 <<< "$out" | sort | uniq -c | tr -s ' \n' ' ')" "0  4 left out 2 new "
succeeds "and the rest is imported" import bad.env --at bad --skip-refused
has "which is said" "$err" "4 entries are left out; --dry-run lists them with the reason"
is "of a name that was set twice neither" "$(stepvault env list --at bad | cut -f2 | tr '\n' ' ')" "C E "
fails "another value is still refused" 1 "C is placed at bad with another value" import - --at bad --skip-refused <<< 'C=2'
fails "NUL" 1 "line 1: a NUL byte" import - < <(printf 'A=b\0c\n')
fails "bytes that are not UTF-8" 1 "line 2: bytes that are not UTF-8" import - < <(printf 'B=1\nA=\xff\n')
succeeds "which the shell's dialect takes" import - --dialect shell --at bytes < <(printf 'A=\xff\xfe\n')
is "byte for byte" "$(value A bytes)" fffe
succeeds "a pipe is read, once" import <(printf "FIFO='%s'\n" "$CANARY") --at fifo
is "to its end" "$(value FIFO fifo)" "$(hex "$CANARY")"
fails "an unknown dialect" 2 "--dialect is one of strict|node" import .env --dialect bash
fails "an unknown format" 2 "--format is one of dotenv|json" import .env --format yaml
fails "a dialect where there is none" 2 "--dialect is for .env files" import - --dialect node <<< '{"A":"1"}'
fails "a file that is not there" 4 "cannot open none.env" import none.env
fails "a path that is none" 1 "" import .env --at ..
fails "a loader's name" 1 "standard input, line 2: LD_PRELOAD: the name steers the loader" import - <<< $'A=1\nLD_PRELOAD=/x'
succeeds "that is allowed" import - --allow-dangerous-name --at danger <<< 'LD_PRELOAD=/x'
fails "a name of ours" 1 "STEPVAULT_" import - <<< 'STEPVAULT_X=1'
fails "a value over 64 KiB" 1 "line 1: the value of BIG is larger than 64 KiB" import - < <(printf 'BIG='; head -c 65537 /dev/zero | tr '\0' x)
succeeds "one of 64 KiB" import - --at big < <(printf 'BIG='; head -c 65536 /dev/zero | tr '\0' x)
is "is whole" "$(stepvault env get BIG --at big | wc -c)" 65536

# ---- all or nothing; dry runs ----

new_vault whole
printf 'KEEP=1\nOTHER=%s\n' "$CANARY" | import - 2> /dev/null
before=$(stepvault env list --all)
fails "another value is refused without --replace, and named" 1 "OTHER is placed at / with another value (--replace replaces it)" import - <<< $'NEW=1\nKEEP=1\nOTHER=2'
is "and nothing is imported" "$(stepvault env list --all)" "$before"
try import - --dry-run <<< $'NEW=1\nKEEP=1\nOTHER=2'
is "a dry run says new, unchanged and refused" "$out" "$(printf 'NEW\t/\tnew\tline 1\t\nKEEP\t/\tunchanged\tline 2\t\nOTHER\t/\trefused\tline 3\tit is there with another value, and --replace was not given')"
is "and that it would fail" "$status" 1
try import - --dry-run --replace --json <<< $'NEW=1\nKEEP=1\nOTHER=2'
is "with --replace, as JSON" "$status $(jq -c '[.entries[] | [.name, .path, .outcome]]' <<< "$out")" \
    '0 [["NEW","/","new"],["KEEP","/","unchanged"],["OTHER","/","replaces"]]'
is "nothing has changed" "$(stepvault env list --all)" "$before"
is "not the value either" "$(value OTHER)" "$(hex "$CANARY")"
before=$(imports)
succeeds "the import itself" import - --replace --json <<< $'NEW=1\nKEEP=1\nOTHER=2'
is "counts" "$out" '{"added":1,"replaced":1,"unchanged":1,"left_out":0}'
is "it is one entry in the log" "$(($(imports) - before))" 1
holds "the vault holds"

# ---- JSON ----

new_vault json
printf '{"A": "1 %s", "B": "two\\nlines\\t\\u00e9"}' "$CANARY" > flat.json
succeeds "an object of strings" import flat.json
has "is known for JSON" "$err" "flat.json is read as json"
is "its values are exact" "$(value B)" "$(hex $'two\nlines\t\u00e9')"
printf '{"request_id": "x", "data": {"data": {"KV2": "%s"}, "metadata": {"version": 1}}}' "$CANARY" > kv2.json
printf '{"request_id": "x", "data": {"KV1": "%s"}}' "$CANARY" > kv1.json
printf '[{"key": "INF", "value": "%s", "type": "shared"}]' "$CANARY" > infisical.json
succeeds "vault kv get -format=json, version 2" import kv2.json
succeeds "and version 1" import kv1.json
succeeds "infisical's array" import infisical.json
is "all of them are there" "$(names)" "/ A;/ B;/ INF;/ KV1;/ KV2;"
fails "a number is not guessed to be a text" 1 "PORT (the object): its value is not a string" import - <<< '{"PORT": 8080, "X": "1"}'
fails "an object within is refused" 1 "NEST (the object): its value is not a string" import - <<< "{\"NEST\": {\"a\": \"$CANARY\"}}"
fails "null is refused" 1 "its value is not a string" import - <<< '{"N": null}'
fails "an array of something else" 1 "its element 1 is no object with key and value" import - <<< '[1]'
fails "what is no JSON" 1 "standard input is not JSON" import - <<< "{\"A\": \"$CANARY"
fails "a key twice" 1 "standard input is not JSON" import - <<< '{"A": "1", "A": "2"}'
fails "a NUL in a value" 1 "is not JSON" import - <<< '{"A": "a\u0000b"}'
fails "a key that is no name" 1 "a.b (the object)" import - <<< '{"a.b": "1"}'

# ---- a folder ----

new_vault folder
mkdir -p secrets/..2024_01 outside
printf '%s' "$CANARY  " > secrets/..2024_01/TRAILING
printf 'line\nline\n\n' > secrets/..2024_01/LINES
printf '\xff\xfe\x01' > secrets/BYTES
: > secrets/NOTHING
ln -s ..2024_01 secrets/..data
ln -s ..data/TRAILING secrets/TRAILING
ln -s ..data/LINES secrets/LINES
succeeds "a folder as Kubernetes mounts it" import secrets
has "is known for one" "$err" "secrets is read as folder"
is "its links within are followed, its dot names are none" "$(names)" "/ BYTES;/ LINES;/ NOTHING;/ TRAILING;"
is "blanks at the end are kept" "$(value TRAILING)" "$(hex "$CANARY  ")"
is "one newline at the end is not" "$(value LINES)" "$(hex $'line\nline\n.' | sed 's/2e$//')"
is "bytes are bytes" "$(value BYTES)" fffe01
is "an empty file is an empty value" "$(value NOTHING)" ""
succeeds "--raw keeps the newline" import secrets --raw --at raw
is "as it is" "$(value LINES raw)" "$(hex $'line\nline\n\n.' | sed 's/2e$//')"
printf '%s' "$CANARY" > outside/file
ln -s ../outside/file secrets/OUT
fails "a link out of the folder is refused" 1 "nothing is imported of secrets, read as folder: OUT (the file OUT): a symbolic link leads out of the folder" import secrets --at out
succeeds "--follow says otherwise" import secrets --at out --follow
is "and it is followed" "$(value OUT out)" "$(hex "$CANARY")"
rm secrets/OUT
ln -s /proc/self/environ secrets/OUT
fails "an absolute link is refused" 1 "leads out of the folder" import secrets --at out2
ln -sf OUT secrets/OUT
fails "a circle" 1 "lead in a circle" import secrets --at out2
ln -sf gone secrets/OUT
fails "a link to nothing" 1 "a symbolic link leads to nothing" import secrets --at out2
rm secrets/OUT
mkfifo secrets/PIPE
fails "a pipe is refused, and not waited for" 1 "PIPE (the file PIPE): it is no regular file" timeout 20 stepvault env import secrets --at out2
rm secrets/PIPE
mkdir secrets/SUB
fails "a folder within" 1 "SUB (the file SUB): it is a folder" import secrets --at out2
rmdir secrets/SUB
printf 'a\0b' > secrets/NUL
fails "a NUL byte" 1 "NUL (the file NUL): its value has a NUL byte in it" import secrets --at out2
rm secrets/NUL
: > secrets/tls.crt
fails "a file whose name no variable has" 1 "tls.crt (the file tls.crt)" import secrets --at out2
rm secrets/tls.crt
fails "a folder is no .env file" 1 "secrets is a folder, which --format dotenv does not read" import secrets --format dotenv
fails "and a file no folder" 1 "flat.json is no folder" import flat.json --format folder

# ---- pass ----

new_vault pass
export GNUPGHOME="$scratch/gnupg" PASSWORD_STORE_DIR="$scratch/store"
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key 'Test <t@example.com>' default default never 2> "$scratch/gpg.err" ||
    cat "$scratch/gpg.err"
pass init t@example.com > /dev/null 2>&1
enter() { pass insert -m "$1" > /dev/null 2>&1; }
printf '%s\n' "$CANARY-1" | enter billing/stripe-key
printf '%s\nuser: bob\napi url: https://x/?a=b\n' "$CANARY-2" | enter github
printf -- '-----BEGIN KEY-----\nProc-Type: 4,ENCRYPTED\n%s\n-----END KEY-----\n' "$CANARY" | enter ssh
printf '{\n"json": 1}\n' | enter json
printf '%s\notpauth://totp/x?secret=%s\n' "$CANARY" "$CANARY" | enter otp
mkdir "$scratch/tools"
printf '#!/bin/sh\n{ printf "%%s\\n" "$@"; env; } >> %s\nexec /usr/bin/gpg "$@"\n' "$scratch/gpg.saw" > "$scratch/tools/gpg"
chmod +x "$scratch/tools/gpg"
PATH="$scratch/tools:$PATH" succeeds "a password store" import "$PASSWORD_STORE_DIR"
has "is known for one" "$err" "is read as pass"
is "its entries are variables, and so are their key: value lines" "$(names)" \
    "/ BILLING_STRIPE_KEY;/ GITHUB;/ GITHUB_API_URL;/ GITHUB_USER;/ JSON;/ OTP;/ OTP_OTPAUTH;/ SSH;"
is "the first line is the secret" "$(value GITHUB) $(value GITHUB_API_URL)" "$(hex "$CANARY-2") $(hex 'https://x/?a=b')"
is "what has no such lines is whole" "$(value JSON)" "$(hex $'{\n"json": 1}')"
has "a private key, too" "$(stepvault env get SSH)" "-----END KEY-----"
has "gpg was given nothing but how" "$(head -6 "$scratch/gpg.saw" | tr '\n' ' ')" "--quiet --yes --batch --use-agent --decrypt "
lacks "no secret among its words and its environment" "$(cat "$scratch/gpg.saw")" "$CANARY"
printf 'x\n' | enter billing_stripe/key
fails "two entries of one name are refused, naming both" 1 "(the entry billing/stripe-key): the entry billing_stripe/key is the same" import "$PASSWORD_STORE_DIR" --replace
rm -r "$PASSWORD_STORE_DIR/billing_stripe"
printf '%s\nuser: bob\nremember the milk\n' "$CANARY" | enter mixed
fails "lines of both kinds are refused" 1 'MIXED (the entry mixed): some of its lines are `key: value` and some are not' import "$PASSWORD_STORE_DIR"
rm "$PASSWORD_STORE_DIR/mixed.gpg"
echo garbage > "$PASSWORD_STORE_DIR/broken.gpg"
fails "what gpg cannot decrypt is refused with what it said" 1 "broken (the entry broken): gpg does not decrypt it: gpg: " import "$PASSWORD_STORE_DIR"
rm "$PASSWORD_STORE_DIR/broken.gpg"
ln -s "$scratch/pass" "$PASSWORD_STORE_DIR/out.gpg"
fails "an entry that leads out of the store" 1 "out (the entry out): a symbolic link leads out of the folder" import "$PASSWORD_STORE_DIR"
rm "$PASSWORD_STORE_DIR/out.gpg"
fails "without gpg nothing can be read" 1 "cannot run gpg" env PATH="$bin" stepvault env import "$PASSWORD_STORE_DIR"
printf '#!/bin/sh\nsleep 0.4\nexec /usr/bin/gpg "$@"\n' > "$scratch/tools/gpg"
shown=$(PATH="$scratch/tools:$PATH" "$here/terminal.py" -- stepvault env import "$PASSWORD_STORE_DIR")
has "what takes long shows how far it is, on a terminal" "$shown" " of 5 entries decrypted"
gpgconf --kill all > /dev/null 2>&1
unset GNUPGHOME PASSWORD_STORE_DIR

# ---- Bitwarden ----

new_vault bitwarden
cat > bitwarden.json <<EOF
{"encrypted": false, "folders": [{"id": "f", "name": "work"}], "items": [
 {"id": "1", "organizationId": null, "folderId": "f", "type": 1, "reprompt": 0, "name": "GitHub", "notes": "backup $CANARY", "favorite": false,
  "fields": [{"name": "API Token", "value": "$CANARY-token", "type": 1, "linkedId": null}, {"name": "2fa on", "value": "true", "type": 2},
             {"name": "same", "value": null, "type": 3, "linkedId": 100}],
  "login": {"uris": [{"match": null, "uri": "https://github.com/login"}, {"match": null, "uri": "https://gist.github.com"}],
            "username": "bob@example.com", "password": "$CANARY-pw", "totp": "JBSWY3DP"}, "collectionIds": null},
 {"id": "2", "type": 2, "name": "STRIPE_KEY", "notes": "$CANARY\nsecond", "secureNote": {"type": 0}, "fields": []},
 {"id": "3", "type": 1, "name": "DB_PASSWORD", "notes": "of the old host", "login": {"username": "root", "password": "$CANARY-db", "totp": null, "uris": []}},
 {"id": "4", "type": 1, "name": "Acme Corp. (test)", "notes": null, "login": {"username": "", "password": "$CANARY", "totp": null}},
 {"id": "5", "type": 3, "name": "Visa", "notes": null, "card": {"number": "4111$CANARY"}},
 {"id": "6", "type": 2, "name": "Shopping list", "notes": "milk", "secureNote": {"type": 0}},
 {"id": "7", "type": 1, "name": "Shop", "notes": null, "login": {"uris": [{"uri": "https://shop.example.co.uk:8443/x?y"}], "username": "al ice", "password": "p", "totp": null}},
 {"id": "8", "type": 5, "name": "deploy key", "notes": null, "sshKey": {"privateKey": "-----BEGIN $CANARY", "publicKey": "ssh-ed25519 AA", "keyFingerprint": "SHA256:x"}},
 {"id": "9", "type": 1, "name": "Old", "deletedDate": "2024-01-01T00:00:00Z", "login": {"password": "x"}},
 {"id": "10", "type": 1, "name": "No secret", "login": {"username": "bob", "password": null, "uris": [{"uri": "https://x.org"}]}}
]}
EOF
try import bitwarden.json --dry-run
is "a dry run of Bitwarden's export shows each item" "$out" "$(printf '%s\t%s\t%s\t%s\t%s\n' \
    github:bob@example.com account new "item 1" "" \
    STRIPE_KEY / new "item 2" "" \
    DB_PASSWORD / new "item 3" "its other fields, addresses and notes are left out" \
    acme_corp_test:Acme-Corp.-test account new "item 4" "" \
    Visa "" "left out" "item 5" "a card or an identity" \
    "Shopping list" "" "left out" "item 6" "a note whose title is not a variable's name in capitals" \
    example:al-ice account new "item 7" "" \
    deploy_key:deploy-key account new "item 8" "" \
    Old "" "left out" "item 9" "it is in the trash" \
    "No secret" "" "left out" "item 10" "it holds no secret")"
lacks "and no value" "$out$err" "$CANARY"
is "nothing is imported yet" "$(names)$(stepvault account list)" ""
succeeds "the import" import bitwarden.json
has "says what is left out" "$err" "4 entries are left out; --dry-run lists them with the reason"
has "and counts" "$err" "6 added, 0 replaced, 0 unchanged"
is "notes and passwords are variables" "$(value STRIPE_KEY) $(value DB_PASSWORD)" "$(hex "$CANARY"$'\n'second) $(hex "$CANARY-db")"
is "logins are accounts" "$(property github:bob@example.com password) $(property github:bob@example.com totp) $(property github:bob@example.com api_token)" \
    "$CANARY-pw JBSWY3DP $CANARY-token"
is "with all their fields" "$(stepvault account show github:bob@example.com --json | jq -c '[.. | .properties? // empty] | flatten | map(.name? // .) | sort')" \
    '["api_token","fa_on","notes","password","totp","url","url_2","username"]'
is "an SSH key, too" "$(property deploy_key:deploy-key fingerprint)" "SHA256:x"
succeeds "again" import bitwarden.json
has "nothing changes" "$err" "0 added, 0 replaced, 6 unchanged"
for kind in '"encrypted": true, "passwordProtected": true, "data": "2.x"' '"encrypted": true, "encKeyValidation_DO_NOT_EDIT": "2.x", "items": []'; do
    fails "an encrypted export is refused" 1 "has to be exported as .json, not as .json (Encrypted)" import - <<< "{$kind}"
done
fails "two items of one account are refused, naming both" 1 "bee:x (item 1): item 2 is the same" import - <<< \
    '{"encrypted":false,"items":[{"type":1,"name":"Bee","login":{"username":"x","password":"1"}},{"type":1,"name":"bee","login":{"username":"x","password":"2"}}]}'
fails "a variable of two secrets is refused" 1 "TOKEN (item 1): its title names a variable, and it has several hidden fields" import - <<< \
    '{"encrypted":false,"items":[{"type":1,"name":"TOKEN","login":{"password":"1","totp":"2"}}]}'
fails "a title that gives no name" 1 "its title gives no name for an app or a label" import - <<< \
    '{"encrypted":false,"items":[{"type":1,"name":"\u00fc","login":{"password":"1"}}]}'
fails "a field that is there twice" 1 "its field token is there twice" import - <<< \
    '{"encrypted":false,"items":[{"type":1,"name":"x","login":{"password":"1"},"fields":[{"name":"token","value":"a","type":1},{"name":"Token","value":"b","type":1}]}]}'
fails "--format bitwarden of something else" 1 'has no array `items`' import flat.json --format bitwarden
is "none of that was imported" "$(stepvault account list | wc -l) $(names)" "4 / DB_PASSWORD;/ STRIPE_KEY;"

# ---- 1Password ----

new_vault 1password
printf 'Title,Url,Username,Password,OTPAuth,Favorite,Archived,Tags,Notes,pin\r\n"Slack, work",https://acme.slack.com,"bob ""b""",%s-1,otpauth://x,false,false,a;b,"two\r\nlines",1234\r\nOPENAI_API_KEY,,,%s-2,,false,false,,,\r\nOld,,,x,,false,true,,,\r\n' \
    "$CANARY" "$CANARY" > 1p.csv
succeeds "1Password's CSV" import 1p.csv
has "is known by its headings" "$err" "1p.csv is read as 1password"
is "it brings variables" "$(value OPENAI_API_KEY)" "$(hex "$CANARY-2")"
is "and accounts" "$(stepvault account list | cut -f1 | tr '\n' ' ')" "slack:bob-b "
is "with quoted fields as they are" "$(property slack:bob-b username) $(property slack:bob-b pin) $(property slack:bob-b notes | od -An -tx1 | tr -d ' \n')" \
    "bob \"b\" 1234 $(hex $'two\r\nlines\n')"
fails "a quote that is not closed" 1 "the record of line 2: a quote is not closed" import - --format 1password < <(printf 'Title,Password\n"a,%s\n' "$CANARY")
fails "a field too many" 1 "the record of line 2: 3 fields under 2 headings" import - < <(printf 'Title,Password\na,b,%s\n' "$CANARY")
fails "no headings" 1 "has no headings Title and Password" import - --format 1password < <(printf 'a,b\n')
cat > export.data <<EOF
{"accounts": [{"attrs": {"accountName": "Bob", "name": "Bob", "email": "b@example.com", "uuid": "A", "domain": "https://my.1password.com/"},
 "vaults": [{"attrs": {"uuid": "v", "desc": "", "name": "Personal", "type": "P"}, "items": [
  {"uuid": "1", "favIndex": 1, "createdAt": 1, "updatedAt": 2, "state": "active", "categoryUuid": "001",
   "details": {"loginFields": [{"value": "wendy", "id": "", "name": "username", "fieldType": "T", "designation": "username"},
                               {"value": "$CANARY-pw", "id": "", "name": "password", "fieldType": "P", "designation": "password"},
                               {"value": "Sign in", "id": "b", "name": "submit", "fieldType": "I", "designation": ""}],
               "notesPlain": "", "sections": [{"title": "More", "name": "s", "fields": [
                  {"title": "one-time password", "id": "TOTP_x", "value": {"totp": "otpauth://y"}},
                  {"title": "PIN", "id": "p", "value": {"concealed": "9876"}}, {"title": "since", "id": "d", "value": {"date": 1301918460}},
                  {"title": "mail", "id": "m", "value": {"email": {"email_address": "w@example.com", "provider": null}}}]}],
               "passwordHistory": [{"value": "$CANARY-old", "time": 1}]},
   "overview": {"subtitle": "", "title": "Dropbox", "url": "https://www.dropbox.com/", "urls": [{"label": "", "url": "https://www.dropbox.com/"}], "ps": 100, "tags": []}},
  {"uuid": "2", "state": "active", "categoryUuid": "112", "details": {"loginFields": [], "notesPlain": "My key", "sections": [{"title": "", "fields": [
      {"title": "username", "id": "username", "value": {"string": "api"}}, {"title": "credential", "id": "credential", "value": {"concealed": "$CANARY-api"}},
      {"title": "type", "id": "type", "value": {"menu": "jwt"}}, {"title": "hostname", "id": "hostname", "value": {"string": "h"}}]}]},
   "overview": {"title": "ACME_API_KEY", "url": ""}},
  {"item": {"uuid": "3", "trashed": false, "categoryUuid": "005", "details": {"loginFields": [], "password": "$CANARY-wifi", "sections": []}, "overview": {"title": "Printer", "url": ""}}},
  {"uuid": "4", "state": "archived", "categoryUuid": "001", "details": {"loginFields": []}, "overview": {"title": "Gone"}},
  {"uuid": "5", "state": "active", "categoryUuid": "002", "details": {"loginFields": [], "sections": []}, "overview": {"title": "Visa"}},
  {"uuid": "6", "state": "active", "categoryUuid": "114", "details": {"loginFields": [], "sections": [{"title": "", "fields": [
      {"title": "private key", "id": "private_key", "value": {"sshKey": {"privateKey": "-----BEGIN $CANARY", "metadata": {}}}}]}]}, "overview": {"title": "deploy"}}
 ]}]}]}
EOF
python3 -c "import zipfile; zipfile.ZipFile('x.1pux', 'w').write('export.data')"
fails "a .1pux itself is refused with what to do" 1 "\`unzip -p FILE export.data\` gives what can be imported" import x.1pux
unzip -p x.1pux export.data > piped
try import - --format 1password --dry-run --at team < piped
is "a dry run of its content" "$out" "$(printf '%s\t%s\t%s\t%s\t%s\n' \
    dropbox:wendy account new "item 1" "" ACME_API_KEY team new "item 2" "its other fields, addresses and notes are left out" \
    printer:Printer account new "item 3" "" Gone "" "left out" "item 4" "it is archived or in the trash" \
    Visa "" "left out" "item 5" "of a category that holds no account or secret of a program" deploy:deploy account new "item 6" "")"
succeeds "the import" import - --at team < piped
has "known for what it is" "$err" "standard input is read as 1password"
is "an API credential is a variable" "$(value ACME_API_KEY team)" "$(hex "$CANARY-api")"
is "a login an account" "$(property dropbox:wendy password) $(property dropbox:wendy totp) $(property dropbox:wendy pin) $(property dropbox:wendy mail)" \
    "$CANARY-pw otpauth://y 9876 w@example.com"
is "others, too" "$(property printer:Printer password) $(property deploy:deploy private_key)" "$CANARY-wifi -----BEGIN $CANARY"

# ---- locked, killed ----

new_vault keyed --key-file "$scratch/key"
stepvault lock
python3 -c "for i in range(3000): print(f'VAR_{i}=\"value {i} ' + 'x' * 500 + '\"')" > many.env
fails "a locked vault without a key" 3 "locked" env STEPVAULT_KEY_FILE= stepvault env import many.env --format dotenv
succeeds "with its key file the import opens it for itself, over many calls" import many.env --key-file "$scratch/key" --at many
is "all is there" "$(stepvault env list --at many --key-file "$scratch/key" | wc -l)" 3000
stepvault unlock --key-file "$scratch/key"
for delay in 0.02 0.06 0.12; do
    import many.env --at "killed" > /dev/null 2>&1 &
    sleep "$delay"
    kill -9 $! 2> /dev/null
    wait $! 2> /dev/null
    left=$(stepvault env list --at killed | wc -l)
    case $left in 0 | 3000) report 0 "kill -9 of the import after $delay s leaves all or nothing" ;; *) report 1 "kill -9 leaves $left" ;; esac
done
import many.env --at agent > /dev/null 2>&1 &
sleep 0.08
end_agents
wait $!
while [ -n "$(agents)" ]; do sleep 0.02; done
succeeds "after kill -9 of the agent the vault opens again" stepvault unlock --key-file "$scratch/key"
left=$(stepvault env list --at agent | wc -l)
case $left in 0 | 3000) report 0 "kill -9 of the agent leaves all or nothing" ;; *) report 1 "kill -9 of the agent leaves $left" ;; esac
holds "the vault holds after that"
# An agent that answers so many calls and is gone.
gone() {
    [ -d "$scratch/run/gone" ] || mkdir -m 700 "$scratch/run/gone"
    rm -f "$scratch/run/gone/socket"
    python3 -c '
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + ".new"); os.chmod(sys.argv[1] + ".new", 0o600); listener.listen(); os.rename(sys.argv[1] + ".new", sys.argv[1])
connection, left, seen = listener.accept()[0], int(sys.argv[2]), b""
while left > 0:
    part = connection.recv(65536)
    if not part: break
    seen += part
    while left > 0 and b"\0" in seen:
        seen = seen.split(b"\0", 1)[1]
        connection.sendall(b"{\"parameters\":{\"staged\":1,\"added\":0,\"replaced\":0,\"unchanged\":0}}\0")
        left -= 1
if sys.argv[3:]: # the last call is read, and not answered
    while b"\0" not in seen: seen += connection.recv(65536)
' "$scratch/run/gone/socket" "$@" &
    while [ ! -S "$scratch/run/gone/socket" ]; do sleep 0.02; done
}
over() { env STEPVAULT_SOCKET="$scratch/run/gone/socket" stepvault env import - "$@" < five.env; }
python3 -c "for i in range(5): print(f'VAR_{i}=' + 'x' * 20000)" > five.env
gone 1
fails "an agent that ends in the middle" 1 "the connection to the agent ended during the import, so nothing of it is imported" over
lacks "... is no reason to change folders" "$err" XDG_RUNTIME_DIR
gone 4 last
fails "one that ends over the commit may have done it" 1 "the connection to the agent ended before it said whether the import is in the vault" over
gone 4 last
fails "a dry run has done nothing" 1 "the connection to the agent ended during the import, so nothing of it is imported" over --dry-run
before=$(names | md5sum)
exec 7> >(exec stepvault env import - --at half 2> "$scratch/half")
half=$!
cat many.env >&7
kill -9 "$half"
exec 7>&-
is "an import whose input has not ended has sent nothing" "$(names | md5sum)" "$before"
finish
