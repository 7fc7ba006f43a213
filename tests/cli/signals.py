#!/usr/bin/python3
"""`stepvault run STEP -- COMMAND` beside `env COMMAND`, case by case: each case runs with either in front, and what the
parent, the terminal or the command itself saw must be the same (and what the case expects, where that is a constant).

    signals.py STEP SCRATCH [--mask]

With --mask it is `stepvault run STEP --mask -- COMMAND`, without the cases of BESIDE. Prints `ok` or
`not ok` lines without numbers; the calling script counts them.
"""

import contextlib
import fcntl
import os
import pty
import resource
import select
import signal
import subprocess
import sys
import termios
import time

STEP, SCRATCH, *OPTIONS = sys.argv[1:]
PREFIXES = {"env": ["env"], "run": ["stepvault", "run", STEP, *OPTIONS, "--"]}
# Where somebody beside the command cannot be as the command: it has another process id and us as its parent, is not process
# 1 itself, and writes to us and not to what is behind us.
BESIDE = {"process, parent, group and session are those of whoever was started",
          "as process 1, a command that does not handle TERM is not ended by it, as the kernel has it",
          "a full disk behind stdout"}
LIMIT = 20
CASES = []
PYTHON = ["/usr/bin/python3", "-S", "-c"]
SIGNALS = ["grep", "-E", "Sig(Blk|Ign|Cgt)", "/proc/self/status"]


def case(name, expected=None):
    def add(function):
        CASES.append((name, function, expected))
        return function
    return add


def finish(process):
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "still running"
    return process.returncode, (out or b"").decode("utf-8", "replace"), (err or b"").decode("utf-8", "replace")


def start(prefix, command, **options):
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "restore_signals": False, **options}
    return subprocess.Popen(prefix + command, **options)


def result(prefix, command, **options):
    return finish(start(prefix, command, **options))


def shell(prefix, script, **options):
    return result(prefix, ["sh", "-c", script], **options)


def wait_line(process):
    """The first line of its output."""
    line = b""
    deadline = time.monotonic() + LIMIT
    while not line.endswith(b"\n") and time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 0.1)[0]:
            byte = os.read(process.stdout.fileno(), 1)
            if not byte:
                break
            line += byte
    return line.decode()


# ---- exit statuses ----

for status in (0, 1, 2, 3, 4, 125, 126, 127, 128, 130, 255):
    case(f"exit status {status} is passed on", (status, "", ""))(lambda prefix, status=status: shell(prefix, f"exit {status}"))

for name in ("TERM", "KILL", "INT", "HUP", "QUIT", "PIPE", "SEGV", "ABRT", "USR1"):
    case(f"a death by SIG{name} is one for the parent", -getattr(signal, "SIG" + name))(
        lambda prefix, name=name: shell(prefix, f"ulimit -c 0; kill -{name} $$",
                                        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL))[0])


@case("a command that is not there is 127", 127)
def _(prefix):
    return result(prefix, ["no-such-command-anywhere"])[0]


@case("one that cannot be executed is 126", 126)
def _(prefix):
    return result(prefix, ["/etc/passwd"])[0]


@case("a folder is 126", 126)
def _(prefix):
    return result(prefix, ["/etc"])[0]


# ---- signals from outside ----

HANDLES = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done"
LOOPS = "echo ready; while :; do sleep 0.02; done"


def sent(process, number):
    wait_line(process)
    os.kill(process.pid, number)
    return finish(process)[0]


@case("TERM, as docker stop sends it, reaches a command that handles it", 7)
def _(prefix):
    return sent(start(prefix, ["bash", "-c", HANDLES]), signal.SIGTERM)


@case("TERM ends one that does not", -signal.SIGTERM)
def _(prefix):
    return sent(start(prefix, ["bash", "-c", LOOPS]), signal.SIGTERM)


@case("TERM to the group, as timeout sends it", 7)
def _(prefix):
    process = start(prefix, ["bash", "-c", HANDLES], start_new_session=True)
    wait_line(process)
    os.killpg(process.pid, signal.SIGTERM)
    return finish(process)[0]


@case("under nohup a hangup is ignored", "still there")
def _(prefix):
    process = start(["nohup", *prefix], ["sh", "-c", "echo ready; exec sleep 30"])
    wait_line(process)
    os.kill(process.pid, signal.SIGHUP)
    time.sleep(0.2)
    alive = process.poll() is None
    process.kill()
    finish(process)
    return "still there" if alive else "gone"


def ignore(*numbers):
    def prepare():
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
    return prepare


@case("ignored signals stay ignored")
def _(prefix):
    return result(prefix, SIGNALS, preexec_fn=ignore(signal.SIGINT, signal.SIGPIPE, signal.SIGTSTP, signal.SIGCHLD))


@case("signals that are not ignored are not")
def _(prefix):
    def restore():
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
    return result(prefix, SIGNALS, preexec_fn=restore)


@case("blocked signals stay blocked")
def _(prefix):
    return result(prefix, SIGNALS,
                  preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD}))


@case("a signal that waits while blocked still waits")
def _(prefix):
    def prepare():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        os.kill(os.getpid(), signal.SIGUSR2)
    return result(prefix, ["grep", "-E", "SigPnd|ShdPnd", "/proc/self/status"], preexec_fn=prepare)


# ---- process 1 of a container ----

def as_first(prefix, script):
    """TERM to process 1 of a namespace; what became of it within half a second, and its exit status."""
    process = start(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *prefix], ["bash", "-c", script])
    if wait_line(process) != "ready\n":
        return finish(process)
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="utf-8") as children:
        first = int(children.read().split()[0])
    os.kill(first, signal.SIGTERM)
    time.sleep(0.5)
    alive = process.poll() is None
    if alive:
        os.kill(first, signal.SIGKILL)
    status = finish(process)[0]
    return ("still running, then " if alive else "ended, ") + str(status)


def can_unshare():
    return subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], check=False, capture_output=True).returncode == 0


if can_unshare():
    case("as process 1, TERM reaches a command that handles it", "ended, 7")(
        lambda prefix: as_first(prefix, "echo $$ > /dev/null; " + HANDLES))
    case("as process 1, a command that does not handle TERM is not ended by it, as the kernel has it")(
        lambda prefix: as_first(prefix, LOOPS))
else:
    print("ok - as process 1, TERM reaches a command that handles it # SKIP no process namespaces here")
    print("ok - as process 1, a command that does not handle TERM is not ended by it, as the kernel has it # SKIP no process namespaces here")


# ---- what a process inherits ----

@case("process, parent, group and session are those of whoever was started", "True True True True")
def _(prefix):
    process = start(prefix, [*PYTHON, "import os; print(os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0))"])
    pid, parent, group, session = map(int, finish(process)[1].split())
    return f"{pid == process.pid} {parent == os.getpid()} {group == os.getpgrp()} {session == os.getsid(0)}"


@case("no child is left to the command", (0, "[]\n", ""))
def _(prefix):
    script = "import os; print(open(f'/proc/self/task/{os.getpid()}/children').read().split())"
    return result(prefix, [*PYTHON, script])


@case("descriptors are those that were open")
def _(prefix):
    first, second = os.pipe(), os.pipe()
    os.write(first[1], b"handed on")
    os.close(first[1])
    script = f"import os; print(sorted(os.listdir('/proc/self/fd'), key=int)[:-1], os.read({first[0]}, 20))"
    seen = result(prefix, [*PYTHON, script], pass_fds=(first[0], second[1]))
    for descriptor in (first[0], *second):
        os.close(descriptor)
    return str(seen).replace(str(first[0]), "A").replace(str(second[1]), "B")


@case("limits")
def _(prefix):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 31))
        resource.setrlimit(resource.RLIMIT_CORE, (4096, 1 << 20))
    return result(prefix, ["cat", "/proc/self/limits"], preexec_fn=limit)


@case("umask, folder, niceness and command line")
def _(prefix):
    def prepare():
        os.umask(0o027)
        os.nice(5)
    script = "import os; print(oct(os.umask(0)), os.getcwd(), os.nice(0), open('/proc/self/cmdline').read())"
    return result(prefix, [*PYTHON, script, "a word", "", "-x"], preexec_fn=prepare, cwd="/usr")


@case("argv[0] is the command as it was named", (0, "cat\0/proc/self/cmdline\0", ""))
def _(prefix):
    return result(prefix, ["cat", "/proc/self/cmdline"])


@case("privileges, seccomp and dumpability")
def _(prefix):
    script = "import ctypes, re; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), re.findall(r'(?:NoNewPrivs|Seccomp|Cap\\w+):.*', " \
             "open('/proc/self/status').read()))"
    return result(prefix, ["/usr/bin/python3", "-c", script])


# ---- standard streams ----

@case("no stdin at all")
def _(prefix):
    return shell(prefix, "cat; echo $?; [ -e /proc/self/fd/0 ]; echo $?", preexec_fn=lambda: os.close(0))


@case("no stdout at all")
def _(prefix):
    return shell(prefix, "echo word; echo $? >&2; [ -e /proc/self/fd/1 ]; echo $? >&2", preexec_fn=lambda: os.close(1))


@case("no stderr at all")
def _(prefix):
    return shell(prefix, "echo word >&2; echo $?; [ -e /proc/self/fd/2 ]; echo $?", preexec_fn=lambda: os.close(2))


@case("none of the three")
def _(prefix):
    path = os.path.join(SCRATCH, "none")
    outcome = shell(prefix, f"ls /proc/self/fd > {path}", preexec_fn=lambda: os.closerange(0, 3))[0]
    with open(path, encoding="utf-8") as file:
        return outcome, file.read()


@case("stdin that has ended", (0, "", ""))
def _(prefix):
    return result(prefix, ["cat"])


@case("stdin is read by the command alone", (0, "word\nrest\n", ""))
def _(prefix):
    process = start(prefix, ["sh", "-c", "read -r first; echo \"$first\"; cat"], stdin=subprocess.PIPE)
    process.stdin.write(b"word\nrest\n")
    return finish(process)


@case("a full disk behind stdout")
def _(prefix):
    with open("/dev/full", "wb") as full:
        return shell(prefix, "echo word", stdout=full)


@case("a reader that has gone ends the command by SIGPIPE", -signal.SIGPIPE)
def _(prefix):
    reading, writing = os.pipe()
    os.close(reading)
    outcome = result(prefix, ["cat", "/proc/self/status"], stdout=writing,
                     preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL))[0]
    os.close(writing)
    return outcome


# ---- a terminal ----

class Terminal:
    """The command in a session and group of its own, in the foreground of a terminal of its own."""

    def __init__(self, command, background=False, settle=lambda slave: None):
        self.masked = "--mask" in command
        self.master, slave = pty.openpty()
        settle(slave)
        self.shown = b""
        self.shell = os.fork()
        if self.shell == 0:  # a shell with job control, as small as it gets
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for descriptor in range(3):
                os.dup2(slave, descriptor)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            job = os.fork()
            if job == 0:
                os.setpgid(0, 0)
                if not background:
                    os.tcsetpgrp(0, os.getpid())
                signal.signal(signal.SIGTTOU, signal.SIG_DFL)
                signal.signal(signal.SIGPIPE, signal.SIG_DFL)
                os.execvp(command[0], command)
            self.wait_for(job)
        self.slave = slave

    @staticmethod
    def wait_for(job):
        while True:
            _, status = os.waitpid(job, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                os.tcsetpgrp(0, os.getpgrp())
                os.write(2, f"<ended {os.waitstatus_to_exitcode(status)}>\n".encode())
                os._exit(0)
            os.tcsetpgrp(0, os.getpgrp())
            os.write(2, f"<stopped {signal.Signals(os.WSTOPSIG(status)).name}>\n".encode())
            os.tcsetpgrp(0, job)
            os.killpg(job, signal.SIGCONT)

    def wait(self, text, times=1):
        deadline = time.monotonic() + LIMIT
        while self.shown.count(text.encode()) < times:
            if time.monotonic() > deadline:
                raise TimeoutError(f"never shown: {text!r}; shown: {self.shown!r}")
            if select.select([self.master], [], [], 0.1)[0]:
                self.shown += os.read(self.master, 65536)

    def type(self, keys):
        time.sleep(0.1)
        # What is typed before whoever is beside the command has taken the terminal is echoed by both.
        deadline = time.monotonic() + 4
        while self.masked and self.echo() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.write(self.master, keys)

    def echo(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def end(self):
        self.wait("<ended")
        self.wait(">", self.shown.count(b">"))
        time.sleep(0.1)
        while select.select([self.master], [], [], 0)[0]:
            self.shown += os.read(self.master, 65536)
        os.waitpid(self.shell, 0)
        os.close(self.master)
        os.close(self.slave)
        return self.shown.decode("utf-8", "replace").replace("\r\n", "\n")


COUNTS = ["/usr/bin/python3", "-c", """
import os, signal, sys, time
got = []
signal.signal(signal.SIGINT, lambda *_: got.append('INT'))
print('ready', os.ttyname(0) == os.ttyname(1), os.tcgetpgrp(0) == os.getpgrp(), flush=True)
deadline = time.monotonic() + 10
while not got and time.monotonic() < deadline:
    time.sleep(0.02)
time.sleep(0.3)
print(got)
"""]


@case("^C reaches the command once")
def _(prefix):
    terminal = Terminal(prefix + COUNTS)
    terminal.wait("ready")
    terminal.type(b"\x03")
    return terminal.end()


@case("^C ends a command that does not handle it")
def _(prefix):
    terminal = Terminal(prefix + ["sh", "-c", "echo ready; sleep 20"])
    terminal.wait("ready")
    terminal.type(b"\x03")
    return terminal.end()


@case("^Z stops the command, and it goes on in the foreground")
def _(prefix):
    terminal = Terminal(prefix + ["sh", "-c", "echo ready; read -r word; echo \"got $word\""])
    terminal.wait("ready")
    terminal.type(b"\x1a")
    terminal.wait("<stopped SIGTSTP>")
    terminal.type(b"hello\n")
    return terminal.end()


@case("in the background, reading from the terminal stops it")
def _(prefix):
    terminal = Terminal(prefix + ["sh", "-c", "read -r word; echo \"got $word\""], background=True)
    terminal.wait("<stopped SIGTTIN>")
    terminal.type(b"hello\n")
    return terminal.end()


@case("in the background, writing to a terminal with tostop stops it")
def _(prefix):
    def tostop(slave):
        modes = termios.tcgetattr(slave)
        modes[3] |= termios.TOSTOP
        termios.tcsetattr(slave, termios.TCSANOW, modes)
    terminal = Terminal(prefix + ["sh", "-c", "echo word"], background=True, settle=tostop)
    return terminal.end()


# ---- under tmux ----

@contextlib.contextmanager
def tmux():
    socket = os.path.join(SCRATCH, f"tmux-{time.monotonic_ns()}")

    def call(*words):
        return subprocess.run(["tmux", "-S", socket, "-f", "/dev/null", *words], check=False, capture_output=True, text=True).stdout
    try:
        yield call
    finally:
        call("kill-server")


def wait_file(path, text):
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            content = file.read()
            if text in content:
                return content
        time.sleep(0.05)
    return "never came"


@case("under tmux a change of the window's size and one ^C reach the command", "24 80 True\n30 100\nINT\nend\n")
def _(prefix):
    path = os.path.join(SCRATCH, f"tmux-said-{prefix[0]}")
    # What an earlier round said would pass for this one's.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    script = f"""
import os, signal, time
said = open({path!r}, 'w', buffering=1)
def size():
    columns, lines = os.get_terminal_size(0)
    return f'{{lines}} {{columns}}'
signal.signal(signal.SIGWINCH, lambda *_: print(size(), file=said))
signal.signal(signal.SIGINT, lambda *_: print('INT', file=said))
print(size(), os.tcgetpgrp(0) == os.getpgrp(), file=said)
deadline = time.monotonic() + 15
while 'INT' not in open({path!r}).read() and time.monotonic() < deadline:
    time.sleep(0.02)
time.sleep(0.3)
print('end', file=said)
"""
    program = os.path.join(SCRATCH, f"tmux-program-{prefix[0]}")
    with open(program, "w", encoding="utf-8") as file:
        file.write(script)
    with tmux() as call:
        call("new-session", "-d", "-x", "80", "-y", "24", " ".join(["exec", *prefix, "/usr/bin/python3", program]))
        wait_file(path, "\n")
        call("resize-window", "-x", "100", "-y", "30")
        wait_file(path, "30 100")
        call("send-keys", "C-c")
        return wait_file(path, "end\n")


# ---- a prompt of our own ----

PROMPT = ["stepvault", "env", "set", "TYPED", "--at", STEP]


def prompt_interrupted():
    terminal = Terminal(PROMPT)
    terminal.wait("Value of TYPED")
    hidden = not terminal.echo()
    terminal.type(b"\x03")
    terminal.wait("<ended")
    return hidden, terminal.echo(), f"<ended {-signal.SIGINT}>" in terminal.end()


def prompt_stopped():
    """^Z gives the terminal back with its echo; behind it the question is asked again, hidden."""
    terminal = Terminal(PROMPT)
    terminal.wait("Value of TYPED")
    terminal.type(b"half")
    terminal.type(b"\x1a")
    terminal.wait("<stopped SIGTSTP>")
    terminal.wait("Value of TYPED", 2)
    hidden = not terminal.echo()
    terminal.type(b"whole\n")
    shown = terminal.end()
    value = subprocess.run(["stepvault", "env", "get", "TYPED", "--at", STEP], check=False, capture_output=True).stdout
    return hidden, "half" in shown or "whole" in shown, "<ended 0>" in shown, value


def prompt_ended():
    terminal = Terminal(PROMPT)
    terminal.wait("Value of TYPED")
    terminal.type(b"\x04")
    terminal.wait("<ended")
    echo = terminal.echo()
    shown = terminal.end()
    return echo, "was not typed" in shown, "<ended 1>" in shown


def prompt_terminated():
    terminal = Terminal(PROMPT)
    terminal.wait("Value of TYPED")
    with open(f"/proc/{terminal.shell}/task/{terminal.shell}/children", encoding="utf-8") as children:
        os.kill(int(children.read().split()[0]), signal.SIGTERM)
    terminal.wait("<ended")
    return terminal.echo(), f"<ended {-signal.SIGTERM}>" in terminal.end()


PROMPTS = [
    ("^C at a hidden prompt restores the echo, and the shell sees SIGINT (130)", prompt_interrupted, (True, True, True)),
    ("^Z at a hidden prompt, then fg: asked again, hidden, and nothing of it is shown", prompt_stopped, (True, False, True, b"whole")),
    ("the end of the terminal at a prompt is an answer that was not given", prompt_ended, (True, True, True)),
    ("TERM at a hidden prompt restores the echo", prompt_terminated, (True, True)),
]


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except (OSError, TimeoutError, ValueError, IndexError) as error:
        return f"{type(error).__name__}: {error}"


def say(good, name, lines):
    print(f"{'ok' if good else 'not ok'} - {name}")
    for line in [] if good else lines:
        print(f"# {line!r}"[:1500])
    sys.stdout.flush()


def main():
    for name, function, expected in CASES:
        if OPTIONS and name in BESIDE:
            continue
        seen = {which: attempt(function, prefix) for which, prefix in PREFIXES.items()}
        good = seen["env"] == seen["run"] and (expected is None or seen["run"] == expected)
        say(good, name, [seen, expected])
    for name, function, expected in [] if OPTIONS else PROMPTS:
        seen = attempt(function)
        say(seen == expected, name, [seen, expected])


main()
