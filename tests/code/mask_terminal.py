#!/usr/bin/python3
"""`run --mask` on a terminal. Prints `ok` or `not ok` lines without numbers; the calling script counts them.

    mask_terminal.py MASKED
"""

import contextlib
import fcntl
import os
import pty
import random
import select
import signal
import struct
import sys
import termios
import time

MASKED = [sys.argv[1], "TOKEN=hunter22"]
LIMIT = 20


class Terminal:
    """The command as the leader of a session on a terminal of its own; `ends` are the standard streams that are not it."""

    def __init__(self, command, ends=None, size=(24, 80), front=()):
        self.master, self.slave = pty.openpty()
        self.resize(*size)
        self.shown = b""
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for descriptor in range(3):
                os.dup2((ends or {}).get(descriptor, self.slave), descriptor)
            words = [*front, *MASKED, "--", *command]
            os.execvp(words[0], words)

    def resize(self, lines, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        if select.select([self.master], [], [], 0.1)[0]:
            self.shown += os.read(self.master, 65536)

    def wait(self, text):
        deadline = time.monotonic() + LIMIT
        while text.encode() not in self.shown:
            if time.monotonic() > deadline:
                raise TimeoutError(f"never shown: {text!r}; shown: {self.shown!r}")
            self.read()

    def type(self, keys):
        os.write(self.master, keys)

    def wait_modes(self, raw):
        deadline = time.monotonic() + LIMIT
        while bool(termios.tcgetattr(self.slave)[3] & termios.ECHO) == raw:
            if time.monotonic() > deadline:
                raise TimeoutError("the terminal's modes never changed")
            time.sleep(0.02)

    def modes(self):
        return termios.tcgetattr(self.slave)

    def end(self):
        """The status, and all that was shown."""
        deadline = time.monotonic() + LIMIT
        while True:
            self.read()
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise TimeoutError(f"still running; shown: {self.shown!r}")
        while select.select([self.master], [], [], 0)[0]:
            self.shown += os.read(self.master, 65536)
        return os.waitstatus_to_exitcode(status), self.shown.decode("utf-8", "replace").replace("\r\n", "\n")


def all_three_are_one():
    terminal = Terminal(["sh", "-c", "tty | grep -c /dev/pts; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo hunter22; echo hunter22 >&2; exit 5"])
    before = terminal.modes()
    return terminal.end() == (5, "1\n***\n***\n") and terminal.modes() == before


def a_prompt_shows():
    terminal = Terminal(["sh", "-c", "printf 'hu'; read -r word; echo \"got $word\""])
    terminal.wait("hu")
    terminal.type(b"x\n")
    return terminal.end() == (0, "hux\ngot x\n")


def a_value_behind_a_prompt_is_hidden():
    terminal = Terminal(["sh", "-c", "printf hun; sleep 0.3; printf ter; sleep 0.3; echo 22."])
    # Where we were not asked for so long that all of it came at once, none of it is shown.
    return terminal.end() in ((0, "hun***.\n"), (0, "***.\n"))


def a_typed_value_is_hidden():
    terminal = Terminal(["cat"])
    terminal.wait_modes(True)
    terminal.type(b"hunter22\nplain\n\x04")
    status, shown = terminal.end()
    return status == 0 and "hunter22" not in shown and shown.count("***") == 2 and shown.count("plain\n") == 2


def the_size_is_the_same_and_changes():
    terminal = Terminal(["sh", "-c", "trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 0.05; done"], size=(33, 111))
    terminal.wait("33 111\r\n")
    terminal.resize(44, 122)
    return terminal.end() == (0, "33 111\n44 122\n")


def raw_mode_is_the_commands():
    terminal = Terminal(["sh", "-c", "stty raw -echo; echo ready; dd bs=1 count=3 2> /dev/null | od -An -tx1; stty sane"])
    before = terminal.modes()
    terminal.wait("ready")
    terminal.type(b"\x03\x1a\x04")
    status, shown = terminal.end()
    return status == 0 and "03 1a 04" in shown and terminal.modes() == before


def quit_reaches_it():
    terminal = Terminal(["sh", "-c", "ulimit -c 0; echo ready; exec sleep 20"])
    before = terminal.modes()
    terminal.wait("ready")
    terminal.type(b"\x1c")
    return terminal.end()[0] == -signal.SIGQUIT and terminal.modes() == before


def a_death_by_a_signal_restores_it():
    terminal = Terminal(["sh", "-c", "kill -KILL $$"])
    before = terminal.modes()
    return terminal.end() == (-signal.SIGKILL, "") and terminal.modes() == before


def signals_from_outside():
    terminal = Terminal(["sh", "-c", "trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.05; done"])
    before = terminal.modes()
    terminal.wait("ready")
    os.kill(terminal.pid, signal.SIGTERM)
    return terminal.end() == (3, "ready\nterm\n") and terminal.modes() == before


def a_stop_that_is_not_asked_for():
    """A shell sets its own modes then, and does not restore ours."""
    terminal = Terminal(["cat"])
    before = terminal.modes()
    terminal.wait_modes(True)
    os.kill(terminal.pid, signal.SIGSTOP)
    os.waitpid(terminal.pid, os.WUNTRACED)
    termios.tcsetattr(terminal.slave, termios.TCSANOW, before)
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.wait_modes(True)
    terminal.type(b"hunter22\n\x04")
    return terminal.end() == (0, "***\n***\n") and terminal.modes() == before


def the_hangup_of_the_terminal():
    """The master goes: the command is told, and nothing is left."""
    path = os.path.join(os.environ["TMPDIR"], "hung-up")
    terminal = Terminal(["sh", "-c", f"trap 'echo yes > {path}; exit 3' HUP; echo ready; while :; do sleep 0.05; done"])
    terminal.wait("ready")
    os.close(terminal.slave)
    os.close(terminal.master)
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if os.waitpid(terminal.pid, os.WNOHANG)[0]:
            return os.path.exists(path)
        time.sleep(0.02)
    os.kill(terminal.pid, signal.SIGKILL)
    return False


def killed_without_mercy():
    """Our own death by KILL hangs the command up."""
    path = os.path.join(os.environ["TMPDIR"], "killed")
    terminal = Terminal(["sh", "-c", f"trap 'echo yes > {path}; exit 3' HUP; echo ready; while :; do sleep 0.05; done"])
    terminal.wait("ready")
    os.kill(terminal.pid, signal.SIGKILL)
    os.waitpid(terminal.pid, 0)
    deadline = time.monotonic() + LIMIT
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.02)
    return os.path.exists(path)


def a_pipe_beside_the_terminal():
    reading, writing = os.pipe()
    terminal = Terminal(["sh", "-c", "[ -t 0 ] && [ ! -t 1 ] && [ -t 2 ] && echo hunter22 >&2; echo out hunter22"], {1: writing})
    os.close(writing)
    result = terminal.end() == (0, "***\n") and os.read(reading, 100) == b"out ***\n"
    return result and termios.tcgetattr(terminal.slave)[3] & termios.ECHO != 0


def stderr_beside_the_terminal():
    reading, writing = os.pipe()
    terminal = Terminal(["sh", "-c", "[ -t 0 ] && [ -t 1 ] && [ ! -t 2 ] && echo hunter22 >&2; echo out hunter22"], {2: writing})
    os.close(writing)
    return terminal.end() == (0, "out ***\n") and os.read(reading, 100) == b"***\n"


def stdin_is_a_pipe():
    reading, writing = os.pipe()
    os.write(writing, b"hunter22 from a pipe")
    os.close(writing)
    terminal = Terminal(["sh", "-c", "[ ! -t 0 ] && [ -t 1 ] && cat && stty size < /dev/tty"], {0: reading}, size=(33, 111))
    return terminal.end() == (0, "*** from a pipe33 111\n")


def what_outlives_it_goes_on():
    """Under a shell: the end of a session's leader would be that of all that is on the terminal."""
    gate = os.path.join(os.environ["TMPDIR"], "gate")
    os.mkfifo(gate)
    terminal = Terminal(["sh", "-c", f"(read -r word < {gate}; echo late hunter22) & echo early hunter22"],
                        front=["sh", "-c", "\"$@\"; echo \"ended $?\"; read -r word", "sh"])
    terminal.wait("ended 0\r\n")
    with open(gate, "w", encoding="ascii") as file:
        file.write("\n")
    terminal.wait("late ***\r\n")
    terminal.type(b"\n")
    return terminal.end()[1].startswith("early ***\nended 0\nlate ***\n")


def free_user():
    """Any of very many, since others try the same; one without a process, since zombies count, and some machines keep them."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        first, _, size = map(int, file.readlines()[-1].split())
    taken = set()
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            taken.add(os.stat(f"/proc/{name}").st_uid)
    while True:
        user = random.randrange(first + size // 2, min(first + size, 1 << 32) - 1)
        if user not in taken:
            return user


def limited(processes):
    """The command of a user who may have so many processes, and reads what root can."""
    user = free_user()
    front = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
             "prlimit", f"--nproc={processes}:{processes}"]
    terminal = Terminal(["echo", "started"], front=front)
    before = terminal.modes()
    return *terminal.end(), terminal.modes() == before


def no_process_for_the_leader():
    return limited(1) == (125, "stepvault: no process could be made: Resource temporarily unavailable\n", True)


def no_process_for_the_command():
    return limited(2) == (125, "stepvault: no process could be made: Resource temporarily unavailable\n", True)


def as_many_processes_as_it_takes():
    return limited(3) == (0, "started\n", True)


TESTS = [
    ("0, 1 and 2 are terminals, and its modes are restored", all_three_are_one),
    ("a prompt that begins as a value does is shown, and so is what is typed", a_prompt_shows),
    ("what is printed a few bytes at a time is hidden but for its first three", a_value_behind_a_prompt_is_hidden),
    ("a value that is typed is echoed scrubbed", a_typed_value_is_hidden),
    ("the window's size is the same, and a change of it reaches the command", the_size_is_the_same_and_changes),
    ("raw mode is the command's: ^C, ^Z and ^D are bytes, and the outer modes are restored", raw_mode_is_the_commands),
    ("^\\ ends the command, and so us", quit_reaches_it),
    ("a death by a signal leaves the modes as they were", a_death_by_a_signal_restores_it),
    ("TERM from outside reaches it, and the modes are restored", signals_from_outside),
    ("after SIGSTOP and SIGCONT the terminal is the command's again", a_stop_that_is_not_asked_for),
    ("when the terminal hangs up, the command is told", the_hangup_of_the_terminal),
    ("when we are killed, the command is hung up", killed_without_mercy),
    ("stdout may be a pipe and stderr the terminal", a_pipe_beside_the_terminal),
    ("stderr may be a pipe and stdout the terminal", stderr_beside_the_terminal),
    ("stdin may be a pipe, and the rest the terminal", stdin_is_a_pipe),
    ("what outlives the command goes on, scrubbed, and the command's end is ours", what_outlives_it_goes_on),
]
# The kernel lets root have any number.
ROOTS = [
    ("no process for its leader is one sentence and 125", no_process_for_the_leader),
    ("... and so is none for the command itself", no_process_for_the_command),
    ("... and three processes are all that it takes", as_many_processes_as_it_takes),
]


def main():
    for name, function in TESTS + ROOTS:
        if (name, function) in ROOTS and os.getuid() != 0:
            print(f"ok - on a terminal: {name} # SKIP only root can become another user")
            continue
        try:
            good = function()
        except (OSError, TimeoutError) as error:
            good = False
            print(f"# {type(error).__name__}: {error}"[:600])
        print(f"{'ok' if good else 'not ok'} - on a terminal: {name}", flush=True)


main()
