"""What the crash tests share: vaults in scratch folders, the commands that they interrupt, and the judgement of what is
left afterwards."""

import collections
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, ROOT + "/tests/cli")
import agent_client
BUILD = os.path.realpath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
BIN = BUILD + "/bin"
TRACE = BUILD + "/tests/crash/trace"
CANARY = "c4n4ry"
SHARDS = 24

number = 0
failed = 0


def ok(good, name, *comments):
    global number, failed
    number += 1
    failed += not good
    for comment in comments:
        print("# " + str(comment))
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)


def finish():
    print(f"1..{number}")
    return 1 if failed else 0


def shard():
    """(first, step, how to repeat it): which points are run, by SHARD or, without it, by the commit."""
    text = os.environ.get("SHARD")
    if text == "all":
        return 0, 1, "SHARD=all"
    if not text:
        head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout
        text = f"{int(head[:8] or '0', 16) % SHARDS + 1}/{SHARDS}"
    first, step = (int(word) for word in text.split("/"))
    return first - 1, step, f"SHARD={text}"


def interrupted_by_term():
    signal.signal(signal.SIGTERM, lambda *_: exit(1))


@contextlib.contextmanager
def scratch_folder():
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    try:
        yield scratch
    finally:
        kill_agents(scratch)
        shutil.rmtree(scratch, ignore_errors=True)


# ---- running ----

def environment(folder):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("STEPVAULT_", "XDG_")) and name != "CREDENTIALS_DIRECTORY"}
    os.makedirs(folder + "/run", mode=0o700, exist_ok=True)
    os.makedirs(folder + "/data", mode=0o700, exist_ok=True)
    return {**kept, "HOME": folder, "XDG_RUNTIME_DIR": folder + "/run", "XDG_DATA_HOME": folder + "/data",
            "XDG_STATE_HOME": folder + "/state", "STEPVAULT_VAULT": folder + "/data/vault.db",
            "PATH": BIN + ":" + os.environ["PATH"], "LC_ALL": "C.UTF-8"}


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
        try:
            out, err = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            return Result(-99, "", "no end within the limit, and an agent that keeps the pipe of its starter")
        return Result(-99, out.decode("utf-8", "replace"), "no end within the limit")
    return Result(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def keyed(folder, *words, **options):
    """A command with the key file, and so an agent of its own."""
    return run(folder, "stepvault", *words, env={"STEPVAULT_KEY_FILE": folder + "/key"}, **options)


def shell(folder, line, **options):
    return run(folder, "bash", "-c", line, env={"STEPVAULT_KEY_FILE": folder + "/key"}, **options)


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


def kill_agents(folder):
    for pid in agents(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    deadline = time.monotonic() + 10
    while (agents(folder) or listens(folder)) and time.monotonic() < deadline:
        time.sleep(0.002)


def verify(folder):
    """What is wrong with the vault, by itself."""
    checked = keyed(folder, "check")
    return [] if checked.status == 0 else ["check: " + checked.out + checked.err]


class Session:
    """An agent of our own, for many questions at once."""

    def __init__(self, folder):
        self.folder = folder
        if listens(folder):
            run(folder, "stepvault", "lock")
        with open(folder + "/key", "rb") as file:
            self.key = agent_client.slot_key(file.read())
        self.process = self.client = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def leave(self):
        """Lets go of the vault until the next question."""
        if self.client:
            self.client.close()
            self.process.wait()
        self.client = None

    def connect(self):
        if not self.client:
            self.process, self.client = agent_client.connected(self.folder + "/data/vault.db", env=environment(self.folder))
        return self.client

    def ask(self, method, **parameters):
        """The parameters of the reply; None where it is an error."""
        reply = self.connect().call(method, slot_key=self.key, **parameters)
        return None if "error" in reply else reply["parameters"]

    def value(self, path, name, **parameters):
        return (self.ask("GetVariable", path=path, name=name, **parameters) or {}).get("value")

    def leaves(self):
        return self.connect().leaves(slot_key=self.key)

    def has_new(self, action):
        """Whether the log has such a leaf that was not there before the command."""
        count = sum(leaf["action"] == action and leaf["outcome"] == "granted" for leaf in self.leaves())
        return count > self.before()["leaves"].get(action, 0)

    def before(self):
        with open(self.folder + "/before.json", encoding="utf-8") as file:
            return json.load(file)


# ---- vaults ----

def make_vault(folder):
    """A vault that uses everything, closed."""
    environment(folder)
    made = shell(folder, 'exec stepvault init --key-file $STEPVAULT_KEY_FILE --passphrase-fd 3 --kdf-time 0 --no-recovery 3<<< first')
    if made.status != 0:
        raise RuntimeError(made.err)
    run(folder, "stepvault", "env", "set", "FIXED", "--at", "load", text=CANARY + "-fixed")
    for copy in ("saved.db", "copy.db"):
        run(folder, "stepvault", "backup", f"{folder}/{copy}")
    shutil.copyfile(folder + "/copy.db", folder + "/copy.old")
    for value in ("first", "second"):
        run(folder, "stepvault", "env", "set", "KEPT", "--at", "moving/below", text=value)
    for app in range(7):
        run(folder, "stepvault", "account", "add", f"app{app}", text='{"token":"%s-start"}' % CANARY)
        run(folder, "stepvault", "bind", "accounts", f"app{app}")
    run(folder, "stepvault", "call", "AddClient", '{"app":"gitlab","client_id":"id","client_secret":"%s-client"}' % CANARY)
    run(folder, "stepvault", "lock")
    connected = run(folder, BUILD + "/tests/cli/connected_tool", folder + "/data/vault.db", folder + "/key", "gitlab", CANARY + "-token")
    if connected.status != 0:
        raise RuntimeError(connected.err)
    with Session(folder) as session:
        session.ask("Unlock")
        for _ in range(PRUNED):
            session.ask("GetVariable", path="load", name="FIXED")
        before = {"leaves": collections.Counter(leaf["action"] for leaf in session.leaves()),
                  "slots": [slot["id"] for slot in session.ask("ListSlots")["slots"]]}
    with open(folder + "/before.json", "w", encoding="utf-8") as file:
        json.dump(before, file)
    with open(folder + "/import.json", "w", encoding="utf-8") as file:
        json.dump({f"N{index}": "v" for index in range(IMPORTED)}, file)


class Place:
    """A folder in which one command after the other is tried, each from the same start. What is made for the vault's path
    (a pin) fits it: the folder is always the same."""

    def __init__(self, scratch):
        self.folder, self.template = scratch + "/disk", scratch + "/template"
        self.trace = scratch + "/trace"
        make_vault(self.folder)
        shutil.rmtree(self.folder + "/run")
        os.rename(self.folder, self.template)

    def begin(self, command):
        if os.path.exists(self.folder):
            self.clear()
        if command.start != "nothing":
            subprocess.run(["cp", "-a", self.template, self.folder], check=True)
        if command.start == "no vault":
            os.unlink(self.folder + "/data/vault.db")
        environment(self.folder)

    def clear(self):
        kill_agents(self.folder)
        shutil.rmtree(self.folder)


# ---- commands ----

class Command:
    """One command as a shell line, which leaves no agent.

    done(session)  whether it was done; raises ValueError for a state between
    again          the line that can follow, does the same or leaves it done, and removes what an interrupted one left; True:
                   the same
    start          what there is before: a vault; no vault, and what a vault has beside it; or nothing
    leaf           the action of the leaf without which no secret may leave
    secret         what a message has in it that may leave only then
    acknowledged   which of the line's processes acknowledges it by its end, of those that do not become a step
    """

    def __init__(self, name, line, done, again=False, start="vault", leaf=None, secret=CANARY, acknowledged=0):
        self.name, self.line, self.done, self.again, self.start = name, line, done, line if again is True else again, start
        self.leaf, self.secret, self.acknowledged, self.several = leaf, secret.encode(), acknowledged, acknowledged > 0


def is_bound(session):
    return any(binding["path"] == "fresh" for binding in session.ask("ShowAccount", account="app1")["account"]["bindings"])


def history(session):
    """The states of KEPT's values, in order."""
    listed = session.ask("ListVariableRevisions", path="moving/below", name="KEPT")
    return [revision["state"] for revision in listed["revisions"]] if listed else None


def is_unset(session):
    states = history(session)
    if states not in (["replaced", "current"], ["replaced", "unset"]):
        raise ValueError(f"the history is {states}")
    return states[-1] == "unset"


def is_restored(session):
    value, count = session.value("moving/below", "KEPT"), len(history(session) or [])
    if (value, count) not in (("second", 2), ("first", 3)):
        raise ValueError(f"the value is {value}, with {count} in the history")
    return value == "first"


def is_moved(session):
    there = [place for place in ("moving", "moved") if session.value(place + "/below", "KEPT") == "second" and
             session.value(place + "/below", "KEPT", revision=1) == "first"]
    if len(there) != 1:
        raise ValueError(f"it is at {there}")
    return there == ["moved"]


def projected(session):
    return any(leaf.get("claimed", {}).get("reason") == "injected" for leaf in session.leaves())


def new_passphrase_opens(session):
    slots = [slot for slot in session.ask("ListSlots")["slots"] if slot["kind"] == "passphrase"]
    is_new = slots[0]["id"] not in session.before()["slots"]
    session.leave()
    opened = run(session.folder, "bash", "-c", 'stepvault unlock --passphrase-fd 3 3<<< "$1" && stepvault lock', "-",
                 "second" if is_new else "first")
    if len(slots) != 1 or opened.status != 0:
        raise ValueError(f"{len(slots)} passphrases, of which the one that should open it does not: {opened.err}")
    return is_new


def is_rekeyed(session):
    return session.ask("ListSlots")["epoch"] > 1


def is_copied(session):
    """Whether there is a new copy; it is whole then, and the vault knows of it."""
    with open(session.folder + "/copy.db", "rb") as copy, open(session.folder + "/copy.old", "rb") as old:
        if copy.read() == old.read():
            return False
    os.makedirs(session.folder + "/looked", mode=0o700)
    shutil.copy(session.folder + "/copy.db", session.folder + "/looked/copy.db")
    checked = keyed(session.folder, "check", "--vault", session.folder + "/looked/copy.db")
    shutil.rmtree(session.folder + "/looked")
    if checked.status != 0:
        raise ValueError(f"the copy: {checked.out}{checked.err}")
    if not session.has_new("backup"):
        raise ValueError("a copy without its leaf")
    return True


def is_put_back(session):
    is_new = session.has_new("restore")
    if (session.value("moving/below", "KEPT") is None) != is_new:
        raise ValueError("the log is not of these rows")
    return is_new


def is_pruned(session):
    """Whether the oldest block of the log has lost its lines, and there is one entry that says so."""
    first = session.connect().many("ReadLog", slot_key=session.key)[-1]["parameters"]["pruned"]
    entries = [leaf["pruned"] for leaf in session.leaves() if leaf["action"] == "prune" and leaf["pruned"]["to"] > leaf["pruned"]["from"]]
    if (first, entries) not in ((0, []), (PRUNED, [{"from": 0, "to": PRUNED}])):
        raise ValueError(f"the log is pruned up to {first}, with the entries {entries}")
    return first == PRUNED


PRUNED = 256  # entries that lose their lines at once
IMPORTED = 200  # enough for the indices to be made anew


def imported(session):
    """All of the import, or nothing; what is between is no state."""
    names = len(session.ask("ListVariables", path="in")["variables"])
    if names not in (0, IMPORTED):
        raise ValueError(f"{names} of {IMPORTED} names are there")
    return names == IMPORTED


def has_client(session):
    return any(client["app"] == "fresh" for client in session.ask("ListClients")["clients"])


def opened(line):
    """A shell line of several commands, the last of which counts, and one agent that stays from the first to the last."""
    return (f"stepvault unlock --key-file $STEPVAULT_KEY_FILE; stepvault env set ONE --at load <<< 1; {line}; s=$?; "
            "stepvault lock; exit $s")


REKEY = "stepvault rekey --no-recovery --yes"
RESTORE = "stepvault restore $HOME/saved.db --yes"
COMMANDS = [
    Command("init", "stepvault init --key-file $STEPVAULT_KEY_FILE --no-recovery; s=$?; stepvault lock; exit $s", None,
            start="nothing"),
    Command("env set", "exec stepvault env set NEW --at load <<< value", lambda session: session.value("load", "NEW") == "value",
            again=True),
    Command("env unset", "exec stepvault env unset KEPT --at moving/below", is_unset),
    Command("env restore", "exec stepvault env restore KEPT --at moving/below", is_restored),
    Command("step move", "exec stepvault step move moving moved", is_moved),
    Command("bind", "exec stepvault bind fresh app1", is_bound, again=True),
    Command("run", "exec stepvault run load --reason injected -- printenv FIXED", projected, again=True, leaf="project"),
    Command("client", "exec stepvault call AddClient '{\"app\":\"fresh\",\"client_id\":\"id\",\"client_secret\":\"s\",\"replace\":true}'",
            has_client, again=True),
    Command("env get", "exec stepvault env get FIXED --at load", None, leaf="get"),
    Command("passwd", "exec stepvault passwd --new-passphrase-fd 3 --kdf-time 0 3<<< second", new_passphrase_opens, again=True),
    Command("import", "exec stepvault env import $HOME/import.json --at in", imported, again=True),
    Command("rekey", REKEY, is_rekeyed, again=True),
    Command("audit prune", "exec stepvault audit prune --before 2099-01-01 --key-file $STEPVAULT_KEY_FILE", is_pruned, again=True),
    Command("backup", "exec stepvault backup --replace $HOME/copy.db", is_copied, again=True, leaf="backup",
            secret="U1FMaXRlIGZvcm1hdCAz"),
    Command("restore", RESTORE, is_put_back, again=True),
    Command("restore, no vault left", RESTORE, is_put_back, again=True, start="no vault"),
    Command("session", opened("stepvault bind fresh app1; stepvault run load --reason injected -- printenv FIXED; "
                              "stepvault env set TWO --at load <<< 2"),
            lambda session: session.value("load", "TWO") == "2", leaf="project", acknowledged=3),
    Command("rekey, open", opened(REKEY), is_rekeyed, again=REKEY, acknowledged=2),
    Command("restore, open", opened(RESTORE), is_put_back, again=RESTORE, acknowledged=2),
]


def find_command(name):
    return next(command for command in COMMANDS if command.name == name)


def chosen_commands():
    """All commands, or the one of POINT, or those of COMMAND, with / between."""
    wanted = os.environ.get("POINT", "").split(":")[0] or os.environ.get("COMMAND", "")
    return [command for command in COMMANDS if not wanted or command.name in wanted.split("/")]


def can_trace(scratch, mode, *words):
    """Whether this machine lets trace do its work."""
    done = subprocess.run([TRACE, mode, scratch + "/trace", *words, BIN + "/stepvault", "--version"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


# ---- judgement ----

def is_made(folder):
    return os.path.exists(folder + "/data/vault.db")


def judge_value(command, session, acknowledged):
    if command.done is None:
        return []
    try:
        return ["acknowledged, and not there"] if not command.done(session) and acknowledged else []
    except ValueError as fault:
        return [str(fault)]


def judge_inside(command, folder, acknowledged, released):
    with Session(folder) as session:
        wrong = []
        if released and not session.has_new(command.leaf):
            wrong.append("a secret left without its leaf")
        if command.start != "nothing" and session.value("load", "FIXED") != CANARY + "-fixed":
            wrong.append("an old value is gone")
        return wrong + judge_value(command, session, acknowledged)


def judge_next(command, folder):
    """The next command, and where that makes sense the same once more, works and leaves nothing behind but the vault."""
    wrong = []
    if command.again:
        again = shell(folder, command.again)
        if again.status != 0:
            wrong.append(f"again: exit {again.status}, {again.err}")
    after = keyed(folder, "env", "set", "AFTER", "--at", "load", text="after")
    if after.status != 0:
        wrong.append(f"the next command: exit {after.status}, {after.err}")
    with Session(folder) as session:
        if session.value("load", "AFTER") != "after":
            wrong.append("the next command was not done")
        if command.again:
            wrong += [f"again: {fault}" for fault in judge_value(command, session, True)]
    left = sorted(set(os.listdir(folder + "/data")) - {"vault.db"})
    return wrong + ([f"left behind: {', '.join(left)}"] if left else [])


def judge(command, folder, acknowledged, released):
    """What is wrong with what a crash left in a folder, where the command was acknowledged, where a secret had left."""
    if not is_made(folder):
        if command.start == "vault":
            return ["there is no vault"]
        wrong = ["acknowledged, and there is no vault"] if acknowledged else []
        again = shell(folder, command.line)
        wrong += [] if again.status == 0 else ["cannot be made: " + again.err]
        return wrong or verify(folder) or judge_next(command, folder)
    return verify(folder) or judge_inside(command, folder, acknowledged, released) + judge_next(command, folder)


def judge_words(command, done, faulted):
    """What is wrong with what a command said whose agent died, or whose calls failed."""
    wrong = []
    refused = done.status not in (0, 128 + 9, -9)
    if CANARY in done.err:
        wrong.append("a secret on stderr")
    if faulted and CANARY in done.out and refused and not command.several:
        wrong.append("a secret came out of a command that failed")
    if faulted and refused and not command.several and not re.match(r"(stepvault: [^\n]+\n)+$", done.err):
        wrong.append(f"exit {done.status} said {done.err!r}")
    return wrong
