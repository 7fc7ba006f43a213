#!/bin/bash
# Code steps in Python: what handler(pd) gets and leaves, and what is refused by name.
# shellcheck disable=SC2016 # what stands in single quotes is Python's
# shellcheck source=code.bash
. "$(dirname "$0")/code.bash"
code_vault
echo '{"text":"hello"}' > props.json

# ---- what it gets and leaves ----
file plain.py <<< 'import os
def handler(pd: "pipedream"):
    pd.export("channel", os.environ["BILLING_CHANNEL"])
    pd.export("items", pd.steps["trigger"]["event"]["items"])
    return [pd.steps["look"]["$return_value"]["id"], len(pd.inputs["slack"]["$auth"]["oauth_access_token"])]'
gives "event, steps, an account, variables, exports, a value returned" \
    '{"$return_value":[7,11],"channel":"#billing","items":[1,"zwei"]}' plain.py --event event.json --steps steps.json
file asynchronous.py <<< 'import asyncio
async def handler(pd):
    await asyncio.sleep(0)
    return pd.inputs["text"]'
gives "an async handler, and a prop" '{"$return_value":"hello"}' asynchronous.py --props props.json
file helper.py <<< 'TWICE = lambda x: 2 * x'
file imports.py <<< 'import sys
from helper import TWICE
def handler(pd):
    return [TWICE(4), sys.argv[1:], sys.argv[0].endswith("/imports.py"), __file__ == sys.argv[0]]'
gives "modules beside the file, and arguments" '{"$return_value":[8,["-x","a b"],true,true]}' imports.py -- -x "a b"
file classes.py <<< 'import dataclasses, typing
@dataclasses.dataclass
class Point:
    x: typing.ClassVar[int] = 3
    y: int = 4
def handler(pd):
    return dataclasses.asdict(Point())'
gives "classes know their module" '{"$return_value":{"y":4}}' classes.py
file ends.py <<< 'def handler(pd):
    pd.export("a", 1)
    try:
        pd.flow.exit("enough")
    except Exception:
        pd.export("b", 1)'
gives "pd.flow.exit" '{"a":1,"$end":"enough"}' ends.py
file responds.py <<< 'def handler(pd):
    pd.respond({"status": 202, "body": "ok"})'
gives "pd.respond, and nothing returned" '{"$return_value":null,"$respond":{"status":202,"body":"ok"}}' responds.py
file environment.py <<< 'import os
def handler(pd):
    return sorted(name for name in os.environ if name.startswith("STEPVAULT_"))'
gives "of our variables only what a step always has" \
    '{"$return_value":["STEPVAULT_AUTHS","STEPVAULT_DELIVERED","STEPVAULT_STEP"]}' environment.py --event event.json --steps steps.json
file early.py <<< 'import os
CHANNEL = os.environ["BILLING_CHANNEL"]
def handler(pd):
    return CHANNEL'
gives "variables are there before the code loads" '{"$return_value":"#billing"}' early.py
file values.py <<< 'def handler(pd):
    return {"text": "\u2028ü\ud800\"\n", "none": None, "true": True, "number": [1, 0.5, -3], 4: "key"}'
gives "values as JSON.stringify writes them" \
    "{\"\$return_value\":{\"text\":\"$(printf '\u2028')ü\\ud800\\\"\\n\",\"none\":null,\"true\":true,\"number\":[1,0.5,-3],\"4\":\"key\"}}" values.py
file latin.py < <(printf '# -*- coding: latin-1 -*-\ndef handler(pd):\n    return "\xfc"\n')
gives "another encoding of the file" '{"$return_value":"ü"}' latin.py
file database.py <<< 'def handler(pd):
    pd.service.db.set("n", (pd.service.db.get("n") or 0) + 1)
    return pd.service.db.get("n")'
file killed.py <<< 'import os
def handler(pd):
    open(f"state.json.{os.getpid()}.new", "w").close()
    pd.service.db.set("n", 3)'
file away.py <<< 'import os
def handler(pd):
    os.chdir("elsewhere")
    pd.service.db.set("n", 9)'
lives_on pd.service.db .py '{"$return_value":null}'
file keys.py <<< 'def handler(pd):
    before = pd.service.db.get(7)
    pd.service.db.set(7, "seven")
    try:
        pd.service.db.set((1, 2), 3)
    except TypeError:
        return [before, pd.service.db.get(7)]'
gives "... under keys that are texts in JSON" '{"$return_value":[null,"seven"]}' keys.py --db keys.json
gives "... in the next run, too" '{"$return_value":["seven","seven"]}' keys.py --db keys.json
is "... and nothing else is beside it" "$(cat keys.json) $(ls keys.json*)" '{"7":"seven"} keys.json'
file frozen.py <<< 'def handler(pd):
    for change in (lambda: pd.inputs.update(a=1), lambda: pd.inputs["slack"]["$auth"].pop("oauth_access_token")):
        try:
            change()
        except TypeError as error:
            pd.export("error", str(error))
    return len(pd.inputs["slack"]["$auth"])'
gives "accounts cannot be changed" '{"$return_value":1,"error":"what a step is given cannot be changed"}' frozen.py

# ---- what is refused ----
bind='no account github is bound to billing/notify; run "stepvault bind billing/notify github"'
file missing.py <<< 'print("ran")
def handler(pipedream):
    return pipedream.inputs["github"]["$auth"]'
refused "a missing account is told with the line to type" "$bind" missing.py
is "... before the code runs" "$out" ""
file late.py <<< 'def handler(pd):
    name = "git" + "hub"
    return pd.inputs[name]'
refused "what is met only when it runs has the same sentence" "$bind" late.py
file optional.py <<< 'def handler(pd):
    if "github" in pd.inputs:
        return pd.inputs["github"]
    return pd.inputs.get("gitlab")'
gives "one that is asked for first may be missing" '{"$return_value":null}' optional.py
file none.py <<< 'print("ran")'
refused "a file without a handler" "none.py has no handler" none.py
is "... is not run" "$out" ""
file number.py <<< 'handler = 5'
refused "a handler that is no function" "number.py has no handler" number.py
for what in suspend rerun delay; do
    file unsupported.py <<< "def handler(pd):
    try:
        pd.flow.$what(1000)
    except Exception:
        pass"
    refused "not supported: pd.flow.$what" "needs pd.flow.$what, which is not supported" unsupported.py
done
file send.py <<< 'def handler(pd):
    pd.send.email({})'
refused "not supported: pd.send.email" "needs pd.send.email, which is not supported" send.py
file store.py <<< 'def handler(pd):
    return pd.inputs.__getitem__("data_" + "store")'
refused "not supported: data stores" "needs a data store, which is not supported" store.py
file signer.py <<< 'def handler(pd):
    return pd.inputs["slack"]["$auth"]["oauth_signer_uri"]'
refused "not supported: OAuth 1" "needs a signer for OAuth 1 (oauth_signer_uri), which is not supported" signer.py

# ---- errors, and how it ends ----
file throws.py <<< 'def handler(pd):
    pd.export("before", 1)
    raise ValueError("no such thing")'
ends "code that raises: status 1, and a result that says so" 1 '{"before":1,"$error":{"name":"ValueError","message":"no such thing"}}' throws.py
has "... the stack on stderr" "$err" 'throws.py", line 3, in handler'
lacks "... without the launcher's frames" "$err" /launchers/
file awaits.py <<< 'async def handler(pd):
    raise ValueError("no such thing")'
step awaits.py
is "... in a coroutine" "$(grep -c '^  File' "$scratch/err") $status" "1 1"
file cancelled.py <<< 'import asyncio
async def handler(pd):
    pd.export("before", 1)
    raise asyncio.CancelledError'
step cancelled.py
is "... what is no Exception" "$status $result" '1 {"before":1,"$error":{"name":"CancelledError","message":""}}'
file speechless.py <<< 'class Speechless(Exception):
    def __str__(self):
        raise ValueError
def handler(pd):
    raise Speechless'
step speechless.py
is "... what has no text" "$status $result" '1 {"$error":{"name":"Speechless","message":"<exception str() failed>"}}'
printf 'def handler(pd):\n    return = 1\n' > syntax.py
step syntax.py
has "what cannot be parsed is shown" "$status $err" 'syntax.py", line 2'
has "... and is in the result" "$result" '{"$error":{"name":"SyntaxError"'
file exits.py <<< 'import sys
def handler(pd):
    pd.export("before", 1)
    sys.exit(7)'
ends "sys.exit" 7 '{"before":1}' exits.py
file text.py <<< 'import sys
def handler(pd):
    sys.exit("that was it")'
step text.py
is "sys.exit with a text" "$status $err $result" '1 that was it {}'
file killed.py <<< 'import os, signal
def handler(pd):
    os.kill(os.getpid(), signal.SIGKILL)'
ends "killed: no result" 137 "" killed.py

# ---- results that cannot be written ----
unwritable() {
    file unwritable.py <<< "def handler(pd):
    pd.export('one', $2)"
    refused "a result with $1" "the export one of $PWD/unwritable.py cannot be written as JSON: it $3" unwritable.py
}
unwritable "NaN" 'float("nan")' "has a number in it that JSON has not (NaN, infinity)"
unwritable "bytes" '{"a": b"x"}' "has something of type bytes in it"
unwritable "a tuple as a key" '{(1, 2): 3}' "has a key in it that is no text"
file circular.py <<< 'def handler(pd):
    loop = []
    loop.append(loop)
    return loop'
refused "a result that contains itself" 'the $return_value of' circular.py
file huge.py <<< 'def handler(pd):
    return "x" * (64 * 1024 * 1024)'
refused "a result over 64 MiB" "larger than 64 MiB" huge.py

# ---- started by hand ----
runtime=python3 launcher=$bin/launchers/python.py
file hand.py <<< 'def handler(pd):
    return [pd.steps, list(pd.inputs)]'
starts_by_hand hand.py '{"$return_value":[{"trigger":{"event":null}},[]]}' "No such file or directory"
finish
