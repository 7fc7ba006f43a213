"""Writes to the file of a vault that an agent has open, all over it: a wrong value is never delivered. Prints TAP.

Environment: SHARD=I/N takes every N-th case from the I-th on; without it one in 24, chosen by the commit; `all` takes all.
"""

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "cli"))

from foreign_test import NAMES, NEWER, OLDER, check, let_time_pass, opened, patch, read  # noqa: E402

PAGE = 4096
SHARDS = int(os.environ.get("SHARDS", "24"))


def shard():
    text = os.environ.get("SHARD", "")
    if text == "all":
        return 0, 1
    if not text:
        head = subprocess.run(["git", "-C", HERE, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout
        return int(head[:8] or "0", 16) % SHARDS, SHARDS
    first, step = (int(word) for word in text.split("/"))
    return first - 1, step


FIRST, STEP = shard()


def write_pages(path, content, changed):
    """What differs, page by page, into the file as it lies."""
    for at in range(0, len(content), PAGE):
        if content[at:at + PAGE] != changed[at:at + PAGE]:
            patch(path, at, changed[at:at + PAGE])


def edited(content, statements):
    """The file after these statements of SQL, of the same size, without SQLite's own counts; None where it grew."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "copy.db")
        with open(path, "wb") as file:
            file.write(content)
        with open(os.path.join(folder, "older.db"), "wb") as file:
            file.write(OLDER)
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.execute("ATTACH ? AS older", (os.path.join(folder, "older.db"),))
        database.executescript(statements)
        database.close()
        changed = read(path)
    return changed[:24] + content[24:28] + changed[28:92] + content[92:100] + changed[100:] if len(changed) == len(content) else None


def rows_of(content):
    """What a running agent must notice: all but the log, which it reads where it is asked for, and the state, whose page each
    commit writes to the write-ahead log, so that what the file has of it means nothing until it is folded over."""
    database = sqlite3.connect(":memory:")
    database.deserialize(content[:18] + b"\1\1" + content[20:])
    return [sorted(database.execute(f"SELECT * FROM {table}")) for table in ("header", "slots", "records")]


def ask(change, generations=(1,)):
    """Opens the vault, lets `change` write to it, asks for everything, before and after a new agent: whether it was refused, which
    must be where `change` says True."""
    with opened(NEWER) as vault:
        check(vault.values((1,)) == 0, "refused before anything was written")
        let_time_pass()
        must = change(vault)
        refused = vault.values(generations)
        check(refused in (0, NAMES + 6), f"{refused} calls were refused, not all or none")
        check(refused or not must, "not refused")
        vault.lock()
        if vault.unlock_again() is None:
            vault.values(generations)
        return refused > 0


def run(name, cases):
    """Each case is (what, change)."""
    chosen = cases[FIRST::STEP]
    refused = 0
    for what, change in chosen:
        try:
            refused += ask(change)
        except AssertionError as fault:
            raise AssertionError(f"{what}: {fault}") from fault
    print(f"# {name}: {len(cases)} cases, {len(chosen)} tried, {refused} refused by the running agent; no wrong value")


def test_bytes_flipped_all_over_the_file():
    run("bytes", [(f"byte {at}", lambda vault, at=at: patch(vault.path, at) and None) for at in range(0, len(NEWER), 193)])


def test_pages_swapped_cleared_and_as_they_were():
    count = len(NEWER) // PAGE

    def put(page, content):
        return lambda vault: patch(vault.path, page * PAGE, content) and None

    def swap(one, other):
        def change(vault):
            put(one, NEWER[other * PAGE:(other + 1) * PAGE])(vault)
            put(other, NEWER[one * PAGE:(one + 1) * PAGE])(vault)
        return change

    cases = [(f"page {page} cleared", put(page, bytes(PAGE))) for page in range(count)]
    cases += [(f"page {page} as it was", put(page, OLDER[page * PAGE:(page + 1) * PAGE]))
              for page in range(min(count, len(OLDER) // PAGE))]
    cases += [(f"pages {one} and {other} swapped", swap(one, other)) for one in range(count) for other in range(one + 1, count)
              if (one + other) % 3 == 0]
    run("pages", cases)


def test_rows_changed_by_sql():
    bodies = {row[0].hex(): len(row[7]) for row in rows_of(NEWER)[2]}
    ids = sorted(bodies)
    statements = [f"DELETE FROM records WHERE id = x'{one}'" for one in ids]
    statements += [f"INSERT OR REPLACE INTO records SELECT * FROM older.records WHERE id = x'{one}'" for one in ids]
    statements += [f"UPDATE records SET version = version + 1 WHERE id = x'{one}'" for one in ids]
    statements += [f"UPDATE records SET body = (SELECT body FROM records WHERE id = x'{other}') WHERE id = x'{one}'"
                   for one, other in zip(ids, ids[1:]) if bodies[one] == bodies[other]]
    statements += [f"UPDATE records SET {column} = (SELECT {column} FROM records WHERE id = x'{other}') WHERE id = x'{one}'"
                   for one, other in zip(ids, ids[3:]) for column in ("place", "link")]
    statements += [f"UPDATE records SET name = randomblob(16) WHERE id = x'{one}'" for one in ids]
    statements += ["DELETE FROM records; INSERT INTO records SELECT * FROM older.records",
                   "DELETE FROM state; INSERT INTO state SELECT * FROM older.state", "DELETE FROM state",
                   "DELETE FROM leaves WHERE number > 5", "UPDATE header SET epoch = 2",
                   "UPDATE slots SET wrapped = randomblob(72)"]
    cases = []
    grown = 0
    for statement in statements:
        changed = edited(NEWER, statement)
        if changed is None:
            grown += 1
            continue

        def change(vault, changed=changed):
            write_pages(vault.path, NEWER, changed)
            return rows_of(changed) != rows_of(NEWER)
        cases.append((statement, change))
    run("rows", cases)
    print(f"# {grown} more would make the file grow, which its size tells")


def test_bytes_that_change_while_calls_are_answered():
    """Somebody flips bytes and puts them back, again and again, while the agent reads."""
    chance = random.Random(FIRST)
    deadline = time.monotonic() + (4 if STEP > 1 else 60)
    rounds = refused = 0
    while time.monotonic() < deadline:
        with opened(NEWER) as vault:
            stop = threading.Event()
            flips = []

            def disturb():
                while not stop.is_set():
                    at = chance.randrange(100, len(NEWER))
                    before = patch(vault.path, at)
                    time.sleep(chance.random() / 500)
                    patch(vault.path, at, before)
                    flips.append(at)

            writer = threading.Thread(target=disturb)
            writer.start()
            try:
                for _ in range(8):
                    refused += vault.values((1,)) > 0
            finally:
                stop.set()
                writer.join()
            rounds += len(flips)
    print(f"# {rounds} bytes flipped and put back, {refused} rounds of calls refused; no wrong value")
    check(rounds > 20, "too few")


def main():
    print(f"# SHARD={FIRST + 1}/{STEP} tests/mutation/running.sh repeats this part; SHARD=all runs everything", flush=True)
    failed = 0
    tests = [(name, value) for name, value in globals().items() if name.startswith("test_")]
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {name[5:].replace('_', ' ')}", flush=True)
        except AssertionError as fault:
            failed += 1
            print(f"not ok {number} - {name[5:].replace('_', ' ')}\n# {fault}", flush=True)
    print(f"1..{len(tests)}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
