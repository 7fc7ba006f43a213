#!/usr/bin/python3
"""`stepvault connect` with a real browser: Debian's Chromium logs in at oidc-provider, consents, and comes back. TAP.

limit: 180
"""

import json
import os
import subprocess

from rig import HERE, Rig, Tap

tap = Tap()
rig = Rig()
op = rig.op()


def browse(url, *options):
    done = subprocess.run(["node", "browser.mjs", url, *options], cwd=HERE, capture_output=True, text=True, timeout=100,
                          check=False, env={**os.environ, "HOME": rig.scratch + "/home"})
    if done.returncode != 0:
        raise AssertionError(done.stderr[-2000:])
    return json.loads(done.stdout)


def connect(name, words, *options):
    """Connects; returns what the program did and what the browser saw at its end."""
    connecting = rig.start("connect", *words, "--no-browser")
    seen = browse(connecting.address(op.origin), *options)
    return connecting.wait(), seen


rig.op_app("native", op.origin)
rig.client("native", "native")

done, seen = connect("the first account", ["native"], "--user", "alice")
tap.same("Chromium logs in and consents, and the account is connected", done.status, 0, done, seen)
tap.ok("the browser ends on a page of this machine", seen["url"].startswith("http://127.0.0.1:"), seen["url"])
tap.ok("... that says what happened", "access was given" in seen["text"].lower(), seen["text"])
tap.same("... and loads nothing", [each for each in seen["requests"] if each != seen["url"] and not each.endswith("/favicon.ico")], [])
tap.ok("... from anywhere", all(each.startswith(seen["url"].rsplit("/", 1)[0]) for each in seen["requests"]), seen["requests"])
tap.ok("... nor runs anything", "<script" not in seen["html"].lower(), seen["html"])
headers = seen["headers"]
tap.ok("... as its policy says", "default-src 'none'" in headers.get("content-security-policy", ""), headers)
tap.same("... and is not kept", headers.get("cache-control"), "no-store")
tap.ok("... nor tells anybody where it was", headers.get("referrer-policy", "no-referrer") == "no-referrer", headers)

rig.bound("browser/alice", "native")
status, alice, err = rig.token("browser/alice", "native")
tap.ok("a step bound to it gets the token", status == 0 and len(alice) > 20, err)
tap.same("the provider says that it is alice", (rig.account("native:default") or {}).get("identity"), "alice")

done, seen = connect("the second account", ["native", "--label", "work"], "--user", "bob")
tap.same("a second account of the app is connected beside it", done.status, 0, done)
rig.bound("browser/bob", "native:work")
bob = rig.token("browser/bob", "native")[1]
tap.ok("... with a token of its own", bob and bob != alice)
tap.same("... and an identity of its own", (rig.account("native:work") or {}).get("identity"), "bob")

done, seen = connect("a third that is refused", ["native", "--label", "no"], "--deny")
tap.ok("who cancels in the browser makes no account", done.status == 1 and rig.account("native:no") is None, done)
tap.ok("... and the page says that, too", "not" in seen["text"].lower(), seen["text"])

before = rig.account("native:default")
done, seen = connect("the first again", ["native", "--reconnect", "native:default"], "--user", "alice")
tap.same("the first account is connected anew in its place", (done.status, (rig.account("native:default") or {}).get("id")),
         (0, before["id"]), done)
again = rig.token("browser/alice", "native")[1]
tap.ok("... and its step, bound before, gets the new token", again and again != alice)
op.forget()
done = rig.run("account", "refresh", "native:default")
tap.same("the new grant can be refreshed", (done.status, op.count()), (0, 1), done)
rig.finish(tap)
