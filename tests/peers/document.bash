# shellcheck shell=bash
# Takes the code blocks out of the pages of docs/, so that what users copy is what the tests run.
documents=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../docs")

# block PAGE HEADING [N]: the N-th (1) fenced block under a heading of that text.
block() {
    awk -v heading="$2" -v wanted="${3:-1}" '
        inside && /^ *```/ { exit }
        inside { print; found = 1; next }
        /^#+ / { title = $0; sub(/^#+ /, "", title); here = title == heading }
        here && /^ *```/ { if (open) open = 0; else { open = 1; if (++count == wanted) inside = 1 } }
        END { if (!found) print "no such block" }
    ' "$documents/$1"
}
