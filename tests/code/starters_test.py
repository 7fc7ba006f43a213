#!/usr/bin/env python3
"""Every starter that `stepvault code` prints, for all methods of the catalogue and of some apps of one's own that have
whatever their shape allows, is held to its language's parser, and runs against a server that has the providers' names and
compares what comes in with what the catalogue says (starters_world.py).

How they run: those for Node and Python as functions, each in a process for all (starters_host.mjs, starters_host.py), and
a shard of them by the project's own launchers; those for bash and curl as they are, with the variables that `run` would
set, and those for Go compiled into one program. Some of each language run under `stepvault run` with a vault.

    SHARD=i/n   what is too slow for every case runs for each n-th, from the i-th on; without it one in 16, chosen by the
                commit; `all` runs all
"""

import concurrent.futures
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

from starters_world import CANARY, REDIRECTED, Server, make_certificates, read_methods, reply_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "tests/code")
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
ENDINGS = {"node": ".mjs", "python": ".py", "bash": ".sh", "curl": ".curl", "go": ".go"}
LAUNCHERS = {"node": ["node", f"{ROOT}/cli/launchers/node.cjs"], "python": [sys.executable, f"{ROOT}/cli/launchers/python.py"]}
SHARDS = 16
GO = "/usr/bin/go" if os.path.exists("/usr/bin/go") else "go"
SYSTEM = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

OWN = [
    {"slug": "3hostile", "title": "It's \"hostile\" \\ `$(id)` ${y} é", "methods": {"key": {
        "kind": "api_key", "title": "Key",
        "fields": {"X-Auth-Token": {"title": "Token"}, "class": {"title": "Class", "hidden": False},
                   "region": {"title": "Region", "hidden": False, "default": "de'f\"a}u$l`t\\ é %"},
                   "extra": {"title": "Extra", "optional": True}, "more": {"title": "More", "optional": True},
                   "host": {"title": "Host", "hidden": False, "pattern": "[a-z0-9.-]+"}},
        "request": {"base": "https://{host}/it's/$(id)/`x`/{class}",
                    "headers": {"X-Token": "k=\"{X-Auth-Token}\" 'q' \\ $HOME `id` $(id) %s", "x'y$z`w": "plain \"'$`\\",
                                "X-Extra": "{extra}-{more}", "X-Version": "{version}", "X-None": "{none}"},
                    "query": {"a&b=+": "x {region}/y", "e": "{extra}", "m": "pre {more}", "n": "{none}"},
                    "caller": {"version": {"title": "Version", "example": "20%25 \"now\" '$`\\"}, "none": {"title": "None"}}},
        "test": {"method": "POST", "url": "/p/{version}", "headers": {"Content-Type": "text/x; a=\"b\""},
                 "body": {"query": "{a 'b' \"c\" \\ `d` $e é}"}, "expect": "a.0.b-c"}}}},
    {"slug": "plain", "title": "Plain", "methods": {
        "one": {"kind": "api_key", "title": "One optional parameter",
                "fields": {"base_address": {"title": "Base", "pattern": "https://[a-z0-9./-]+"}, "key": {"title": "Key", "optional": True},
                           "token": {"title": "Token"}},
                "request": {"base": "{base_address}", "headers": {"X-T": "{token}"}, "query": {"k": "{key}"}},
                "whoami": {"method": "POST"}},
        "two": {"kind": "basic", "title": "Several, and nothing else",
                "fields": {"user": {"title": "User"}, "word": {"title": "Word", "optional": True}},
                "request": {"base": "https://plain.example.test/x", "query": {"u": "{user}"},
                            "basic": {"user": "a:{word}", "password": "{user}"}},
                "test": {"method": "GET"}},
        "three": {"kind": "api_key", "title": "Optional parameters alone",
                  "fields": {"a": {"title": "A", "optional": True}, "b": {"title": "B", "optional": True}, "c": {"title": "C"}},
                  "request": {"base": "https://plain.example.test/y/{c}", "query": {"a": "{a}", "b": "{b}"}},
                  "test": {"method": "GET"}},
        "unknown": {"kind": "api_key", "title": "Needs its caller", "fields": {"key": {"title": "Key"}},
                    "request": {"base": "https://plain.example.test/{tenant}", "headers": {"X-Key": "{key}"},
                                "caller": {"tenant": {"title": "Tenant"}}},
                    "test": {"method": "GET", "url": "/x"}}}},
]

tests = 0
failures = 0


def report(name, problems):
    """One test; `problems` are sentences."""
    global tests, failures
    tests += 1
    print(f"{'not ok' if problems else 'ok'} {tests} - {name}", flush=True)
    for problem in problems[:10]:
        print("# " + problem[:400].replace("\n", "\n# "))
    if len(problems) > 10:
        print(f"# and {len(problems) - 10} more")
    failures += bool(problems)


def skip(name, reason):
    global tests
    tests += 1
    print(f"ok {tests} - {name} # SKIP {reason}", flush=True)


def shard():
    """(first, step)"""
    text = os.environ.get("SHARD") or ""
    if text == "all":
        return 0, 1
    if not text:
        head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout
        text = f"{int(head[:8] or '0', 16) % SHARDS + 1}/{SHARDS}"
    first, step = (int(word) for word in text.split("/"))
    return first - 1, step


def parallel(function, things):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return list(pool.map(function, things))


class Case:
    """A starter's program with an account."""

    def __init__(self, number, method, full):
        self.number, self.method = number, method
        self.account = method.properties(number, full)
        self.expected = method.expected(self.account)
        self.label = f"{method.slug}/{method.name}{'' if full else ' (without what can lack)'}"

    @property
    def auths(self):
        return {self.method.alias: self.account}

    def wanted(self):
        return reply_of(self.number, self.expected.expect)


class Bench:
    """The scratch folder, the programs in it, and what they need around them."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.first, self.step = shard()
        self.environment = {"HOME": self.path("home"), "XDG_CONFIG_HOME": self.path("home/config"), "TMPDIR": scratch, "LC_ALL": "C.UTF-8",
                            "PATH": f"{BUILD}/bin:{SYSTEM}", "XDG_RUNTIME_DIR": self.path("run"), "XDG_DATA_HOME": self.path("data"),
                            "XDG_STATE_HOME": self.path("state")}
        os.makedirs(self.path("home/config/stepvault/apps"))
        for folder in ("run", "data", "printed", "stubs"):
            os.mkdir(self.path(folder), 0o700)
        for app in OWN:
            with open(self.path(f"home/config/stepvault/apps/{app['slug']}.json"), "w", encoding="utf-8") as file:
                json.dump(app, file)
        self.methods = read_methods(os.path.join(ROOT, "vault/catalog/apps"), self.path("home/config/stepvault/apps"))
        self.cases = []

    def path(self, name):
        return os.path.join(self.scratch, name)

    def program(self, method, language):
        return self.path(f"printed/{method.slug}-{method.name}{ENDINGS[language]}")

    def run(self, arguments, extra=None, **options):
        return subprocess.run(arguments, env={**self.environment, **(extra or {})}, capture_output=True, text=True, check=False,
                              stdin=options.pop("stdin", subprocess.DEVNULL) if "input" not in options else None, **options)

    def sharded(self, things):
        return things[self.first % len(things)::self.step] if things else []

    def printable(self):
        return [method for method in self.methods if method.prints == 0]


# ---- what is printed ----


def print_one(bench, method, language):
    done = bench.run([f"{BUILD}/bin/stepvault-manage", "code", method.slug, "--method", method.name, "--lang", language])
    if done.returncode != method.prints:
        return [f"{method.slug}/{method.name} {language}: status {done.returncode}, not {method.prints}: {done.stderr}"]
    if method.prints != 0:
        line = done.stderr.startswith("stepvault: ") and done.stderr.count("\n") == 1 and method.app["title"] in done.stderr
        return [] if line and not done.stdout else [f"{method.slug}/{method.name}: {done.stdout!r} {done.stderr!r}"]
    with open(bench.program(method, language), "w", encoding="utf-8") as file:
        file.write(done.stdout)
    connects = "oauth" in method.entry
    way = f" --method {method.name}" if len(method.app["methods"]) > 1 else ""
    mark = "//" if language in ("node", "go") else "#"
    lines = [f"{mark} stepvault {'connect' if connects else 'account add'} {method.slug}{way}", f"{mark} stepvault bind STEP {method.slug}"]
    head = done.stdout.removeprefix("#!/bin/bash\n").split("\n")
    return [] if head[:2] == lines else [f"{method.slug}/{method.name} {language}: begins with {head[:2]}"]


def test_printing(bench):
    for language in ENDINGS:
        found = parallel(lambda method, language=language: print_one(bench, method, language), bench.methods)
        report(f"{language}: each method with a test request has a starter, and the others say why not", sum(found, []))
    problems = []
    for arguments, status, part in [(["slack", "--lang", "perl"], 2, "--lang is one of node|python|bash|curl|go"), (["slak"], 4, "did you mean slack?"),
                                    (["slack", "--method", "pat"], 4, "slack has no method pat"), (["aws"], 1, "aws_sigv4"),
                                    (["postgresql"], 4, "knows no request"), (["twitter", "--method", "oauth1"], 1, "oauth1"), ([], 2, "")]:
        done = bench.run([f"{BUILD}/bin/stepvault", "code", *arguments])
        if (done.returncode, done.stdout, done.stderr.count("\n")) != (status, "", 1) or part not in done.stderr:
            problems.append(f"{arguments}: {done.returncode} {done.stdout!r} {done.stderr!r}")
    report("what cannot be printed is one sentence, and its status", problems)
    problems = []
    for arguments in (["slack"], ["jira"], ["twilio", "--lang", "go"]):
        done = [bench.run([f"{BUILD}/bin/stepvault", "code", *arguments]).stdout for _ in range(2)]
        if done[0] != done[1] or not done[0]:
            problems.append(f"{arguments}: {done}")
    if bench.run([f"{BUILD}/bin/stepvault", "code", "slack"]).stdout != bench.run([f"{BUILD}/bin/stepvault", "code", "slack", "--lang", "node"]).stdout:
        problems.append("node is not the default")
    report("the same is printed each time, and for Node without --lang", problems)


# ---- parsing ----


def check_wrapped(bench, method):
    """The line for a shell, and the program for another one within it."""
    with open(bench.program(method, "curl"), encoding="utf-8") as file:
        lines = file.read().split("\n")
    shell = re.match(r"stepvault run STEP -- (sh|bash) -c '", lines[2])
    if len(lines) != 4 or not shell:
        return [f"{method.slug}: {lines}"]
    inner = bench.run(["bash", "-c", lines[2].replace("stepvault run STEP -- " + shell.group(1), "printf %s", 1).replace(" -c ", " ", 1)])
    outcomes = [bench.run(["sh", "-n", bench.program(method, "curl")]), bench.run([shell.group(1), "-n", "-c", inner.stdout])]
    return [f"{method.slug}/{method.name}: {done.stderr}" for done in outcomes if done.returncode or done.stderr]


def test_parsing(bench):
    methods = bench.printable()
    files = {language: [bench.program(method, language) for method in methods] for language in ENDINGS}
    problems = []
    for path in files["python"]:
        try:
            with open(path, encoding="utf-8") as file:
                compile(file.read(), path, "exec")
        except SyntaxError as error:
            problems.append(f"{path}: {error}")
    report(f"python: {len(methods)} starters parse", problems)
    check = lambda *command: lambda path: [f"{path}: {done.stderr}" for done in [bench.run([*command, path])] if done.returncode or done.stderr]
    report(f"bash: {len(methods)} starters parse", sum(parallel(check("bash", "-n"), files["bash"]), []))
    report(f"curl: {len(methods)} lines parse, and what is in them", sum(parallel(lambda method: check_wrapped(bench, method), methods), []))
    some = [path for path in files["node"] if "/printed/3hostile" in path or "/printed/plain" in path] + bench.sharded(files["node"])
    report("node: starters pass node --check", sum(parallel(check("node", "--check"), some), []))
    done = bench.run([os.path.join(os.path.dirname(os.path.realpath(shutil.which(GO) or GO)), "gofmt"), "-l", "-e", *files["go"]])
    report(f"go: gofmt would change none of {len(methods)} starters",
           [done.stdout + done.stderr] if done.returncode or done.stdout or done.stderr else [])


# ---- running ----


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS: up, running


def make_cases(bench):
    for method in bench.printable():
        for full in (True, False):
            if full or method.properties(0, True) != method.properties(0, False):
                bench.cases.append(Case(len(bench.cases), method, full))


def start_server(bench):
    raise_loopback()
    make_cases(bench)
    hosts = sorted({case.expected.host for case in bench.cases} | {REDIRECTED})
    with open(bench.path("hosts"), "w", encoding="utf-8") as file:
        file.write("127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {host}\n" for host in hosts))
    subprocess.run(["mount", "--bind", bench.path("hosts"), "/etc/hosts"], check=True)
    make_certificates(bench.scratch, hosts)
    for name in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        bench.environment[name] = bench.path("ca.pem")
    server = Server(bench.path("server.pem"), bench.path("server.key"))
    server.cases = {case.number: case.expected for case in bench.cases}
    return server


def run_hosted(bench, language, cases):
    """{case's number: (result, error)} of starters that are functions, by one process for all."""
    command = {"node": ["node", f"{HERE}/starters_host.mjs"], "python": [sys.executable, f"{HERE}/starters_host.py"]}[language]
    asked = [{"id": case.number, "file": bench.program(case.method, language), "auths": case.auths} for case in cases]
    done = bench.run(command, input=json.dumps(asked))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    found = {answer["id"]: (answer.get("result"), answer.get("error")) for answer in answers}
    return {case.number: found.get(case.number, (None, "nothing: " + done.stderr)) for case in cases}


def write_auths(bench, case):
    path = bench.path(f"auths-{case.number}.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(case.auths, file)
    return path


def of_process(done):
    """(result, error) of a program that prints the reply."""
    if done.returncode != 0:
        return None, f"status {done.returncode}: {done.stderr}"
    try:
        return json.loads(done.stdout), None
    except ValueError:
        return None, f"printed {done.stdout!r}"


def make_stubs(bench):
    """`stepvault` that runs what it is given, and `curl` that writes its argv down."""
    scripts = {"stepvault": "while [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"",
               "curl": f"printf '%s\\n' \"$@\" >> {bench.path('argv')}; exec /usr/bin/curl \"$@\""}
    for name, script in scripts.items():
        with open(bench.path(f"stubs/{name}"), "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{script}\n")
        os.chmod(bench.path(f"stubs/{name}"), 0o755)


def run_shells(bench, language, cases):
    def one(case):
        extra = {**case.method.variables(case.account), "PATH": f"{bench.path('stubs')}:{SYSTEM}"}
        return of_process(bench.run(["bash" if language == "bash" else "sh", bench.program(case.method, language)], extra))
    return dict(zip([case.number for case in cases], parallel(one, cases)))


def build_go(bench):
    """All starters in one program that is told which to be: as packages whose main is Main."""
    folder = bench.path("go")
    os.mkdir(folder)
    imports, calls = [], []
    for number, method in enumerate(bench.printable()):
        with open(bench.program(method, "go"), encoding="utf-8") as file:
            text = file.read()
        if text.count("\npackage main\n") != 1 or text.count("\nfunc main() {\n") != 1:
            return [f"{method.slug}/{method.name} has not one main"]
        os.mkdir(f"{folder}/p{number}")
        with open(f"{folder}/p{number}/main.go", "w", encoding="utf-8") as file:
            file.write(text.replace("\npackage main\n", f"\npackage p{number}\n").replace("\nfunc main() {\n", "\nfunc Main() {\n"))
        imports.append(f'\t"starters/p{number}"\n')
        calls.append(f'\tcase "{method.slug}/{method.name}":\n\t\tp{number}.Main()\n')
    with open(f"{folder}/main.go", "w", encoding="utf-8") as file:
        file.write('package main\n\nimport (\n\t"os"\n' + "".join(imports) + ")\n\nfunc main() {\n\tswitch os.Args[1] {\n" + "".join(calls) + "\t}\n}\n")
    with open(f"{folder}/go.mod", "w", encoding="utf-8") as file:
        file.write("module starters\n\ngo 1.18\n")
    bench.environment.update({"GOCACHE": bench.path("go-cache"), "GOPATH": bench.path("go-path"), "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOPROXY": "off"})
    done = bench.run([GO, "build", "-o", bench.path("starters"), "."], cwd=folder)
    return [done.stdout + done.stderr] if done.returncode else []


def run_go(bench, _, cases):
    def one(case):
        name = f"{case.method.slug}/{case.method.name}"
        return of_process(bench.run([bench.path("starters"), name], {"STEPVAULT_AUTHS": write_auths(bench, case)}))
    return dict(zip([case.number for case in cases], parallel(one, cases)))


RUNNERS = {"node": run_hosted, "python": run_hosted, "bash": run_shells, "curl": run_shells, "go": run_go}


def judge_answers(bench, server, outcomes):
    problems = [f"{case.label}: {'; '.join(server.wrong.get(case.number, [])) or outcomes[case.number]}" for case in bench.cases
                if outcomes[case.number] != (case.wanted(), None)]
    problems += [f"of no case: {wrong}" for wrong in server.wrong.get(None, [])]
    server.wrong.clear()
    return problems


def judge_errors(cases, outcomes, part):
    """Each failed, by what it should have failed, and told no secret."""
    return [f"{case.label}: {outcomes[case.number]}" for case in cases
            if not outcomes[case.number][1] or part not in outcomes[case.number][1] or CANARY in outcomes[case.number][1]]


def test_running(bench, server):
    make_stubs(bench)
    report("go: all starters compile", build_go(bench))
    for language, runner in RUNNERS.items():
        server.mode = "answer"
        outcomes = runner(bench, language, bench.cases)
        report(f"{language}: {len(bench.cases)} accounts of {len(bench.printable())} starters: what is sent is what the catalogue says",
               judge_answers(bench, server, outcomes))
        slow = language in ("bash", "curl")
        cases = bench.sharded(bench.cases) if slow else bench.cases
        server.mode = "refuse"
        report(f"{language}: a refusal is an error without a secret in it", judge_errors(cases, runner(bench, language, cases), "401"))
        server.mode, server.leaks = "redirect", 0
        problems = judge_errors(cases, runner(bench, language, cases), "redirects" if slow else "302")
        report(f"{language}: no redirect is followed", problems + (["the other host was asked"] if server.leaks else []))
        server.mode = "empty"
        cases = [] if slow else [case for case in bench.cases if case.expected.expect]
        if cases:
            report(f"{language}: a reply that lacks what is expected is an error",
                   judge_errors(cases, runner(bench, language, cases), "and not as it does when the account works"))
        server.mode = "answer"
    with open(bench.path("argv"), encoding="utf-8", errors="replace") as file:
        said = file.read()
    report("no value that is hidden is in an argument of curl", [] if said and CANARY not in said else ["it is: " + said[:300]])


# ---- by the launchers, and with a vault ----


def run_launcher(bench, language, cases):
    def one(case):
        result = bench.path(f"result-{language}-{case.number}")
        extra = {"STEPVAULT_AUTHS": write_auths(bench, case), "STEPVAULT_STEP": "some/step", "STEPVAULT_RESULT": result}
        done = bench.run([*LAUNCHERS[language], bench.program(case.method, language)], extra)
        if done.returncode or not os.path.exists(result):
            return None, f"status {done.returncode}: {done.stderr}"
        with open(result, encoding="utf-8") as file:
            return json.load(file).get("$return_value"), None
    return dict(zip([case.number for case in cases], parallel(one, cases)))


def test_launchers(bench, server):
    own = [case for case in bench.cases if case.method.app in OWN or case.method.slug in ("3hostile", "plain")]
    cases = own + [case for case in bench.sharded(bench.cases) if case not in own]
    for language in ("node", "python"):
        outcomes = run_launcher(bench, language, cases)
        report(f"{language}: the launcher runs them", [f"{case.label}: {server.wrong.get(case.number)} {outcomes[case.number]}" for case in cases
                                                       if outcomes[case.number] != (case.wanted(), None)])


def make_vault(bench, cases):
    """A vault with the accounts of the cases, each bound to a step of its own; a sentence if that cannot be made."""
    bench.environment["STEPVAULT_VAULT"] = bench.path("data/vault.db")
    done = bench.run(["sh", "-c", f"echo correct horse battery > {bench.path('pass')}; "
                                  f"stepvault init --passphrase-fd 3 --no-recovery --kdf-time 0 3< {bench.path('pass')}"])
    if done.returncode:
        return [done.stderr]
    for case in cases:
        asked = {"app": case.method.slug, "label": f"case{case.number}", "properties": case.account}
        for arguments, text in ((["call", "AddAccount", "-"], json.dumps(asked)),
                                (["bind", f"case/{case.number}", f"{case.method.slug}:case{case.number}"], None)):
            done = bench.run(["stepvault", *arguments], **({"input": text} if text else {}))
            if done.returncode:
                return [f"{arguments}: {done.stderr}"]
    return []


def vault_command(bench, language, case):
    step, program = f"case/{case.number}", bench.program(case.method, language)
    if language == "go":
        return ["stepvault", "run", step, "--deliver", "auths", "--", GO, "run", program]
    if language == "curl":
        with open(program, encoding="utf-8") as file:
            return ["sh", "-c", file.read().replace("stepvault run STEP ", f"stepvault run {step} ")]
    return ["stepvault", "run", step, "--code", program, "--result", bench.path("result")]


def test_vault(bench, server):
    cases = [case for case in bench.cases if case.method.slug in ("slack", "twilio", "3hostile") and "without" not in case.label][:4]
    report("a vault has accounts of some", make_vault(bench, cases))
    for language in ENDINGS:
        outcomes, chosen = {}, cases[:1] if language == "go" else cases
        for case in chosen:
            done = bench.run(vault_command(bench, language, case), cwd=bench.scratch)
            outcomes[case.number] = of_process(done)
            if language in ("node", "python") and done.returncode == 0 and os.path.exists(bench.path("result")):
                with open(bench.path("result"), encoding="utf-8") as file:
                    outcomes[case.number] = json.load(file).get("$return_value"), None
        report(f"{language}: stepvault run runs them with the vault's accounts",
               [f"{case.label}: {server.wrong.get(case.number)} {outcomes[case.number]}" for case in chosen if outcomes[case.number] != (case.wanted(), None)])
    bench.run(["stepvault", "lock"])


def main():
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(os.path.realpath(scratch))
        print(f"# SHARD={bench.first + 1}/{bench.step} repeats this part; SHARD=all runs everything")
        test_printing(bench)
        test_parsing(bench)
        if "--alone" in sys.argv:
            server = start_server(bench)
            test_running(bench, server)
            test_launchers(bench, server)
            test_vault(bench, server)
            print(f"# of {5 * len(bench.printable())} starters that can be printed all ran, and none was only parsed")
        else:
            skip("the starters run", "namespaces for network and mounts need a privilege that this machine does not give")
    print(f"1..{tests}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
