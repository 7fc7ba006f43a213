#!/usr/bin/python3
"""kill -9 of the agent between sending a refresh and committing what came: one request more, and the state that is true.
Three kinds of provider: one that had done nothing yet, one that rotated and takes the old token once more (leeway), and
one that rotated and ends the grant. TAP.

limit: 480
"""

import time

from rig import LONG, Rig, Tap, eventually

tap = Tap()
rig = Rig()
# The lease of a dead agent's request must run out before anybody may ask again: its helper may still be at it.
LEASE = 90
CASES = {
    "early": (0, {"name": "drop", "delay": 3}, "healthy"),
    "lenient": (600, {"name": "good", "delay": 3}, "healthy"),
    "strict": (0, {"name": "good", "delay": 3}, "needs reconnect"),
}
servers = {}
for name, (leeway, _, _) in CASES.items():
    servers[name] = rig.fault()
    servers[name].set(lifetime=15, leeway=leeway)
    rig.app(name, servers[name].origin)
    rig.client(name, "public")
    done = rig.imported(name, servers[name].grant())
    tap.same(f"{name}: an account is connected", done.status, 0, done)
    rig.bound(f"killed/{name}", name)
# At any moment: whatever the agent had committed, the next one knows.
rounds = 40 if LONG else 8
fault = rig.fault()
fault.set(leeway=600)
rig.app("any", fault.origin)
rig.client("any", "public")
for number in range(rounds):
    rig.imported("any", fault.grant(), "--label", f"n{number}")
    rig.run("bind", "killed/any", f"any:n{number}", "--as", f"n{number}")
wrong = []
for number in range(rounds):
    fault.forget()
    agent = rig.agent()
    waiting = rig.start("account", "refresh", f"any:n{number}")
    time.sleep(0.05 * number / rounds)
    rig.kill_agents(agent)
    waiting.wait()
    rig.unlock()
    verified = rig.run("audit", "verify")
    status, token, err = rig.token("killed/any", f"n{number}")  # what it had is good for an hour
    if verified.status != 0 or status != 0 or not token:
        wrong.append(f"round {number}: {verified.err} {err}")
    if fault.count() > 1:
        wrong.append(f"round {number}: {fault.count()} requests")
tap.ok(f"killed at {rounds} other moments: the vault holds, and the step goes on", not wrong, *wrong)

for name in CASES:
    servers[name].set(lifetime=1)
    rig.run("account", "refresh", name)
time.sleep(1.1)
waiting = []
agent = rig.agent()
for name, (_, reply, _) in CASES.items():
    servers[name].set(lifetime=3600)
    servers[name].forget()
    servers[name].script(reply)
    waiting.append(rig.start("run", f"killed/{name}", "--", "true"))
tap.ok("each provider was asked", eventually(lambda: all(server.count() == 1 for server in servers.values())))
rig.kill_agents(agent)
for process in waiting:
    process.wait()
started = time.monotonic()
rig.unlock()
for name in CASES:
    tap.ok(f"{name}: killed before the reply, nothing is judged yet", rig.health(name) in ("healthy", "in doubt"), rig.account(name))
asking = [rig.start("run", f"killed/{name}", "--", "true") for name in CASES]
time.sleep(5)
tap.same("while the dead agent's helpers may still be at it, nobody asks again", [server.count() for server in servers.values()], [1, 1, 1])


def settled(name, wanted):
    status = rig.token(f"killed/{name}", name)[0]
    return status == (0 if wanted == "healthy" else 125) and rig.health(name) == wanted


said = {"early": "the provider had done nothing", "lenient": "rotated, and the old token is taken once more",
        "strict": "rotated, and the old token ends the grant"}
for name, (_, _, wanted) in CASES.items():
    eventually(lambda name=name, wanted=wanted: settled(name, wanted), LEASE)
    tap.same(f"{said[name]}: one request more", servers[name].count(), 2, rig.account(name), servers[name].requests())
    tap.same(f"... and the account {wanted}", rig.health(name), wanted, rig.account(name))
print(f"# settled after {time.monotonic() - started:.1f} s")
for name in ("early", "lenient"):
    tap.same(f"{name}: it can be refreshed further", (rig.run("account", "refresh", name).status, servers[name].count()), (0, 3))
for process in asking:
    process.wait()
account = rig.account("strict")
tap.ok("strict: because the reply was lost, which is said", "lost" in account.get("reason", ""), account)
for _ in range(3):
    rig.token("killed/strict", "strict")
tap.same("... and nobody asks any more", servers["strict"].count(), 2)
done = rig.imported("strict", servers["strict"].grant(), "--reconnect", "strict")
tap.same("... until it is connected anew", (done.status, rig.token("killed/strict", "strict")[0]), (0, 0), done)

fault.forget()
refreshed = [number for number in range(rounds)
             if eventually(lambda number=number: rig.run("account", "refresh", f"any:n{number}").status == 0, LEASE)]
tap.same("... and each account is refreshed in the end", len(refreshed), rounds)
rig.finish(tap)
