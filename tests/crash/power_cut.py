#!/usr/bin/python3
"""Power cuts: the disks that could be left at each write, sync and rename of a command, opened by the real programs. TAP.

trace records what a command and its agent change below the folder of the test. A model of a disk plays it again: data is
safe once its file was synced, a name once its folder was, and what is not safe may be lost or not, alone or in any order.
After each step the disks are built that keep of the unsafe changes: none; all; each alone; all but one; the last ones (what
is written out in reverse order); names without data and data without names; and the last write torn at a sector, or its room
without its bytes. Of more than 16 unsafe changes some are taken: the last four, and then ever fewer.

Each disk must open, verify, be as before or after, hold what was acknowledged and the leaf of each secret that had been sent
before that step, and the next command must work. Environment:

    SHARD=i/n     tries every n-th disk, from the i-th on; without it one in 24, chosen by the commit; `all` tries all
    COMMAND=...   tries these commands only, with / between
    POINT=...     tries one disk, as a failure names it: command:step:what is kept
"""

import base64
import copy
import itertools
import multiprocessing
import os
import random
import re
import sys

import vaults

SECTOR = 512
PARTS = 8  # of a command's disks, when all are tried
FEW = 16  # unsafe changes that are each taken

# ---- the model ----

class Node:
    """A file or folder, by whatever names."""

    def __init__(self, mode, data=None):
        self.mode, self.data = mode, data  # what is safe; None: a folder


class Change:
    """One change that a sync makes safe. It can be applied to the names and contents of a disk."""

    def __init__(self, node, folders):
        self.node, self.folders, self.key = node, folders, random.getrandbits(64)


class Write(Change):
    def __init__(self, node, offset, data):
        super().__init__(node, ())
        self.offset, self.data = offset, data

    def apply(self, _names, contents):
        content = contents(self.node)
        end = self.offset + len(self.data)
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        content[self.offset:end] = self.data

    def torn(self, few):
        """(label, what is left of it), for sectors that came to the disk and sectors that did not."""
        first = (self.offset // SECTOR + 1) * SECTOR - self.offset
        cuts = list(range(first, len(self.data), SECTOR))
        for cut in cuts if few and len(cuts) <= FEW else {cuts[0], cuts[len(cuts) // 2], cuts[-1]} if cuts else ():
            yield f"first {cut}", Write(self.node, self.offset, self.data[:cut])
        for cut in cuts[len(cuts) // 2:][:1]:
            yield f"from {cut}", Write(self.node, self.offset + cut, self.data[cut:])
        yield "room", Write(self.node, self.offset + len(self.data), b"")


class Size(Change):
    def __init__(self, node, size):
        super().__init__(node, ())
        self.size = size

    def apply(self, _names, contents):
        content = contents(self.node)
        content.extend(bytes(max(0, self.size - len(content))))
        del content[self.size:]

    def torn(self, _few):
        return ()


class Rename(Change):
    """A new name, a name less, or both at once."""

    def __init__(self, node, old, new):
        super().__init__(node, {os.path.dirname(path) for path in (old, new) if path})
        self.old, self.new = old, new

    def apply(self, names, _contents):
        if self.old:
            names.pop(self.old, None)
        if self.new:
            names[self.new] = self.node

    def torn(self, _few):
        return ()


class Disk:
    """A folder as a disk has it. What lies under its run/ is in memory, and not on it."""

    def __init__(self, folder):
        self.names, self.nodes, self.unsafe, self.key = {}, {}, [], 0
        self.folder, self.memory = folder, folder + "/run"
        for path in itertools.chain([folder], *(
                [os.path.join(at, name) for name in folders + files] for at, folders, files in os.walk(folder))):
            facts = os.lstat(path)
            data = None
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
            self.names[path] = self.nodes[f"{facts.st_dev}:{facts.st_ino}"] = Node(facts.st_mode & 0o777, data)
        self.current = dict(self.names)

    def change(self, change):
        self.unsafe.append(change)
        if change.folders:
            change.apply(self.current, None)

    def sync(self, node):
        """Makes the file's data safe, or the folder's names."""
        folders = {path for path, named in self.current.items() if named is node} if node.data is None else ()
        safe = [change for change in self.unsafe if
                (change.node is node and not change.folders) or any(folder in folders for folder in change.folders)]
        self.unsafe = [change for change in self.unsafe if change not in safe]
        self.key ^= self.key_of(safe)
        self.names, contents = self.with_changes(safe)
        for node, content in contents.items():
            node.data = bytes(content)

    @staticmethod
    def key_of(changes):
        key = 0
        for change in changes:
            key ^= change.key
        return key

    def with_changes(self, changes):
        """(names, contents of what differs from what is safe)."""
        names, contents = dict(self.names), {}

        def content(node):
            if node not in contents:
                contents[node] = bytearray(node.data)
            return contents[node]

        for change in changes:
            change.apply(names, content)
        return names, contents

    def build(self, changes):
        """Makes the disk real."""
        names, contents = self.with_changes(changes)
        for path in sorted(names):
            node = names[path]
            if path.startswith(self.memory) or not os.path.isdir(os.path.dirname(path)):
                continue
            if node.data is None:
                os.makedirs(path, mode=0o700, exist_ok=True)
                continue
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, node.mode), "wb") as file:
                file.write(contents.get(node, node.data))

    # ---- what may be left ----

    def some(self):
        """Indices of unsafe changes, the last ones and then ever fewer."""
        last = len(self.unsafe) - 1
        if last < FEW:
            return list(range(last, -1, -1))
        taken, back = [], 0
        while back <= last:
            taken.append(last - back)
            back += max(1, back // 2)
        return taken

    def remains(self, grown):
        """(label, the unsafe changes that are kept) of each disk that could be left now. Where the only news is one more
        change, those without it were there before."""
        every = self.unsafe
        yield "none", []
        yield "all", every
        if not every:
            return
        some = self.some()
        for at in some[:1] if grown else some:
            yield f"only {at}", [every[at]]
        for at in some:
            yield f"without {at}", every[:at] + every[at + 1:]
            yield f"from {at}", every[at:]
        yield "names", [change for change in every if change.folders]
        yield "data", [change for change in every if not change.folders]
        if grown:
            for label, change in every[-1].torn(len(every) <= FEW):
                yield f"torn, {label}", every[:-1] + [change]
                if len(every) <= FEW:
                    yield f"torn and alone, {label}", [change]


# ---- the record ----

def holds_secret(data, secret):
    return secret in data or any(secret in base64.b64decode(text + b"=" * (-len(text) % 4))
                                 for text in re.findall(rb"[A-Za-z0-9+/]{16,}={0,2}", data))


class Facts:
    """What was known to others at a step."""

    def __init__(self):
        self.released, self.ended = False, []


def change_of(disk, word, rest):
    """The change that a line of the record is; None: of nothing that is on the disk."""
    if word in ("open", "folder"):
        disk.nodes[rest[0]] = None if rest[-1].startswith(disk.memory) else Node(int(rest[1], 8), b"") if word == "open" else Node(0o700)
    node = disk.nodes[rest[0]] if ":" in rest[0] else None if rest[-1].startswith(disk.memory) else disk.current[rest[0]]
    if node is None or word == "open" and not rest[-1]:
        return None
    if word == "write":
        return Write(node, int(rest[1]), bytes.fromhex(rest[2]))
    if word == "truncate":
        return Size(node, int(rest[1]))
    old = rest[0] if word in ("rename", "unname") else None
    return Rename(node, old, None if word == "unname" else rest[-1])


def play(disk, lines, secret, syncs):
    """Plays the record; after each step of it yields (number, whether it only added a change, facts)."""
    facts = Facts()
    for step, line in enumerate(lines, 1):
        word, *rest = line.rstrip("\n").split(" ")
        grown = False
        if word == "send":
            facts.released = facts.released or rest[0] == "agent" and holds_secret(bytes.fromhex(rest[1]), secret)
        elif word == "exit":
            facts.ended += [int(rest[1])] if rest[0] == "command" else []
        elif word == "sync":
            if syncs and disk.nodes[rest[0]]:
                disk.sync(disk.nodes[rest[0]])
        elif word == "unmodelled":
            raise RuntimeError(f"the model has no {' '.join(rest)}")
        elif not (word == "open" and rest[2] == "old"):
            change = change_of(disk, word, rest)
            if change is None:
                continue
            disk.change(change)
            grown = True
        yield step, grown, facts


class Remains:
    """One disk: where it was first possible, and what was known the last time it was."""

    def __init__(self, step, label):
        self.step, self.label, self.released, self.acknowledged = step, label, False, False


def list_remains(command, disk, lines, syncs):
    """Each distinct disk, in the order in which they become possible."""
    found = {}
    for step, grown, facts in play(disk, lines, command.secret, syncs):
        for label, kept in disk.remains(grown):
            key = disk.key ^ disk.key_of(kept)
            if "torn" in label:
                key = (step, label)
            remains = found.setdefault(key, Remains(step, label))
            remains.released = remains.released or facts.released
            remains.acknowledged = remains.acknowledged or facts.ended[command.acknowledged:][:1] == [0]
    return list(found.values())


# ---- trying ----

def record(place, command):
    """(the folder as it was before, as a disk; the lines)."""
    place.begin(command)
    disk = Disk(place.folder)
    done = vaults.shell(place.folder, command.line, wrap=[vaults.TRACE, "record", place.trace, place.folder])
    if done.status != 0:
        raise RuntimeError(f"{command.name}: {done.status} {done.err}")
    with open(place.trace, encoding="utf-8") as file:
        return disk, file.readlines()


def try_remains(place, command, disk, changes, remains):
    place.clear()
    disk.build(changes)
    vaults.environment(place.folder)
    return vaults.judge(command, place.folder, remains.acknowledged, remains.released)


def try_command(name, first, step, wanted=None, syncs=True):
    """(steps, disks, those of them after a secret left, disks tried, what is wrong)."""
    command = vaults.find_command(name)
    before, lines = record(place, command)
    found = list_remains(command, copy.deepcopy(before), lines, syncs)
    chosen = [remains for remains in found if f"{remains.step}:{remains.label}" == wanted] if wanted else found[first::step]
    by_step = {}
    for remains in chosen:
        by_step.setdefault(remains.step, {})[remains.label] = remains
    wrong = []
    for at, grown, _ in play(before, lines, command.secret, syncs):
        for label, changes in before.remains(grown) if at in by_step else ():
            if label in by_step[at]:
                faults = try_remains(place, command, before, changes, by_step[at][label])
                wrong += [f"POINT='{name}:{at}:{label}': {fault}" for fault in faults]
    return len(lines), len(found), sum(remains.released for remains in found), len(chosen), wrong


def start_worker(scratch):
    global place
    place = vaults.Place(f"{scratch}/{os.getpid()}")


def work(part):
    return try_command(*part)


def can_record(scratch):
    """What a process has that is closed to others is read by root alone, and by nobody in some containers."""
    return os.geteuid() == 0 and vaults.can_trace(scratch, "record", scratch)


def try_all(pool):
    first, step, repeat = vaults.shard()
    print(f"# {repeat} tests/crash/power_cut.sh repeats these disks; SHARD=all tries each", flush=True)
    wanted = os.environ.get("POINT", "").partition(":")[2]
    parts = PARTS if step == 1 and not wanted else 1
    commands = [command.name for command in vaults.chosen_commands()]
    running = [(name, [pool.apply_async(work, ((name, first + step * part, step * parts, wanted),)) for part in range(parts)])
               for name in commands]
    total = 0
    for name, results in running:
        results = [result.get() for result in results]
        steps, disks, released = results[0][:3]
        tried = sum(result[3] for result in results)
        wrong = [fault for result in results for fault in result[4]]
        total += disks
        vaults.ok(not wrong and tried > 0, f"{name}: the power cut at each write: before or after, logged, and verifies",
                  f"{name}: {steps} cut points, {disks} disks ({released} after a secret left), {tried} tried", *wrong[:20])
    print(f"# {total} disks")


def main():
    vaults.interrupted_by_term()
    with vaults.scratch_folder() as scratch:
        if not can_record(scratch):
            vaults.ok(True, "power cuts # SKIP what a process writes cannot be recorded here")
            return vaults.finish()
        with multiprocessing.Pool(2, start_worker, (scratch,)) as pool:
            try_all(pool)
            if not os.environ.get("POINT"):
                *_, tried, wrong = pool.apply(work, (("env get", 0, 8, None, False),))
                vaults.ok(any("without its leaf" in fault for fault in wrong), "a disk that ignores every sync is found out",
                          f"{len(wrong)} faults of {tried} disks")
    return vaults.finish()


if __name__ == "__main__":
    sys.exit(main())
