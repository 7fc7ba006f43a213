# shellcheck shell=bash disable=SC2016 # what stands in single quotes is JSON
# What tests of code steps share beside tests/cli/fixture.bash: a vault whose step billing/notify has the account slack
# and the variable BILLING_CHANNEL, files with an event and with earlier steps, the running of files, and what launchers of
# every language do alike.
# shellcheck source=../cli/fixture.bash
. "$(dirname "${BASH_SOURCE[0]}")/../cli/fixture.bash"
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY NODE_OPTIONS NODE_PATH PYTHONPATH

code_vault() {
    new_vault code
    account slack default "{\"oauth_access_token\":\"xoxb-$CANARY\"}"
    stepvault bind billing/notify slack > /dev/null
    place BILLING_CHANNEL '#billing' billing
    echo '{"amount":5,"items":[1,"zwei"]}' > event.json
    echo '{"look":{"$return_value":{"id":7}}}' > steps.json
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
# ends NAME STATUS RESULT FILE [OPTION...]: it ends so, and this is the result, or "" where there is none.
ends() {
    step "${@:4}"
    is "$1" "$status $result" "$2 $3"
    [ "$status" = "$2" ] || printf '# %s\n' "$err"
}
# gives NAME RESULT FILE [OPTION...]: it ends well, and this is the result.
gives() { ends "$1" 0 "${@:2}"; }
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
# lives_on NAME ENDING NOTHING: the data of --db, by the NAME that code has for it. The file `database` with that ENDING
# counts in it, `killed` leaves a file beside it, `away` goes elsewhere; what these two give is NOTHING.
lives_on() {
    gives "$1" '{"$return_value":1}' "database$2" --db state.json
    gives "... lives from run to run" '{"$return_value":2}' "database$2" --db state.json
    is "... in a file that is the owner's alone" "$(cat state.json) $(stat -c %a state.json)" '{"n":2} 600'
    gives "... whatever a killed run has left beside it" "$3" "killed$2" --db state.json
    is "... which has this one's" "$(cat state.json)" '{"n":3}'
    mkdir elsewhere
    gives "... and where it was for code that goes elsewhere" "$3" "away$2" --db state.json
    is "... which leaves it there" "$(cat state.json) $(ls elsewhere)" '{"n":9} '
}
# by_hand FILE [VARIABLE=VALUE...]: has the launcher run it without us; $runtime and $launcher are set.
by_hand() { try env "${@:2}" "$runtime" "$launcher" "$1"; }
# starts_by_hand FILE RESULT REASON: that is its result where nothing is given, and the REASON why there is no folder
# /nonexistent.
starts_by_hand() {
    local what
    echo 'this is no JSON, c4n4ry' > bad.json
    for what in EVENT STEPS PROPS DB AUTHS; do
        by_hand "$1" "STEPVAULT_$what=bad.json"
        is "by hand: $what that is not JSON" "$status $err" "125 stepvault: the $(echo "${what/AUTHS/accounts}" | tr '[:upper:]' '[:lower:]') bad.json is not JSON"
    done
    by_hand "$1" STEPVAULT_RESULT=result.json
    is "by hand: nothing given" "$status $(cat result.json)" "0 $2"
    by_hand "$1" STEPVAULT_RESULT=/nonexistent/result
    is "by hand: a result that cannot be written" "$status $err" "125 stepvault: cannot write the result /nonexistent/result: $3"
    try "$runtime" "$launcher"
    is "by hand: no file" "$status $err" "125 stepvault: ${launcher##*/} needs the FILE of code"
}
