#!/bin/bash
# The catalogue as a person meets it: app list and show for every entry, accounts held to it, own apps, and connect on a
# terminal. `tests/lint/catalogue` compares the entries with what was found out about the providers.
# sanitize: yes
# limit: 240
# shellcheck disable=SC2016 # those are for another shell, or jq
here=$(cd "$(dirname "$0")" && pwd)
. "$here/fixture.bash"
apps=$here/../../vault/catalog/apps
terminal() { "$here/terminal.py" "$@"; }
own=$HOME/.config/stepvault/apps
mkdir -m 700 "$HOME/.config" "$HOME/.config/stepvault" "$own"
entries() { find "$apps" -name '*.json' -printf '%f\n' | sed 's/\.json$//' | LC_ALL=C sort; }

# ---- app list and show; without a vault ----

is "app list has every entry" "$(stepvault app list | cut -f1)" "$(entries)"
is "... with its methods" "$(stepvault app list | sed -n 's/^github\t//p')" $'GitHub\toauth, github_app, pat\t'
is "... and as JSON" "$(stepvault app list --json | jq -c '.apps | map(select(.slug == "github"))')" \
    '[{"slug":"github","title":"GitHub","methods":["oauth","github_app","pat"],"own":false}]'
has "... with headings on a terminal" "$(terminal -- stepvault app list)" "APP "

unanswered=
for slug in $(stepvault app list | cut -f1); do
    { echo "== $slug" && stepvault app show "$slug"; } >> "$scratch/texts" 2>&1 || unanswered+=" $slug"
    stepvault app show "$slug" --json >> "$scratch/documents" 2>&1 || unanswered+=" $slug --json"
done
is "app show answers for every entry, as text and as JSON" "$unanswered" ""
is "... each with a document" "$(jq -r .app.slug "$scratch/documents")" "$(entries)"
# What OAuth gives goes without saying in the entries.
is "... with the entry's methods and fields in their order" \
    "$(sed -n 's/^== //p; s/^\([a-z_0-9]*\tkind\t[a-z_0-9]*\)$/\1/p; s/^\([a-z_0-9]*\tproperty\t[A-Za-z0-9_-]*\).*/\1/p' "$scratch/texts" |
        grep -vP '\tproperty\toauth_(access_token|refresh_token|client_id|uid)$' | md5sum)" \
    "$(entries | sed "s|.*|$apps/&.json|" | xargs jq -r '.slug, (.methods | to_entries[] | "\(.key)\tkind\t\(.value.kind)", (.key as $m | .value.fields // {} | keys_unsorted[] | "\($m)\tproperty\t\(.)"))' |
        grep -vP '\tproperty\toauth_(access_token|refresh_token|client_id|uid)$' | md5sum)"
facts='[.kind, .title, .docs, .request, .test, .whoami, .scopes, .notes, .sources]'
is "... and with all that it says, as JSON" \
    "$(jq -c ".app.slug as \$s | .app.methods[] | [\$s, .name, ${facts}[]]" "$scratch/documents" | md5sum)" \
    "$(entries | sed "s|.*|$apps/&.json|" | xargs jq -c ".slug as \$s | .methods | to_entries[] | [\$s, .key, (.value | ${facts}[])]" | md5sum)"
is "... and OAuth facts for every method of OAuth" \
    "$(jq -r '.app.slug as $s | .app.methods[] | select(.kind == "oauth2" and (.oauth | has("token_url") | not)) | $s' "$scratch/documents")" ""
is "the OAuth of another app is shown where it is meant" "$(stepvault app show google_sheets --json | jq -r '.app.methods[0].oauth.token_url')" \
    https://oauth2.googleapis.com/token
has "text has it, too" "$(stepvault app show google_sheets)" $'oauth token_url\thttps://oauth2.googleapis.com/token'
is "--method shows one" "$(stepvault app show github --method pat | cut -f1 | sort -u | tr '\n' ' ')" " pat "
is "... as JSON" "$(stepvault app show github --method pat --json | jq -c '[.app.methods[].name]')" '["pat"]'
has "what connect does is said" "$(stepvault app show github --method oauth)" $'oauth\tconnect by\ta browser, a code typed in on another device'
has "... and what a client is to be registered with" "$(stepvault app show github --method oauth)" \
    $'oauth\tregister with\tthe redirect URI http://127.0.0.1/callback'
has "... with its ports where the provider compares them" "$(stepvault app show box)" \
    $'oauth\tregister with\tthe redirect URI http://127.0.0.1:28710/callback, or with port 28711 or 28712'
has "... with another host" "$(stepvault app show salesforce_rest_api)" "http://localhost:28710/callback"
has "... or none of this machine" "$(stepvault app show slack)" $'oauth\tregister with\tan https:// redirect URI of yours'
has "what needs no browser registers nothing" "$(stepvault app show tailscale)" $'oauth\tconnect by\tthe client\'s id and secret alone'
lacks "... indeed" "$(stepvault app show tailscale)" "redirect URI"
has "what needs code is said, too" "$(stepvault app show google_cloud)" $'service_account\tconnect by\tnothing yet'
is "the same as JSON" "$(stepvault app show microsoft --json | jq -c '.app.methods[0] | [.grants, .redirect_uris, .scopes]')" \
    '[["authorization_code","device_code","client_credentials"],["http://localhost/callback"],["User.Read"]]'
fails "a method that is not there is met with the nearest" 4 "did you mean pat?" stepvault app show github --method par
fails "an app that is not there is met with the nearest" 4 "did you mean github?" stepvault app show githb
fails "... if there is one" 4 "the catalogue has no app frobnicate" stepvault app show frobnicate
is "a - is taken as _" "$(stepvault app show google-drive | sed -n 's/^\tapp\t//p')" google_drive
is "another name is taken for the slug" "$(stepvault app show telegram | sed -n 's/^\tapp\t//p')" telegram_bot_api
fails "what is no app's name" 1 "not a valid app name" stepvault app show ../github

# ---- account add ----

new_vault catalogue
is "the old way" "$(printf '{"oauth_access_token":"%s"}' "$CANARY" | stepvault account add slack 2>&1)" slack:default
fails "a required property that is missing" 1 "an account of slack (method oauth) needs oauth_access_token" \
    stepvault account add slack --label two < <(printf '{"token":"%s"}' "$CANARY")
fails "... or empty" 1 "needs oauth_access_token" stepvault account add slack --label two <<< '{"oauth_access_token":""}'
fails "several that are missing" 1 "needs subdomain, email" stepvault account add zendesk --method token < <(printf '{"api_token":"%s"}' "$CANARY")
succeeds "one beyond the catalogue is taken" stepvault account add slack --label two < <(printf '{"oauth_access_token":"%s","team_name":"x","oauth_uid":"U1"}' "$CANARY")
is "... with a note, and what OAuth gives needs none" "$err" \
    "stepvault: the catalogue does not know of team_name for slack (method oauth); kept all the same"
is "... and kept" "$(stepvault account show slack:two --json | jq -c .account.properties)" '["oauth_access_token","team_name","oauth_uid"]'
succeeds "an app that the catalogue does not have takes any" stepvault account add in_house < <(printf '{"anything":"%s"}' "$CANARY")
is "... without a word" "$err" ""
succeeds "one that is nearly spelled as one of ours, too" stepvault account add githb < <(printf '{"anything":"%s"}' "$CANARY")
has "... with a note" "$err" "did you mean github?"
fails "... but it has no methods" 4 "the catalogue has no app in_house" stepvault account add in_house --method pat <<< '{}'
is "a - is written as _" "$(printf '{"oauth_access_token":"%s"}' "$CANARY" | stepvault account add google-drive)" google_drive:default
is "... and found by either" "$(stepvault account show google-drive --json | jq -r .account.app) $(stepvault account show google-drive:default --json | jq -r .account.app)" \
    "google_drive google_drive"
is "... by a list of the app's accounts, too" "$(stepvault account list google-drive --json | jq -rc '[.accounts[].app]') $(stepvault account list google-drive | wc -l)" \
    '["google_drive"] 1'
is "... and by the log's filter" "$(stepvault audit log --account google-drive --json | jq -r .action | sort -u)" add-account
succeeds "... also to bind it" stepvault bind jobs google-drive
is "... under the alias that code reads" "$(stepvault run jobs -- sh -c 'echo "$GOOGLE_DRIVE_OAUTH_ACCESS_TOKEN"')" "$CANARY"
fails "what is not there by either is named as it was typed" 4 "there is no account of no-such-app" stepvault account show no-such-app
fails "a value that does not fit its pattern" 1 "the value of subdomain does not fit the pattern" \
    stepvault account add zendesk --method token < <(printf '{"subdomain":"evil.example/%s","email":"a@b","api_token":"x"}' "$CANARY")
fails "a value that is none of those there are" 1 "the value of environment is not one of sandbox, development, production" \
    stepvault account add plaid < <(printf '{"environment":"%s","client_id":"a","client_secret":"b"}' "$CANARY")
succeeds "what has a default need not be given" stepvault account add datadog < <(printf '{"api_key":"%s","application_key":"b"}' "$CANARY")
is "... and is kept" "$(stepvault bind jobs datadog; stepvault run jobs -- sh -c 'echo "$DATADOG_REGION"')" datadoghq.com

# ---- which method ----

added() { printf '%s' "$2" | stepvault account add "$1" --label "$3" "${@:4}" 2>&1; }
has "the method is the one that the properties fit" "$(added twilio '{"AccountSid":"AC00000000000000000000000000000000","AuthToken":"x","foo":"y"}' a)" "(method auth_token)"
has "... another" "$(added twilio '{"AccountSid":"AC00000000000000000000000000000000","Sid":"SK00000000000000000000000000000000","Secret":"x","foo":"y"}' b)" "(method api_key)"
has "... of several the one that knows the most of them" "$(added upstash_redis '{"upstash_redis_rest_url":"https://a.example","uptash_redis_rest_token":"x","email":"e","management_api_key":"k","foo":"y"}' c)" "(method rest)"
fails "none that fits is said with what each needs" 1 "auth_token needs AuthToken; api_key needs Sid, Secret" \
    stepvault account add twilio --label d <<< '{"AccountSid":"AC00000000000000000000000000000000"}'
fails "--method names one" 1 "needs Sid, Secret" stepvault account add twilio --method api_key --label d <<< '{"AccountSid":"AC00000000000000000000000000000000"}'
fails "... of the app's" 4 "github has no method password; it has oauth, github_app, pat" stepvault account add github --method password <<< '{"oauth_access_token":"x"}'
is "one property name for every method that code need not tell apart" "$(added github '{"oauth_access_token":"x"}' pat --method pat)" github:pat
fails "... or one near it" 4 "github has no method pta; did you mean pat?" stepvault app show github --method pta
succeeds "account set is not held to the catalogue" stepvault account set github:pat <<< '{"other":"x"}'
succeeds "nor is a property that may be a slip" stepvault account set github:pat oauth_acess_token <<< x
is "but it is said" "$err" "stepvault: the catalogue does not know of oauth_acess_token for github; kept all the same; did you mean oauth_access_token?"
succeeds "one that some method has" stepvault account set github:pat oauth_refresh_token <<< x
is "is not" "$err" ""

# ---- connect ----

is "connect takes the fields of a key" "$(printf '{"api_key":"%s"}' "$CANARY" | stepvault connect openai)" openai:default
fails "... with a label only if there is none" 1 "--label" stepvault connect openai <<< '{"api_key":"x"}'
is "... else under it" "$(stepvault connect openai --label two <<< '{"api_key":"x"}')" openai:two
is "a client is added" "$(stepvault client add dropbox --client-id C1 2> "$scratch/err" <<< "$CANARY")" dropbox:default
is "... kept" "$(stepvault client list dropbox)" $'dropbox:default\tC1\tyes\t\t'
lacks "... without a word of its secret" "$(stepvault client list --json)$(stepvault audit log --json)" "$CANARY"
fails "... once" 1 "dropbox:default" stepvault client add dropbox --client-id C2 --public < /dev/null
succeeds "... or replaced" stepvault client add dropbox --client-id C2 --public --replace --redirect-uri https://me.example/cb
is "... by another" "$(stepvault client list)" $'dropbox:default\tC2\tnone\thttps://me.example/cb\t'
fails "... of those that there are" 4 "dropbox" stepvault client remove dropbox:other
succeeds "... removed" stepvault client remove dropbox
is "... so that none is left" "$(stepvault client list)" ""
fails "what is fetched needs a client, whatever stands on stdin" 4 "there is no client of yours for slack" \
    stepvault connect slack --label three < <(printf '{"oauth_access_token":"%s"}' "$CANARY")
fails "properties that only a fetched method has are not taken for it" 1 "stepvault account add zendesk --method oauth" \
    stepvault connect zendesk --label three < <(printf '{"oauth_access_token":"%s","subdomain":"acme"}' "$CANARY")
is "the properties choose a method that needs none" "$(stepvault connect github --label two <<< '{"oauth_access_token":"x"}')" github:two
fails "... unless --method says otherwise" 4 "there is no client" stepvault connect github --method oauth --label three <<< '{"oauth_access_token":"x"}'
fails "a required property that is missing for connect" 1 "needs api_key" stepvault connect openai --label three <<< '{}'
is "an app unknown to the catalogue takes any there, too" "$(stepvault connect house <<< '{"x":"y"}')" house:default

# ---- on a terminal ----

shown=$(terminal "Method (oauth, token) [oauth]: " token "Subdomain" acme "E-mail" me@example.com "API token (api_token): " "$CANARY-typed" -- \
    stepvault connect zendesk)
is "connect asks for the method and its fields" "$?" 0
has "... and says what became of it" "$shown" "zendesk:default"
lacks "... a hidden one is not shown" "$shown" "$CANARY"
has "... another is" "$shown" "me@example.com"
has "... with its example" "$shown" "Subdomain, the part before .zendesk.com (subdomain), such as acme: "
is "... and all of them are there" "$(stepvault account show zendesk --json | jq -c .account.properties)" '["subdomain","email","api_token"]'
shown=$(terminal "Method (" "" "Site (region)" "" "API key" k "Application key" a -- stepvault account add datadog --label typed)
is "nothing typed takes the default" "$?" 0
has "... which was offered" "$shown" "Site (region) [datadoghq.com]: "
shown=$(terminal "Site (" "a b" "Site (" "evil/" "Site (" "x y" -- stepvault connect datadog --method api_key --label no)
is "what does not fit is asked for again, and refused in the end" "$?" 1
has "... as it is not finished" "$shown" "does not fit the pattern"
shown=$(terminal "Project" acme "E-mail" e "Private key" k "Database URL" "" -- stepvault account add firebase_admin_sdk)
is "an optional one may be left out" "$?" 0
is "... and is not there" "$(stepvault account show firebase_admin_sdk --json | jq -c .account.properties)" '["projectId","clientEmail","privateKey"]'
shown=$(terminal "API key (api_key): " "" "API key (api_key): " "" "API key (api_key): " "" -- stepvault connect openai --label none)
is "a required one may not" "$?" 1
has "... and is named" "$shown" "the value of api_key is empty"
shown=$(terminal "API key (api_key): " "^C" -- stepvault connect openai --label none)
is "SIGINT at a hidden prompt ends it" "$?" 130
has "... with the echo on again" "$shown" "echo: on"
fails "... and nothing was added" 4 "openai:none" stepvault account show openai:none
shown=$(terminal -- stepvault connect slack --label none)
is "what is fetched asks for nothing without a client" "$?" 4
has "... and says so" "$shown" "there is no client of yours for slack"
shown=$(terminal "Access token (oauth_access_token): " "$CANARY" -- stepvault account add slack --label typed)
is "account add asks for its token" "$?" 0
shown=$(terminal "Method (" nonsense -- stepvault account add github --label none)
is "a method that is none" "$?" 1
has "... is met with those that are" "$shown" "it has oauth, github_app, pat"
shown=$(terminal "Property (empty" key "Value of key" "$CANARY" "Property (empty" "" -- stepvault connect elsewhere)
is "an app unknown to the catalogue is asked for any" "$?" 0

# ---- completion ----

words() { stepvault __complete -- "$@" | tail -n +2 | cut -f 1 | paste -sd ' '; }
is "apps of the catalogue are completed where accounts are made" "$(words account add goo)" \
    "google google_ads google_analytics google_calendar google_cloud google_docs google_drive google_forms google_gemini google_sheets"
is "... and for connect and app show" "$(words connect slack_) $(words app show slack_)" "slack_bot slack_v2 slack_bot slack_v2"
is "... and elsewhere those that have an account" "$(words account list sl)" slack
is "methods are completed, too" "$(words connect github --method '')" "oauth github_app pat"
is "... one as well with =" "$(words connect github --method=g)" "--method=github_app"
is "... of an app that there is" "$(words connect frobnicate --method '')" ""

# ---- own apps ----

entry() {
    printf '{"slug":"%s","title":"Ours","methods":{"key":{"kind":"api_key","title":"key","fields":{"house_key":{"title":"House key"}},' "$1"
    printf '"request":{"base":"https://api.example","headers":{"X-Key":"{house_key}"}}}}%s}' "${2-}"
}
entry intern > "$own/intern.json"
is "an own app is completed" "$(words connect inter)" "intercom intern"
is "... listed" "$(stepvault app list | grep '^intern')" $'intern\tOurs\tkey\town'
has "... shown" "$(stepvault app show intern)" $'key\tproperty\thouse_key (hidden): House key'
is "... and said to be one" "$(stepvault app show intern --json | jq .app.own)" true
fails "... and holds accounts to itself" 1 "needs house_key" stepvault account add intern <<< '{"x":"y"}'
is "... as ours do" "$(stepvault connect intern <<< '{"house_key":"y"}')" intern:default
entry github > "$own/github.json"
fails "one of a slug of ours must say that it overrides" 1 'the file says "overrides": true' stepvault app show github
is "... and the rest goes on" "$(stepvault app list 2> "$scratch/err" | grep -c .)" $(($(entries | wc -l) + 1))
has "... with a note" "$(cat "$scratch/err")" "github.json: the catalogue has an app github"
entry github ',"overrides":true' > "$own/github.json"
is "... then it does" "$(stepvault app show github | sed -n 's/^\ttitle\t//p')" Ours
rm "$own/github.json"
entry intern ',"colour":"red"' > "$own/broken.json"
fails "a bad one is named with the reason" 1 'apps/broken.json: has a member "colour" that is not known' stepvault app show broken
fails "... also where it is to be used" 1 "apps/broken.json" stepvault account add broken <<< '{"x":"y"}'
is "... and the others go on" "$(stepvault app list 2> "$scratch/err" | grep -c '^intern')" 1
is "... the bad one named once" "$(grep -c broken.json "$scratch/err")" 1
rm "$own/broken.json"
chmod 666 "$own/intern.json"
fails "one that others can write is refused" 1 "intern.json can be written by others (mode 0666)" stepvault account add intern --label two <<< '{"house_key":"y"}'
chmod 600 "$own/intern.json"
chmod 777 "$own"
fails "... and so is what is in a folder that they can" 1 "is open to others (mode 0777)" stepvault app show intern
succeeds "... but not what is not" stepvault app show github
chmod 700 "$own"
head -c 70000 /dev/zero | tr '\0' ' ' > "$own/large.json"
fails "one that is too large" 1 "is larger than 65536 bytes" stepvault app show large
mkfifo "$own/pipe.json"
fails "one that is no file" 1 "pipe.json is not a regular file" stepvault app show pipe
rm "$own/large.json" "$own/pipe.json"
export XDG_CONFIG_HOME=$scratch/elsewhere
is "XDG_CONFIG_HOME says where they are" "$(stepvault app list | grep -c '^intern')" 0
unset XDG_CONFIG_HOME
holds "the log and every row verify"

# ---- the build's own check ----

check() { "$bin/../host/catalog" "$@" > "$scratch/source"; }
mkdir "$scratch/apps"
cp "$apps"/{github,google,gmail}.json "$scratch/apps"
succeeds "the build takes what is right" check "$scratch/apps"/{github,gmail,google}.json
is "... and makes a table of it" "$(grep -c '^    {"' "$scratch/source")" 3
refuses() {
    try check "${@:3}"
    [ "$status" = 1 ] && [ "$(wc -l < "$scratch/err")" = 1 ] && [[ $err == *"$2"* ]]
    report $? "$1"
}
refuses "... but no OAuth of an app that is not there" "gmail: there is no app google" "$scratch/apps"/{github,gmail}.json
refuses "... no other order" "github.json does not follow" "$scratch/apps"/{google,github}.json
cp "$scratch/apps/github.json" "$scratch/apps/gitea.json"
refuses "... no file of another name" "gitea.json: the slug in it is github" "$scratch/apps/gitea.json"
entry a ',"also":["b"]' > "$scratch/apps/a.json"
entry b > "$scratch/apps/b.json"
refuses "... no name twice" "a: another app is called b" "$scratch/apps"/{a,b}.json
entry a ',"overrides":true' > "$scratch/apps/a.json"
refuses "... nothing that only a user's own may say" "a.json: overrides is for the user's own apps" "$scratch/apps/a.json"
sed 's/https:/http:/' "$scratch/apps/b.json" > "$scratch/apps/c.json"
refuses "... and nothing that the schema does not have" "c.json: methods.key.request.base does not begin with https://" "$scratch/apps/c.json"
refuses "... of all of them the first" "c.json" "$scratch/apps"/{c,gitea}.json

finish
