#!/bin/bash
# run --mask: what a command prints, how it ends, what it leaves, and that it is beside it as if it were not. What is
# scrubbed from a text is tested piece by piece in tests/unit/test_mask.c.
# limit: 200
# sanitize: yes
# shellcheck disable=SC2016
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../cli/fixture.bash
. "$here/../cli/fixture.bash"

masked() { "$here/masked.py" "TOKEN=hunter22" "KEY=two lines
of a key" -- "$@"; }
# lines TITLE: those that a helper printed, each a test.
lines() {
    local line name
    while IFS= read -r line; do
        name=${line#* - }
        case $line in
        "ok - "*"# SKIP "*) skip "$1${name%% # SKIP*}" "${name#*# SKIP }" ;;
        "ok - "*) report 0 "$1$name" ;;
        "not ok - "*) report 1 "$1$name" ;;
        *) echo "$line" ;;
        esac
    done
}

# ---- what is printed ----

try masked sh -c 'echo "a hunter22 b"; echo "hunter22" >&2; printf "two lines\nof a key, two lines\nof a ke"; exit 7'
is "stdout and stderr are scrubbed, and the exit status is the command's" "$status|$out|$err" "7|a *** b
***, ***
of a ke|***"
is "a value in pieces of one byte is found" \
    "$(masked python3 -c 'import os
for byte in b"<hunter22> <hunter2>": os.write(1, bytes([byte]))')" "<***> <hunter2>"
try masked head -c 300000 /dev/urandom
is "any bytes pass, and all of them" "$status $(stat -c %s "$scratch/out")" "0 300000"
masked printf 'a\0b\377\001hunter22\0\n' | od -An -c > shown
is "NUL and binary output pass" "$(tr -s ' ' < shown)" " a \\0 b 377 001 * * * \\0 \\n"
out=$(masked sh -c 'for i in 1 2 3 4 5 6 7 8 9; do echo "out $i"; echo "err $i" >&2; done' 2>&1)
is "stdout and stderr that are one pipe keep their order" "$out" \
    "$(for i in 1 2 3 4 5 6 7 8 9; do echo "out $i"; echo "err $i"; done)"
masked sh -c 'for i in 1 2 3; do echo "out $i"; echo "err $i" >&2; done' > both 2>&1
is "and so do those that are one file" "$(cat both)" "$(for i in 1 2 3; do echo "out $i"; echo "err $i"; done)"
is "stdin passes untouched" "$(printf 'word hunter22' | masked od -An -c | tr -s ' ')" " w o r d h u n t e r 2 2"
try "$here/masked.py" "PIN=123" "TOKEN=hunter22" -- echo 123 hunter22
is "a value under 4 bytes is named before the command runs, and passes" "$out|$err" \
    "123 ***|stepvault: PIN has fewer than 4 bytes and is not masked"
left=$("$here/mask_forms.py" "$here/masked.py")
is "what Python's and Node's encoders make of values is scrubbed, whatever surrounds it" "$left" end

# ---- how it ends ----

try masked no-such-command
is "a command that is not there is 127" "$status" 127
has "with one sentence" "$err" 'stepvault: the command "no-such-command" is not found'
try masked /etc/passwd
is "one that cannot be executed is 126" "$status" 126
printf 'echo bare' > bare
chmod +x bare
try masked ./bare
is "a script without its #! line is 126, said by who tried" "$status|$err" \
    "126|stepvault: ./bare is neither a program nor a script that begins with #!"
status=0
masked yes hunter22 2> /dev/null | head -n 1000 > some || status=${PIPESTATUS[0]}
is "a reader that goes away ends the command by SIGPIPE" "$(sort -u some)" '***'
( masked yes; echo "$?" > status ) 2> /dev/null | head -n 1 > /dev/null
is "which is how we end" "$(cat status)" 141
status=0
masked echo word 2> said > /dev/full || status=$?
is "what cannot be written is said, and no success" "$status|$(cat said)" \
    "125|stepvault: what the command prints cannot be written: No space left on device"
# The memory of a process at its address 0 is a file that cannot be written, as one of a broken disk.
status=0
(masked echo word 2> said > /proc/self/mem) || status=$?
is "and so is what a disk does not take" "$status|$(cat said)" \
    "125|stepvault: what the command prints cannot be written: Input/output error"

# ---- what it leaves ----

mkfifo gate
(masked sh -c '(read -r _ < gate; echo "late hunter22"; echo done > gone) & echo "early hunter22"'; echo "status $?") > late &
for _ in $(seq 400); do grep -q status late 2> /dev/null && break; sleep 0.05; done
is "the command's end is ours, though something that it started goes on" "$(cat late)" "early ***
status 0"
timeout 20 sh -c 'echo > gate'
for _ in $(seq 400); do [ -e gone ] && grep -q late late && break; sleep 0.05; done
is "and what that prints is scrubbed, too" "$(cat late)" "early ***
status 0
late ***"
wait
# The reader of the pipe sees its end with the last that could write there, as without us.
is "the reader waits for the last that writes" "$(masked sh -c '(sleep 1; echo last hunter22) & echo first')" "first
last ***"

# ---- bounds ----

python3 - "$here/masked.py" << 'PYTHON' > near
import subprocess, sys
masked, large = sys.argv[1], 65536
value = "a" * 65000
near = ("a" * 64999 + "b") * 200
with open("values", "w", encoding="ascii") as file:
    file.write(value)
done = subprocess.run([masked, "LARGE=" + value, "--", "cat"], input=near.encode(), capture_output=True, timeout=100, check=False)
print(done.returncode, done.stdout.decode() == near)
done = subprocess.run([masked, "LARGE=" + value, "--", "cat"], input=("<" + value + ">").encode(), capture_output=True, timeout=100, check=False)
print(done.stdout.decode())
PYTHON
is "near matches of a value of 64 KiB pass in time, and it itself does not" "$(cat near)" "0 True
<***>"
masked sh -c 'for i in 1 2 3 4 5 6 7 8; do head -c 20000000 /dev/zero; grep VmHWM /proc/$PPID/status >&2; done' > /dev/null 2> sizes
has "the memory that is used is read" "$(head -n 1 sizes)" VmHWM
first=$(sed -n '1s/[^0-9]//gp' sizes)
last=$(sed -n '8s/[^0-9]//gp' sizes)
report "$([ "$((last - first))" -lt 1024 ]; echo $?)" "and stays the same, however much is printed"

# ---- what a step was given ----

new_vault v --key-file "$scratch/key"
place TOKEN hunter22 s
try stepvault run s --mask -- sh -c 'echo "<$TOKEN>"; exit 9'
is "run --mask scrubs the values of the projection" "$status|$out|$err" "9|<***>|"
try stepvault run s -- sh -c 'echo "<$TOKEN>"'
is "and run without it does not" "$status|$out" "0|<hunter22>"
# A sanitizer changes limits before main is called.
case $bin in
*sanitize*) ;;
*)
    "$here/../cli/signals.py" s "$scratch" --mask > cases 2>&1 || echo "not ok - signals.py came to its end" >> cases
    lines "as without it: " < cases
    ;;
esac

# ---- on a terminal ----

TMPDIR=$scratch "$here/mask_terminal.py" "$here/masked.py" > shown
lines "" < shown

finish
