#!/usr/bin/python3
"""50 processes want one account whose token is over, at once: the provider is asked once, and all get the new token.
20 rounds against oidc-provider, which ends a grant whose refresh token comes twice; then with an endpoint that takes 15 s
(one round; LONG: 20). TAP.

limit: 1200
"""

import subprocess
import time

from rig import BIN, LONG, TOKEN, Rig, Tap, person

CROWD = 50
tap = Tap()
rig = Rig()


def crowd(step, alias):
    """All of them at once; how each ended, and what it was given."""
    processes = [subprocess.Popen([BIN + "/stepvault", "run", step, "--", "printenv", f"{alias.upper()}_{TOKEN}"],
                                  env=rig.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) for _ in range(CROWD)]
    said = [process.communicate(timeout=120) for process in processes]
    return [(process.returncode, out.strip(), err) for process, (out, err) in zip(processes, said)]


def expire(server, account, seconds=1):
    """Leaves the account with a token that is over, and the provider in the mood for a lasting one."""
    server.set(lifetime=seconds)
    done = rig.run("account", "refresh", account)
    if done.status != 0:
        raise AssertionError(str(done))
    time.sleep(seconds + 0.05)
    server.set(lifetime=3600)
    server.forget()


def rounds(name, server, account, step, count, before=lambda: None):
    """Every one of the rounds, as one test for the requests and one for the tokens."""
    requests, wrong, seen, last, took = [], [], set(), None, []
    for number in range(count):
        expire(server, account)
        before()
        started = time.monotonic()
        ends = crowd(step, account)
        took.append(time.monotonic() - started)
        requests.append(server.count())
        tokens = {token for _, token, _ in ends}
        if any(status != 0 for status, _, _ in ends) or len(tokens) != 1 or tokens & seen or "" in tokens:
            wrong.append((number, [end for end in ends if end[0] != 0][:3], len(tokens)))
        seen |= tokens
        last = next(iter(tokens))
        server.set(**{"delay": 0} if "delay" in server.set() else {"before": 0, "after": 0})
    tap.same(f"{name}: {CROWD} at once, {count} rounds: the token endpoint sees {count} requests", requests, [1] * count)
    tap.ok("... all get the new token, in each round", not wrong, *wrong)
    done = rig.run("account", "test", account)
    tap.ok("... which is good", done.status == 0 and last, done)
    tap.same("... the account is healthy", rig.health(account), "healthy")
    print(f"# a round takes {min(took):.2f} s to {max(took):.2f} s")


op = rig.op()
rig.op_app("op", op.origin)
rig.client("op", "native")
connecting = rig.start("connect", "op", "--no-browser")
person(connecting.address(op.origin))
done = connecting.wait()
tap.same("an account at oidc-provider is connected", done.status, 0, done)
rig.bound("crowd/op", "op")
rounds("oidc-provider", op, "op", "crowd/op", 20)

fault = rig.fault()
rig.app("fault", fault.origin)
rig.client("fault", "public")
done = rig.imported("fault", fault.grant())
tap.same("an account at the fault server is connected", done.status, 0, done)
rig.bound("crowd/fault", "fault")
rounds("an endpoint that takes 15 s", fault, "fault", "crowd/fault", 20 if LONG else 1, lambda: fault.set(delay=15))
if LONG:
    rounds("oidc-provider, its reply held back for 15 s", op, "op", "crowd/op", 20, lambda: op.set(after=15000))

# Several accounts in one projection, all over at once: one request each, side by side.
for number in range(4):
    rig.imported("fault", fault.grant(f"user{number}"), "--label", f"n{number}")
    rig.run("bind", "crowd/several", f"fault:n{number}", "--as", f"alias{number}")
fault.set(lifetime=1)
for number in range(4):
    rig.run("account", "refresh", f"fault:n{number}")
time.sleep(1.05)
fault.set(lifetime=3600, delay=2)
fault.forget()
started = time.monotonic()
done = rig.run("run", "crowd/several", "--", "true")
tap.same("four accounts of one step are refreshed", (done.status, fault.count()), (0, 4), done)
tap.ok("... side by side", time.monotonic() - started < 6, time.monotonic() - started)
rig.finish(tap)
