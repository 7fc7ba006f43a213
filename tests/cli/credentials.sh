#!/bin/bash
# run --deliver credentials: the folder as steps in several languages read it, who gets it, and what is left of it.
# sanitize: yes
# limit: 120
# shellcheck disable=SC2016 # what stands in single quotes is for the command's own shell
# shellcheck source-path=SCRIPTDIR
source "$(dirname "$0")/fixture.bash"

new_vault first
folders="$XDG_RUNTIME_DIR/stepvault/credentials"
pem=$'-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n'
place STRIPE_KEY "sk $CANARY" billing
place PEM "$pem" billing
place EMPTY '' billing
place RAW $'\xff\x01\r\n' billing
account slack main '{"oauth_access_token":"xoxb-'$CANARY'","oauth_uid":"U1"}'
stepvault bind billing slack > /dev/null
place ONLY_VARIABLE v plain
stepvault step add empty > /dev/null
folders_left() { find "$folders" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort; }
with() { stepvault run billing --deliver credentials "$@"; }

# ---- what a step reads ----
cat > read.py <<'PY'
import fcntl, os, re, stat
folder = os.environ["CREDENTIALS_DIRECTORY"]
print(oct(stat.S_IMODE(os.stat(folder).st_mode)), sorted(os.listdir(folder)))
for name in sorted(os.listdir(folder)):
    path = os.path.join(folder, name)
    pid, number = re.fullmatch(r"/proc/(\d+)/fd/(\d+)", os.readlink(path)).groups()
    info = os.stat(path)
    print(name, open(path, "rb").read(), int(pid) == os.getpid(), int(number) >= 10, os.get_inheritable(int(number)),
          stat.S_ISREG(info.st_mode), oct(stat.S_IMODE(info.st_mode)), fcntl.fcntl(int(number), 1034) & 15)
    try:
        os.write(os.open(path, os.O_RDWR), b"x")
        print("written")
    except OSError:
        pass
PY
try with -- /usr/bin/python3 read.py
is "a folder of sealed memfds of the command's own" "$out" \
    "0o700 ['EMPTY', 'PEM', 'RAW', 'STRIPE_KEY', 'slack.oauth_access_token', 'slack.oauth_uid']
EMPTY b'' True True True True 0o400 15
PEM b'-----BEGIN KEY-----\\nMIIB\\n-----END KEY-----\\n' True True True True 0o400 15
RAW b'\\xff\\x01\\r\\n' True True True True 0o400 15
STRIPE_KEY b'sk $CANARY' True True True True 0o400 15
slack.oauth_access_token b'xoxb-$CANARY' True True True True 0o400 15
slack.oauth_uid b'U1' True True True True 0o400 15"
cat > read.mjs <<'JS'
import { readFileSync } from "node:fs";
process.stdout.write(readFileSync(process.env.CREDENTIALS_DIRECTORY + "/slack.oauth_access_token", "utf8"));
JS
is "Node reads it" "$(with -- node read.mjs)" "xoxb-$CANARY"
is "Bash reads it" "$(with -- bash -c 'printf "%s" "$(< "$CREDENTIALS_DIRECTORY/STRIPE_KEY")"')" "sk $CANARY"
is "so does a grandchild, twice" \
    "$(with -- sh -c 'sh -c "sh -c \"cat \\\$CREDENTIALS_DIRECTORY/slack.oauth_uid \\\$CREDENTIALS_DIRECTORY/slack.oauth_uid; true\"; true"; true')" U1U1
is "systemd-creds reads it" "$(with -- systemd-creds cat slack.oauth_access_token)" "xoxb-$CANARY"
is "the folder's name has process and start time" \
    "$(with -- sh -c 'echo "${CREDENTIALS_DIRECTORY%-*}"; set -- $(sed "s/.*) //" /proc/$$/stat); echo "'"$folders"'/$$-${20}"' | uniq | wc -l)" 1
lacks "nothing secret is in the environment, where credentials are alone" "$(with -- cat /proc/self/environ | tr '\0' '\n')" "$CANARY"
is "... no variable at all" "$(with -- env | grep -cE '^(STRIPE_KEY|PEM|EMPTY|RAW|SLACK|STEPVAULT_)')" 0
is "... an inherited one that became a file is taken out" "$(STRIPE_KEY=old with -- sh -c 'echo "<$STRIPE_KEY>"')" "<>"
is "... unless it is to be kept" "$(STRIPE_KEY=old with --keep STRIPE_KEY -- sh -c 'echo "<$STRIPE_KEY>"')" "<old>"
is "with env the variables are there, and the files are the accounts'" \
    "$(with --deliver env -- sh -c 'echo "$STRIPE_KEY $SLACK_OAUTH_UID"; ls "$CREDENTIALS_DIRECTORY"')" "sk $CANARY U1
slack.oauth_access_token
slack.oauth_uid"
is "with auths likewise, and the document" \
    "$(with --deliver auths -- sh -c 'echo "$STRIPE_KEY $SLACK_OAUTH_UID"; ls "$CREDENTIALS_DIRECTORY"; jq -r .slack.oauth_uid "$STEPVAULT_AUTHS"')" "sk $CANARY 
slack.oauth_access_token
slack.oauth_uid
U1"
is "a step of variables alone has its files" "$(stepvault run plain --deliver credentials -- sh -c 'cat "$CREDENTIALS_DIRECTORY/ONLY_VARIABLE"')" v
fails "... and no accounts beside an environment" 125 "no account is bound at plain" stepvault run plain --deliver env --deliver credentials -- true
fails "a step of nothing has no folder" 125 "no credentials to deliver" stepvault run empty --deliver credentials -- true
is "on the disk there is nothing of a value" \
    "$(with -- sh -c 'grep -rl '$CANARY' "$1" --devices=skip 2>/dev/null | wc -l' - "$XDG_RUNTIME_DIR"; find "$folders" -type f | wc -l)" "0
0"
is "the log has the form, the names and no value" \
    "$(stepvault audit log --step billing --json | tail -1 | jq -r '[.deliver[], .variables[], (.accounts[] | .alias, .properties[], (.names // "none"))] | join(" ")')" \
    "credentials EMPTY PEM RAW STRIPE_KEY slack oauth_access_token oauth_uid none"

# ---- somebody else's folder ----
mkdir outside
printf key > outside/stepvault.key
outer() { CREDENTIALS_DIRECTORY=$PWD/outside stepvault run "$@"; }
is "a service's own folder does not reach the step" "$(outer plain -- sh -c 'echo "<$CREDENTIALS_DIRECTORY>"')" "<>"
is "... with --pristine neither" "$(outer plain --pristine -- sh -c 'echo "<$CREDENTIALS_DIRECTORY>"')" "<>"
is "... unless it is asked for" "$(outer plain --keep CREDENTIALS_DIRECTORY -- sh -c 'echo "<$CREDENTIALS_DIRECTORY>"')" "<$PWD/outside>"
is "... and what is delivered comes before what is kept" \
    "$(outer plain --keep CREDENTIALS_DIRECTORY --deliver credentials -- sh -c 'ls "$CREDENTIALS_DIRECTORY"; env | grep -c ^CREDENTIALS_DIRECTORY')" "ONLY_VARIABLE
1"
is "... and is left alone" "$(ls outside)" stepvault.key
printf /elsewhere | stepvault env set CREDENTIALS_DIRECTORY --raw --at named --allow-dangerous-name 2> /dev/null
is "a variable of that name is delivered like any" "$(stepvault run named -- sh -c 'echo "$CREDENTIALS_DIRECTORY"')" /elsewhere
is "... as a file, too" "$(stepvault run named --deliver credentials -- sh -c 'cat "$CREDENTIALS_DIRECTORY/CREDENTIALS_DIRECTORY"')" /elsewhere
stepvault bind named slack > /dev/null
fails "... but there are no two of them" 125 "both as a variable and as the folder" stepvault run named --deliver env --deliver credentials -- true

# ---- a run within a run ----
export OUR_RUNTIME=$XDG_RUNTIME_DIR OUR_VAULT=$STEPVAULT_VAULT
inner=(env STEPVAULT_VAULT="$STEPVAULT_VAULT" stepvault run plain)
is "an inner run has its own folder, and none of the outer's descriptors" \
    "$(with -- "${inner[@]}" --deliver credentials -- sh -c 'ls "$CREDENTIALS_DIRECTORY"; ls -l /proc/$$/fd | grep -c stepvault-cred')" "ONLY_VARIABLE
1"
is "... also where it delivers none" \
    "$(with -- "${inner[@]}" -- sh -c 'echo "<$CREDENTIALS_DIRECTORY>"; ls -l /proc/$$/fd | grep -c stepvault-cred')" "<>
0"
is "... and the outer's folder is gone with the process that it was of" "$(with -- "${inner[@]}" -- ls "$folders" | wc -l)" 0
is "an inner run in a child leaves the outer's to the outer" \
    "$(with -- sh -c ''"${inner[*]}"' --deliver credentials -- sh -c "ls -l /proc/\$\$/fd | grep -c stepvault-cred"; cat "$CREDENTIALS_DIRECTORY/slack.oauth_uid"')" "1
U1"
lost=(env -i PATH="$PATH" HOME="$HOME" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" XDG_STATE_HOME="$XDG_STATE_HOME" STEPVAULT_VAULT="$STEPVAULT_VAULT")
is "what was lost of the outer's environment leaves none of its descriptors to an inner run" \
    "$(with --deliver auths -- "${lost[@]}" stepvault run plain -- sh -c 'ls -l /proc/$$/fd | grep -c memfd')" 0
is "... but what is no run's is passed on" \
    "$("${lost[@]}" stepvault run plain -- sh -c 'cat /proc/self/fd/11' 11<<<passed)" passed
is "--keep keeps the outer's, open" \
    "$(with -- "${inner[@]}" --keep CREDENTIALS_DIRECTORY -- sh -c 'cat "$CREDENTIALS_DIRECTORY/slack.oauth_uid"')" U1
is "... but not beside its own" \
    "$(with -- "${inner[@]}" --keep CREDENTIALS_DIRECTORY --deliver credentials -- sh -c 'ls "$CREDENTIALS_DIRECTORY"; ls "'"$folders"'" | wc -l')" "ONLY_VARIABLE
1"
for odd in / /proc/self/fd '' x 1-2-3 /1-2-3 /1-2- /99999999999-1-1 "$folders/1-1-1"; do
    CREDENTIALS_DIRECTORY=$odd stepvault run plain -- true || break
done
is "an odd CREDENTIALS_DIRECTORY does no harm" $? 0

# ---- what is left ----
with -- true
is "a step that has ended leaves links that open nothing" \
    "$(find "$folders" -type l | head -1 | xargs cat 2>&1 | grep -c 'No such file'; find "$folders" -type l | wc -l)" "1
6"
stepvault run billing --deliver credentials -- sleep 300 & step=$!
for _ in $(seq 100); do [ "$(readlink "/proc/$step/exe")" = "$(command -v sleep | xargs realpath)" ] && break; sleep 0.05; done
is "the next one removes the folder of the dead, and not that of the living" "$(folders_left | cut -d- -f1)" "$step"
kill -9 $step; wait $step 2>/dev/null
namespace=$(readlink /proc/self/ns/pid | tr -cd 0-9)
mkdir "$folders/1-1-$namespace" "$folders/$$-1-$namespace" "$folders/$step-1-1" "$folders/not-ours" "$folders/1--$namespace" "$folders/01-1-$namespace"
touch "$folders/$$-1-$namespace/file"
touch "$folders/2-1-$namespace"
stepvault run plain --deliver credentials -- true
is "a process killed leaves nothing behind for longer, nor does one of a number used again; what is not ours to judge stays" \
    "$(folders_left | grep -v -- "-[0-9]\{3,\}-$namespace$" | tr '\n' ' ')" \
    "$(printf '%s\n' "$step-1-1" not-ours "1--$namespace" "01-1-$namespace" "2-1-$namespace" | sort | tr '\n' ' ')"
find "$folders" -mindepth 1 -delete
fails "a command that cannot be executed leaves no folder" 126 "cannot be executed" with -- /etc/passwd
printf '#!/no/interpreter\n' > script; chmod 755 script
fails "... nor one whose interpreter is missing" 126 "its interpreter" with -- ./script
is "... really" "$(folders_left)" ""
pids=()
for _ in $(seq 12); do with -- sh -c 'cat "$CREDENTIALS_DIRECTORY/slack.oauth_uid"' >> parallel & pids+=($!); done
wait "${pids[@]}"
is "many at once do not take each other's" "$(cat parallel)" U1U1U1U1U1U1U1U1U1U1U1U1

# ---- where it cannot be ----
fails "more credentials than files may be open are said" 125 "limit of open files allows" bash -c 'ulimit -n 14; exec stepvault run billing --deliver credentials -- true'
fails "... also where not one may" 125 "limit of open files allows" bash -c 'ulimit -n 10; exec stepvault run plain --deliver credentials -- true'
is "... and leave no folder" "$(folders_left)" ""
before=$(stepvault audit log --step plain | wc -l)
STEPVAULT_SOCKET="$XDG_RUNTIME_DIR/stepvault/$(basename "$(find "$XDG_RUNTIME_DIR/stepvault" -name '*.sock')")"
export STEPVAULT_SOCKET
plain() { env "$@" stepvault run plain --deliver credentials -- true; }
fails "a runtime folder that is not there" 125 "cannot look at the folder" plain XDG_RUNTIME_DIR=/no/such
mkdir -m 777 open; chmod 777 open
fails "... or that others may write" 125 "is open to others" plain XDG_RUNTIME_DIR="$PWD/open"
mkdir -m 700 wide; mkdir -m 755 wide/stepvault
fails "... or look into" 125 "is open to others" plain XDG_RUNTIME_DIR="$PWD/wide"
mkdir -m 700 linked; mkdir -m 700 linked/stepvault; ln -s "$PWD/open" linked/stepvault/credentials
fails "... or that is a link" 125 "is not a folder" plain XDG_RUNTIME_DIR="$PWD/linked"
if [ -d "/run/user/$(id -u)" ]; then
    skip "no runtime folder at all" "this machine has /run/user/$(id -u)"
else
    fails "no runtime folder at all" 125 "credentials need a runtime folder" plain XDG_RUNTIME_DIR=
fi
is "... and none of them cost a projection" "$(stepvault audit log --step plain | wc -l)" "$before"
unset STEPVAULT_SOCKET

# ---- the agent of one command ----
export STEPVAULT_VAULT="$scratch/data/second/vault.db"
stepvault init --key-file "$scratch/key" --no-recovery 2> /dev/null
place STRIPE_KEY "second" billing
stepvault lock > /dev/null
is "with a key file and no agent it is the same" \
    "$(stepvault run billing --key-file "$scratch/key" --deliver credentials -- sh -c 'cat "$CREDENTIALS_DIRECTORY/STRIPE_KEY"; env | grep -c second/')" second0
mkdir -m 700 service; cp "$scratch/key" service/stepvault.key; chmod 400 service/stepvault.key
is "... with systemd's credential as the key, which is not in the step's" \
    "$(CREDENTIALS_DIRECTORY=$PWD/service stepvault run billing --deliver credentials -- sh -c 'ls "$CREDENTIALS_DIRECTORY"')" STRIPE_KEY
finish
