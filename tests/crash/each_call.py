#!/usr/bin/python3
"""kill -9 instead of each system call of each command, and of its agent. TAP, a test for each command and process.

Afterwards the vault is as before or after the command, verifies, has the leaf of whatever secret left, and the next
command works. Environment:

    SHARD=i/n     runs every n-th point, from the i-th on; without it one in 24, chosen by the commit; `all` runs all
    COMMAND=...   runs these commands only, with / between
    POINT=...     runs one point, as a failure names it: command:process:call
"""

import multiprocessing
import os
import re
import sys

import vaults

ROLES = ("agent", "command")


def count_calls(name):
    """How many system calls each role makes while the command is left alone."""
    command = vaults.find_command(name)
    place.begin(command)
    done = vaults.shell(place.folder, command.line, wrap=[vaults.TRACE, "count", place.trace])
    if done.status != 0:
        raise RuntimeError(f"{name}: {done.status} {done.err}")
    with open(place.trace, encoding="utf-8") as file:
        return {role: int(count) for role, count in (line.split() for line in file)}


def run_point(command, role, at):
    """(whether a process was killed, what is wrong)."""
    place.begin(command)
    done = vaults.shell(place.folder, command.line, wrap=[vaults.TRACE, "kill", place.trace, role, str(at)])
    with open(place.trace, encoding="utf-8") as file:
        hit = "killed" in file.read()
    if done.status == -99:
        return hit, ["no end within the limit"]
    faults = vaults.judge_words(command, done, hit and role == "agent")
    return hit, faults + vaults.judge(command, place.folder, done.status == 0, vaults.CANARY in done.out)


def start_worker(scratch):
    global place
    place = vaults.Place(f"{scratch}/{os.getpid()}")


def work(point):
    name, role, at = point
    hit, wrong = run_point(vaults.find_command(name), role, at)
    return hit, [f"POINT='{name}:{role}:{at}': {fault}" for fault in wrong]


def kill_at_each(pool):
    first, step, repeat = vaults.shard()
    print(f"# {repeat} tests/crash/each_call.sh repeats these points; SHARD=all runs each", flush=True)
    wanted = os.environ.get("POINT")
    total = 0
    commands = [command.name for command in vaults.chosen_commands()]
    for name, counts in zip(commands, pool.map(count_calls, commands, 1)):
        for role in ROLES:
            points = [(name, role, at) for at in range(1, counts[role] + 1)]
            chosen = [point for point in points if ":".join(map(str, point)) == wanted] if wanted else points[first::step]
            results = list(pool.imap_unordered(work, chosen))
            hits = sum(hit for hit, _ in results)
            wrong = [fault for _, faults in results for fault in faults]
            total += len(points)
            # How often a process waits varies, and so does where it ends.
            vaults.ok(not wrong and hits >= len(results) * 0.9 - 2,
                      f"{name}: its {role} killed at each system call: before or after, logged, and verifies",
                      f"{name}, {role}: {len(points)} injection points, {len(chosen)} run, {hits} hit", *wrong[:20])
    print(f"# {total} injection points")


def main():
    vaults.interrupted_by_term()
    with vaults.scratch_folder() as scratch:
        if vaults.can_trace(scratch, "count"):
            with multiprocessing.Pool(2, start_worker, (scratch,)) as pool:
                kill_at_each(pool)
        else:
            vaults.ok(True, "kill -9 at each system call # SKIP a process may not be traced here")
    return vaults.finish()


if __name__ == "__main__":
    sys.exit(main())
