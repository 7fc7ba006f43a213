#!/bin/bash
# limit: 240
# The clients of docs/PROTOCOL.md, taken from the page and run: each is given the same token, and says what it is refused. TAP.
here=$(realpath "$(dirname "$0")")
# shellcheck source=../cli/fixture.bash
. "$here/../cli/fixture.bash"
# shellcheck source=document.bash
. "$here/document.bash"

# The default vault, whose socket has the name that the clients know.
export STEPVAULT_VAULT="$XDG_DATA_HOME/stepvault/vault.db" LD_LIBRARY_PATH="$bin/../lib"
stepvault init --passphrase-fd 3 --kdf-time 0 --no-recovery 3< "$scratch/pass" 2> "$scratch/err"
# What JSON, shells and printf like to mangle.
token="xoxb-\"$CANARY\"-back\\slash-\$HOME-%s-{}-Zoë"
jq -n --arg token "$token" '{oauth_access_token: $token}' | stepvault account add slack > /dev/null
stepvault bind billing/notify slack 2> "$scratch/err"

block PROTOCOL.md Node > client.mjs
block PROTOCOL.md Python > client.py
block PROTOCOL.md Go > client.go
block PROTOCOL.md Bash > client.bash
block PROTOCOL.md C > client.c
succeeds "the Go client is built" env GOCACHE="$scratch/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local /usr/bin/go build -o client-go client.go
is "gofmt would not change it" "$(gofmt -l client.go)" ""
cc=(gcc -Wall -Wextra -Werror -I"$here/../../vault/client" -o client-c client.c -L"$bin/../lib" -lstepvault)
succeeds "the C client is built" "${cc[@]}"

clients() {
    "$@" Node node client.mjs
    "$@" Python /usr/bin/python3 client.py
    "$@" Go ./client-go
    "$@" Bash bash client.bash
    "$@" C ./client-c
}
given() {
    try "${@:2}"
    is "$1: the token, to the byte" "$status $out$err" "0 $token"
}
refused() {
    try "${@:2}"
    if [ "$status" != 0 ] && [ -z "$out" ] && [[ $err == *"$sentence"* && $err != *"$CANARY"* ]]; then
        report 0 "$1: $what"
    else
        report 1 "$1: $what"
        printf '# status %s; stdout %q; stderr %q\n' "$status" "$out" "$err"
    fi
}
clients given
is "each of them is in the log" "$(stepvault audit log --json --step billing/notify | grep -c '"action":"project"')" 5

stepvault step remove billing/notify --force 2> "$scratch/err"
what="a step that is not there is refused" sentence=billing/notify
clients refused
stepvault lock
what="without an agent it fails" sentence=
clients refused
finish
