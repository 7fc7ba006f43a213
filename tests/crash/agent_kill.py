#!/usr/bin/python3
"""Kills the agent at random times under load and while a vault is made, and has each call that writes fail. TAP.

After each death the vault must be as before or after the command, whatever was acknowledged must be there, and
`audit verify` must hold. Environment:

    SHARD=i/n   runs every n-th failing call, from the i-th on; without it one in 24, chosen by the commit; `all` runs all
    POINT=...   runs one failing call, as a failure names it: command:call=ERROR:number
    LONG=1      more rounds under load
"""

import collections
import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time

import vaults
from vaults import CANARY, keyed, kill_agents, run

ERRORS = [("pwrite64", "ENOSPC", "+"), ("pwrite64", "EIO", ""), ("fdatasync", "EIO", ""), ("fsync", "EIO", ""),
          ("ftruncate", "EIO", ""), ("renameat2", "EIO", ""), ("write", "ENOSPC", "")]


# ---- at random times, under load ----

def leaves(folder):
    listed = keyed(folder, "audit", "log", "--json")
    return [json.loads(line) for line in listed.out.splitlines()]


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


def under_load(scratch):
    folder = scratch + "/load"
    vaults.make_vault(folder)
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
    vaults.ok(not wrong and sum(load.counts.values()) > 10 * rounds,
       f"kill -9 under load, {rounds} times: all that was acknowledged is there, and verifies",
       "acknowledged: " + ", ".join(f"{count} {name}" for name, count in sorted(load.counts.items())), *wrong[:20])


def init_at_random(scratch):
    wrong, outcomes = [], collections.Counter()
    for turn in range(60 if os.environ.get("LONG") else 15):
        folder = f"{scratch}/init{turn}"
        vaults.environment(folder)
        process = subprocess.Popen(["stepvault", "init", "--key-file", folder + "/key", "--no-recovery"],
                                   env=vaults.environment(folder), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.005, 0.08))
        kill_agents(folder)
        acknowledged = process.wait(60) == 0
        kill_agents(folder)
        wrong += [f"{turn}: {fault}" for fault in check_init(folder, acknowledged, outcomes)]
        shutil.rmtree(folder)
    vaults.ok(not wrong, "kill -9 while a vault is made: there is none and it can be made, or it is whole", dict(outcomes), *wrong)


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
    return vaults.verify(folder)


# ---- failing calls ----

def traced(folder, command, words):
    """Under strace, which has a call fail by taking it away; the agent's own filter would die of that, but it does not see it
    with --seccomp-bpf."""
    done = vaults.shell(folder, command.line, limit=100,
                        wrap=["strace", "-f", "-q", "--seccomp-bpf", "-o", folder + "/trace", *words, "--"])
    with open(folder + "/trace", encoding="utf-8", errors="replace") as file:
        return done, file.read()


def start_worker(scratch):
    global place
    place = vaults.Place(f"{scratch}/{os.getpid()}")


def count_calls(name):
    """How often the busiest process of the command makes each call."""
    command = vaults.find_command(name)
    calls = sorted({call for call, _, _ in ERRORS})
    place.begin(command)
    done, trace = traced(place.folder, command, ["-e", "trace=" + ",".join(calls)])
    if done.status != 0:
        raise RuntimeError(f"{name}: {done.status} {done.err}")
    counts = collections.Counter(re.findall(r"^(\d+) +(\w+)\(", trace, re.MULTILINE))
    if command.several:  # its shell writes, too, and would leave the agent behind
        counts = {key: count for key, count in counts.items() if key[1] != "write"}
    return {call: max([count for (_, other), count in counts.items() if other == call], default=0) for call in calls}


def run_point(point):
    name, call, error, more, at = point
    command = vaults.find_command(name)
    place.begin(command)
    done, trace = traced(place.folder, command, ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={at}{more}"])
    if done.status == -99:
        return True, [f"POINT='{point_name(point)}': no end within the limit"]
    wrong = vaults.judge(command, place.folder, done.status == 0, CANARY in done.out)
    if not re.search(r"write\(2, .*INJECTED", trace) and not done.err.startswith(("bash: ", "printenv: ")):  # the shell, the step
        wrong += vaults.judge_words(command, done, True)
    return "INJECTED" in trace, [f"POINT='{point_name(point)}': {fault}" for fault in wrong]


def point_name(point):
    name, call, error, more, at = point
    return f"{name}:{call}={error}{more}:{at}"


def failing_calls(scratch):
    first, step, repeat = vaults.shard()
    print(f"# {repeat} tests/crash/agent_kill.sh repeats these failing calls; SHARD=all runs each", flush=True)
    wanted = os.environ.get("POINT")
    with multiprocessing.Pool(2, start_worker, (scratch,)) as pool:
        names = [command.name for command in vaults.chosen_commands()]
        for name, counts in zip(names, pool.map(count_calls, names, 1)):
            points = [(name, call, error, more, at) for call, error, more in ERRORS for at in range(1, counts[call] + 1)]
            chosen = [point for point in points if point_name(point) == wanted] if wanted else points[first::step]
            results = list(pool.imap_unordered(run_point, chosen))
            wrong = [fault for _, faults in results for fault in faults]
            hits = sum(hit for hit, _ in results)
            vaults.ok(not wrong and hits >= len(results) * 0.8 - 2,
                      f"{name}, failing at each writing call: before or after, logged, and verifies",
                      f"{name}: {len(points)} points, {len(chosen)} run, {hits} hit; calls: " +
                      ", ".join(f"{count} {call}" for call, count in counts.items() if count), *wrong[:20])


def main():
    vaults.interrupted_by_term()
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    random.seed(seed)
    print(f"# SEED={seed} repeats the random times", flush=True)
    with vaults.scratch_folder() as scratch:
        if not os.environ.get("POINT"):
            under_load(scratch)
            init_at_random(scratch)
        if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode == 0:
            failing_calls(scratch)
        else:
            vaults.ok(True, "failing calls # SKIP strace may not trace here")
    return vaults.finish()


if __name__ == "__main__":
    sys.exit(main())
