# shellcheck shell=bash
# What tests of code steps share beside tests/cli/fixture.bash: a vault whose step billing/notify has the account slack
# and the variable BILLING_CHANNEL, and the running of files.
# shellcheck source=../cli/fixture.bash
. "$(dirname "${BASH_SOURCE[0]}")/../cli/fixture.bash"
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY NODE_OPTIONS NODE_PATH PYTHONPATH

code_vault() {
    new_vault code
    account slack default "{\"oauth_access_token\":\"xoxb-$CANARY\"}"
    stepvault bind billing/notify slack > /dev/null
    place BILLING_CHANNEL '#billing' billing
}
# file NAME: from stdin.
file() {
    mkdir -p "$(dirname "$1")"
    cat > "$1"
}
# step FILE [OPTION...] [-- ARG...]: runs it as billing/notify; leaves $status, $out, $err and $result.
step() {
    local code=$1
    shift
    rm -f result.json
    try stepvault run billing/notify --code "$code" --result result.json "$@"
    result=$(cat result.json 2> /dev/null)
}
# gives NAME RESULT FILE [OPTION...]: it ends well, and this is the result.
gives() {
    step "${@:3}"
    is "$1" "$status $result" "0 $2"
    [ "$status" = 0 ] || printf '# %s\n' "$err"
}
# refused NAME PART FILE [OPTION...]: one sentence that has PART, exit status 125, no result, no secret.
refused() {
    step "${@:3}"
    if [ "$status" = 125 ] && [ -z "$result" ] && [ "$(wc -l < "$scratch/err")" = 1 ] &&
        [[ $err == "stepvault: "* && $err == *"$2"* && $err != *"$CANARY"* ]]; then
        report 0 "$1"
    else
        report 1 "$1"
        printf '# status %s, result %.200q, stderr %.600q, want %q\n' "$status" "$result" "$err" "$2"
    fi
}
