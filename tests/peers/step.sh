#!/bin/bash
# The same step in Bash: the token from the auths document by jq, to curl by a pipe, so that it is in no argv.
set -euo pipefail

token=$(jq -r .slack.oauth_access_token "$STEPVAULT_AUTHS")
answer=$(curl --silent --show-error --fail --max-time 10 \
    --header @<(printf 'Authorization: Bearer %s\n' "$token") \
    --data-urlencode "channel=$BILLING_CHANNEL" --data-urlencode "text=paid, says Bash" \
    "${SLACK_API_URL}chat.postMessage")
if [ "$(jq -r .ok <<<"$answer")" != true ]; then
    echo "step.sh: Slack says $(jq -r .error <<<"$answer")" >&2
    exit 1
fi
echo "bash ${BASH_VERSION%%(*}: posted to $(jq -r .channel <<<"$answer")"
