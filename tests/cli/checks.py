"""What Python tests share that print TAP: each function named test_... is one test, and its words are the test's."""

import sys
import traceback


def is_(actual, expected):
    if actual != expected:
        raise AssertionError(f"got {actual!r}, want {expected!r}")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def run_tests(names):
    """Those of `names` that have one of the command line's words. One that returns something is skipped for that reason.
    Exits."""
    tests = [(name[5:].replace("_", " "), function) for name, function in names.items() if name.startswith("test_") and callable(function)]
    chosen = sys.argv[1:]
    tests = [(name, function) for name, function in tests if not chosen or any(word in name for word in chosen)]
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, (name, function) in enumerate(tests, 1):
        try:
            skipped = function()
            print(f"ok {number} - {name}" + (f" # SKIP {skipped}" if skipped else ""), flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()), end="", flush=True)
    sys.exit(1 if failed else 0)
