#!/bin/bash
# limit: 400
# What the log proves, judged by code that is not ours: Go's sumdb/note and sumdb/tlog (Debian's golang-golang-x-mod-dev), from
# the one verifier key that was kept when the log began. Everything is then changed, byte by byte, and must be noticed. TAP.
here=$(realpath "$(dirname "$0")")
# shellcheck source=../cli/fixture.bash
. "$here/../cli/fixture.bash"
# shellcheck source=document.bash
. "$here/document.bash"

verifier=$scratch/verify_log
build() {
    cd "$here/verify_log" || return
    env GOCACHE="$scratch/go" GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= GOTOOLCHAIN=local /usr/bin/go build -o "$verifier" .
}
succeeds "the verifier is built" build
cd "$scratch/work" || exit 1
is "gofmt would not change it" "$(/usr/bin/gofmt -l "$here/verify_log")" ""
try "$verifier" vectors "$here/../vectors/tlog_kat.json"
is "the known vectors hold" "$status $out" "0 80 roots and proofs, and the notes"

for number in $(seq 300); do printf 'NAME_%s=%s\n' "$number" "$number"; done > many.env
fill() { # leaves N entries behind
    local left
    for left in $(seq "$1"); do stepvault env get "NAME_$left" --at many > /dev/null; done
}
# What an outsider has, in the folder `evidence`: collect NAME keeps a checkpoint there, present brings the rest up to date.
collect() { stepvault audit checkpoint > "evidence/$1.note"; }
receipt() {
    stepvault audit prove "$1" > "evidence/$1.tlog-proof"
    [ -e "evidence/$1.line" ] || sed -n 's/^extra //p' "evidence/$1.tlog-proof" | base64 -d > "evidence/$1.line"
}
present() {
    local note name
    stepvault audit key --all --json > evidence/keys.json
    for note in evidence/*.note; do
        stepvault audit verify --against "$note" --json > "${note%.note}.verified.json" || return
    done
    for name in evidence/*.tlog-proof; do
        name=${name##*/}
        [ "$name" = "*.tlog-proof" ] || receipt "${name%.tlog-proof}" || return
    done
    stepvault audit export > evidence/export.jsonl
}
# judged NAME: all of the evidence holds, and says how much of it there is.
judged() {
    try present
    try "$verifier" check evidence
    report "$status" "$1${out:+: $out}"
    [ "$status" = 0 ] || printf '# %s\n' "$err"
}

new_vault evidence
mkdir evidence
stepvault audit key > evidence/trusted.key
stepvault env import many.env --at many 2> "$scratch/err"
collect first
fill 20
receipt 0
receipt 5
judged "a young log"
fill 280
collect second
fill 7
receipt 255
receipt 256
receipt 300
judged "a log of two tiles"

try "$verifier" mutate evidence
report "$status" "every change of it is noticed"
printf '# %s\n' "$(paste -sd ';' "$scratch/out")" "$err"
try "$verifier" keys evidence
report "$status" "no wrong key verifies a note"
printf '# %s\n' "$out" "$err"

stepvault audit prune --before "$(date -u -d tomorrow +%Y-%m-%d)" --passphrase-fd 3 3< "$scratch/pass" 2> "$scratch/err"
collect pruned
judged "after pruning"

# What the page says of all this.
cp evidence/trusted.key evidence/first.note .
mv first.note kept.note
try bash -ec "$(block RECIPES.md Evidence 1)"
is "the recipe's questions are answered" "$status $(grep -o 'were pruned' <<< "$err" | sort -u)" "0 were pruned"
try bash -ec "$(block RECIPES.md Evidence 2)"
is "the recipe's evidence is made" "$status $(wc -l < log.jsonl) $(sed -n 's/^index //p' 42.tlog-proof)" "0 $(wc -l < evidence/export.jsonl) 42"

# rekey and restore begin eras: the keys are followed by what the log itself says.
fill 5
receipt "$(stepvault status --json | jq '(.log_size // .agent.log_size) - 1')"
succeeds "rekey" stepvault rekey --passphrase-fd 3 --no-recovery 3< "$scratch/pass"
fill 5
collect rekeyed
judged "after a rekey"
has "... of two keys" "$out" "2 keys"
succeeds "backup" stepvault backup "$scratch/backup.db"
fill 3
collect abandoned
fill 3
succeeds "restore" stepvault restore "$scratch/backup.db" --yes --passphrase-fd 3 3< "$scratch/pass"
unlock --for 1d 2> "$scratch/err"
fill 300
mv evidence/abandoned.* .
collect restored
judged "after a restore"
cp abandoned.note evidence/abandoned.note
fails "the abandoned branch does not pass for the log" 1 "branch" stepvault audit verify --against abandoned.note
try "$verifier" check evidence
is "... nor with Go" "$status" 1
rm evidence/abandoned.note
stepvault audit prune --before "$(date -u -d tomorrow +%Y-%m-%d)" --passphrase-fd 3 3< "$scratch/pass" 2> "$scratch/err"
judged "after all of it was pruned"
try "$verifier" mutate evidence
report "$status" "every change is noticed, over all eras"
printf '# %s\n' "$(paste -sd ';' "$scratch/out")" "$err"

finish
