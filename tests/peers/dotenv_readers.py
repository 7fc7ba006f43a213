"""What cli/dotenv.h promises, against the real readers: what `strict` accepts, all read alike; what a dialect
accepts, its reader reads byte for byte so. A committed list of hard files, and generated ones (fixed seed). TAP."""

import base64
import io
import json
import os
import random
import subprocess
import sys
import tempfile

import dotenv

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD", os.path.join(HERE, "../../build"))
DIALECTS = ["strict", "node", "python", "shell", "docker"]
GENERATED = 6000
# Files of the generated ones that each must accept, or the comparison says nothing.
LEAST = {"strict": 400, "node": 1200, "python": 1200, "shell": 600, "docker": 1200}


class Ours:
    def __init__(self):
        self.tool = subprocess.Popen([os.path.join(BUILD, "tests/cli/dotenv_tool")], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)

    def read(self, dialect, content):
        self.tool.stdin.write(f"{dialect} {len(content)}\n".encode() + content)
        self.tool.stdin.flush()
        line = self.tool.stdout.readline().decode().rstrip("\n")
        if line.startswith("ok"):
            pairs = [word.split(":") for word in line.split()[1:]]
            return {name: bytes.fromhex(value) for name, value in pairs}, None
        assert line.startswith("no "), line
        return None, line[3:]


class Node:
    def __init__(self):
        self.process = subprocess.Popen(["node", os.path.join(HERE, "dotenv_node.mjs")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def read(self, content):
        self.process.stdin.write(base64.b64encode(content) + b"\n")
        self.process.stdin.flush()
        return {name: value.encode() for name, value in json.loads(self.process.stdout.readline()).items()}


def read_python(content):
    # As open() in text mode, which is what dotenv_values(path) does.
    stream = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
    values = dotenv.dotenv_values(stream=stream)
    return {name: None if value is None else value.encode() for name, value in values.items()}


def read_shell(content, scratch):
    path = os.path.join(scratch, "file")
    with open(path, "wb") as file:
        file.write(content)
    done = subprocess.run(["dash", "-c", 'set -a; . "$1" && exec /usr/bin/env -0', "dash", path], cwd=scratch, env={},
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode or done.stderr:
        return {"": done.stderr}
    values = dict(entry.split(b"=", 1) for entry in done.stdout.split(b"\0") if entry)
    return {name.decode(): value for name, value in values.items() if name != b"PWD"}


def read_docker(content):
    """docker/cli's pkg/kvfile: lines as bufio.ScanLines gives them, blanks before them cut, `#` a comment, the rest
    up to the first `=` the name (no blank in it), what is behind it the value as it stands. None: it refuses."""
    values = {}
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines):
        if len(line) >= 65536:
            return None
        line = line[:-1] if line.endswith(b"\r") else line
        text = line.decode()
        if number == 0:
            text = text.removeprefix("\ufeff")
        text = text.lstrip("\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
                           "\u200a\u2028\u2029\u202f\u205f\u3000")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not name or " " in name or "\t" in name:
            return None
        if equals:
            values[name] = value.encode()
    return values


# What people write, what the readers are known to differ on, and what hides. (content, dialects that accept it)
HARD = [
    (b"", "strict node python shell docker"),
    (b"A=b", "strict node python shell docker"),
    (b"A=b\n", "strict node python shell docker"),
    (b"\n# c\n\t\n  A=b\n", "strict node python shell docker"),
    (b"A=\nB=\n", "strict node python shell docker"),
    (b"A=b=c==\n", "strict node python shell docker"),
    (b"A=https://u:p@h/x?q=1&r=2\n", "node python docker"),
    (b"A=https://u:p@h/x?q=1\n", "strict node python shell docker"),
    (b"export A=b\n", "strict node python shell"),
    (b"export\tA='b'\n", "strict node python shell"),
    (b"export=b\n", "strict node python shell docker"),
    (b"export A=*\n", "node python"),
    (b"A=*?[x]{a,b}\n", "strict node python shell docker"),
    (b"A='b c'\n", "strict node python shell docker"),
    (b'A="b c"\n', "strict node python shell docker"),
    (b"A=`b c`\n", "node python docker"),
    (b"A='b c' # d\n", "strict node python shell docker"),
    (b"A='b c'# d\n", "node python docker"),
    (b"A='b'c\n", "shell docker"),
    (b"A=b # c\n", "node python shell docker"),
    (b"A=b#c\n", "node python shell docker"),
    (b"A= # c\n", "node python shell docker"),
    (b"A=#c\n", "node python shell docker"),
    (b"A=b \n", "node python shell docker"),
    (b"A= b\n", "node python docker"),
    (b"A =b\n", "node python"),
    (b"A: b\n", "node"),
    (b"A:b\n", ""),
    (b"A:\nB=c\n", ""),
    (b"A=b c\n", "node python docker"),
    (b"A=~\n", "node python docker"),
    (b"A=a:~/b\n", "node python docker"),
    (b"A=a~\n", "strict node python shell docker"),
    (b"A=$B\n", "node python docker"),
    (b"A=${B}\n", "node docker"),
    (b"A='$B'\n", "strict node python shell docker"),
    (b"A='${B}'\n", "node shell docker"),
    (b'A="$B"\n', "node python docker"),
    (b'A="`id`"\n', "node python docker"),
    (b"A=$(id)\n", "node python docker"),
    (b"A=`id`\n", "node python docker"),
    (b"A='a\nb'\n", "strict node python shell"),
    (b'A="a\nb"\nC=d\n', "strict node python shell"),
    (b"A=`a\nb`\n", "node"),
    (b"K='-----BEGIN KEY-----\nabc/+=\n-----END KEY-----\n'\n", "strict node python shell"),
    (b'A="a\\nb"\n', "node python shell docker"),
    (b'A="a\\tb"\n', "node python shell docker"),
    (b'A="C:\\Windows"\n', "strict node python shell docker"),
    (b'A="a\\\\b"\n', "node python shell docker"),
    (b'A="a\\"b"\n', "node python shell docker"),
    (b"A='a\\'b'\n", "node python docker"),
    (b"A='a\\\\b'\n", "node python shell docker"),
    (b"A='a\\nb'\n", "strict node python shell docker"),
    (b"A=a\\nb\n", "node python shell docker"),
    (b"A=a\\\nB=c\n", "node python shell docker"),
    (b"A='a\\'\n", "shell docker"),
    (b"A='a\\'\nB='c'\n", "shell docker"),
    (b"A='\n", "docker"),
    (b"A=\"b\nC='d'\n", "docker"),
    (b"A=\n'x'\n", ""),
    (b"A=b\nA=c\n", "node python shell docker"),
    (b"A\n", ""),
    (b"export A\n", ""),
    (b"=b\n", ""),
    (b"A-B=c\n", ""),
    (b"1A=c\n", ""),
    (b"'A'=c\n", ""),
    (b"hunter2\n", ""),
    (b"A=b\r\nC=d\r\n", "node python docker"),
    (b"A='b\r\nc'\r\n", "node python"),
    (b"A='b\rc'\n", "shell docker"),
    (b"A=b\rC=d\n", "docker"),
    (b"\r\nA=b\n", "node python docker"),
    (b"# c\r\nA=b\n", "node python shell docker"),
    (b"\xef\xbb\xbfA=b\n", "node docker"),
    (b"A=\xff\n", "shell"),
    (b"A='\x81\x82\x88\xff'\n", "shell"),
    (b"A=b\0c\n", ""),
    ("A=gr\u00fc\u00df\U0001f511\n".encode(), "strict node python shell docker"),
    ("A=b\u00a0\n".encode(), "shell docker"),
    ("A=b\u2028C=d\n".encode(), "shell docker"),
    ("# c\u2028A=b\nB=c\n".encode(), "shell docker"),
    ("A='b\u2028c\u00a0'\n".encode(), "strict node python shell docker"),
    (b"A=a\x0bb\n", "shell docker"),
    (b"A='a\x0bb\x1c'\n", "strict node python shell docker"),
    (b"A=a;b\n", "node python docker"),
    (b"A=a|b>c<d(e)\n", "node python docker"),
    (b"A=!x%^,.:;\n", "node python docker"),
    (b"A=!x%^,.:+-\n", "strict node python shell docker"),
    (b"A=it's\n", "node python docker"),
    (b'A=a"b"c\n', "node python shell docker"),
    (b"A=''\n", "strict node python shell docker"),
    (b"A=''''\n", "shell docker"),
    (b'A="" B=c\n', "docker"),
    (b"A=" + b"x" * 65536 + b"\n", "strict node python shell"),
    (b"A=" + b"x" * 65537 + b"\n", ""),
    (b"A=" + b"x" * 65531 + b"\n", "strict node python shell docker"),
]

PIECES = ["a", "b c", " ", "\t", "'", '"', "`", "\\", "\\n", "\\'", '\\"', "\\\\", "$", "${A}", "$A", "#", " #", "\n", "\r\n",
          "=", "~", ":", "x" * 20, "\u00e9", "\u00a0", "\u2028", "&", "*", "'' ", "B=c", "\x0b", "{", "}", "/", "!", ";"]


def value(random_source):
    inner = "".join(random_source.choice(PIECES) for _ in range(random_source.randrange(4)))
    form = random_source.randrange(6)
    if form == 0:
        return "'" + inner.replace("'", "") + "'"
    if form == 1:
        return '"' + inner.replace('"', "") + '"'
    if form == 2:
        return random_source.choice(["abc", "a.b/c", "1", "a=b", ""])
    if form == 3:
        quote = random_source.choice("'\"`")
        return quote + inner + quote
    return inner


def generate(random_source):
    lines = []
    for _ in range(random_source.randrange(1, 4)):
        name = random_source.choice(["A", "B", "C", "D_1", "a"])
        before = random_source.choice(["", "", "", "", " ", "export ", "export\t ", "# "])
        equals = random_source.choice(["=", "=", "=", "=", "=", " = ", "= ", ": ", ""])
        behind = random_source.choice(["", "", "", "", " ", " # c", "#c", " # it's"])
        lines.append(before + name + equals + value(random_source) + behind)
    return ("\n".join(lines) + random_source.choice(["\n", "\n", ""])).encode()


def difference(dialect, content, ours, node, scratch):
    """What is wrong with accepting `content`, or None."""
    quoted = b"'" in content or b'"' in content or b"\\" in content
    readers = {"node": lambda: node.read(content), "python": lambda: read_python(content),
               "shell": lambda: read_shell(content, scratch), "docker": lambda: read_docker(content)}
    for name in ["node", "python", "shell", "docker"] if dialect == "strict" else [dialect]:
        theirs = readers[name]()
        # docker knows neither quotes nor `export`, nor lines of 64 KiB; it refuses the last two aloud.
        if dialect == "strict" and name == "docker" and (quoted or theirs is None):
            continue
        if theirs != ours:
            return f"{dialect} {content!r:.300}: {name} reads {theirs!r:.300}, we read {ours!r:.300}"
    return None


def main():
    ours, node = Ours(), Node()
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        problems = []
        for content, accepted in HARD:
            for dialect in DIALECTS:
                read, sentence = ours.read(dialect, content)
                if (read is not None) != (dialect in accepted.split()):
                    problems.append(f"{dialect} {content!r:.200}: {sentence or 'accepted'}")
                if read is not None:
                    problems.append(difference(dialect, content, read, node, scratch))
        results.append((f"{len(HARD)} hard files are accepted by whom they should be, and read alike", problems))

        random_source = random.Random(20261)
        counts = dict.fromkeys(DIALECTS, 0)
        problems = {dialect: [] for dialect in DIALECTS}
        for _ in range(GENERATED):
            content = generate(random_source)
            for dialect in DIALECTS:
                read, _ = ours.read(dialect, content)
                if read is not None:
                    counts[dialect] += 1
                    problems[dialect].append(difference(dialect, content, read, node, scratch))
        for dialect in DIALECTS:
            results.append((f"{counts[dialect]} of {GENERATED} generated files are accepted by {dialect} and read alike",
                            problems[dialect] + ([f"fewer than {LEAST[dialect]}"] if counts[dialect] < LEAST[dialect]
                                                 else [])))
    failed = False
    for number, (name, problems) in enumerate(results, 1):
        problems = [problem for problem in problems if problem]
        for problem in problems[:40]:
            print(f"# {problem}")
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        failed = failed or bool(problems)
    print(f"1..{len(results)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
