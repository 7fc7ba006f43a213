#!/usr/bin/python3
"""Runs a command on a terminal of its own and types answers to its questions.

    terminal.py [QUESTION ANSWER]... -- COMMAND [ARGUMENT...]

Each QUESTION is waited for in what the terminal shows, then ANSWER is typed with a newline; an ANSWER `^C` is the
interrupt key. Prints all that was shown, then a line `echo: on` or `echo: off` for how the terminal was left; exits
with the command's status, or 128 and the signal that ended it.
"""

import fcntl
import os
import pty
import select
import sys
import termios
import time

LIMIT = 60


def main():
    split = sys.argv.index("--")
    words = sys.argv[1:split]
    questions = list(zip(words[0::2], words[1::2]))
    command = sys.argv[split + 1:]
    terminal, slave = pty.openpty()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for descriptor in range(3):
            os.dup2(slave, descriptor)
        os.execvp(command[0], command)
    shown = b""
    seen = 0
    deadline = time.monotonic() + LIMIT
    status = None
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.05)
        if ready:
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                pass
        elif status is not None:
            break
        if questions and questions[0][0].encode() in shown[seen:]:
            question, answer = questions.pop(0)
            seen = shown.index(question.encode(), seen) + len(question)
            time.sleep(0.05)
            os.write(terminal, b"\x03" if answer == "^C" else answer.encode() + b"\n")
        if status is None:
            done, raw = os.waitpid(pid, os.WNOHANG)
            if done:
                status = raw
    echo = termios.tcgetattr(slave)[3] & termios.ECHO
    sys.stdout.write(shown.decode("utf-8", "replace").replace("\r\n", "\n"))
    print(f"echo: {'on' if echo else 'off'}")
    for question, _ in questions:
        print(f"never asked: {question}")
    if status is None:
        os.kill(pid, 9)
        return 124
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    sys.exit(main())
