"""Clients that ask for a backup and read nothing of it: slow_backup.py FOLDER. Prints 0 or 1 and a name for each test."""

import os
import select
import sys
import time

from agent_client import Agent, error, machine_slot

REPLY_SECONDS = 30
AT_ONCE = 4


def report(good, name, *details):
    print(0 if good else 1, name, *([] if good else details), flush=True)


def stalled(agent):
    """A client whose copy is made, and lies there."""
    client = agent.connect()
    client.send(client.request("Backup", {"more": True}))
    client.receive()
    return client


def closed_after(clients, started):
    """Seconds until the agent closed the last of them, looked at without reading what it had sent."""
    poller = select.poll()
    for client in clients:
        poller.register(client.stream, select.POLLRDHUP)
    left = len(clients)
    while left > 0 and time.monotonic() - started < 2 * REPLY_SECONDS:
        for descriptor, _ in poller.poll(1000):
            poller.unregister(descriptor)
            left -= 1
    return time.monotonic() - started


def copies(agent):
    folder = f"/proc/{agent.process.pid}/fd"
    return sum(os.readlink(f"{folder}/{name}").endswith("(deleted)") for name in os.listdir(folder))


def main():
    agent = Agent(sys.argv[1])
    try:
        client = agent.connect()
        client.call("Initialize", slots=[machine_slot(bytes(32))])
        for number in range(24):  # more than a socket takes by itself
            client.call("SetVariable", path="/", name=f"N{number}", value="x" * 65000)
        started = time.monotonic()
        slow = [stalled(agent) for _ in range(AT_ONCE)]
        refused = client.many("Backup")[-1]
        report(error(refused) == "Busy", "a fifth backup at once is refused", refused)
        slow.pop().close()
        time.sleep(0.5)
        made = client.many("Backup")[-1]
        report("note" in made.get("parameters", {}), "and is made when one of the four is gone", error(made))
        seconds = closed_after(slow, started)
        report(REPLY_SECONDS - 1 <= seconds <= REPLY_SECONDS + 8, "who reads nothing for 30 s is closed", f"after {seconds:.1f} s")
        if os.geteuid() == 0:
            report(copies(agent) == 0, "and the copies that were kept for them are gone", copies(agent))
        report(error(client.call("ListSteps")) is None, "others are served as before")
    finally:
        agent.end()


main()
