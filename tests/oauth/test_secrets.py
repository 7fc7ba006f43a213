#!/usr/bin/python3
"""Where the tokens of accounts are not: command lines and environments of processes, the log, the journal, files, what
programs say; and what the helper has while it runs: one account's secrets, two descriptors, no vault. TAP.

limit: 150
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import time

from rig import BIN, CANARY, HERE, PASSPHRASE, SECRET, Rig, Tap, eventually, person

NEW_DEV = """
mount --make-rprivate / && mount -t tmpfs none /mnt
for name in null zero full random urandom; do cp -a /dev/$name /mnt/; done
ln -s /proc/self/fd /mnt/fd
mount --move /mnt /dev"""


def may_look_inside():
    """CAP_SYS_PTRACE, which root has, but not in every container."""
    with open("/proc/self/status", encoding="ascii") as file:
        effective = next(line.split()[1] for line in file if line.startswith("CapEff"))
    return bool(int(effective, 16) >> 19 & 1)


def own_journal():
    """A /dev/log that this test reads, in a mount namespace of its own; None where there can be none."""
    if os.getuid() != 0 or ctypes.CDLL(None).unshare(0x00020000) != 0:  # CLONE_NEWNS
        return None
    if subprocess.run(["sh", "-ec", NEW_DEV], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return None
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind("/dev/log")
    made.setblocking(False)
    return made


tap = Tap()
journal = own_journal()
rig = Rig()
fault = rig.fault()
# Other tests may run at the same time, whose steps have tokens of theirs.
own = f"{os.getpid()}{CANARY}"
client_secret = f"{SECRET}{own}"
fault.set(canary=own)
found = {}
seen = set()
watching = threading.Event()


def watch():
    """Looks at every process again and again. A step may have a token in its environment: none of those here does."""
    while not watching.is_set():
        for entry in filter(str.isdigit, os.listdir("/proc")):
            for part in ("cmdline", "environ"):
                with contextlib.suppress(OSError), open(f"/proc/{entry}/{part}", "rb") as file:
                    text = file.read()
                    if part == "cmdline":
                        seen.add(os.path.basename(text.split(b"\0")[0].decode("utf-8", "replace")))
                    if own.encode() in text:
                        found[f"{part} of {text.split(bytes(1))[0][:60]!r}"] = text[:300]
        time.sleep(0.02)


def helpers():
    """Those of this test: what else runs at the same time has another agent above it."""
    found_helpers = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{entry}/exe") != BIN + "/stepvault-oauth":
                continue
            parent = open(f"/proc/{entry}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()[1]
            command = open(f"/proc/{parent}/cmdline", "rb").read()
            if rig.scratch.encode() in command:
                found_helpers.append(int(entry))
    return found_helpers


watcher = threading.Thread(target=watch, daemon=True)
watcher.start()

fault.set(delay=0.3, client={"id": "confidential", "secret": client_secret, "auth": "basic"})
rig.app("fault", fault.origin, client_auth="basic")
done = rig.client("fault", "confidential", client_secret)
tap.same("a confidential client is registered", done.status, 0, done)
connecting = rig.start("connect", "fault", "--no-browser")
person(connecting.address(fault.origin))
done = connecting.wait()
tap.same("an account is connected", done.status, 0, done)
connecting = rig.start("connect", "fault", "--no-browser", "--label", "pasted", "--paste")
connecting.type(person(connecting.address(fault.origin), "--stay"))
tap.same("another by pasting", connecting.wait().status, 0, connecting.said())
tap.same("a third from elsewhere", rig.imported("fault", fault.grant(), "--label", "imported").status, 0)
connecting = rig.start("connect", "fault", "--label", "device", "--device")
match = connecting.await_text(r"\b(CODE-\d{4})\b")
fault.ask("/control/approve", {"user_code": match[1] if match else ""})
tap.same("a fourth by a device's code", connecting.wait().status, 0, connecting.said())
rig.bound("quiet", "fault:default")
for words in (["account", "refresh", "fault:default"], ["account", "test", "fault:default"], ["account", "list", "--json"],
              ["account", "show", "fault:default"],
              ["client", "list"], ["audit", "log"], ["audit", "log", "--json"], ["status"], ["step", "show", "quiet"],
              ["run", "quiet", "--deliver", "auths", "--", "sh", "-c", 'wc -c < "$STEPVAULT_AUTHS"']):
    done = rig.run(*words)
    tap.same(" ".join(words[:3]), done.status, 0, done)
for name in ("invalid_grant", "html_403", "shouting_error", "half_json", "cut"):
    fault.script(name)
    rig.run("account", "refresh", "fault:imported")
    rig.run("account", "list")
rig.run("disconnect", "fault:device")

# ---- the helper, while the provider lets it wait ----
fault.forget()
fault.script({"name": "good", "delay": 4})
waiting = rig.start("account", "refresh", "fault:pasted")
eventually(lambda: fault.count() == 1)
watching.set()  # what is looked for in its memory is on a command line of the test's own
watcher.join()
mine = helpers()
if not may_look_inside():
    tap.skip("the helper from outside", "a process that made itself undumpable shows itself to root alone, and not in some containers")
else:
    tap.ok("a helper runs, in a session of its own", mine and all(os.getsid(helper) == helper for helper in mine), mine)
for helper in mine[:may_look_inside()]:
    names = sorted(line.split("=")[0] for line in open(f"/proc/{helper}/environ", encoding="utf-8").read().split("\0") if line)
    allowed = {"PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
               "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}
    tap.ok("its environment is a list that is fixed", set(names) <= allowed, names)
    command = open(f"/proc/{helper}/cmdline", "rb").read().split(b"\0")
    tap.same("its command line is its name", len(command), 2, command)
    opened = [os.readlink(f"/proc/{helper}/fd/{name}") for name in os.listdir(f"/proc/{helper}/fd")]
    tap.ok("it has no file of the vault open", not any(rig.scratch in each for each in opened), opened)
    state = open(f"/proc/{helper}/status", encoding="ascii").read()
    tap.ok("it cannot gain privileges", "NoNewPrivs:\t1" in state)
    tap.ok("it is filtered", "Seccomp:\t2" in state, state)
    other = rig.token("quiet", "fault")[1]
    scan = subprocess.run(["/usr/bin/python3", HERE + "/../cli/memory_scan.py", str(helper), other, PASSPHRASE],
                          capture_output=True, text=True, check=False)
    tap.same("its memory has nothing of another account, nor the passphrase", scan.returncode, 0, scan.stdout[:100].replace(CANARY, ""))
waiting.wait()

# ---- files and the log ----
tap.ok("no process had a secret in its command line or environment", not found, *found)
tap.ok("... among those that were looked at: the helper, the agent, and the commands",
       {"stepvault-oauth", "stepvault-agent"} <= seen, sorted(seen))
rig.run("lock")
rig.run("run", "quiet", "--", "true")
lines = []
with contextlib.suppress(BlockingIOError):
    while journal is not None:
        lines.append(journal.recv(65536))
if journal is None:
    tap.skip("the journal", "a mount namespace needs a privilege that containers lack")
else:
    tap.ok("the journal has what was refused, and no secret", lines and not any(own.encode() in line for line in lines), lines)
tainted = []
for folder, _, names in os.walk(rig.scratch):
    for name in names:
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            if os.path.isfile(path) and CANARY.encode() in open(path, "rb").read():
                tainted.append(path)
tap.same("no file has one", tainted, [])
rig.unlock()
rig.finish(tap)
