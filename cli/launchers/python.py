#!/usr/bin/env python3
"""Runs a file of Python as a code step: python.py FILE [ARG...]. README.md says what it gets and leaves."""

import _ast as ast
import json
import os
import sys
import types

RESULT_BYTES = 64 * 1024 * 1024
RESERVED = ("$return_value", "$end", "$error", "$respond")
MODULE = "stepvault_step"


class Refusal(BaseException):
    """The launcher's own failure, as opposed to the code's: one sentence, exit status 125."""


class Ended(BaseException):
    """What pd.flow.exit() raises, so that nothing after it runs."""


def no_constant(name):
    raise ValueError(name)


def read_json(path, what):
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file, parse_constant=no_constant)
    except OSError as error:
        if what == "db" and isinstance(error, FileNotFoundError):
            return {}
        raise Refusal(f"cannot read the {what} {path}: {error.strerror}") from None
    except RecursionError:
        raise Refusal(f"the {what} is nested too deeply for Python's json") from None
    except ValueError:
        raise Refusal(f"the {what} {path} is not JSON") from None
    if what != "event" and not isinstance(value, dict):
        raise Refusal(f"the {what} {path} is not a JSON object")
    return value


class Frozen(dict):
    """A dict that is only read; what is missing is answered by `missing`."""

    def __init__(self, values, missing):
        super().__init__(values)
        self._missing = missing

    def __missing__(self, name):
        return self._missing(name)

    def _refuse(self, *_, **__):
        raise TypeError("what a step is given cannot be changed")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse


class Refusing:
    """An object whose every member is refused by its name."""

    def __init__(self, step, name):
        self._step = step
        self._name = name

    def __getattr__(self, member):
        if member.startswith("__"):
            raise AttributeError(member)
        self._step.refuse(f"{self._name}.{member}")


class Step:
    """One run: what it is given and what it leaves."""

    def __init__(self, file):
        self.file = file
        self.path = os.environ.get("STEPVAULT_STEP") or "STEP"
        self.exports = {}
        self.outcome = {}
        self.refusal = None
        paths = {name: os.environ.pop("STEPVAULT_" + name.upper(), None) for name in ("event", "steps", "props", "db", "result")}
        self.result_path = paths["result"]
        self.db_path = paths["db"] and os.path.abspath(paths["db"])  # the code may go elsewhere

        def read(what, path, missing):
            return missing if path is None else read_json(path, what)

        self.steps = read("steps", paths["steps"], {})
        trigger = self.steps.get("trigger")
        self.event = read("event", paths["event"], trigger.get("event") if isinstance(trigger, dict) else None)
        self.steps.setdefault("trigger", {"event": self.event})
        self.db = read("db", paths["db"], {})
        self.db_changed = False
        accounts = read("accounts", os.environ.get("STEPVAULT_AUTHS"), {})
        inputs = read("props", paths["props"], {})
        for alias, account in accounts.items():
            inputs[alias] = Frozen({"$auth": Frozen(account, self.missing_property)}, self.missing_member)
        self.inputs = Frozen(inputs, self.missing_input)

    def refuse(self, feature):
        if self.refusal is None:
            self.refusal = f"{self.file} needs {feature}, which is not supported"
        raise Refusal(self.refusal)

    def missing_member(self, name):
        raise KeyError(name)

    def missing_property(self, name):
        if name == "oauth_signer_uri":
            self.refuse("a signer for OAuth 1 (oauth_signer_uri)")
        raise KeyError(name)

    def missing_input(self, name):
        if name == "data_store":
            self.refuse("a data store")
        raise Refusal(f'no account {name} is bound to {self.path}; run "stepvault bind {self.path} {name}"')

    def end(self, message=None):
        self.outcome["$end"] = message
        raise Ended

    def write_value(self, name, value):
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except ValueError as error:
            why = "contains itself" if "Circular" in str(error) else "has a number in it that JSON has not (NaN, infinity)"
        except RecursionError:
            why = "is nested too deeply"
        except TypeError as error:
            kind = str(error).partition("Object of type ")[2].partition(" ")[0]
            why = f"has something of type {kind} in it" if kind else "has a key in it that is no text"
        else:
            return f"{json.dumps(name, ensure_ascii=False)}:{text}".encode("utf-8", "backslashreplace")
        what = f"the {name}" if name in RESERVED else f"the export {name}"
        raise Refusal(f"{what} of {self.file} cannot be written as JSON: it {why}")

    def document(self):
        names = [*(name for name in RESERVED[:1] if name in self.outcome), *self.exports,
                 *(name for name in RESERVED[1:] if name in self.outcome)]
        members = []
        size = 1
        for name in names:
            members.append(self.write_value(name, self.outcome[name] if name in RESERVED else self.exports[name]))
            size += len(members[-1]) + 1
            if size > RESULT_BYTES:
                raise Refusal(f"the result of {self.file} is larger than 64 MiB")
        return b"{" + b",".join(members) + b"}"

    def leave(self):
        """Leaves what is to be left."""
        if self.refusal is not None:
            raise Refusal(self.refusal)
        if self.db_changed and self.db_path is not None:
            self.write_db()
        if self.result_path is None:
            return
        text = self.document()
        try:
            with open(self.result_path, "wb") as file:
                file.write(text)
        except OSError as error:
            raise Refusal(f"cannot write the result {self.result_path}: {error.strerror}") from None

    def write_db(self):
        # One that a killed run left must not stand in the way, and in containers process ids come again.
        draft = f"{self.db_path}.{os.getpid()}.{os.urandom(6).hex()}.new"
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                    json.dump(self.db, file, ensure_ascii=False, separators=(",", ":"))
                os.rename(draft, self.db_path)
            except BaseException:
                os.unlink(draft)
                raise
        except OSError as error:
            raise Refusal(f"cannot write the db {self.db_path}: {error.strerror}") from None


class Flow:
    def __init__(self, step):
        self._step = step

    def exit(self, message=None):
        self._step.end(message)

    def __getattr__(self, member):
        if member.startswith("__"):
            raise AttributeError(member)
        self._step.refuse(f"pd.flow.{member}")


class Database:
    def __init__(self, step):
        self._step = step

    @staticmethod
    def _member(key, value=None):
        """What an object of JSON has of them, where a key is a text."""
        return json.loads(json.dumps({key: value}, allow_nan=False))

    def get(self, key):
        return self._step.db.get(*self._member(key))

    def set(self, key, value):
        self._step.db.update(self._member(key, value))
        self._step.db_changed = True


class Pipedream:
    """What handler() is given."""

    def __init__(self, step):
        self._step = step
        self.inputs = step.inputs
        self.steps = step.steps
        self.flow = Flow(step)
        self.send = Refusing(step, "pd.send")
        self.files = Refusing(step, "pd.files")
        self.service = types.SimpleNamespace(db=Database(step))
        self.context = {"workflow_id": step.path, "workflow_name": step.path, "test": False, "replay": False, "run": {"runs": 1}}

    def export(self, name, value):
        if name not in RESERVED:
            self._step.exports[str(name)] = value

    def respond(self, response):
        self._step.outcome["$respond"] = response


def walk(node):
    """ast.walk() without the module, whose import costs as much as everything else here."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        for field in node._fields:
            value = getattr(node, field, None)
            waiting += [child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)]


def inspect_source(step, tree):
    """Refuses, before anything runs, what cannot run: no handler, or an account that is missing."""
    nodes = list(walk(tree))
    names = set()
    parameters = {"pd"}
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
            if node.name == "handler" and node.args.args:
                parameters.add(node.args.args[0].arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
    if not names & {"handler", "*"}:
        raise Refusal(f'{step.file} has no handler: a step is a function "def handler(pd)"')

    def is_inputs(node):
        return (isinstance(node, ast.Attribute) and node.attr == "inputs" and isinstance(node.value, ast.Name)
                and node.value.id in parameters)

    read, optional = [], set()
    for node in nodes:
        if isinstance(node, ast.Subscript) and is_inputs(node.value) and isinstance(node.slice, ast.Constant):
            read.append(node.slice.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_inputs(node.func.value):
            optional.update(argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant))
        elif isinstance(node, ast.Compare) and any(is_inputs(other) for other in node.comparators):
            optional.update([node.left.value] if isinstance(node.left, ast.Constant) else [])
    for name in read:
        if name not in optional and name not in step.inputs:
            step.missing_input(name)


def load(step):
    """The code's handler; the code's own errors pass through."""
    if not step.file.endswith(".py"):
        raise Refusal(f"the ending of {step.file} is not Python's: .py")
    try:
        with open(step.file, "rb") as file:
            source = file.read()
    except OSError as error:
        raise Refusal(f"cannot read the code {step.file}: {error.strerror}") from None
    tree = compile(source, step.file, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    inspect_source(step, tree)
    module = types.ModuleType(MODULE)
    module.__file__ = step.file
    sys.modules[MODULE] = module
    exec(compile(tree, step.file, "exec", dont_inherit=True), module.__dict__)
    handler = getattr(module, "handler", None)
    if not callable(handler):
        raise Refusal(f'{step.file} has no handler: a step is a function "def handler(pd)"')
    return handler


def run(step):
    value = load(step)(Pipedream(step))
    if hasattr(value, "__await__"):
        import asyncio

        async def wait():
            return await value

        value = asyncio.run(wait())
    step.outcome["$return_value"] = value


def show(error):
    """The stack without our frames, nor those of what waits for a coroutine."""
    import traceback

    trace = error.__traceback__
    while trace is not None and (trace.tb_frame.f_code.co_filename == __file__ or
                                 trace.tb_frame.f_code.co_filename.endswith(("/asyncio/runners.py", "/asyncio/base_events.py"))):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


def message_of(error):
    try:
        return str(error)
    except Exception:
        return "<exception str() failed>"  # as traceback has it


def attempt(step):
    """Runs the code; returns the exit status."""
    try:
        run(step)
    except Ended:
        pass
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        print(error.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except Refusal:
        raise
    except BaseException as error:  # asyncio.CancelledError is no Exception
        show(error)
        step.outcome["$error"] = {"name": type(error).__name__, "message": message_of(error)}
        return 1
    return 0


def main():
    try:
        if len(sys.argv) < 2:
            raise Refusal("python.py needs the FILE of code")
        file = os.path.abspath(sys.argv[1])
        sys.argv[:2] = [file]
        if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
            del sys.path[0]
        sys.path.insert(0, os.path.dirname(file))
        step = Step(file)
        status = attempt(step)
        step.leave()
    except Refusal as refusal:
        print(f"stepvault: {refusal}", file=sys.stderr)
        status = 125
    sys.exit(status)


if __name__ == "__main__":
    main()
