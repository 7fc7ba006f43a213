"""Calls starters for Python, each in turn: as starters_host.mjs."""

import json
import sys
import traceback
import types

for case in json.load(sys.stdin):
    try:
        space = {"__name__": "starter"}
        with open(case["file"], encoding="utf-8") as file:
            exec(compile(file.read(), case["file"], "exec"), space)
        pd = types.SimpleNamespace(inputs={alias: {"$auth": properties} for alias, properties in case["auths"].items()})
        outcome = {"result": space["handler"](pd)}
    except Exception:
        outcome = {"error": traceback.format_exc()}
    print(json.dumps({"id": case["id"], **outcome}), flush=True)
