#!/bin/bash
# Runs a file of bash as a code step: bash.sh FILE [ARG...]. cli/launchers/README.md says what it gets and leaves; what is
# JSON is prepared and read by stepvault-code, because bash has none.

fail() {
    printf 'stepvault: %s\n' "$1" >&2
    exit 125
}

[ $# -gt 0 ] || fail 'bash.sh needs the FILE of code'
if [ ! -r "$1" ] || [ -d "$1" ]; then fail "cannot read the code $1"; fi
unset STEPVAULT_EVENT STEPVAULT_STEPS STEPVAULT_PROPS STEPVAULT_DB STEPVAULT_RESULT
# Not every launcher has somebody who prepares them.
export PIPEDREAM_STEPS="${PIPEDREAM_STEPS-/dev/null}" PIPEDREAM_EXPORTS="${PIPEDREAM_EXPORTS-/dev/null}"
# A new bash, so that $0 and BASH_SOURCE are the code's. One without a slash would be looked for in PATH, too, and one that
# begins with a dash would be options.
case $1 in [!-]*/* | /*) exec "$BASH" "$@" ;; *) exec "$BASH" "./$1" "${@:2}" ;; esac
