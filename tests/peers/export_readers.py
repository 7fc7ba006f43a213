"""The forms of `stepvault export` against their real readers: npm's dotenv and python-dotenv (dotenv), dash and bash
(shell), docker (docker; the client itself where there is one, and what its source says), NUL (nul). A committed list of
hard values and names, and generated ones; the seed is printed. What a form refuses is checked, too: of what could have
been said in any quoting, nothing may be refused. The agent is tests/cli/fake_agent.py. TAP."""

import base64
import http.server
import io
import itertools
import json
import logging
import os
import random
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

import dotenv

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(HERE, "../../build")))
SEED = int(os.environ.get("SEED", "20260731"))
GENERATED = 4000

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
HARD = [
    b"", b" ", b"\n", b"\t", b"\r", b"\r\n", b"'", b'"', b"`", b"\\", b"$", b"#", b"=", b"!", b"*", b"~", b"''", b'""', b"``",
    PEM.encode(), PEM.replace("\n", "\r\n").encode(), PEM.replace("\n", "\\n").encode(), (PEM + "'").encode(),
    b"$HOME", b"${HOME}", b"${HOME:-x}", b"${HOME:x}", b"${}", b"${", b"$}", b"$$", b"$(id)", b"`id`", b"\\$HOME", b"\\${HOME}",
    b"${a:${b}}", b"${a\nb}", b"${A:-", b"x${A}y${B}", b"%s%n", b"%HOME%", b"!!", b"!$",
    b" leading", b"trailing ", b"\tleading", b"trailing\t", b"\nleading", b"trailing\n", b"trailing\n\n\n", b"\r\nx\r\n", b"a\rb", b"a\r",
    b"a b", b"a #b", b"a#b", b"#a", b"'a", b"a'", b"'a'", b'"a"', b"`a`", b"it's", b'say "it"', b"""it's "it" """, b"""it's "it\"""",
    b"""a'b"c`d""", b"""a'b"c\nd""", b"""a'b"c#d""", b"""'b"c""", b'a"b\nc', b"a'b\nc", b"a`b\nc", b"a\\'b", b'a\\"b', b"a\\\\b",
    b"a\\b", b"a\\nb", b"a\\rb", b"a\\tb", b"a\\n\nb", b"a\\d'b", b"a\\n'b", b"a\\\\'b", b"a'b\\", b"a\\", b"\\\\", b"\\'", b"a\\\nb'",
    b"a\\\rb", b"\\\r", b"\\n\r", b"a\rb\"", b"a\rb'", b"a\rb\\c", b'{"a":"b\\n","c":["d\'e"]}', b'{"k": "v"}', b'{\n  "k": "v"\n}',
    b"export A=b", b"A=b", b"A: b", b"=b", b"EOF", b"\\0", b"\x01", b"\x7f", b"\x1b[2J", b"a\x0bb", b"a\x0cb", b"\x0b", b"a\x1c", b"a\x85",
    "\u00a0x\u00a0".encode(), "\u00a0'x\"".encode(), "\ufeffx".encode(), "x\u2028y".encode(), "x\u2028'y\"".encode(), "x\u2029\"y\"'".encode(),
    "x'\"\u2028".encode(), "\u0085x'\"".encode(), "\u3000".encode(), "gr\u00fc\u00df \U0001f511 \u6f22\u5b57".encode(), "i\u0307'\"x".encode(),
    b"\xff", b"\x80\x81\x88\xfe", b"\xc3", b"\xed\xa0\x80", b"caf\xe9", b"\x81'\x88", bytes(range(1, 256)), bytes(range(1, 128)),
    b"a" * 65536, b"'" * 65536, b"\n" * 65536, b"\\" * 65536, b"ab'\"" * 16384, b"x" * 65000 + b"\n",
]
# What values are made of: every byte, and what some reader gives a meaning to.
PIECES = [b"'", b'"', b"`", b"\\", b"\n", b"\r", b"\r\n", b"$", b"${", b"}", b"${A}", b"${A:-b}", b"#", b" #", b" ", b"\t", b"=", b"A=",
          b"\nB=c\n", b"\\n", b"\\r", b"\\'", b'\\"', b"\\\\", b":", b":-", b"!", b"*", b"a", b"bc", b"x y", b"n", b"r", b"t", b"export ",
          "\u00e9".encode(), "\u00a0".encode(), "\u2028".encode(), "\ufeff".encode(), "\U0001f511".encode(), b"\x81", b"\xff", b"\x01", b"\x0b",
          b"\x1c", b"\x7f", b";", b"&", b"|", b"<", b"(", b"%", b"-----BEGIN KEY-----\n"]


def generated(chance):
    values = []
    while len(values) < GENERATED:
        kind = chance.random()
        if kind < 0.7:
            value = b"".join(chance.choice(PIECES) for _ in range(chance.randint(1, 7)))
        elif kind < 0.85:
            value = bytes(chance.choice(b"a'\"\\\n $#") for _ in range(chance.randint(1, 9)))
        else:
            value = bytes(chance.randint(1, 255) for _ in range(chance.randint(1, 30)))
        values.append(value)
    return values


# ---- the readers ----

class Node:
    def __init__(self):
        self.process = subprocess.Popen(["node", os.path.join(HERE, "dotenv_node.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, content):
        self.process.stdin.write(base64.b64encode(content) + b"\n")
        self.process.stdin.flush()
        return {name: value.encode() for name, value in json.loads(self.process.stdout.readline()).items()}


def read_python(content):
    # As open() in text mode, which is what dotenv_values(path) does.
    try:
        values = dotenv.dotenv_values(stream=io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
    except UnicodeDecodeError:
        return {}
    return {name: None if value is None else value.encode() for name, value in values.items()}


def environment_of(command, scratch, content, locale="C.UTF-8", loud=False):
    """What a shell that has evaluated the text hands to a program."""
    path = os.path.join(scratch, "evaluated")
    with open(path, "wb") as file:
        file.write(content)
    done = subprocess.run([*command, scratch], env={"PATH": "/usr/bin:/bin", "LC_ALL": locale}, capture_output=True, check=False)
    if done.returncode != 0 or (done.stderr and not loud):
        return {"failed": done.stderr}
    return dict(entry.split(b"=", 1) for entry in done.stdout.split(b"\0")[:-1])


def read_nul(content):
    assert content == b"" or content.endswith(b"\0")
    return dict(entry.split(b"=", 1) for entry in content.split(b"\0")[:-1])


def read_docker(content):
    """pkg/kvfile of docker/cli, from 2017's opts/file.go to 29.7: bufio.Scanner's lines, UTF-8, a byte order mark and
    leading blanks removed, `#` for comments, and then everything after the first `=`."""
    values = {}
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines):
        if len(line) + 1 > 65536:
            return None
        if line.endswith(b"\r"):
            line = line[:-1]
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            return None
        if number == 0:
            text = text.removeprefix("\ufeff")
        text = text.lstrip("\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000")
        if text == "" or text[0] == "#":
            continue
        name, equals, value = text.partition("=")
        if name == "" or " " in name or "\t" in name:
            return None
        if equals:
            values[name.encode()] = value.encode()
    return values


class Docker:
    """The real client: `docker create --env-file` sends what it read to the daemon, which is ours."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.path = os.path.join(scratch, "docker.sock")
        reader = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def address_string(self):
                return "client"

            def log_message(self, *_):
                pass

            def answer(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Api-Version", "1.41")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def do_HEAD(self):
                self.answer(200, {})

            do_GET = do_HEAD

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                reader.sent = json.loads(body).get("Env") or []
                self.answer(201, {"Id": "a" * 64, "Warnings": []})

        self.sent = None
        self.server = socketserver.UnixStreamServer(self.path, Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def read(self, content):
        path = os.path.join(self.scratch, "docker.env")
        with open(path, "wb") as file:
            file.write(content)
        self.sent = None
        subprocess.run(["docker", "create", "--pull", "never", "--env-file", path, "image"], capture_output=True, check=False,
                       env={"PATH": os.environ["PATH"], "HOME": self.scratch, "DOCKER_HOST": "unix://" + self.path})
        if self.sent is None:
            return None
        return dict(entry.encode().split(b"=", 1) for entry in self.sent)


# ---- our side ----

class Ours:
    def __init__(self, scratch):
        self.scratch = scratch
        os.mkdir(scratch + "/run", 0o700)
        self.socket = scratch + "/run/agent.sock"
        open(scratch + "/vault.db", "wb").close()
        self.answer([])
        self.agent = subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "../cli/fake_agent.py"), scratch, self.socket])
        while not os.path.exists(self.socket):
            time.sleep(0.02)
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": scratch, "XDG_RUNTIME_DIR": scratch + "/run", "XDG_STATE_HOME": scratch + "/state",
                            "STEPVAULT_VAULT": scratch + "/vault.db", "STEPVAULT_SOCKET": self.socket}

    def answer(self, pairs):
        with open(self.scratch + "/answer.new", "w", encoding="utf-8") as file:
            json.dump({"binary": {name: base64.b64encode(value).decode() for name, value in pairs}}, file)
        os.rename(self.scratch + "/answer.new", self.scratch + "/answer.json")

    def export(self, form, pairs):
        """(content, None), or (None, the sentence of the refusal)."""
        self.answer(pairs)
        done = subprocess.run([BUILD + "/bin/stepvault", "export", "a", "--format", form], env=self.environment, capture_output=True,
                              check=False)
        if done.returncode == 0 and done.stderr == b"":
            return done.stdout, None
        assert done.returncode == 1 and done.stdout == b"" and done.stderr.count(b"\n") == 1, (done.returncode, done.stdout[:99], done.stderr)
        return None, done.stderr.decode()


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def report(self, good, name, *details):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        for detail in details if not good else ():
            print(f"# {detail!r:.700}")

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}")


def named(values):
    return [(f"N{number}", value) for number, value in enumerate(values)]


def batches(pairs, most=500_000):
    """A projection is a mebibyte at most."""
    batch, size = [], 0
    for name, value in pairs:
        if size + len(value) > most:
            yield batch
            batch, size = [], 0
        batch.append((name, value))
        size += len(name) + len(value) + 2
    yield batch


def differing(read, pairs):
    if read is None:
        return ["nothing was read"]
    extra = len(read) - len({name for name, _ in pairs} & set(read))
    return [(name, value, read.get(name)) for name, value in pairs if read.get(name) != value][:3] + ([f"{extra} more"] if extra else [])


def read_back(tap, ours, form, pairs, readers, what):
    """Every pair goes out in this form, and each reader has it back."""
    wrong = {name: [] for name in readers}
    for batch in batches(pairs):
        content, refusal = ours.export(form, batch)
        if content is None:
            tap.report(False, f"{form}: {what} are exported", refusal)
            return
        for name, read in readers.items():
            wrong[name] += differing(read(content), batch)
    for name in readers:
        tap.report(not wrong[name], f"{form}: {name} reads {len(pairs)} {what} back", *wrong[name][:3])


def refused(tap, ours, form, values, what):
    taken = []
    for number, value in enumerate(values):
        content, refusal = ours.export(form, [("FIRST", b"fine"), (f"N{number}", value)])
        if content is not None or f" N{number} " not in refusal or (len(value) > 7 and value in refusal.encode()):
            taken.append((value, content, refusal))
    tap.report(not taken, f"{form}: {len(values)} {what} that cannot be said are refused by name, and nothing is printed", *taken[:3])


# ---- what can be said ----

def is_text(value):
    try:
        value.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def docker_can_say(value):
    return is_text(value) and b"\n" not in value and not value.endswith(b"\r") and len(value) <= 65535 - len(b"N00000=")


def dotenv_spellings(value):
    """Every way to write a value that some reader of .env files knows."""
    for quote in (b"'", b'"', b"`", b""):
        for returns, lines, slashes, quotes in itertools.product((b"\r", b"\\r"), (b"\n", b"\\n"), (b"\\", b"\\\\"), (False, True)):
            text = value.replace(b"\\", slashes).replace(b"\r", returns).replace(b"\n", lines)
            yield quote + (text.replace(quote, b"\\" + quote) if quotes and quote else text) + quote


# What stands around it: a quote that is not closed would swallow some of it.
BESIDE = b"O='x'\nP=\"y\"\nQ=`z`\nR=\n"


def dotenv_can_say(node, value):
    def reads(read, text):
        values = read(b"A='x'\nN=" + text + b"\n" + BESIDE)
        return set(values) == set("ANOPQR") and values["N"] == value and values["O"] == b"x"
    return any(reads(node.read, text) and reads(read_python, text) for text in dict.fromkeys(dotenv_spellings(value)))


def dotenv_is_odd(value):
    """What dialect.c writes without quotes in no case: a value whose ends are controls or not ASCII, that begins with a backtick
    which another variable's might close, or has JavaScript's own line ends."""
    return value[:1] == b"`" or not (value and 0x20 < value[0] < 0x7f and 0x20 < value[-1] < 0x7f) or b"\xe2\x80\xa8" in value or b"\xe2\x80\xa9" in value


def main():
    chance = random.Random(SEED)
    logging.getLogger("dotenv").setLevel(logging.ERROR)
    print(f"# seed {SEED}")
    tap = Tap()
    node = Node()
    with tempfile.TemporaryDirectory() as scratch:
        ours = Ours(scratch)
        try:
            run_all(tap, ours, node, scratch, HARD + generated(chance))
        finally:
            ours.agent.terminate()
            ours.agent.wait()
    node.process.stdin.close()
    node.process.wait()
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


def run_dotenv(tap, ours, node, values):
    print("# which of them any quoting says to both readers of .env files is found by trying")
    fits, rest = [], []
    for value in values:
        short = len(value) < 10000
        (fits if (dotenv_can_say(node, value) if short else ours.export("dotenv", [("N", value)])[0] is not None) else rest).append(value)
    odd = [value for value in fits if dotenv_is_odd(value) and ours.export("dotenv", [("N", value)])[0] is None]
    fits = [value for value in fits if value not in odd]
    tap.report(len(odd) < len(values) / 50, f"dotenv: few values ({len(odd)}) are refused that could be said", *odd[:5])
    read_back(tap, ours, "dotenv", named(fits), {"npm's dotenv": node.read, "python-dotenv": read_python}, "values")
    run_import(tap, ours, fits)
    refused(tap, ours, "dotenv", rest[:700], "values")
    for name in ("__proto__",):
        content, refusal = ours.export("dotenv", [(name, b"x")])
        tap.report(content is None and name in refusal, f"dotenv: the name {name} is refused", content)
    names = [(name, b"x") for name in ("constructor", "toString", "prototype", "hasOwnProperty", "export", "_", "A_", "a1", "N" * 255)]
    read_back(tap, ours, "dotenv", names, {"npm's dotenv": node.read, "python-dotenv": read_python}, "odd names")


def run_import(tap, ours, values):
    """Our own reader of .env files is stricter than npm's; what it takes must be the same."""
    wrong, unread = [], 0
    with subprocess.Popen([os.path.join(BUILD, "tests/cli/dotenv_tool")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tool:
        for batch in batches(named(values), 2000):
            content, _ = ours.export("dotenv", batch)
            tool.stdin.write(f"node {len(content)}\n".encode() + content)
            tool.stdin.flush()
            words = tool.stdout.readline().decode().split()
            unread += words[0] != "ok"
            if words[0] == "ok" and words[1:] != [f"{name}:{value.hex()}" for name, value in batch]:
                wrong.append((content, words))
        tool.stdin.close()
    tap.report(not wrong and unread < len(values) / 50, f"dotenv: env import --dialect node reads the same, or refuses ({unread} files)", *wrong[:3])


def run_shell(tap, ours, scratch, values):
    dump = '/usr/bin/env -0'
    ways = {
        "dash": ["dash", "-c", f'. "$0/evaluated"; exec {dump}'],
        "dash's eval": ["dash", "-c", f'eval "$(/bin/cat "$0/evaluated")"; exec {dump}'],
        "bash": ["bash", "-c", f'. "$0/evaluated"; exec {dump}'],
        "bash's eval": ["bash", "-c", f'eval "$(/bin/cat "$0/evaluated")"; exec {dump}'],
        "bash as sh": ["bash", "--posix", "-euc", f'. "$0/evaluated"; exec {dump}'],
    }

    def reader(command, locale):
        def read(content):
            values = environment_of(command, scratch, content, locale)
            return {name.decode(): value for name, value in values.items() if name[:1] == b"N"} if "failed" not in values else values
        return read

    readers = {f"{name} ({locale})": reader(command, locale) for name, command in ways.items() for locale in ("C", "C.UTF-8")}
    pairs = [(name, value) for name, value in named(values) if len(value) < 60000]
    read_back(tap, ours, "shell", pairs, readers, "values")
    for name, value in [(name, value) for name, value in named(values) if len(value) >= 60000]:
        content, _ = ours.export("shell", [(name, value)])
        wrong = [way for way, read in readers.items() if read(content) != {name: value}]
        tap.report(not wrong, f"shell: {len(value)} bytes {value[:2]!r}...", wrong)
    run_shell_names(tap, ours, scratch, ways)


def run_shell_names(tap, ours, scratch, ways):
    """Every name that bash has, or its manual and dash's list: taken and read back, or refused."""
    listed = subprocess.run(["bash", "-c", "compgen -v"], capture_output=True, text=True, check=True).stdout.split()
    more = """BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND BASH_COMPAT BASH_ENV BASH_EXECUTION_STRING
        BASH_LINENO BASH_LOADABLES_PATH BASH_REMATCH BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO BASH_VERSION BASH_XTRACEFD CDPATH CHILD_MAX
        COLUMNS COMP_CWORD COMP_KEY COMP_LINE COMP_POINT COMP_TYPE COMP_WORDBREAKS COMP_WORDS COMPREPLY COPROC DIRSTACK EMACS ENV
        EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FCEDIT FIGNORE FUNCNAME FUNCNEST GLOBIGNORE GROUPS HISTCMD HISTCONTROL HISTFILE
        HISTFILESIZE HISTIGNORE HISTSIZE HISTTIMEFORMAT HOME HOSTFILE HOSTNAME HOSTTYPE IFS IGNOREEOF INPUTRC INSIDE_EMACS LANG LC_ALL
        LC_COLLATE LC_CTYPE LC_MESSAGES LC_NUMERIC LC_TIME LINENO LINES MACHTYPE MAIL MAILCHECK MAILPATH MAPFILE OLDPWD OPTARG OPTERR
        OPTIND OSTYPE PATH PIPESTATUS POSIXLY_CORRECT PPID PROMPT_COMMAND PROMPT_DIRTRIM PS0 PS1 PS2 PS3 PS4 PWD RANDOM READLINE_ARGUMENT
        READLINE_LINE READLINE_MARK READLINE_POINT REPLY SECONDS SHELL SHELLOPTS SHLVL SRANDOM TERM TIMEFORMAT TMOUT TMPDIR UID _
        auto_resume histchars""".split()
    wrong, taken = [], 0
    for name in sorted({*listed, *more}):
        if name.startswith("STEPVAULT_"):
            continue
        value = b"it's a\nvalue "
        content, refusal = ours.export("shell", [(name, value)])
        if content is None:
            wrong += [] if f" {name} " in refusal else [refusal]
            continue
        taken += 1
        wrong += [(name, way) for way, command in ways.items() if "as sh" not in way and
                  environment_of(command, scratch, content, loud=True).get(name.encode()) != value]
    tap.report(not wrong and taken > 80, f"shell: the names that shells know are read back ({taken}) or refused", wrong[:5], taken)


def run_docker(tap, ours, scratch, values):
    fits = [value for value in values if docker_can_say(value)]
    rest = [value for value in values if not docker_can_say(value)]
    readers = {"docker's rules": lambda content: None if (read := read_docker(content)) is None else {k.decode(): v for k, v in read.items()}}
    edge = [("L" * 6, b"x" * (65535 - 7)), ("M" * 255, b"\xc3\xa9" * ((65535 - 256) // 2))]
    if shutil.which("docker"):
        docker = Docker(scratch)
        readers["docker"] = lambda content: None if (read := docker.read(content)) is None else {k.decode(): v for k, v in read.items()}
        said = [(name, text) for name, text in {
            "a line of 65536 bytes": b"N=" + b"x" * 65534 + b"\n", "a line of 65535 bytes": b"N=" + b"x" * 65533 + b"\n",
            "blanks, a comment and a mark": b"\xef\xbb\xbf \t\xc2\xa0N=1\n#O=2\n  #P=3\nQ= \"x\" \nR='y'\nS\nT=\nU=a\rb\nV=c\r\n",
            "bytes that are not UTF-8": b"N=\xff\n", "a name with a blank": b"N M=1\n", "no name": b"=1\n"}.items()
            if docker.read(text) != read_docker(text)]
        tap.report(not said, "docker: the rules are the real client's", *said)
    else:
        tap.skip("docker: the real client", "no docker on this machine")
    read_back(tap, ours, "docker", named(fits) + edge, readers, "values")
    refused(tap, ours, "docker", rest[:400] + [b"x" * 65535], "values")


def run_all(tap, ours, node, scratch, values):
    pairs = named(values)
    read_back(tap, ours, "nul", pairs, {"a reader of NULs": lambda content: {k.decode(): v for k, v in read_nul(content).items()}}, "values")
    text = [(name, value) for name, value in pairs if is_text(value)]
    read_back(tap, ours, "json", text, {"Python": lambda content: {k: v.encode() for k, v in json.loads(content).items()}}, "values")
    refused(tap, ours, "json", [value for value in values if not is_text(value)][:100], "values")
    for form, empty in {"nul": b"", "dotenv": b"", "shell": b"", "docker": b"", "json": b"{}\n"}.items():
        tap.report(ours.export(form, []) == (empty, None), f"{form}: a step of nothing is nothing")
    run_docker(tap, ours, scratch, values)
    run_dotenv(tap, ours, node, values)
    run_shell(tap, ours, scratch, values)


sys.exit(main())
