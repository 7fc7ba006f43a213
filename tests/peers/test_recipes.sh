#!/bin/bash
# What docs/RECIPES.md says for cron, containers, CI and direnv, taken from the page and run as they would. TAP.
# shellcheck disable=SC2016 # the steps' and the namespaces' own shells expand
here=$(realpath "$(dirname "$0")")
# shellcheck source=../cli/fixture.bash
. "$here/../cli/fixture.bash"
# shellcheck source=document.bash
. "$here/document.bash"

# What the recipes name, where this test has it.
mkdir "$scratch/bin"
ln -s "$bin/stepvault" "$scratch/bin/stepvault"
printf '#!/bin/sh\necho "notified with $STRIPE_KEY"\n' > "$scratch/bin/notify"
chmod 755 "$scratch/bin/notify"
here_is() { sed "s|/usr/local/bin/|$scratch/bin/|g"; }

# A vault with a key file, which no agent holds.
mkdir -m 700 "$HOME/.config" "$HOME/.config/stepvault"
key=$HOME/.config/stepvault/vault.key
export STEPVAULT_VAULT="$HOME/.local/share/stepvault/vault.db"
stepvault init --key-file "$key" --no-recovery 2> "$scratch/err"
place STRIPE_KEY sk_1 billing/notify
place TOKEN "ci $CANARY" ci/deploy
stepvault lock

# ---- cron ----

line=$(block RECIPES.md cron | sed 's/^\([^ ]* \)\{5\}//' | here_is)
# What Debian's cron gives a job.
as_cron() { (cd "$HOME" && env -i HOME="$HOME" XDG_STATE_HOME="$XDG_STATE_HOME" LOGNAME=ann SHELL=/bin/sh PATH=/usr/bin:/bin /bin/sh -c "$1" < /dev/null); }
try as_cron "$line"
is "cron's line gives the step its own" "$out$err" "notified with sk_1"
mv "$key" "$key.away"
try as_cron "$line"
has "and says what is wrong where there is no key" "$status $err" "125 stepvault: there is no key file"
mv "$key.away" "$key"

# ---- direnv ----

new_vault direnv
value=$'two\nlines \'"$HOME`x`\\ '"$CANARY"
place WEB_KEY "$value" dev/web
block RECIPES.md direnv > .envrc
direnv allow . 2> "$scratch/err"
try direnv exec . printenv WEB_KEY
is "direnv's line sets the step's variables, to the byte" "$status $out" "0 $value"
lacks "and shows none" "$err" "$CANARY"
stepvault lock
try direnv exec . printenv WEB_KEY
has "locked, it says so" "$err" "stepvault unlock"
is "and sets nothing" "$out" ""
export STEPVAULT_VAULT="$HOME/.local/share/stepvault/vault.db"

# ---- a file for docker ----

try env STEPVAULT_KEY_FILE="$key" sh -ec "$(block RECIPES.md Containers 3)"
is "the file for docker has the step's variables" "$status $err $(cat notify.env)" "0  STRIPE_KEY=sk_1"

# ---- CI ----

mkdir -p "$scratch/checkout/ci" "$scratch/temporary"
printf '#!/bin/sh\nprintf %%s "$TOKEN" > deployed\n' > "$scratch/checkout/deploy"
chmod 755 "$scratch/checkout/deploy"
# As a checkout has it.
checked_out() {
    cp "$STEPVAULT_VAULT" "$scratch/checkout/ci/vault.db"
    chmod 644 "$scratch/checkout/ci/vault.db"
    rm -f "$scratch/checkout/deployed"
}
as_job() {
    (cd "$scratch/checkout" && env -i HOME="$HOME" XDG_STATE_HOME="$XDG_STATE_HOME" PATH="$scratch/bin:/usr/bin:/bin" CI=true RUNNER_TEMP="$scratch/temporary" \
        CI_PROJECT_DIR="$scratch/checkout" STEPVAULT_VAULT="$scratch/checkout/ci/vault.db" "$@" < /dev/null)
}
# A copy of each job, of which none has seen the others'.
entries() { XDG_STATE_HOME=$(mktemp -d -p "$scratch") stepvault audit log --vault "$scratch/checkout/ci/vault.db" --key-file "$key" --step ci/deploy --json | grep -c '"project"'; }

checked_out
block RECIPES.md CI 1 | sed -n '/run: |/,/env:/p' | sed '1d;$d' > "$scratch/script"
try as_job KEY="$(base64 -w0 "$key")" bash -e "$scratch/script"
is "GitHub's script deploys" "$status $err $(cat "$scratch/checkout/deployed")" "0  ci $CANARY"
is "its copy of the vault has the entry" "$(entries)" 1
lacks "what it prints has no secret" "$out$err" "$CANARY"
checked_out
block RECIPES.md CI 2 | sed -n '/script:/,/after_script:/s/^ *- //p' > "$scratch/script"
try as_job STEPVAULT_KEY="$(base64 -w0 "$key")" bash -e "$scratch/script"
is "GitLab's script deploys" "$status $err $(cat "$scratch/checkout/deployed")" "0  ci $CANARY"
is "its copy of the vault has the entry, too" "$(entries)" 1
block RECIPES.md CI 2 | sed -n '/after_script:/,/artifacts:/s/^ *- //p' > "$scratch/script"
try as_job bash -e "$scratch/script"
is "and its key is gone afterwards" "$(find "$scratch" -maxdepth 1 -name '*.key')" ""

# What building wants is what tests/deps installs, but for what only tests want.
libraries() { grep -o 'lib[a-z0-9-]*-dev' | grep -v -e cmocka -e pamtest -e clang | sort | tr '\n' ' '; }
is "the image is built with what building wants" "$(block RECIPES.md Containers 1 | libraries)" "$(libraries < "$here/../deps")"

# ---- containers: process 1, a bare environment, no terminal ----

if ! unshare --mount --pid --fork --mount-proc true 2> /dev/null; then
    skip "as process 1" "a process namespace needs a privilege that containers lack"
    finish
    exit
fi

mkdir -m 700 "$scratch/vault" "$scratch/secrets"
cp "$STEPVAULT_VAULT" "$scratch/vault/vault.db"
cp "$key" "$scratch/secrets/stepvault_key"
readarray -t environment < <(block RECIPES.md Containers 1 | sed -n 's/^ENV //p' | sed "s|/vault/|$scratch/vault/|; s|/run/secrets|$scratch/secrets|" | tr ' ' '\n')
readarray -t entry < <(block RECIPES.md Containers 1 | sed -n 's/^ENTRYPOINT //p' | jq -r '.[]')
is "the image says which step it is" "${entry[*]}" "stepvault run billing/notify --"
# The image's entry point with a command, as process 1; the journal's socket is not there.
contained='
    mount -t tmpfs tmpfs /run
    [ ! -e /dev/log ] || mount --bind /dev/null /dev/log
    [ -z "$VAULT_IS" ] || { mount --bind "$VAULT_FOLDER" "$VAULT_FOLDER" && mount -o "remount,bind,$VAULT_IS" "$VAULT_FOLDER"; }
    exec env -u VAULT_IS -u VAULT_FOLDER "$@"'
container() {
    env -i PATH="$scratch/bin:/usr/bin:/bin" HOME=/proc/none XDG_STATE_HOME=/proc/none VAULT_IS="${vault_is:-}" VAULT_FOLDER="$scratch/vault" \
        unshare --mount --pid --fork --kill-child --mount-proc bash -ec "$contained" - "${environment[@]}" "${entry[@]}" "$@" < /dev/null
}
try container sh -c 'echo "$$ $STRIPE_KEY"'
is "the step is process 1, with its own" "$status $out$err" "0 1 sk_1"
try container sh -c 'sleep 0.2; ps -eo stat= | grep -c Z'
is "no dead process is left to it" "$out$err" 0
try container sh -c 'exit 42'
is "its status is the container's" "$status" 42
try container /no/such/program
has "what cannot be run is said" "$status $err" "127 stepvault: "
# As `docker stop` does.
container sh -c 'trap "echo ended; exit 7" TERM; touch "$0"; while :; do sleep 0.05; done' "$scratch/up" > "$scratch/stopped" 2>&1 &
stopped=$!
for _ in $(seq 100); do
    [ ! -e "$scratch/up" ] || break
    sleep 0.05
done
first=$(pgrep -f "touch.*$scratch/up" | sort -n | tail -n 1)
kill -TERM "$first"
wait "$stopped"
is "TERM reaches the step's own handler" "$? $(cat "$scratch/stopped")" "7 ended"
vault_is=ro try container true
has "a vault that cannot be written gives nothing" "$status $err" "cannot be written: it is read-only"
chmod 444 "$scratch/secrets/stepvault_key"
try container true
has "a key that others may read is refused" "$status $err" "is open to others"
rm "$scratch/secrets/stepvault_key"
ln -s "$key" "$scratch/secrets/stepvault_key"
try container true
has "so is one behind a symbolic link" "$status $err" "is a symbolic link"
finish
