#!/bin/bash
# What test_systemd.sh tries under a running systemd, whose only service this script is. Prints lines of three fields, split by
# unit separators: what is tested, what came, what should have; and `end`.
# shellcheck disable=SC2016 # the steps' own shells expand
set -u
# shellcheck source=document.bash
. "$HERE/document.bash"
cd /run || exit 1
export STEPVAULT_VAULT=/var/lib/stepvault/billing/vault.db STEPVAULT_SOCKET=/run/stepvault/billing/agent.sock

say() { printf '%s\x1f%s\x1f%s\n' "$1" "$(tr '\n' ' ' <<< "$2" | sed 's/ *$//')" "$3"; }
as_billing() { runuser -u billing -- "$@"; }
unit() { systemctl show --property="$2" --value "$1"; }
notified() {
    rm -f /run/billing/notified
    systemctl start "$1"
    cat /run/billing/notified
}

# ---- the system's manager ----

block RECIPES.md "systemd: a service's vault" 1 > /run/recipe
said=$(sh -e /run/recipe 2>&1 > /dev/null)
say "the recipe of a service's vault works" "$?" 0
echo "$said" >&2
say "the key lies there encrypted only" "$(find /var/lib/stepvault /etc/stepvault -type f -printf '%P ' | sed 's/vault.db-[a-z]* //g')" "billing/vault.db billing/billing.key"
say "the socket's folder is the user's alone" "$(stat -c '%U %a' /run/stepvault/billing)" "billing 700"
say "the agent is the unit's" "$(as_billing stepvault status --json | jq -r '.pid')" "$(unit stepvault-agent@billing.service MainPID)"
say "what it last saw of the vault lies apart from it" \
    "$(find /var/lib/stepvault-state -name '*.pin' -printf '%u %m %P' | sed 's/[0-9a-f]\{16\}/PIN/')" "billing 600 billing/stepvault/pins/PIN.pin"
echo sk_1 | as_billing stepvault env set STRIPE_KEY --at billing/notify 2> /dev/null
say "root is not the user, and is refused" "$(stepvault status 2>&1 | grep -c 'belongs to another user')" 1
as_billing stepvault lock
say "locked, the agent has ended" "$(unit stepvault-agent@billing.service ActiveState)" inactive
say "and the socket stays" "$(unit stepvault-agent@billing.socket ActiveState)" active

say "a service is given its own, unattended, and no key" "$(notified billing-notify.service)" "sk_1, key file: none"
say "the vault was opened by the credential" "$(as_billing stepvault status --json | jq -r '.state')" open
say "which then lies nowhere any more" "$(find /run/credentials -name stepvault.key)" ""
say "the log names the service's program" "$(as_billing stepvault audit log --json --step billing/notify | jq -r 'select(.action == "project") | .who.exe' | tail -n 1)" /usr/local/bin/stepvault
as_billing stepvault lock
say "locked, the next start opens the vault again" "$(notified billing-notify.service)" "sk_1, key file: none"
systemctl stop stepvault-agent@billing.socket stepvault-agent@billing.service
say "stopped, nothing listens" "$(ls /run/stepvault 2>&1)" ""
unset STEPVAULT_SOCKET
say "a service with the credential in its own unit needs no agent" "$(notified billing-alone.service)" "sk_1, key file: readable"
say "and the same pin" "$(find /var/lib/stepvault-state -name '*.pin' | wc -l)" 1
say "and leaves none behind" "$(pgrep -c stepvault-agent)" 0
cp /etc/stepvault/billing.key /etc/stepvault/kept
head -c -8 /etc/stepvault/kept > /etc/stepvault/billing.key
say "a credential that was cut starts nothing" "$(notified billing-alone.service 2>&1 | grep -c 'sk_1')" 0
cp /etc/stepvault/kept /etc/stepvault/billing.key

# A socket in the user's own folder, which another user, not root, listens at.
mkdir -m 700 /run/billing/trap
chown billing /run/billing/trap
python3 - <<'LISTEN' &
import os, socket, time
listener = socket.socket(socket.AF_UNIX)
listener.bind("/run/billing/trap/agent.sock")
os.chown("/run/billing/trap/agent.sock", 4711, 4711)
os.seteuid(1)
listener.listen()
time.sleep(60)
LISTEN
listener=$!
for _ in $(seq 50); do
    [ "$(stat -c %U /run/billing/trap/agent.sock 2> /dev/null)" != billing ] || break
    sleep 0.1
done
sleep 0.2
say "what another user listens at is not asked" \
    "$(as_billing env STEPVAULT_SOCKET=/run/billing/trap/agent.sock stepvault status 2>&1 | grep -c 'belongs to another user')" 1
kill "$listener"

# ---- a user's manager ----

unset STEPVAULT_VAULT
systemctl start user-manager.service
person() { runuser -u billing -- env HOME=/run/billing XDG_RUNTIME_DIR=/run/user/4711 "$@"; }
block RECIPES.md "systemd: a person's agent" 1 > /run/recipe
chmod 644 /run/recipe
said=$(person sh -e /run/recipe 2>&1)
say "the recipe of a person's agent works" "$?" 0
echo "$said" >&2
say "its socket is where clients look" "$(stat -c '%U %a' /run/user/4711/stepvault/agent.sock)" "billing 600"
say "nothing runs before the first call" "$(pgrep -c stepvault-agent)" 0
echo "correct horse battery" > /run/billing/pass
person stepvault init --passphrase-fd 3 --kdf-time 0 --no-recovery 3< /run/billing/pass
say "the vault is made through the socket" "$(person stepvault status --json | jq -r '.state')" open
say "by the unit" "$(person stepvault status --json | jq -r '.pid')" "$(person systemctl --user show -P MainPID stepvault-agent.service)"
echo hello | person stepvault env set GREETING --at job 2> /dev/null
say "a step is given its own" "$(person stepvault run job -- sh -c 'echo $GREETING')" hello
person stepvault lock
say "locked, the agent has ended and the socket has not" \
    "$(person systemctl --user is-active stepvault-agent.service stepvault-agent.socket | xargs)" "inactive active"
say "locked, the step is refused with the way out" "$(person stepvault run job -- true 2>&1 | grep -c 'stepvault unlock')" 1
person stepvault unlock --passphrase-fd 3 3< /run/billing/pass
say "unlocked, it runs again" "$(person stepvault run job -- sh -c 'echo $GREETING')" hello
systemctl stop user-manager.service
say "with the user's manager the agent ends" "$(pgrep -c stepvault-agent)" 0
echo end
