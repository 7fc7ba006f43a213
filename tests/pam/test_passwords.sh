#!/bin/bash
# limit: 300
# Changes of the password where something is missing, or that follow each other: which slots there are then, and what opens.
. "$(dirname "$0")/fixture.bash"

# change OLD NEW: as the user does.
change() { tuser "$drive" "urrent.*:=>$1" "ew password:=>$2" "etype.*:=>$2" -- passwd; }
# begin: a vault of `pw`, the user's password, and no agent.
begin() {
    echo tuser:pw | chpasswd
    user_vault pw
    lock
    end_user 2> "$scratch/notes"
}

begin
has "a change where no agent runs" "$(change pw correct-Horse-9)" "updated successfully"
is "leaves none behind" "$(agents_left)" 0
is "... and two slots" "$(slots)" "login login passphrase "
has "a second one before any login" "$(change correct-Horse-9 another-Horse-7)" "updated successfully"
is "... makes no third" "$(slots)" "login login passphrase "
opens pw
is "... what was before both opens nothing" "$?" 1
opens correct-Horse-9
is "... the one before still does" "$?" 0
has "a login with the last one" "$(su_in another-Horse-7)" "SESSION_KEY=session-$CANARY"
is "... is the end of the others" "$(slots)" "login passphrase "
opens correct-Horse-9
is "... which open nothing" "$?" 1

begin
echo tuser:first-Horse-1 | chpasswd
user_vault first-Horse-1
change first-Horse-1 correct-Horse-9 > "$scratch/out"
has "a change back" "$(change correct-Horse-9 first-Horse-1)" "updated successfully"
has "a login with what is the password again" "$(su_in first-Horse-1)" SESSION_KEY
is "... keeps one slot" "$(slots)" "login passphrase "
opens correct-Horse-9
is "... and not that of the one between" "$?" 1

begin
su_in pw true > "$scratch/out"
has "a change with an open vault" "$(change pw correct-Horse-9)" "updated successfully"
has "a login while it is open" "$(su_in correct-Horse-9)" SESSION_KEY
is "... derives nothing, so the old slot is there still" "$(tuser stepvault slot list | grep -c ^login)" 2
lock
has "the first that opens it" "$(su_in correct-Horse-9)" SESSION_KEY
is "... ends that" "$(tuser stepvault slot list | grep -c ^login)" 1

begin
mv /run/user/4242 /run/user/away
has "a change where the user has no runtime folder, as before the first session" "$(change pw correct-Horse-9)" "updated successfully"
mv /run/user/away /run/user/4242
is "... is followed" "$(slots)" "login login passphrase "

# A clock that was set back since: the slot that there is was made in the year 2090.
begin
cat > "$scratch/later.py" << 'END'
"""Gives the login slot that time, and another id; key and salt are the same."""
import base64, os, socket, sys
sys.path.insert(0, sys.argv[1] + "/tests/cli")
from agent_client import Client
stream = socket.socket(socket.AF_UNIX)
stream.connect("/run/user/4242/stepvault/agent.sock")
client = Client(stream, "/home/tuser/.local/share/stepvault/vault.db")
id, key = sys.argv[2].split(".")
key = base64.b64encode(bytes.fromhex(key)).decode()
old = next(slot for slot in client.call("ListSlots")["parameters"]["slots"] if slot["id"] == id)
new = {**old, "id": os.urandom(16).hex(), "created": "2090-01-01T00:00:00.000Z", "key": key}
for reply in (client.call("AddSlot", new_slot=new, slot_key={"slot": id, "key": key}),
              client.call("RemoveSlot", slot=id, slot_key={"slot": new["id"], "key": key})):
    assert "error" not in reply, reply
END
# The tree may lie where the user cannot go.
install -d -m 755 "$scratch/tree"
(cd "$RIG_TOP" && cp --parents pam/message.h tests/pam/job.py tests/cli/agent_client.py "$scratch/tree")
keys=$(as_id 4242 tuser RIG_TOP="$scratch/tree" "$scratch/tree/tests/pam/job.py" derive password=pw)
tuser stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
tuser python3 "$scratch/later.py" "$scratch/tree" "${keys##*KEYS=}"
is "a slot of a time that is to come" "$(tuser stepvault slot list | sed -n 's/^login\t[^\t]*\t\([0-9]*\)-.*/\1/p')" 2090
lock
has "... opens the vault" "$(su_in pw)" SESSION_KEY
has "a change then" "$(change pw correct-Horse-9)" "updated successfully"
lock
has "the new password opens it" "$(su_in correct-Horse-9)" SESSION_KEY
is "... and ends the old one, which seemed to be the later" "$(slots)" "login passphrase "
opens pw
is "... which opens nothing" "$?" 1

# An expired password, whose change the vault cannot follow within the time that there is for it.
begin
sed -i "s/\(pam_stepvault.so.*\) deadline=30000/\1 deadline=1/" /etc/pam.d/common-password
chage -d 0 tuser
mark
out=$("$drive" 'assword:=>pw' 'urrent.*:=>pw' 'ew password:=>correct-Horse-9' 'etype.*:=>correct-Horse-9' '\$ =>env; exit' -- login tuser)
has "a change that the vault cannot follow in time: the login succeeds" "$out" HOME=/home/tuser
has "... and the vault opens with what opened it" "$out" "SESSION_KEY=session-$CANARY"
has "... which the journal says" "$(journal)" "login:chauthtok uid 4242: the vault took too long"
is "... and its slots are as they were" "$(slots)" "login passphrase "
deadline 30000

# No time at all, for nothing.
begin
deadline 1
mark
has "a deadline that no helper can keep: the login succeeds" "$(su_in pw "echo i''n-2")" in-2
has "... and the journal says why" "$(journal)" "took too long"
is "... with no helper left" "$(pgrep -c stepvault-login)" 0

finish
