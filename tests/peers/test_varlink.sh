#!/bin/bash
# Others' clients of Varlink: the certification of Debian's Go implementation against the agent's loop, our client
# against theirs, and python-varlink against the real agent. TAP.
here=$(realpath "$(dirname "$0")")
# shellcheck source=../cli/fixture.bash
. "$here/../cli/fixture.bash"

tools=$(realpath "$bin/../tests/peers")
python=$(realpath "$here/../../build/peers/debian/usr/lib/python3/dist-packages")
served=$scratch/run/certification

# serve COMMAND...: until end_server; ready when its socket is there.
serve() {
    rm -f "$served"
    "$@" > "$scratch/served" 2>&1 &
    server=$!
    for _ in $(seq 100); do
        [ ! -S "$served" ] || return 0
        sleep 0.05
    done
    echo "# no server: $(tail -n 1 "$scratch/served")"
}
end_server() {
    kill "$server"
    wait "$server" 2> /dev/null
    rm -f "$served"
}
go_client() { timeout 20 varlink-go-certification --client --varlink="unix:$served"; }

# ---- certification ----

serve "$tools/certification" "$served"
try go_client
has "Debian's Go client certifies our loop" "$out" "End: 'true'"
is "Go got every reply of a call with more" "$(grep -c "Receive: 'Reply number" <<< "$out")" 10
end_server
is "the loop had nothing to complain of" "$(cat "$scratch/served")" ""

for method in Test01 Test05 Test09 Test10; do
    serve "$tools/certification" "$served" "$method"
    try go_client
    lacks "a wrong reply to $method fails Go's certification" "$out" "End: 'true'"
    end_server
done

serve varlink-go-certification --varlink="unix:$served"
STEPVAULT_SOCKET=$served try "$tools/certified_client"
is "our client is certified by Debian's Go server" "$out$err" 'End: "all_ok":true'
STEPVAULT_SOCKET=$served STEPVAULT_VAULT=$scratch/none try stepvault call org.varlink.certification.Start
has "stepvault call speaks to any Varlink service" "$out" '"client_id"'
STEPVAULT_SOCKET=$served STEPVAULT_VAULT=$scratch/none try stepvault call org.varlink.certification.Test01 '{"client_id":"no such client"}'
is "a foreign error is a failure" "$status" 1
end_server

# ---- the real agent ----

new_vault peers
place STRIPE_KEY "key $CANARY" billing
account slack default "{\"oauth_access_token\":\"xoxb-$CANARY\"}"
stepvault bind billing/notify slack 2> "$scratch/err"
agent=$(echo "$XDG_RUNTIME_DIR"/stepvault/agent-*.sock)
cli() { PYTHONPATH=$python timeout 20 /usr/bin/python3 -m varlink.cli "$@"; }

try cli info "unix:$agent"
has "python-varlink's command finds our interface" "$out" "io.stepvault.Agent"
has "and who made it" "$out" "stepvault-agent"
try cli help "unix:$agent/io.stepvault.Agent"
is "its help is the interface file" "$out" "$(cat "$here/../../vault/agent/io.stepvault.Agent.varlink")"
try cli call "unix:$agent/io.stepvault.Agent.Status" "{\"vault\":\"$STEPVAULT_VAULT\"}"
is "its call is answered" "$(jq -r .state <<< "$out")" open
try cli call "unix:$agent/io.stepvault.Agent.ShowStep" "{\"vault\":\"$STEPVAULT_VAULT\",\"path\":\"nowhere\"}"
has "and refused by name" "$err" "io.stepvault.Agent.NotFound"

try "$here/varlink_peer.py" "$agent" "$STEPVAULT_VAULT"
[ "$status" = 0 ] || printf '# %s\n' "$err"
peer=$out
answer() { jq -cr "$1" <<< "$peer"; }
is "python-varlink lists the interfaces" "$(answer .interfaces)" '["io.stepvault.Agent","org.varlink.service"]'
is "it reads every method of the interface" "$(answer '.methods|length')" \
    "$(grep -c '^method' "$here/../../vault/agent/io.stepvault.Agent.varlink")"
is "Status" "$(answer .status)" open
is "AddStep" "$(answer .added)" '[true,false]'
is "Project gives what is bound" "$(answer .project.auths.slack.oauth_access_token)" "xoxb-$CANARY"
is "and what is placed above" "$(answer .project.variables.STRIPE_KEY)" "key $CANARY"
is "an error has our name" "$(answer '."missing step".error')" io.stepvault.Agent.NotFound
has "and its parameters" "$(answer '."missing step".parameters.message')" "billing/notfy"
is "another vault is refused" "$(answer '."other vault".error')" io.stepvault.Agent.OtherVault
is "an error of Varlink's own: many replies must be asked for" "$(answer '."one reply".error')" org.varlink.service.ExpectedMore
is "ReadLog with more has what was just done" "$(answer '.log[-3:]')" '["add-step","project","project"]'
is "VerifyLog ends with the root" "$(answer .verified)" "$(stepvault audit checkpoint | sed -n 3p | base64 -d | od -An -v -tx1 | tr -d ' \n')"
is "the agent goes on" "$(answer '."after all"')" open
holds "the log verifies"

# ---- the interface's text ----

# The generator of Go's 0.4.0 knows no capital letter in an interface's name, which Varlink allows; all else it reads.
mkdir generated
sed 's/^interface io.stepvault.Agent/interface io.stepvault.agent/' "$here/../../vault/agent/io.stepvault.Agent.varlink" > generated/agent.varlink
succeeds "Go's generator makes a client of the interface" varlink-go-interface-generator generated/agent.varlink
cd generated || exit 1
succeeds "which compiles" env GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$scratch/go" GOFLAGS='' /usr/bin/go build .
finish
