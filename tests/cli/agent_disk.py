"""The agent on a full and on a read-only disk; agent_test.py runs this in a mount namespace of its own."""

import os
import subprocess
import sys
import tempfile

from agent_client import Agent, error, machine_slot, slot_key
from checks import is_

KEY = bytes(range(32))


def mount(*arguments):
    if subprocess.run(["mount", *arguments], check=False).returncode != 0:
        sys.exit(77)


def fill(path):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            os.write(descriptor, b"\0" * 4096)
    except OSError:
        os.close(descriptor)


def started(folder, vault):
    """An agent that does not outlive this process, whatever happens."""
    return Agent(folder, vault, prefix=["setpriv", "--pdeathsig", "KILL"])


def still_works(client):
    """What must work while nothing can be written."""
    is_(error(client.call("Project", step="/")), "LogUnwritable")
    is_(error(client.call("SetVariable", path="/", name="NEW", value="n")), "LogUnwritable")
    status = client.call("Status")["parameters"]
    assert status["log"] != "ok" and status["waiting_refusals"] >= 2, status
    is_(error(client.call("ListSlots")), None)
    is_(error(client.many("ReadLog")[-1]), None)
    is_(error(client.many("VerifyLog")[-1]), None)
    is_(error(client.call("LogKey")), None)
    is_(client.call("Checkpoint")["parameters"]["kept"], False)
    is_(error(client.call("ListVariables")), None)
    is_(client.call("Unlock", idle=3600)["parameters"], {"was_open": True, "pin": "held"})


def rekey(client, salt):
    slot = {**machine_slot(KEY), "salt": f"{salt:02x}" * 16, "old_key": slot_key(KEY)["key"]}
    return client.call("Rekey", slot_key=slot_key(KEY), slots=[slot])


def full(folder):
    disk = os.path.join(folder, "disk")
    os.mkdir(disk, 0o700)
    mount("-t", "tmpfs", "-o", "size=16m,mode=0700", "none", disk)
    agent = started(folder, os.path.join(disk, "vault.db"))
    client = agent.connect()
    is_(error(client.call("Initialize", slots=[machine_slot(KEY)])), None)
    is_(error(client.call("SetVariable", path="/", name="TOKEN", value="t")), None)
    ballast = os.path.join(disk, "ballast")
    fill(ballast)
    for number in range(200):
        reply = client.call("SetVariable", path="ballast", name=f"N{number}", value="v" * 60000)
        if "error" in reply:
            break
    is_(error(reply), "LogUnwritable")
    # The room that the agent reserved takes smaller commits for a while yet.
    for number in range(5000):
        reply = client.call("Project", step="/")
        if "error" in reply:
            break
    is_(error(reply), "LogUnwritable")
    still_works(client)
    os.unlink(ballast)
    is_(error(client.call("Project", step="/")), None)
    is_(client.call("Status")["parameters"]["log"], "ok")
    actions = [(leaf["action"], leaf.get("refused"), leaf.get("why")) for leaf in client.leaves()]
    assert ("refusals", "project", "LogUnwritable") in actions and actions[-1][0] == "project", actions
    # A rekey writes all of it anew: with no room for that everything is as it was, and the agent goes on.
    for number in range(60):
        client.call("SetVariable", path=f"many/{number % 6}", name=f"N{number}", value="v" * 60000)
    fill(ballast)
    is_(error(rekey(client, 1)), "LogUnwritable")
    is_(client.call("ListSlots")["parameters"]["epoch"], 1)
    is_(error(client.many("VerifyLog")[-1]), None)
    os.unlink(ballast)
    is_(len(client.call("Project", step="many/1")["parameters"]["variables"]), 11)
    is_(error(rekey(client, 2)), None)
    is_(client.call("ListSlots")["parameters"]["epoch"], 2)
    is_(len(client.call("Project", step="many/1")["parameters"]["variables"]), 11)
    is_(error(client.many("VerifyLog")[-1]), None)
    is_(error(client.call("Lock")), None)
    is_(agent.wait(), 0)


def read_only(folder):
    disk = os.path.join(folder, "disk")
    os.mkdir(disk, 0o700)
    mount("-t", "tmpfs", "-o", "size=8m,mode=0700", "none", disk)
    vault = os.path.join(disk, "vault.db")
    agent = started(folder, vault)
    client = agent.connect()
    is_(error(client.call("Initialize", slots=[machine_slot(KEY)])), None)
    is_(error(client.call("SetVariable", path="/", name="TOKEN", value="t")), None)
    is_(error(client.call("Lock")), None)
    is_(agent.wait(), 0)
    mount("-o", "remount,ro", disk)
    agent = started(folder, vault)
    client = agent.connect()
    is_(client.call("Unlock", slot_key=slot_key(KEY))["parameters"], {"was_open": False, "pin": "held"})
    still_works(client)
    is_(error(client.call("Lock")), None)
    is_(agent.wait(), 0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="agent-") as scratch:
        try:
            {"full": full, "read_only": read_only}[sys.argv[1]](scratch)
        finally:
            subprocess.run(["umount", "--lazy", os.path.join(scratch, "disk")], check=False)
