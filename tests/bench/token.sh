#!/bin/bash
# limit: 900
# Does a projection whose token is fresh cost more than one did before accounts had tokens that end? Paired: this build and
# one of the commit before, in turn, in one run. Each has a vault with ten secrets and one account with a token; here it was
# connected, and its token is good for a day.
#
#     tests/bench/token.sh [COMMIT]     default: the commit before connected accounts
#
#   launch      `stepvault run` of true: the median of the ratios of BENCH_PAIRS pairs (default 1000), new to old
#   projection  the agent's processor time for one, 64 kept connections: the median of the ratios of seven pairs
#
# Neither may be worse by more than a twentieth; exit status 1 if one is. The vaults lie in $BENCH_FOLDER (default: below build/).
# shellcheck source=bench.bash
. "$(dirname "$0")/bench.bash"

server=
finish() {
    lock_sides
    [ -z "$server" ] || kill "$server"
    rm -rf "$folder"
}
beside "${1:-b153c76}"

# The earlier build would not understand the entry of the app.
vault_of() { STEPVAULT_VAULT=$folder/$1/vault.db XDG_CONFIG_HOME=$folder/$1/config "${side_bin[$1]}/stepvault" "${@:2}"; }
socket_of() { tr '\0' '\n' < "/proc/$(vault_of "$1" status --json | jq .pid)/cmdline" | grep -A 1 -x -- --socket | tail -n 1; }

for side in old new; do
    vault_of "$side" init --key-file "$folder/$side.key" --no-recovery 2> /dev/null
    secrets vault_of "$side"
done

# The new side's account is connected at a server of ours, the old side's has the same properties by hand.
"$top/tests/oauth/fault_server.py" > "$folder/port" &
server=$!
until grep -q port "$folder/port"; do sleep 0.1; done
origin=http://127.0.0.1:$(sed 's/port //' "$folder/port")
ask() { curl -sS --noproxy '*' -H 'Content-Type: application/json' -d "$2" "$origin/control$1"; }
(umask 077 && mkdir -p "$folder/new/config/stepvault/apps")
jq -n --arg origin "$origin" '{slug: "bench", title: "Bench", methods: {oauth: {kind: "oauth2", title: "OAuth",
    request: {base: $origin, headers: {Authorization: "Bearer {oauth_access_token}"}},
    oauth: {loopback: true, authorize_url: "\($origin)/authorize", token_url: "\($origin)/token", client_auth: "none"}}}}' \
    > "$folder/new/config/stepvault/apps/bench.json"
ask '' '{"lifetime": 86400}' > /dev/null
vault_of new client add bench --client-id bench --public > /dev/null 2>&1
ask /grant '{}' | jq -r .refresh | vault_of new connect bench --import > /dev/null 2>&1
token=$(vault_of new bind launch/step bench 2> /dev/null; vault_of new run launch/step -- printenv BENCH_OAUTH_ACCESS_TOKEN)
jq -n --arg token "$token" '{oauth_access_token: $token, oauth_refresh_token: $token, oauth_client_id: "bench"}' |
    vault_of old account add bench > /dev/null 2>&1
vault_of old bind launch/step bench 2> /dev/null
[ "$(vault_of old run launch/step -- printenv BENCH_OAUTH_ACCESS_TOKEN)" = "$token" ]

compare_launches "run true with a fresh token, new / old"

# ticks SIDE: processor time that its agent has used.
ticks() { sed 's/.*) //' "/proc/$(vault_of "$1" status --json | jq .pid)/stat" | awk '{ print $12 + $13 }'; }
for _ in 1 2 3 4 5 6 7; do
    for side in old new; do
        before=$(ticks $side)
        rate=$("$folder/load" "$(socket_of $side)" "$folder/$side/vault.db" launch/step 64 2 keep | sed 's/ .*//')
        awk -v rate="$rate" -v ticks=$(($(ticks $side) - before)) -v hertz="$(getconf CLK_TCK)" \
            'BEGIN { printf "%s %.2f\n", rate, ticks / hertz / (2 * rate) * 1e6 }' >> "$folder/$side.load"
    done
done
echo "projections a second, and the agent's processor time for each in us (new | old):"
paste "$folder/new.load" "$folder/old.load" | sed 's/^/    /'
# A rate is the machine's as much as ours: what a projection costs the agent is not.
middle=$(paste "$folder/new.load" "$folder/old.load" | awk '{ printf "%.3f\n", $2 / $4 }' | sort -n | sed -n 4p)
bar "processor time for a projection, new / old, median of seven" "$middle" 1.05 most
[ "$(vault_of new run launch/step -- printenv BENCH_OAUTH_ACCESS_TOKEN)" = "$token" ]
exit $missed
