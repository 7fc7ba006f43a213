#!/usr/bin/python3
"""Kills the agent at random times under load, and at each system call that writes; and has writes fail. TAP.

After each death the vault must be as before or after the command, whatever was acknowledged must be there, and
`audit verify` must hold. Environment:

    SHARD=i/n   runs every n-th point, from the i-th on; without it one in 8, chosen by the commit; `all` runs all
    POINT=...   runs one point, as a failure names it: command:syscall:number or command:syscall=ERROR:number
    LONG=1      more rounds under load
"""

import collections
import concurrent.futures
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.path.realpath(os.path.join(os.environ.get("BUILD", os.path.join(ROOT, "build")), "bin"))
CALLS = ["pwrite64", "write", "fdatasync", "fsync", "ftruncate", "renameat2", "unlink", "openat", "sendto", "sendmsg"]
ERRORS = [("pwrite64", "ENOSPC", "+"), ("pwrite64", "EIO", ""), ("fdatasync", "EIO", ""), ("fsync", "EIO", ""),
          ("ftruncate", "EIO", "")]
CANARY = "c4n4ry"
SHARDS = 8
ALWAYS = {"init:write:1"}  # points that once found a fault: the key file that is half written

number = 0
failed = 0


def ok(good, name, *comments):
    global number, failed
    number += 1
    failed += not good
    for comment in comments:
        print("# " + str(comment))
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)


def environment(folder):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("STEPVAULT_", "XDG_")) and name != "CREDENTIALS_DIRECTORY"}
    os.makedirs(folder + "/run", mode=0o700, exist_ok=True)
    os.makedirs(folder + "/data", mode=0o700, exist_ok=True)
    return {**kept, "HOME": folder, "XDG_RUNTIME_DIR": folder + "/run", "XDG_DATA_HOME": folder + "/data", "XDG_STATE_HOME": folder + "/state",
            "STEPVAULT_VAULT": folder + "/data/vault.db", "PATH": BIN + ":" + os.environ["PATH"], "LC_ALL": "C.UTF-8"}


class Result:
    """What a command did."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


def run(folder, *words, text="", env=None, limit=60, wrap=()):
    process = subprocess.Popen([*wrap, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**environment(folder), **(env or {})}, start_new_session=True)
    try:
        out, err = process.communicate(text.encode(), limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return Result(-99, out.decode("utf-8", "replace"), "no end within the limit")
    return Result(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def keyed(folder, *words, **options):
    """A command with the key file, and so an agent of its own."""
    return run(folder, "stepvault", *words, env={"STEPVAULT_KEY_FILE": folder + "/key"}, **options)


def agents(folder):
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read()
        except OSError:
            continue
        if command.startswith(b"stepvault-agent\0--vault\0" + os.fsencode(folder) + b"/"):
            found.append(int(entry))
    return found


def kill_agents(folder):
    for pid in agents(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    deadline = time.monotonic() + 10
    while (agents(folder) or listens(folder)) and time.monotonic() < deadline:
        time.sleep(0.002)


def listens(folder):
    """Whether a socket is still served: a dying process loses its command line before its descriptors."""
    for name in os.listdir(folder + "/run/stepvault") if os.path.isdir(folder + "/run/stepvault") else []:
        with socket.socket(socket.AF_UNIX) as stream:
            try:
                stream.connect(folder + "/run/stepvault/" + name)
                return True
            except OSError:
                continue
    return False


def leaves(folder, **options):
    listed = keyed(folder, "audit", "log", "--json", **options)
    return [json.loads(line) for line in listed.out.splitlines()]


# ---- at random times, under load ----

class Load:
    """Workers that change the vault and remember what was acknowledged. Each owns the names it changes."""

    def __init__(self, folder):
        self.folder = folder
        self.known = {}                                  # name: the values it may have; one, if all is acknowledged
        self.reasons = []                                # of projections that reached their step
        self.keys = {}                                   # key file: True (opens), False (does not), None (either)
        self.passphrases = ["first"]                     # that may be the vault's; one, if all is acknowledged
        self.stop = threading.Event()
        self.counts = collections.Counter()
        self.serial = 0
        self.faults = []

    def change(self, name, value, *words, text=None):
        if name not in self.known:
            self.known[name] = {None}
        before = self.known[name]
        self.known[name] = before | {value}
        done = run(self.folder, "stepvault", *words, text=value if text is None else text)
        if done.status == 0:
            self.known[name] = {value}
        elif self.stop.is_set() is False and done.status not in (1, 3, 125):
            self.faults.append(f"{words}: {done.status} {done.err}")
        self.counts[words[0] + " " + words[1] if words[0] in ("env", "account") else words[0]] += done.status == 0

    def variables(self, worker):
        turn = 0
        while not self.stop.is_set():
            turn += 1
            self.serial += 1
            self.change(("variable", worker, turn % 7), f"{CANARY}-{worker}-{self.serial}", "env", "set",
                        f"V_{worker}_{turn % 7}", "--at", f"load/w{worker}")

    def properties(self, worker):
        while not self.stop.is_set():
            self.serial += 1
            self.change(("property", worker), f"{CANARY}-{worker}-{self.serial}", "account", "set", f"app{worker}", "token")

    def bindings(self, worker):
        bound = False
        while not self.stop.is_set():
            bound = not bound
            words = ["bind", f"bound/w{worker}", f"app{worker}"] if bound else ["unbind", f"bound/w{worker}", f"app{worker}"]
            self.change(("binding", worker), str(bound), *words)
            if not bound and len(self.known[("binding", worker)]) > 1:
                return

    def projections(self, worker):
        while not self.stop.is_set():
            self.serial += 1
            reason = f"reason {worker} {self.serial}"
            done = run(self.folder, "stepvault", "run", "load", "--reason", reason, "--", "printenv", "FIXED")
            if CANARY in done.out:
                self.reasons.append(reason)
                self.counts["run"] += 1

    def slots(self, worker):
        while not self.stop.is_set():
            self.serial += 1
            path = f"{self.folder}/key-{worker}-{self.serial}"
            done = run(self.folder, "stepvault", "slot", "add", "--key-file", path, env={"STEPVAULT_KEY_FILE": self.folder + "/key"})
            self.keys[path] = True if done.status == 0 else None
            self.counts["slot add"] += done.status == 0
            if done.status == 0 and len(self.keys) > 1:
                listed = run(self.folder, "stepvault", "slot", "list", "--json")
                machine = [slot["id"] for slot in json.loads(listed.out)["slots"] if slot["kind"] == "machine"] if listed.status == 0 else []
                if len(machine) > 5:
                    return

    def passphrase(self, _worker):
        while not self.stop.is_set():
            self.serial += 1
            new = f"passphrase {self.serial}"
            self.passphrases.append(new)
            done = run(self.folder, "bash", "-c", 'exec stepvault passwd --key-file "$1" --new-passphrase-fd 3 --kdf-time 0 3<<< "$2"',
                       "-", self.folder + "/key", new)
            if done.status == 0:
                self.passphrases = [new]
                self.counts["passwd"] += 1

    def round(self, turn):
        self.stop.clear()
        work = [self.variables, self.variables, self.properties, self.bindings, self.projections, self.projections,
                self.slots if turn % 2 else self.passphrase]
        threads = [threading.Thread(target=job, args=(worker,)) for worker, job in enumerate(work)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.05, 1.2 if turn % 2 else 2.5))
        self.stop.set()
        kill_agents(self.folder)
        for thread in threads:
            thread.join()

    def opens(self, passphrase):
        done = run(self.folder, "bash", "-c", 'exec stepvault unlock --passphrase-fd 3 3<<< "$1"', "-", passphrase)
        run(self.folder, "stepvault", "lock")
        return done.status == 0

    def value_of(self, name):
        if name[0] == "variable":
            done = keyed(self.folder, "env", "get", f"V_{name[1]}_{name[2]}", "--at", f"load/w{name[1]}")
            return done.out if done.status == 0 else None
        if name[0] == "property":
            done = keyed(self.folder, "export", "accounts")
            return json.loads(done.out)[f"app{name[1]}"]["token"] if done.status == 0 else None
        done = keyed(self.folder, "export", f"bound/w{name[1]}", "--own")
        return str(done.status == 0 and f"app{name[1]}" in json.loads(done.out))

    def check(self):
        """What is wrong after a death; and what was open becomes known."""
        wrong = []
        verified = keyed(self.folder, "audit", "verify")
        if verified.status != 0:
            wrong.append("verify: " + verified.err)
        if keyed(self.folder, "unlock", "--key-file", self.folder + "/key").status != 0:
            return wrong + ["it does not open"]
        for name, values in self.known.items():
            value = self.value_of(name)
            if value not in values and not (name[0] == "binding" and value == "False" and None in values) and \
                    not (name[0] == "property" and None in values):
                wrong.append(f"{name}: {value} is none of {values}")
            self.known[name] = {value}
        logged = {leaf["claimed"].get("reason") for leaf in leaves(self.folder)
                  if leaf["action"] == "project" and leaf["outcome"] == "granted" and "claimed" in leaf}
        wrong += [f"no leaf of {reason}" for reason in self.reasons if reason not in logged]
        run(self.folder, "stepvault", "lock")
        for path, opens in list(self.keys.items()):
            done = run(self.folder, "stepvault", "env", "list", "--key-file", path)
            if (opens and done.status != 0) or done.status not in (0, 1, 4):
                wrong.append(f"{path}: {done.status} {done.err}")
            self.keys[path] = done.status == 0
        works = [passphrase for passphrase in self.passphrases if self.opens(passphrase)]
        if len(works) != 1:
            wrong.append(f"{works} open it, of {self.passphrases}")
        self.passphrases = works
        return wrong


def make_vault(folder):
    environment(folder)
    made = run(folder, "bash", "-c", 'exec stepvault init --key-file "$1" --passphrase-fd 3 --kdf-time 0 --no-recovery 3<<< first',
               "-", folder + "/key")
    if made.status != 0:
        raise RuntimeError(made.err)
    run(folder, "stepvault", "env", "set", "FIXED", "--at", "load", text=CANARY + "-fixed")
    for value in ("first", "second"):
        run(folder, "stepvault", "env", "set", "KEPT", "--at", "moving/below", text=value)
    for app in range(7):
        run(folder, "stepvault", "account", "add", f"app{app}", text='{"token":"%s-start"}' % CANARY)
        run(folder, "stepvault", "bind", "accounts", f"app{app}")


def under_load(scratch):
    folder = scratch + "/load"
    make_vault(folder)
    run(folder, "stepvault", "lock")
    load = Load(folder)
    rounds = 60 if os.environ.get("LONG") else 8
    wrong = []
    for turn in range(rounds):
        unlocked = keyed(folder, "unlock", "--key-file", folder + "/key")
        if unlocked.status != 0:
            wrong.append(f"round {turn}: {unlocked.err}")
            break
        load.round(turn)
        wrong += [f"round {turn}: {fault}" for fault in load.check() + load.faults]
        load.faults.clear()
    ok(not wrong and sum(load.counts.values()) > 10 * rounds,
       f"kill -9 under load, {rounds} times: all that was acknowledged is there, and verifies",
       "acknowledged: " + ", ".join(f"{count} {name}" for name, count in sorted(load.counts.items())), *wrong[:20])


def init_at_random(scratch):
    wrong, outcomes = [], collections.Counter()
    for turn in range(60 if os.environ.get("LONG") else 15):
        folder = f"{scratch}/init{turn}"
        environment(folder)
        process = subprocess.Popen(["stepvault", "init", "--key-file", folder + "/key", "--no-recovery"],
                                   env=environment(folder), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.005, 0.08))
        kill_agents(folder)
        acknowledged = process.wait(60) == 0
        kill_agents(folder)
        wrong += [f"{turn}: {fault}" for fault in check_init(folder, acknowledged, outcomes)]
        shutil.rmtree(folder)
    ok(not wrong, "kill -9 while a vault is made: there is none and it can be made, or it is whole", dict(outcomes), *wrong)


def check_init(folder, acknowledged, outcomes):
    there = os.path.exists(folder + "/data/vault.db")
    outcomes["made" if there else "not made"] += 1
    if acknowledged and not there:
        return ["acknowledged, and there is no vault"]
    if not there:
        again = run(folder, "stepvault", "init", "--key-file", folder + "/key", "--no-recovery")
        run(folder, "stepvault", "lock")
        if again.status != 0:
            return ["cannot be made: " + again.err]
    verified = keyed(folder, "audit", "verify")
    return [] if verified.status == 0 else ["verify: " + verified.err]


# ---- at each system call ----

class Command:
    """One command as a shell line, which leaves no agent; and what tells afterwards if it was done."""

    def __init__(self, name, line, done, acknowledges=True, vault=True, thin=1):
        self.name, self.line, self.done, self.acknowledges, self.vault = name, line, done, acknowledges, vault
        self.thin = thin  # of its many points one in so many is one


def has_value(folder, name, value):
    return keyed(folder, "env", "get", name, "--at", "load").out == value


def is_bound(folder):
    done = keyed(folder, "export", "fresh", "--own")
    return done.status == 0 and "app1" in done.out


def history(folder):
    """The states of KEPT's values, in order."""
    listed = keyed(folder, "env", "history", "KEPT", "--at", "moving/below", "--json")
    return [revision["state"] for revision in json.loads(listed.out)["revisions"]] if listed.status == 0 else None


def is_unset(folder):
    states = history(folder)
    if states not in (["replaced", "current"], ["replaced", "unset"]):
        raise ValueError(f"the history is {states}")
    return states[-1] == "unset"


def is_restored(folder):
    value = keyed(folder, "env", "get", "KEPT", "--at", "moving/below").out
    if (value, len(history(folder) or [])) not in (("second", 2), ("first", 3)):
        raise ValueError(f"the value is {value}, the history {history(folder)}")
    return value == "first"


def is_moved(folder):
    there = [place for place in ("moving", "moved") if
             keyed(folder, "env", "get", "KEPT", "--at", place + "/below").out == "second" and
             keyed(folder, "env", "get", "KEPT", "--at", place + "/below", "--revision", "1").out == "first"]
    if len(there) != 1:
        raise ValueError(f"it is at {there}")
    return there == ["moved"]


def projected(folder):
    return any(leaf.get("claimed", {}).get("reason") == "injected" for leaf in leaves(folder))


def new_passphrase_opens(folder):
    opened = [passphrase for passphrase in ("first", "second")
              if run(folder, "bash", "-c", 'stepvault unlock --passphrase-fd 3 3<<< "$1" && stepvault lock', "-", passphrase).status == 0]
    if len(opened) != 1:
        raise ValueError(f"{opened} open it")
    return opened == ["second"]


def imported(folder):
    """All of the import, or nothing; what is between is no state."""
    names = [len(keyed(folder, "env", "list", "--at", path).out.splitlines()) for path in ("in/a", "in/b")]
    if names not in ([0, 0], [IMPORTED, IMPORTED]):
        raise ValueError(f"{names} of {IMPORTED} names each are there")
    return names[0] == IMPORTED


IMPORTED = 510  # at each of two paths: enough for the indices to be made anew
IMPORT = """import base64, json, os, sys
sys.path.insert(0, sys.argv[1])
from agent_client import connected
key = {"key": base64.b64encode(open(os.environ["STEPVAULT_KEY_FILE"], "rb").read()).decode()}
process, client = connected(os.environ["STEPVAULT_VAULT"])
for path in ("in/a", "in/b"):
    entries = "".join(f"N{number}=v\\0" for number in range(int(sys.argv[2])))
    reply = client.call("StageImport", slot_key=key, path=path, environment=base64.b64encode(entries.encode()).decode(),
                        commit=path == "in/b")
    if "error" in reply:
        sys.exit("stepvault: " + reply["parameters"]["message"])
client.close()
process.wait()
"""
SESSION = ('stepvault unlock --key-file $STEPVAULT_KEY_FILE; stepvault env set ONE --at load <<< 1; stepvault bind fresh app1; '
           'stepvault run load --reason injected -- printenv FIXED; stepvault env set TWO --at load <<< 2; s=$?; '
           'stepvault lock; exit $s')
COMMANDS = [
    Command("init", "stepvault init --key-file $STEPVAULT_KEY_FILE --no-recovery; s=$?; stepvault lock; exit $s", None, vault=False),
    Command("env set", "exec stepvault env set NEW --at load <<< value", lambda folder: has_value(folder, "NEW", "value")),
    Command("env unset", "exec stepvault env unset KEPT --at moving/below", is_unset),
    Command("env restore", "exec stepvault env restore KEPT --at moving/below", is_restored),
    Command("step move", "exec stepvault step move moving moved", is_moved),
    Command("bind", "exec stepvault bind fresh app1", is_bound),
    Command("run", "exec stepvault run load --reason injected -- printenv FIXED", projected),
    Command("env get", "exec stepvault env get FIXED --at load", None),
    Command("passwd", "exec stepvault passwd --new-passphrase-fd 3 --kdf-time 0 3<<< second", new_passphrase_opens),
    Command("import", f"exec /usr/bin/python3 -c {shlex.quote(IMPORT)} {ROOT}/tests/cli {IMPORTED}", imported, thin=8),
    Command("session", SESSION, lambda folder: has_value(folder, "TWO", "2")),
]


def traced(folder, command, expressions, options=()):
    options = [*options, *(word for expression in expressions for word in ("-e", expression))]
    done = run(folder, "bash", "-c", command.line, env={"STEPVAULT_KEY_FILE": folder + "/key"}, limit=100,
               wrap=["strace", "-f", "-q", "-o", folder + "/trace", *options, "--"])
    with open(folder + "/trace", encoding="utf-8", errors="replace") as file:
        done.trace = file.read()
    kill_agents(folder)
    return done


def fresh(scratch, template, command, name):
    folder = f"{scratch}/{name}"
    if command.vault:
        subprocess.run(["cp", "-a", template, folder], check=True)
    environment(folder)
    return folder


def count_calls(scratch, template, command):
    """How often the busiest process of the command makes each call."""
    folder = fresh(scratch, template, command, "count")
    done = traced(folder, command, ["trace=" + ",".join(CALLS)])
    if done.status != 0:
        raise RuntimeError(f"{command.name}: {done.status} {done.err}")
    counts = collections.Counter(re.findall(r"^(\d+) +(\w+)\(", done.trace, re.MULTILINE))
    if command.name == "session":  # its shell writes, too, and would leave the agent behind
        counts = {key: count for key, count in counts.items() if key[1] != "write"}
    shutil.rmtree(folder)
    return {call: max([count for (_, name), count in counts.items() if name == call], default=0) for call in CALLS}


def judge(folder, command, done, error):
    """What is wrong after a command that was killed, or whose calls failed."""
    wrong = []
    refused = done.status not in (0, 128 + 9, -9)
    if CANARY in done.err:
        wrong.append("a secret on stderr")
    if CANARY in done.out and done.status not in (0, 137) and command.name != "session" and error:
        wrong.append("a secret came out of a command that failed")
    if error and refused and command.name != "session" and not re.match(r"(stepvault: [^\n]+\n)+$", done.err):
        wrong.append(f"exit {done.status} said {done.err!r}")
    if not command.vault:
        return wrong + check_init(folder, done.status == 0, collections.Counter())
    verified = keyed(folder, "audit", "verify")
    if verified.status != 0:
        return wrong + ["verify: " + verified.err]
    if command.name == "env get" and CANARY in done.out and not any(leaf["action"] == "get" for leaf in leaves(folder)):
        wrong.append("a value came out without its leaf")
    if not has_value(folder, "FIXED", CANARY + "-fixed"):
        wrong.append("an old value is gone")
    if command.name in ("run", "session") and CANARY in done.out and not projected(folder):
        wrong.append("a value reached a step without its leaf")
    if command.done is not None:
        try:
            after = command.done(folder)
        except ValueError as fault:
            return wrong + [str(fault)]
        if done.status == 0 and not after:
            wrong.append("acknowledged, and not there")
    return wrong


def point_name(point):
    command, call, error, more, at = point
    return f"{command.name}:{call}{'=' + error + more if error else ''}:{at}"


def run_point(scratch, template, point):
    command, call, error, more, at = point
    name = point_name(point)
    folder = fresh(scratch, template, command, "point-" + re.sub(r"\W", "-", name))
    action = f"error={error}" if error else "signal=KILL"
    # strace has a call fail by taking it away, which the agent's own filter would die of; with --seccomp-bpf that does not
    # see it. Killing works without only.
    done = traced(folder, command, [f"trace={call}", f"inject={call}:{action}:when={at}{more}"],
                  ["--seccomp-bpf"] if error else [])
    hit = "INJECTED" in done.trace or "killed by SIGKILL" in done.trace
    wrong = ["no end within the limit"] if done.status == -99 else judge(folder, command, done, error)
    kill_agents(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return name, hit, wrong


def shard():
    """(first, step, how to repeat it)."""
    text = os.environ.get("SHARD")
    if text == "all":
        return 0, 1, "SHARD=all"
    if not text:
        head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout
        text = f"{int(head[:8] or '0', 16) % SHARDS + 1}/{SHARDS}"
    first, step = (int(word) for word in text.split("/"))
    return first - 1, step, f"SHARD={text}"


def points_of(command, counts):
    kills = [(command, call, None, "", at) for call in CALLS for at in range(1, counts[call] + 1)]
    return kills, [(command, call, error, more, at) for call, error, more in ERRORS for at in range(1, counts[call] + 1)]


def at_each_call(scratch):
    template = scratch + "/template"
    make_vault(template)
    run(template, "stepvault", "lock")
    first, step, repeat = shard()
    print(f"# {repeat} tests/crash/agent_kill.sh repeats these points; SHARD=all runs each", flush=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for command in COMMANDS:
            counts = count_calls(scratch, template, command)
            for what, points in zip(("killed", "failing"), points_of(command, counts)):
                wanted = {os.environ["POINT"]} if os.environ.get("POINT") else \
                    {point_name(point) for point in points[first::step * command.thin]} | ALWAYS
                chosen = [point for point in points if point_name(point) in wanted]
                results = list(pool.map(lambda point: run_point(scratch, template, point), chosen))
                wrong = [f"POINT='{name}': {fault}" for name, _, faults in results for fault in faults]
                hits = sum(hit for _, hit, _ in results)
                ok(not wrong and hits >= len(results) * 0.8,
                   f"{command.name}, {what} at each writing call: before or after, logged, and verifies",
                   f"{command.name}: {len(points)} points, {len(chosen)} run, {hits} hit; calls: " +
                   ", ".join(f"{count} {call}" for call, count in counts.items() if count), *wrong[:20])


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ["PATH"] = BIN + ":" + os.environ["PATH"]
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    random.seed(seed)
    print(f"# SEED={seed} repeats the random times", flush=True)
    try:
        if not os.environ.get("POINT"):
            under_load(scratch)
            init_at_random(scratch)
        if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode == 0:
            at_each_call(scratch)
        else:
            ok(True, "each writing call # SKIP strace may not trace here")
    finally:
        kill_agents(scratch)
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
