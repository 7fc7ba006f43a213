#!/usr/bin/python3
"""A client that knows nothing of us but the protocol: python-varlink talks to the agent as the interface text it asks for says.

varlink_peer.py SOCKET VAULT prints what came of each thing tried, as one JSON object.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/peers/debian/usr/lib/python3/dist-packages"))
import varlink  # noqa: E402

INTERFACE = "io.stepvault.Agent"


def refusal(call, **parameters):
    """The error of a call, with its parameters."""
    try:
        call(**parameters)
    except varlink.VarlinkError as error:
        return {"error": error.error(), "parameters": error.parameters()}
    return {}


def main():
    address, vault = sys.argv[1:]
    client = varlink.Client(f"unix:{address}")
    described = client.get_interface(INTERFACE)
    found = {"interfaces": sorted(client.get_interfaces()), "methods": sorted(
        name for name, member in described.members.items() if type(member).__name__ == "_Method")}
    with client.open(INTERFACE) as agent:
        found["status"] = agent.Status(vault=vault)["state"]
        found["added"] = [agent.AddStep(vault=vault, path="peer/step")["changed"] for _ in range(2)]
        found["project"] = agent.Project(vault=vault, step="billing/notify", deliver=["env", "auths"])
        found["missing step"] = refusal(agent.Project, vault=vault, step="billing/notfy")
        found["other vault"] = refusal(agent.ListSteps, vault="/no/such/vault.db")
        found["one reply"] = refusal(agent.ReadLog, vault=vault)
        found["log"] = [json.loads(leaf["line"])["action"] for reply in agent.ReadLog(vault=vault, _more=True)
                        for leaf in reply["leaves"]]
        found["verified"] = list(agent.VerifyLog(vault=vault, _more=True))[-1]["root"]
        found["after all"] = agent.Status(vault=vault)["state"]
    print(json.dumps(found))


main()
