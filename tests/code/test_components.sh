#!/bin/bash
# Pre-built components and vendors' clients, installed from npm and not changed: Pipedream's for GitLab against a server with
# a certificate of a CA of our own, and Slack's client in a step of the first generation.
# shellcheck disable=SC2016 # what stands in single quotes is JavaScript's
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=code.bash
. "$here/code.bash"
code_vault

# ---- a certificate, a server ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=A CA of the tests' \
    -keyout ca.key -out ca.pem 2> openssl.log
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=127.0.0.1' -keyout server.key -out server.csr 2>> openssl.log
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile <(echo 'subjectAltName=IP:127.0.0.1') \
    -out server.pem 2>> openssl.log
node "$here/gitlab_server.mjs" server.pem server.key > requests 2> server.log &
port=
for _ in $(seq 300); do
    port=$(sed -n 's/^port //p' requests)
    [ -z "$port" ] || break
    sleep 0.1
done
export NODE_EXTRA_CA_CERTS=$PWD/ca.pem

token="glpat-$CANARY+/secret"
account gitlab default "{\"oauth_access_token\":\"$token\",\"base_api_url\":\"127.0.0.1:$port\"}"
stepvault bind billing/notify gitlab > /dev/null
component=$here/node_modules/@pipedream/gitlab/actions/create-issue/create-issue.mjs

# ---- create-issue ----
echo '{"projectId":1,"title":"Late payment","description":"of invoice 7","labels":["billing","late"]}' > props.json
step "$component" --props props.json
is "a pre-built component runs as it is" "$status $(jq -c '[."$summary", ."$return_value".iid, keys]' <<< "$result")" \
    '0 ["Created issue Late payment",14,["$return_value","$summary"]]'
[ "$status" = 0 ] || printf '# %s\n' "$err" "$(cat server.log openssl.log)"
is "... the server sees the token and the body" \
    "$(sed 1d requests | jq -r '[.method, .url, .authorization, .body] | join(" ")')" \
    "POST /api/v4/projects/1/issues Bearer $token"' {"title":"Late payment","description":"of invoice 7","labels":"billing,late"}'
has "... the log has it" "$(stepvault audit who gitlab:default)" billing/notify
echo '{"projectId":1}' > few.json
refused "... a prop without a value" "needs a value for the prop title" "$component" --props few.json
stepvault step add billing/other > /dev/null
try stepvault run billing/other --code "$component" --props props.json
is "... a step without the account" "$status $err" \
    '125 stepvault: no account gitlab is bound to billing/other; run "stepvault bind billing/other gitlab"'
echo '{"projectId":404,"title":"Late payment"}' > wrong.json
step "$component" --props wrong.json
has "... an error of the server is the component's" "$status $(jq -r '."$error".message' <<< "$result")" '1 {"message":"404 Project Not Found"}'


# ---- the leak of @pipedream/platform up to 3.1.1: a request that is refused is exported with its token ----
mkdir own
ln -s "$here/node_modules" own/node_modules
file own/step.mjs <<< 'import { axios } from "@pipedream/platform";
export default {
  props: { gitlab: { type: "app", app: "gitlab" } },
  async run({ $ }) {
    const { base_api_url, oauth_access_token } = this.gitlab.$auth;
    return axios($, { url: `https://${base_api_url}/api/v4/none`, headers: { Authorization: `Bearer ${oauth_access_token}` } });
  },
};'
authorization='.debug.config.headers.Authorization'
step own/step.mjs
is "without --mask it is in the result" "$status $(jq -r "$authorization" <<< "$result")" "1 Bearer $token"
step own/step.mjs --mask
is "with --mask the result has all but that" "$status $(jq -r ".debug.status, $authorization" <<< "$result" | tr '\n' ' ')" '1 404 Bearer *** '
lacks "... and nothing that was printed has it" "$result $out $err" "$CANARY"

# ---- the first generation, with a vendor's client ----
ln -s "$here/../peers/node_modules" node_modules
echo "xoxb-$CANARY" | node "$here/../peers/slack_server.mjs" > slack_requests 2>&1 &
slack=
for _ in $(seq 300); do
    slack=$(sed -n 's/^port //p' slack_requests)
    [ -z "$slack" ] || break
    sleep 0.1
done
file seed.js <<< 'async (event, steps, auths) => {
  const { WebClient } = require("@slack/web-api");
  const web = new WebClient(auths.slack.oauth_access_token, { slackApiUrl: event.api, retryConfig: { retries: 0 } });
  this.user = (await web.auth.test()).user;
  return (await web.chat.postMessage({ channel: process.env.BILLING_CHANNEL, text: "paid" })).channel;
};'
echo "{\"api\":\"http://127.0.0.1:$slack/api/\"}" > event.json
gives "a step as it stood at Pipedream, with Slack's client" '{"$return_value":"#billing","user":"stepvault"}' seed.js --event event.json
[ "$(grep -c '^POST /api/chat.postMessage ok' slack_requests)" = 1 ]
report $? "... and the message is there"
finish
