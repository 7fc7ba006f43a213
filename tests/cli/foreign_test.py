"""Writes to the files of an open vault by somebody else. Prints TAP; each function named test_... is one test."""

import contextlib
import os
import shutil
import signal
import tempfile
import time

from agent_client import Agent, error, machine_slot, slot_key
from checks import check, is_, run_tests

KEY = bytes(range(32))
NAMES = 60
REFUSALS = ("Foreign", "Corrupt")


def value_of(number, generation=0):
    return f"value {number} of generation {generation} " + "v" * (number * 7 % 300)


def let_time_pass():
    """Longer than a tick of the clock that files are stamped with."""
    time.sleep(0.02)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o600)


def patch(path, offset, change=None):
    """Another process's write into the file as it lies; by default one bit. The bytes that were there."""
    with open(path, "r+b", buffering=0) as file:
        file.seek(offset)
        before = file.read(len(change) if change else 1)
        file.seek(offset)
        file.write(change or bytes([before[0] ^ 1]))
    return before


class Vault:
    """A vault in a folder of its own, an agent that has it open, and a connection."""

    def __init__(self, template=None, arguments=()):
        self.folder = tempfile.mkdtemp(prefix="foreign-", dir=os.environ.get("TMPDIR"))
        self.path = os.path.join(self.folder, "vault/vault.db")
        self.log = self.path + "-wal"
        self.arguments = arguments
        os.mkdir(os.path.dirname(self.path), 0o700)
        if template is not None:
            write(self.path, template)
        self.start()

    def start(self):
        self.agent = Agent(self.folder, self.path, self.arguments, environment={**os.environ, "XDG_STATE_HOME": self.folder + "/state"})
        self.client = self.agent.connect()

    def fill(self, generation):
        for number in range(NAMES):
            reply = self.client.call("SetVariable", path=f"step{number % 6}", name=f"NAME_{number}", value=value_of(number, generation))
            is_(error(reply), None)

    def lock(self):
        reply = self.client.call("Lock")
        is_(error(reply), None)
        is_(self.agent.wait(), 0)
        return reply["parameters"]["was_open"]

    def unlock_again(self):
        """A new agent on the same files: the error of Unlock."""
        self.start()
        return error(self.client.call("Unlock", slot_key=slot_key(KEY)))

    def values(self, generations=(0,)):
        """Asks for everything; how many calls were refused. Any answer must be a right value."""
        refused = 0
        for number in range(NAMES):
            reply = self.client.call("GetVariable", path=f"step{number % 6}", name=f"NAME_{number}")
            if "error" in reply:
                check(error(reply) in REFUSALS, reply)
                check(len(reply["parameters"]["message"]) > 20, reply)
                refused += 1
            else:
                check(reply["parameters"]["value"] in [value_of(number, g) for g in generations], reply)
        for step in range(6):
            reply = self.client.call("Project", step=f"step{step}")
            if "error" in reply:
                check(error(reply) in REFUSALS, reply)
                refused += 1
            else:
                expected = {f"NAME_{n}": [value_of(n, g) for g in generations] for n in range(NAMES) if n % 6 == step}
                check(all(reply["parameters"]["variables"][name] in right for name, right in expected.items()), reply)
        return refused

    def is_foreign(self, word=None):
        """The state that all calls but two are refused in."""
        status = self.client.call("Status")["parameters"]
        is_(status["state"], "foreign")
        is_((status["log"], status["records"], status["vault_id"]), (status["foreign"], 0, ""))
        check(word is None or word in status["foreign"], status["foreign"])
        for method, parameters in (("Project", {"step": "step0"}), ("ListVariables", {}), ("ListSlots", {}),
                                   ("Unlock", {"slot_key": slot_key(KEY)}), ("Initialize", {"slots": [machine_slot(KEY)]}),
                                   ("SetVariable", {"path": "/", "name": "A", "value": "b"}),
                                   ("Status", {"slot_key": slot_key(KEY)})):
            reply = self.client.call(method, **parameters)
            if method == "Status":
                is_(reply["parameters"]["state"], "foreign")
            else:
                check(error(reply) in REFUSALS, (method, reply))
                is_(reply["parameters"]["message"], status["foreign"])
        return True

    def end(self):
        self.client.close()
        self.agent.end()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def opened(template=None, arguments=()):
    vault = Vault(template, arguments)
    try:
        if template is not None:
            is_(error(vault.client.call("Unlock", slot_key=slot_key(KEY))), None)
        yield vault
    finally:
        vault.end()


def make_templates():
    """An older and a newer closed file of one vault."""
    with opened() as vault:
        is_(error(vault.client.call("Initialize", slots=[machine_slot(KEY)])), None)
        vault.fill(0)
        vault.lock()
        older = read(vault.path)
        is_(vault.unlock_again(), None)
        vault.fill(1)
        vault.lock()
        return older, read(vault.path)


OLDER, NEWER = make_templates()


def test_a_vault_that_nobody_touches_is_served():
    with opened(OLDER) as vault:
        for generation in (1, 2, 3):
            vault.fill(generation)
            let_time_pass()
            is_(vault.values((generation,)), 0)
        is_(vault.client.call("Status")["parameters"].get("foreign"), None)
        is_(vault.lock(), True)
        check(not os.path.exists(vault.log), "the write-ahead log is still there")


def test_a_flipped_bit_anywhere_in_the_file_gives_no_wrong_value():
    tried = refused = 0
    step = len(OLDER) // 40 + 1
    for offset in range(97, len(OLDER), step):
        with opened(OLDER) as vault:
            let_time_pass()
            patch(vault.path, offset)
            tried += 1
            count = vault.values()
            check(count in (0, NAMES + 6), f"offset {offset}: {count} calls were refused")
            refused += count > 0
            if count > 0:
                vault.is_foreign()
                is_(vault.lock(), False)
    print(f"# {refused} of {tried} bits were in use, and refused; the others are in unused room or in entries of the log")
    check(refused > tried / 3, "too few")


def test_a_flipped_bit_of_the_write_ahead_log_is_refused_wherever_it_is():
    for part in range(12):
        with opened(OLDER) as vault:
            vault.fill(1)
            content = read(vault.log)
            used = len(content.rstrip(b"\0"))
            let_time_pass()
            patch(vault.log, 40 + (used - 80) * part // 12)
            is_(vault.values((1,)), NAMES + 6)
            vault.is_foreign("write-ahead log")
            vault.lock()
            check(os.path.getsize(vault.log) == len(content), "the write-ahead log was touched")


def test_bytes_of_a_row_that_were_read_before_are_read_anew():
    with opened(OLDER) as vault:
        is_(vault.values(), 0)
        at = rows_at(OLDER)
        let_time_pass()
        patch(vault.path, at)
        is_(vault.values(), NAMES + 6)
        vault.is_foreign()


def rows_at(content):
    """Where the ciphertext of records lies: the middle of the page that differs most between the two files."""
    best = max(range(0, min(len(OLDER), len(NEWER)), 4096),
               key=lambda at: sum(a != b for a, b in zip(OLDER[at:at + 4096], NEWER[at:at + 4096])) if content[at] == 10 else 0)
    return best + 3000


def test_another_size_is_refused_and_the_files_stay_as_they_lie():
    def shorter(vault, path):
        os.truncate(path, os.path.getsize(path) - 1)

    def empty(vault, path):
        os.truncate(path, 0)

    def half(vault, path):
        os.truncate(path, os.path.getsize(path) // 8192 * 4096)

    def longer(vault, path):
        with open(path, "ab") as file:
            file.write(b"x")

    for change in (shorter, empty, half, longer):
        for which in ("path", "log"):
            with opened(OLDER) as vault:
                vault.fill(1)
                path = getattr(vault, which)
                change(vault, path)
                after = read(vault.path), read(vault.log)
                is_(vault.values((1,)), NAMES + 6)
                vault.is_foreign("bytes")
                is_(vault.lock(), False)
                is_((read(vault.path), read(vault.log)), after)


def test_what_was_only_appended_does_no_harm_to_the_next_agent():
    with opened(OLDER) as vault:
        vault.fill(1)
        with open(vault.path, "ab") as file:
            file.write(b"x" * 4096)
        vault.is_foreign("bytes")
        vault.lock()
        is_(vault.unlock_again(), None)
        is_(vault.values((1,)), 0)


def replace(vault, content):
    write(vault.path + ".other", content)
    os.rename(vault.path + ".other", vault.path)


def test_a_file_that_replaced_ours_is_left_alone():
    for content in (OLDER, NEWER, b"no vault at all"):
        for ending in ("Lock", "signal"):
            with opened(NEWER) as vault:
                vault.fill(2)
                replace(vault, content)
                if ending == "Lock":
                    vault.is_foreign("replaced")
                    is_(vault.lock(), False)
                else:
                    vault.agent.process.send_signal(signal.SIGTERM)
                    is_(vault.agent.wait(), 0)
                is_(read(vault.path), content)
                check(not os.path.exists(vault.log), "our write-ahead log would be played into it")


def test_a_copy_of_the_file_in_its_place_is_another_file():
    with opened(OLDER) as vault:
        vault.fill(1)
        replace(vault, read(vault.path))
        vault.is_foreign("replaced")
        vault.lock()
        is_(vault.unlock_again(), "RolledBack")  # the copy lacks what was in the write-ahead log


def test_an_older_copy_written_over_the_file_is_refused():
    with opened(NEWER) as vault:
        let_time_pass()
        patch(vault.path, 0, OLDER)
        is_(vault.values((1,)), NAMES + 6)
        vault.is_foreign()
        vault.lock()
    with opened(NEWER) as vault:
        vault.fill(2)
        patch(vault.path, 0, OLDER)
        os.truncate(vault.path, len(OLDER))
        is_(vault.values((2,)), NAMES + 6)
        vault.lock()


def test_a_file_that_was_moved_or_removed_is_refused_and_stays_whole():
    with opened(OLDER) as vault:
        vault.fill(1)
        os.rename(vault.path, vault.path + ".moved")
        vault.is_foreign("moved or removed")
        vault.lock()
        is_(os.listdir(os.path.dirname(vault.path)), ["vault.db.moved"])
        os.rename(vault.path + ".moved", vault.path)
        is_(vault.unlock_again(), None)
        is_(vault.values((1,)), 0)
    with opened(OLDER) as vault:
        os.unlink(vault.path)
        vault.is_foreign("moved or removed")
        vault.lock()
        is_(os.listdir(os.path.dirname(vault.path)), [])
        vault.start()
        is_(error(vault.client.call("Initialize", slots=[machine_slot(KEY)])), None)


def test_a_folder_that_was_moved_is_refused_and_what_comes_in_its_place_is_not_touched():
    with opened(OLDER) as vault:
        vault.fill(1)
        folder = os.path.dirname(vault.path)
        os.rename(folder, folder + ".moved")
        os.mkdir(folder, 0o700)
        write(vault.path, NEWER)
        write(vault.log, b"of somebody else")
        vault.is_foreign("replaced")
        vault.lock()
        is_((read(vault.path), read(vault.log)), (NEWER, b"of somebody else"))
        shutil.rmtree(folder)
        os.rename(folder + ".moved", folder)
        is_(vault.unlock_again(), None)
        is_(vault.values((1,)), 0)


def test_a_write_ahead_log_that_is_gone_or_replaced_is_refused_and_nothing_lost():
    for planted in (None, b"of somebody else"):
        with opened(OLDER) as vault:
            vault.fill(1)
            os.unlink(vault.log)
            if planted:
                write(vault.log, planted)
            vault.is_foreign("write-ahead log")
            vault.lock()
            if planted:
                is_(read(vault.log), planted)
                os.unlink(vault.log)
            is_(vault.unlock_again(), None)
            is_(vault.values((1,)), 0)


def test_times_alone_are_no_reason_to_refuse():
    with opened(OLDER) as vault:
        for path in (vault.path, vault.log):
            let_time_pass()
            os.utime(path)
            is_(vault.values(), 0)
            os.chmod(path, 0o600)
            os.utime(path, (1, 1))
            is_(vault.values(), 0)
        byte = patch(vault.path, rows_at(OLDER))
        patch(vault.path, rows_at(OLDER), byte)
        is_(vault.values(), 0)
        vault.fill(1)
        is_(vault.values((1,)), 0)
        is_(vault.lock(), True)


def idle_finds(arguments, quiet, damaged):
    """Whether damage that is undone before the next call was noticed meanwhile."""
    with opened(OLDER, arguments) as vault:
        is_(error(vault.client.call("Project", step="step0")), None)
        time.sleep(quiet)
        byte = patch(vault.path, rows_at(OLDER))
        time.sleep(damaged)
        patch(vault.path, rows_at(OLDER), byte)
        return vault.client.call("Status")["parameters"]["state"] == "foreign" and vault.is_foreign()


def test_an_agent_that_nobody_calls_looks_again():
    is_(idle_finds(["--verify", "300"], 0, 1), True)


def test_and_again_while_nobody_calls():
    is_(idle_finds(["--verify", "100"], 0.6, 2), True)


def test_and_does_not_look_sooner():
    is_(idle_finds(["--verify", "60000"], 0, 0.5), False)


def test_a_foreign_vault_keeps_its_agent_until_it_is_locked():
    with opened(OLDER) as vault:
        replace(vault, NEWER)
        vault.is_foreign()
        vault.client.close()
        time.sleep(0.1)
        vault.client = vault.agent.connect()
        vault.is_foreign()
        vault.lock()
    with opened(OLDER) as vault:
        is_(error(vault.client.call("Unlock", lifetime=1)), None)
        replace(vault, NEWER)
        vault.is_foreign()
        is_(vault.agent.wait(5), 0)
        is_(read(vault.path), NEWER)


if __name__ == "__main__":
    run_tests(globals())
