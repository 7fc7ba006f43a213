#!/usr/bin/python3
"""Types lines into an interactive bash or zsh and presses Tab behind each.

    typing_at.py bash|zsh SETUP < LINES

SETUP is what the shell reads first. For each line prints `LINE => what stands in the editor after Tab`. For a line
that begins with `?`, Tab is pressed slowly until the candidates are shown, and what was shown follows, each line of it
after `| `. The prompt is empty, so that is candidates and messages.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

LIMIT = 20
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             "PS1= PS2= HISTFILE=; bind 'set enable-bracketed-paste off'; bind 'set page-completions off';"
             "bind 'set completion-query-items 0'; bind 'set bell-style none';"
             "bind -x '\"\\C-g\": printf \"\\nLINE<%s>\\n\" \"$READLINE_LINE\"'"),
    "zsh": (["zsh", "-f", "-i"],
            "PS1= PS2= RPS1= HISTFILE=; unsetopt beep zle_bracketed_paste prompt_cr prompt_sp 2>/dev/null; unset zle_bracketed_paste;"
            "autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' list-prompt ''; LISTMAX=10000;"
            "show() { print -r -- $'\\n'\"LINE<$BUFFER>\" > /dev/tty }; zle -N show; bindkey '^G' show; bindkey '^U' kill-whole-line"),
}


class Terminal:
    def __init__(self, command):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", INPUTRC="/dev/null")
            os.execvp(command[0], command)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 200, 0, 0))

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def read_until(self, pattern):
        shown = ""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            if select.select([self.descriptor], [], [], 0.1)[0]:
                try:
                    shown += os.read(self.descriptor, 65536).decode("utf-8", "replace")
                except OSError:
                    break
            found = re.search(pattern, shown.replace("\r", ""))
            if found:
                return shown.replace("\r", "")[:found.start()], found.group(1)
        sys.exit(f"the shell never showed {pattern!r}: {shown!r}")


def main():
    shell, setup = sys.argv[1:]
    command, quiet = SHELLS[shell]
    terminal = Terminal(command)
    terminal.type(f"{quiet}; {setup}; echo rea''dy\n")
    terminal.read_until(r"\n(ready)\n")
    for line in sys.stdin.read().splitlines():
        listed = line.startswith("?")
        line = line.lstrip("?")
        terminal.type(line + "\t")
        for _ in range(2 if listed else 0):  # a shell shows no list while more is typed
            time.sleep(0.4)
            terminal.type("\t")
        time.sleep(0.4 if listed else 0)
        terminal.type("\x07")
        shown, editor = terminal.read_until(r"LINE<(.*)>\n")
        print(f"{line} => {editor}")
        for part in shown.split("\n")[1:] if listed else []:
            if part.strip():
                print("| " + part.strip())
        terminal.type("\x15")
    os.kill(terminal.pid, 9)


main()
