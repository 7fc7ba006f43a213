#!/bin/bash
# What a person sees of connecting an account, against an agent that plays the provider's part: addresses, codes and
# browsers, pasting, SSH, labels and identities, clients. The real agent and helper are in tests/oauth.
# sanitize: yes
# shellcheck disable=SC2016 # what stands in single quotes is for jq and other shells
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=fixture.bash
. "$here/fixture.bash"

mkdir -m 700 "$scratch/agent"
export STEPVAULT_VAULT="$scratch/vault.db" STEPVAULT_SOCKET="$scratch/run/agent.sock"
touch "$scratch/vault.db"
unset SSH_CONNECTION SSH_TTY SSH_CLIENT DISPLAY WAYLAND_DISPLAY BROWSER XDG_CONFIG_HOME
terminal() { /usr/bin/python3 "$here/terminal.py" "$@" 2>&1; }

url='https://dropbox.com/oauth/v2/authorize?client_id=C1&state=s%2Bt'
usual='{
  "ListClients": {"clients": [{"app": "dropbox", "label": "default", "client_id": "C1", "public": false, "accounts": ["dropbox:a", "dropbox:b"]},
                              {"app": "zendesk", "label": "default", "client_id": "Z1", "public": false, "accounts": ["dropbox:a", "dropbox:b"]},
                              {"app": "github", "label": "default", "client_id": "G1", "public": false, "accounts": ["dropbox:a", "dropbox:b"]},
                              {"app": "google", "label": "default", "client_id": "G2", "public": false, "accounts": ["dropbox:a", "dropbox:b"]},
                              {"app": "google", "label": "work", "client_id": "G3", "public": false, "accounts": ["dropbox:a", "dropbox:b"]}]},
  "ListAccounts": {"accounts": []},
  "Connect": {
    "any": [{"notice": {"notice": "open", "url": "https://dropbox.com/oauth/v2/authorize?client_id=C1&state=s%2Bt",
                        "redirect_uri": "http://127.0.0.1:4100/callback", "port": 4100}},
            {"last": {"identity": {"id": "U1", "name": "ann@example.com"}, "properties": ["oauth_access_token"], "scopes": "chat:write"}}],
    "device": [{"notice": {"notice": "code", "url": "https://github.com/login/device", "code": "ABCD-1234", "seconds": 900}},
               {"last": {"identity": {"id": "7", "name": "ann"}, "properties": ["oauth_access_token"]}}]},
  "KeepAccount": {"account": {"id": "aa11", "app": "dropbox", "label": "default", "properties": ["oauth_access_token"]}}
}'
# play JQ: the usual, changed by a program of jq.
play() {
    jq "${1:-.}" <<< "$usual" > "$scratch/agent/play.new" && mv "$scratch/agent/play.new" "$scratch/agent/play.json"
    : > "$scratch/agent/requests.jsonl"
}
asked() { jq -rc "select(.method == \"io.stepvault.Agent.$1\") | .parameters | $2" < "$scratch/agent/requests.jsonl"; }
methods() { jq -r '.method // empty' < "$scratch/agent/requests.jsonl" | sed 's/.*\.//' | paste -sd ' '; }
play
/usr/bin/python3 "$here/connect_agent.py" "$scratch/agent" "$STEPVAULT_SOCKET" &
for _ in $(seq 200); do [ -S "$STEPVAULT_SOCKET" ] && break; sleep 0.05; done

# A browser that writes down how it was started.
mkdir "$scratch/browsers"
export OPENED="$scratch/opened"
cat > "$scratch/browsers/browser" << 'SCRIPT'
#!/bin/sh
{ printf '%s\n' "$0" "$@"; env | grep -E '^(STEPVAULT_|CREDENTIALS_)'; ls /proc/self/fd | wc -l; } > "$OPENED.new"
mv "$OPENED.new" "$OPENED"
SCRIPT
printf '#!/bin/sh\nexit 3\n' > "$scratch/browsers/refuses"
cp "$scratch/browsers/browser" "$scratch/browsers/xdg-open"
chmod 755 "$scratch/browsers"/*
export PATH="$scratch/browsers:$PATH"
# What was opened; empty where nothing is within the time that a refusal takes.
opened() {
    for _ in $(seq "${1:-100}"); do [ -e "$OPENED" ] && break; sleep 0.02; done
    cat "$OPENED" 2>/dev/null
    rm -f "$OPENED"
}

# ---- clients ----

play '.AddClient = {client: {app: "dropbox", label: "default", client_id: "C1", public: false}}'
is "client add takes the secret from stdin" "$(stepvault client add dropbox --client-id C1 2> "$scratch/err" <<< "$CANARY")" dropbox:default
is "... and sends it" "$(asked AddClient '[.app, .client_id, .client_secret, .label]')" '["dropbox","C1","'$CANARY'",null]'
has "... and says which redirect URI to register" "$(cat "$scratch/err")" "register the client with the provider with the redirect URI http://127.0.0.1"
play '.AddClient = {client: {app: "dropbox", label: "two", client_id: "C2", public: false}}'
is "... or from a descriptor" "$(stepvault client add dropbox --label two --client-id C2 --secret-fd 4 --redirect-uri https://me.example/cb 4<<< "$CANARY" 2> "$scratch/err")" dropbox:two
is "... a line of it" "$(asked AddClient '[.label, .client_secret, .redirect_uri]')" '["two","'$CANARY'","https://me.example/cb"]'
has "... with the redirect URI that it has" "$(cat "$scratch/err")" "the redirect URI https://me.example/cb"
play '.AddClient = {client: {app: "dropbox", label: "default", client_id: "C1", public: true}}'
is "... or none, of a public client" "$(stepvault client add dropbox --client-id C1 --public < /dev/null 2> "$scratch/err")" dropbox:default
is "... and sends none" "$(asked AddClient 'has("client_secret")')" false
play '.AddClient = {client: {app: "slack", label: "default", client_id: "C1", public: true}}'
stepvault client add slack --client-id C1 --public < /dev/null > "$scratch/out" 2> "$scratch/err"
has "an app that sends browsers to its owner's address only is told of" "$(cat "$scratch/err")" "the provider wants an https:// redirect URI of yours; say it here, too, with --replace and --redirect-uri URL"
shown=$(terminal "Client id: " C9 "Client secret" "$CANARY" -- stepvault client add dropbox)
is "client add asks on a terminal" "$(asked AddClient '[.client_id, .client_secret]' | tail -n 1)" '["C9","'$CANARY'"]'
lacks "... for the secret unseen" "$shown" "$CANARY"
fails "a client without a secret says so" 1 "--public" stepvault client add dropbox --client-id C1 < /dev/null
fails "a client id is needed" 2 "--client-id is missing" stepvault client add dropbox < /dev/null
fails "--public and a secret exclude each other" 2 "exclude each other" stepvault client add dropbox --client-id C1 --public --secret-fd 4 4<<< x
fails "a secret is no argument" 2 "argument too many" stepvault client add dropbox "$CANARY"
play
is "client list has no secrets" "$(stepvault client list dropbox | head -n 1)" $'dropbox:default\tC1\tyes\t\tdropbox:a,dropbox:b'
is "... of the app that is asked for" "$(asked ListClients .app)" dropbox
play '.RemoveClient = {}'
succeeds "client remove takes a name" stepvault client remove dropbox:work
is "... as app and label" "$(asked RemoveClient '[.app, .label]')" '["dropbox","work"]'
succeeds "... or the app alone" stepvault client remove dropbox
is "... of its only one" "$(asked RemoveClient '[.app, .label]' | tail -n 1)" '["dropbox",null]'

# ---- without a client ----

play '.ListClients.clients = []'
fails "without a client one sentence says how to get one" 4 "stepvault client add dropbox" stepvault connect dropbox < /dev/null
has "... with the redirect URI to register" "$err" "register one with the provider with the redirect URI http://127.0.0.1"
is "... before anything is begun" "$(methods)" ListClients
fails "an app that shares another's OAuth is sent to that one" 4 "stepvault client add google" stepvault connect gmail < /dev/null
play
play '.ListClients.clients = []'
fails "one that sends browsers to its owner's address only is told so" 4 "with an https:// redirect URI of yours, and add what it gives you with: stepvault client add slack --redirect-uri URL" \
    stepvault connect slack < /dev/null
play '.ListClients.clients[0].app = "slack"'
fails "... and must have it" 1 "stepvault client add slack --replace --redirect-uri URL" stepvault connect slack < /dev/null
play
fails "a client that is not there is named" 4 "there is no client work of yours for dropbox" stepvault connect dropbox --client work < /dev/null
play '.ListClients.clients = [{"app": "dropbox", "label": "a", "client_id": "1"}, {"app": "dropbox", "label": "b", "client_id": "2"}]'
fails "of two clients one is to be said" 1 "there are 2 clients of dropbox" stepvault connect dropbox < /dev/null

# ---- nobody there to see a browser ----

play
is "connect prints the account's name" "$(stepvault connect dropbox < /dev/null 2> "$scratch/err")" dropbox:default
shown=$(cat "$scratch/err")
has "... and the address" "$shown" "    $url"
has "... and who it is, and for what" "$shown" "connected dropbox:default as ann@example.com, with the scopes chat:write"
is "... having asked in this order" "$(methods)" "ListClients ListAccounts Connect KeepAccount"
is "... on one connection for what belongs together" \
    "$(jq -rc 'select(.method | test("Connect|KeepAccount")) | .connection' < "$scratch/agent/requests.jsonl" | sort -u | wc -l)" 1
is "... with the client and the flow" "$(asked Connect '[.app, .client, .flow, .properties, has("account")]')" '["dropbox","dropbox:default","browser",{},false]'
is "... and the provider as a document of one method" "$(asked Connect '.provider | fromjson | [.slug, (.methods | keys), (.methods.oauth.oauth.token_url)]')" \
    '["dropbox",["oauth"],"https://api.dropboxapi.com/oauth2/token"]'
is "... and keeps it under the default label" "$(asked KeepAccount 'keys')" '["vault"]'
is "without a display nothing is opened" "$(BROWSER=browser opened 10)" ""
has "... and the way to this machine is shown" "$shown" "ssh -N -L 4100:127.0.0.1:4100 "
play
SSH_CONNECTION='192.0.2.9 55000 192.0.2.7 2222' DISPLAY=:0 LOGNAME=ann BROWSER=browser stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
is "over SSH nothing is opened, display or not" "$(opened 10)" ""
has "... and the line to copy has the host that was reached" "$(cat "$scratch/err")" "    ssh -N -p 2222 -L 4100:127.0.0.1:4100 ann@192.0.2.7"
SSH_CONNECTION='192.0.2.9 55000 $(touch${IFS}x) 22' stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
lacks "... or no host that a shell would run" "$(cat "$scratch/err")" '$('
is "--json is one document" "$(stepvault connect dropbox --json < /dev/null 2> "$scratch/err" | jq -c .account.id)" '"aa11"'
stepvault connect dropbox --note 'of Ann' --scope chat:write --scope users:read --user-scope search:read --port 4100 < /dev/null > "$scratch/out" 2> "$scratch/err"
is "scopes and a port go along" "$(asked Connect '[.scopes, .user_scopes, .port]' | tail -n 1)" '[["chat:write","users:read"],["search:read"],4100]'
is "... and a note is kept" "$(asked KeepAccount .note | tail -n 1)" "of Ann"

# ---- a browser ----

export DISPLAY=:0
play
BROWSER=browser stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
is "with a display \$BROWSER is started with the address" "$(opened | head -n 2)" "$scratch/browsers/browser
$url"
lacks "... and no way round is shown" "$(cat "$scratch/err")" "ssh -N"
STEPVAULT_KEY_FILE=/nowhere CREDENTIALS_DIRECTORY=/nowhere BROWSER=browser stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err" 9< "$scratch/pass"
is "... with nothing of ours in its environment, nor open" "$(opened | tail -n +3)" 4
BROWSER='/nowhere/browser:browser --new %s -x' stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
is "of several commands the first that starts, with its words" "$(opened | head -n 4 | tail -n +2 | paste -sd ' ')" "--new $url -x"
stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
is "without \$BROWSER it is xdg-open" "$(opened | head -n 1)" "$scratch/browsers/xdg-open"
is "one that refuses changes nothing" "$(BROWSER=refuses stepvault connect dropbox < /dev/null 2> "$scratch/err")" dropbox:default
mv "$scratch/browsers/xdg-open" "$scratch/browsers/other"
is "nor does one that is not there" "$(BROWSER=/nowhere/x PATH=$bin stepvault connect dropbox < /dev/null 2> "$scratch/err")" dropbox:default
has "... but it is said" "$(cat "$scratch/err")" "no browser could be started here"
mv "$scratch/browsers/other" "$scratch/browsers/xdg-open"
BROWSER=browser stepvault connect dropbox --no-browser < /dev/null > "$scratch/out" 2> "$scratch/err"
is "--no-browser opens none" "$(opened 10)" ""
mkdir -p "$HOME/.config/stepvault"
echo no-browser > "$HOME/.config/stepvault/connect"
BROWSER=browser stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
is "... nor does the preference that is kept" "$(opened 10)" ""
echo no-brwoser > "$HOME/.config/stepvault/connect"
fails "a preference that is none is named" 1 ".config/stepvault/connect has a word" stepvault connect dropbox < /dev/null
rm "$HOME/.config/stepvault/connect"
for bad in '--help' 'file:///etc/passwd' 'javascript:alert(1)' 'https://a b' 'https://a"b' 'https://' "https://a'b"; do
    play "$(printf '.Connect.any[0].notice.url = %s' "$(jq -Rn --arg url "$bad" '$url')")"
    BROWSER=browser stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
    is "an address such as $bad is not handed to a browser" "$(opened 10)" ""
done
play '.Connect.any[0].notice.url = "https://a.example/\u001b[2Jx"'
stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
lacks "what could steer the terminal is not shown" "$(cat "$scratch/err")" $'\e'
opened 10 > "$scratch/out"

# ---- pasting ----

unset DISPLAY
pasting='.Connect.any = [.Connect.any[0], {"await": "address"}, {"notice": {"notice": "refused", "reason": "the address has no state"}},
         {"await": "address"}, .Connect.any[1]]'
play "$pasting"
shown=$(terminal "paste the address" "http://x/?code=$CANARY-bad" "has no state" "" "paste the address" "  http://127.0.0.1:4100/callback?code=$CANARY&state=s " -- stepvault connect dropbox)
is "an address can be pasted on the terminal" "$?" 0
has "... while it is waited for" "$shown" "left; or paste the address"
lacks "... unseen" "$shown" "$CANARY"
has "... with the echo on again" "$shown" "echo: on"
has "... one that is refused is told, and another may follow" "$shown" "the address has no state"
is "... over connections of their own" "$(asked AnswerConnect '[.attempt, .url]')" '["a1b2","http://x/?code='$CANARY'-bad"]
["a1b2","http://127.0.0.1:4100/callback?code='$CANARY'&state=s"]'
play '.Connect.any = [.Connect.any[0], {"await": "address"}, .Connect.any[1]]'
long=$(printf 'x%.0s' {1..5000})
shown=$(terminal "paste the address" "" "paste the address" "$long" "longer than" "http://127.0.0.1/?code=1" -- stepvault connect dropbox)
is "neither an empty line nor one that is too long ends it" "$?" 0
is "... or is sent" "$(asked AnswerConnect .url)" "http://127.0.0.1/?code=1"
play '.Connect.any = [.Connect.any[0], {"await": "address"}, .Connect.any[1]]'
stepvault connect dropbox --paste <<< "http://127.0.0.1/?code=$long" > "$scratch/out" 2> "$scratch/err"
is "stdin takes an address that is longer than can be typed" "$(asked AnswerConnect '.url | length')" 5023
play '.Connect.any = [.Connect.any[0], {"await": "address"}, .Connect.any[1]]'
shown=$(terminal "paste the address" $'\nhttp://127.0.0.1/?code=2' -- stepvault connect dropbox)
is "what is typed ahead is not lost" "$? $(asked AnswerConnect .url)" "0 http://127.0.0.1/?code=2"
play '.Connect.any = [.Connect.any[0], {"await": "address"}, .Connect.any[1]] | .AnswerConnect = {"error": "NotFound", "message": "there is no such attempt"}'
shown=$(terminal "paste the address" "http://127.0.0.1/?code=1" -- stepvault connect dropbox)
has "an answer that comes too late is told" "$shown" "there is no such attempt"
play '.Connect.any = [{"notice": {}}, {"sleep": 0.5}, .Connect.any[0], {"await": "address"}, .Connect.any[1]]'
shown=$(terminal "paste the address" "http://127.0.0.1/?code=3" -- stepvault connect dropbox)
is "nothing is asked for before there is an address" "$(grep -m 1 -oE 'Open this address|paste the address' <<< "$shown")" "Open this address"
play '.Connect.any = [.Connect.any[0], {"sleep": 0.5}, .Connect.any[1]]'
shown=$(terminal "paste the address" -- stepvault connect dropbox)
is "nothing need be pasted" "$?" 0
has "... if the browser came" "$shown" "connected dropbox:default"
play '.Connect.any = [.Connect.any[0], {"await": "end"}]'
shown=$(terminal "paste the address" "^C" -- stepvault connect dropbox)
is "SIGINT ends it" "$?" 130
has "... with the echo on again" "$shown" "echo: on"
for _ in $(seq 100); do grep -q hung_up "$scratch/agent/requests.jsonl" && break; sleep 0.02; done
has "... and the agent knows" "$(cat "$scratch/agent/requests.jsonl")" hung_up
is "... and nothing is kept" "$(asked KeepAccount .)" ""
play '.Connect.any = [.Connect.any[0], {"await": "address"}, .Connect.any[1]]'
is "--paste takes it from stdin" "$(printf 'http://127.0.0.1/?code=%s\n' "$CANARY" | stepvault connect dropbox --paste 2> "$scratch/err")" dropbox:default
is "... as a flow of its own" "$(asked Connect .flow)" paste
has "... and says what to paste" "$(cat "$scratch/err")" "which begins with http://127.0.0.1:4100/callback"
is "... that arrives" "$(asked AnswerConnect .url)" "http://127.0.0.1/?code=$CANARY"
play '.Connect.any = [.Connect.any[0], {"await": "end"}]'
try stepvault connect dropbox --paste < /dev/null
is "... and not for ever" "$status" 1
has "... if there is none" "$err" "stdin ended before the address was pasted"
play '.ListClients.clients[0].redirect_uri = "https://me.example/cb" | .Connect.any = [.Connect.any[0], {"await": "address"}, .Connect.any[1]]'
stepvault connect dropbox <<< "https://me.example/cb?code=1" > "$scratch/out" 2> "$scratch/err"
is "a client that comes back elsewhere is pasted from" "$(asked Connect .flow)" paste
play '.Connect.any = [.Connect.any[0], {"close": true}]'
try stepvault connect dropbox < /dev/null
has "an agent that ends meanwhile is told" "$err" "closed the connection"
play '.Connect.any = [.Connect.any[0], {"error": "Refused", "message": "the provider refused it: access_denied"}]'
try stepvault connect dropbox < /dev/null
is "so is a refusal" "$status $(tail -n 1 "$scratch/err")" "1 stepvault: the provider refused it: access_denied"

play '.Connect.any += [{"close": true}]'
try stepvault connect dropbox < /dev/null
is "so is an agent that does not wait until it is told where to keep what came" "$status $(tail -n 1 "$scratch/err")" \
    "1 stepvault: the agent let go of what the provider gave before it was kept, so nothing was changed"

# ---- a code ----

play
stepvault connect github --method oauth < /dev/null > "$scratch/out" 2> "$scratch/err"
is "who sits elsewhere gets a code, where the provider has that" "$(asked Connect .flow)" device
has "... with where to type it" "$(cat "$scratch/err")" "    https://github.com/login/device"
has "... and the code" "$(cat "$scratch/err")" "    ABCD-1234"
is "... also by --device" "$(DISPLAY=:0 BROWSER=browser stepvault connect github --device < /dev/null 2> "$scratch/err"; asked Connect .flow | tail -n 1)" "dropbox:default
device"
is "... in a browser that is here" "$(opened | sed -n 2p)" https://github.com/login/device
DISPLAY=:0 stepvault connect github --method oauth --no-browser < /dev/null > "$scratch/out" 2> "$scratch/err"
is "who sits here gets a browser" "$(asked Connect .flow | tail -n 1)" browser
echo device > "$HOME/.config/stepvault/connect"
DISPLAY=:0 stepvault connect github --method oauth --no-browser < /dev/null > "$scratch/out" 2> "$scratch/err"
is "... unless they prefer a code" "$(asked Connect .flow | tail -n 1)" device
rm "$HOME/.config/stepvault/connect"
stepvault connect github --method oauth --port 4100 < /dev/null > "$scratch/out" 2> "$scratch/err"
is "--port means a listener" "$(asked Connect .flow | tail -n 1)" browser
fails "a provider without codes says so" 1 "dropbox has no device flow" stepvault connect dropbox --device < /dev/null
play '.Connect.device = [{"error": "Refused", "message": "the provider refused it: device_flow_disabled"}]'
stepvault connect github --method oauth < /dev/null > "$scratch/out" 2> "$scratch/err"
is "where a code is refused before it was shown, a browser's redirect is tried" "$(asked Connect .flow | paste -sd ' ')" "device browser"
has "... and it is said why" "$(cat "$scratch/err")" "device_flow_disabled; a browser's redirect is tried instead"
fails "... but not where it was asked for" 1 "device_flow_disabled" stepvault connect github --device < /dev/null
play '.Connect.device = [.Connect.device[0] , {"sleep": 1.5}, .Connect.device[1]]'
shown=$(terminal -- stepvault connect github --device)
has "on a terminal the time that is left is shown" "$shown" "Waiting for you at github.com, 14:5"
fails "where there are several methods and nobody says which" 1 "github has several methods, and --method names none of them: oauth, github_app, pat" \
    stepvault connect github < /dev/null
fails "two flows exclude each other" 2 "exclude each other" stepvault connect dropbox --device --paste < /dev/null

# ---- without a person ----

play '.Connect.any = [.Connect.any[1]]'
stepvault connect dropbox --import <<< "$CANARY" > "$scratch/out" 2> "$scratch/err"
is "a refresh token is imported from stdin" "$(asked Connect '[.flow, .properties]')" '["import",{"oauth_refresh_token":"'$CANARY'"}]'
shown=$(terminal "Value of oauth_refresh_token" "$CANARY" -- stepvault connect dropbox --import)
lacks "... or typed unseen" "$shown" "$CANARY"
stepvault connect dropbox --client-credentials < /dev/null > "$scratch/out" 2> "$scratch/err"
is "a client connects itself" "$(asked Connect .flow | tail -n 1)" client_credentials
is "an issuer is enough" "$(stepvault connect dropbox --issuer https://login.example.com --client-credentials < /dev/null 2> "$scratch/err"; asked Connect '.provider | fromjson | .methods.oauth.oauth.issuer' | tail -n 1)" \
    "dropbox:default
https://login.example.com"
fails "... one that is none is not" 1 "issuer" stepvault connect dropbox --issuer ftp://login.example.com < /dev/null
fails "an app that the catalogue does not have needs one" 4 "--issuer" stepvault connect in_house --device < /dev/null

# ---- variables ----

play
fails "a variable that is missing" 1 "an account of zendesk needs subdomain, given with --var NAME=VALUE" stepvault connect zendesk --method oauth < /dev/null
fails "... does not fit" 1 "the value of subdomain does not fit the pattern" stepvault connect zendesk --var subdomain=evil.example/x < /dev/null
fails "... is none" 4 "an account of zendesk has no domain" stepvault connect zendesk --var domain=x < /dev/null
fails "... has no value" 2 "--var wants NAME=VALUE" stepvault connect zendesk --var subdomain < /dev/null
fails "... is a secret" 2 "does not go on the command line" stepvault connect zendesk --var oauth_access_token="$CANARY" < /dev/null
stepvault connect zendesk --var subdomain=acme < /dev/null > "$scratch/out" 2> "$scratch/err"
is "... is given" "$(asked Connect .properties)" '{"subdomain":"acme"}'
shown=$(terminal "Method (oauth, token) [oauth]: " "" "Subdomain" "a b" "Subdomain" acme -- stepvault connect zendesk)
is "... is asked for on a terminal" "$(asked Connect .properties | tail -n 1)" '{"subdomain":"acme"}'
fails "options of OAuth are for methods that have it" 2 "--device is for methods with OAuth" stepvault connect zendesk --method token --device < /dev/null
is "a method without it asks as before" "$(play '.AddAccount = {account: {app: "zendesk", label: "default"}}'; stepvault connect zendesk --method token <<< '{"subdomain":"acme","email":"e","api_token":"t"}'; methods)" \
    "zendesk:default
AddAccount"

# ---- labels and identities ----

one='.ListAccounts.accounts = [{"id": "aa11", "app": "dropbox", "label": "default", "identity": "bob@example.com", "identity_id": "U2", "health": "healthy"}]'
play "$one"
stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
is "a second account is labelled by who it is" "$(asked KeepAccount .label)" ann@example.com
shown=$(terminal "Label of this account of dropbox [ann@example.com]: " work -- stepvault connect dropbox)
is "... or as the person says" "$(asked KeepAccount .label | tail -n 1)" work
play "$one | .Connect.any[1].last = {\"properties\": []}"
stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
is "... or by a number where nobody knows" "$(asked KeepAccount .label)" 2
fails "a label that is taken is refused before anything is begun" 1 "--reconnect dropbox:default" stepvault connect dropbox --label default < /dev/null
twin='.ListAccounts.accounts = [{"id": "aa11", "app": "dropbox", "label": "old", "identity": "ann@example.com", "identity_id": "U1", "health": "healthy"}]'
play "$twin"
try stepvault connect dropbox < /dev/null
is "the same identity again is refused" "$status" 1
has "... with what to do instead" "$err" "ann@example.com is connected as dropbox:old already; --reconnect dropbox:old connects that one anew"
is "... and not kept" "$(asked KeepAccount .)" ""
shown=$(terminal "Enter connects that one anew" "" -- stepvault connect dropbox)
is "... or takes its place, if the person says so" "$(asked KeepAccount '[.account, .label]')" '["aa11",null]'
shown=$(terminal "Enter connects that one anew" again -- stepvault connect dropbox)
is "... or gets another label" "$(asked KeepAccount '[.account, .label]' | tail -n 1)" '[null,"again"]'
shown=$(terminal "Enter connects that one anew" "no label" "Enter connects that one anew" old "Enter connects that one anew" third -- stepvault connect dropbox)
is "... and a slip in it costs no tokens" "$(asked KeepAccount '[.account, .label]' | tail -n 1)" '[null,"third"]'
has "... but is told" "$shown" "is not a valid label"
has "... so is one that is taken" "$shown" "there is an account dropbox:old already"
stepvault connect dropbox --import <<< "$CANARY" > "$scratch/out" 2> "$scratch/err"
is "a token that was imported is used up, and kept without asking" "$(asked KeepAccount '[.account, .label]' | tail -n 1)" '[null,"ann@example.com"]'
play "$twin | .ListAccounts.accounts[0].identity_id = \"U3\""
stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
is "one of the same name is another" "$(asked KeepAccount '[.account, .label]')" '[null,"ann@example.com"]'
play "$twin"
stepvault connect dropbox --label again < /dev/null > "$scratch/out" 2> "$scratch/err"
is "... which may be given at once" "$(asked KeepAccount '[.account, .label]' | tail -n 1)" '[null,"again"]'
play '.KeepAccount.twin = "dropbox:old"'
stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
has "a twin that the agent found is told" "$(cat "$scratch/err")" "dropbox:old is of the same identity"

play '.KeepAccount.account.token_expires = "2026-11-22T10:00:00Z"'
stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
has "a token that ends and comes without a refresh token is told" "$(cat "$scratch/err")" "no refresh token came, so that dropbox:default can only be connected anew when its token ends, at 2026-11-22T10:00:00Z"
play '.KeepAccount.account.token_expires = "2026-11-22T10:00:00Z" | .KeepAccount.account.properties += ["oauth_refresh_token"]'
stepvault connect dropbox < /dev/null > "$scratch/out" 2> "$scratch/err"
lacks "... one with it is not" "$(cat "$scratch/err")" "no refresh token"

# ---- reconnecting ----

known='.ShowAccount = {"account": {"id": "bb22", "app": "zendesk", "label": "work", "method": "authorization_code", "client": "zendesk:default",
       "identity": "ann@example.com", "identity_id": "U1", "health": "needs_reconnect", "reason": "invalid_grant", "properties": ["subdomain"]}}'
play "$known"
stepvault connect --reconnect zendesk:work < /dev/null > "$scratch/out" 2> "$scratch/err"
is "--reconnect needs the account alone" "$(asked Connect '[.app, .account, .client, .properties]')" '["zendesk","bb22","zendesk:default",{}]'
is "... and keeps it in its place" "$(asked KeepAccount '[.account, has("label")]')" '["bb22",false]'
fails "... of the app that is named" 1 "zendesk:work is an account of zendesk, not of dropbox" stepvault connect dropbox --reconnect zendesk:work < /dev/null
fails "... under its label" 2 "exclude each other" stepvault connect --reconnect zendesk:work --label other < /dev/null
play "$known | .ShowAccount.account.identity = \"bob@example.com\" | .ShowAccount.account.identity_id = \"U2\""
try stepvault connect --reconnect zendesk:work < /dev/null
has "an account does not become another's unasked" "$err" "zendesk:work is the account of bob@example.com, and this one is of ann@example.com"
is "... and nothing is kept" "$status $(asked KeepAccount .)" "1 "
shown=$(terminal "Type yes" yes -- stepvault connect --reconnect zendesk:work)
is "... but where the person agrees" "$(asked KeepAccount '[.account, .other_identity]')" '["bb22",true]'
play "$known | .ShowAccount.account.app = \"github\" | .ShowAccount.account.client = \"github:default\""
fails "of an app with several methods one is to be said" 1 "--method says which: oauth, github_app" stepvault connect --reconnect github:work < /dev/null
play "$known | .ShowAccount.account.app = \"github\" | .ShowAccount.account.client = \"github:default\" | .ShowAccount.account.identity_id = null"
succeeds "... or is said" stepvault connect --reconnect github:work --method github_app < /dev/null
is "... and taken" "$(asked Connect '.provider | fromjson | .methods | keys[]')" github_app
play "$known | .ShowAccount.account.app = \"github\" | .ShowAccount.account.client = \"github:default\" | .ShowAccount.account.identity_id = null
  | .ShowAccount.account.app_method = \"github_app\""
succeeds "... or is known of the account" stepvault connect --reconnect github:work < /dev/null
is "... and said again" "$(asked Connect '[.method, (.provider | fromjson | .methods | keys[])]')" '["github_app","github_app"]'
play "$known | .ShowAccount.account.method = \"client_credentials\""
stepvault connect --reconnect zendesk:work < /dev/null > "$scratch/out" 2> "$scratch/err"
is "what was connected without a person is connected so again" "$(asked Connect .flow)" client_credentials
fails "connect needs an app or an account" 2 "stepvault connect APP" stepvault connect < /dev/null

# ---- health ----

soon=$(date -u -d '+3150 seconds' +%Y-%m-%dT%H:%M:%SZ)
past=$(date -u -d '-30 minutes' +%Y-%m-%dT%H:%M:%SZ)
play ".ListAccounts.accounts = [
  {\"id\": \"a\", \"app\": \"dropbox\", \"label\": \"x\", \"properties\": [], \"bindings\": [], \"health\": \"healthy\", \"token_expires\": \"$soon\", \"refreshed\": \"$past\"},
  {\"id\": \"b\", \"app\": \"dropbox\", \"label\": \"y\", \"properties\": [], \"bindings\": [], \"health\": \"needs_reconnect\", \"reason\": \"the provider said invalid_grant\"},
  {\"id\": \"c\", \"app\": \"dropbox\", \"label\": \"z\", \"properties\": [], \"bindings\": []}]
  | .ShowAccount = {account: (.ListAccounts.accounts[0] + {method: \"authorization_code\", client: \"dropbox:default\", identity: \"ann\", scopes: \"chat:write\"})}"
is "account list says how each stands" "$(stepvault account list | cut -f 1,8)" "dropbox:x	healthy, ends in 52m
dropbox:y	needs reconnect: the provider said invalid_grant
dropbox:z	"
is "account show says it all" "$(stepvault account show dropbox:x | tail -n 7)" "health	healthy, ends in 52m
granted by	authorization_code
client	dropbox:default
identity	ann
scopes	chat:write
token expires	$soon
refreshed	$past"
play '.TestAccount = {works: true, status: 200, identity: {id: "U1", name: "ann"}}'
succeeds "account test says that it works" stepvault account test dropbox
is "... and as whom" "$err" "stepvault: dropbox works, as ann"
play '.TestAccount = {works: false, status: 401, reason: "the provider answered 401"}'
try stepvault account test dropbox
is "... or that it does not" "$status $err" "1 stepvault: dropbox does not work: the provider answered 401"
is "... as JSON, too" "$(stepvault account test dropbox --json | jq -c .works)" false
play ".RefreshAccount = {account: {app: \"dropbox\", label: \"x\", token_expires: \"$soon\"}}"
succeeds "account refresh gets a new token" stepvault account refresh dropbox:x
is "... and says how long it is good" "$err" "stepvault: dropbox:x has a new token, good until $soon"
play '.RefreshAccount = {error: "NeedsReconnect", message: "dropbox:x needs to be connected anew: invalid_grant"}'
fails "... or that a person is needed" 1 "; connect it anew with: stepvault connect --reconnect ACCOUNT" stepvault account refresh dropbox:x
play '.RefreshAccount = {error: "TokenUnavailable", message: "dropbox:x has no valid token now"}'
fails "... or to wait" 1 "; see how it stands with: stepvault account list" stepvault account refresh dropbox:x
play '.DisconnectAccount = {revoked: ["refresh_token", "access_token"], page: "https://dropbox.com/apps/manage"}'
succeeds "disconnect removes the account" stepvault disconnect dropbox:x
is "... says what was revoked" "$err" "stepvault: dropbox:x is removed from the vault
stepvault: the provider was told to end its refresh token and access token
stepvault: what the provider still allows is shown, and ended, at https://dropbox.com/apps/manage"
play '.DisconnectAccount = {revoked: [], reason: "the provider did not answer"}'
stepvault disconnect dropbox:x 2> "$scratch/err"
is "... and what was not" "$(tail -n 1 "$scratch/err")" "stepvault: nothing was revoked at the provider: the provider did not answer"

finish
