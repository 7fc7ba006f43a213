"""A call that is served in the same moment in which the agent is told to end: it may be answered or not, but what is
answered stands in the log, and what is answered as changed is changed. One TAP line a case."""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

BIN = os.path.join(os.environ.get("BUILD", "build"), "bin")


class Vault:
    def __init__(self, folder):
        self.folder = folder
        os.mkdir(folder + "/run", 0o700)
        self.path = folder + "/vault.db"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("STEPVAULT_")}
        self.environment.update(XDG_RUNTIME_DIR=folder + "/run", XDG_STATE_HOME=folder + "/state", STEPVAULT_VAULT=self.path, HOME=folder)
        self.run("init", "--key-file", folder + "/key", "--no-recovery")
        self.run("env", "set", "CANARY", "--at", "a", text="canary-value")

    def run(self, *words, text=None):
        done = subprocess.run([os.path.abspath(BIN + "/stepvault"), *words], env=self.environment, input=text,
                              capture_output=True, text=True, check=True)
        return done.stdout

    def unlock(self):
        self.run("unlock", "--key-file", self.folder + "/key")
        self.pid = json.loads(self.run("status", "--json"))["pid"]
        (name,) = [entry for entry in os.listdir(self.folder + "/run/stepvault") if entry.endswith(".sock")]
        self.socket = f"{self.folder}/run/stepvault/{name}"

    def log(self):
        return [json.loads(line) for line in self.run("audit", "log", "--json", "--key-file", self.folder + "/key").splitlines()]


def race(vault, method, parameters, end):
    """Stops the agent, lets the call and the end arrive, and lets it go on. The reply, or None."""
    vault.unlock()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(vault.socket)
    connection.settimeout(5)
    request = {"method": "io.stepvault.Agent." + method, "parameters": dict(parameters, vault=vault.path)}
    connection.sendall(json.dumps({"method": "io.stepvault.Agent.Status", "parameters": {"vault": vault.path}}).encode() + b"\0")
    connection.recv(65536)
    os.kill(vault.pid, signal.SIGSTOP)
    time.sleep(0.1)
    connection.sendall(json.dumps(request).encode() + b"\0")
    end(vault)
    os.kill(vault.pid, signal.SIGCONT)
    try:
        reply = connection.recv(65536)
    except ConnectionError:
        reply = b""
    for _ in range(100):
        if not os.path.exists(f"/proc/{vault.pid}"):
            break
        time.sleep(0.05)
    return json.loads(reply[:-1]) if reply else None


ENDS = {
    "SIGTERM": lambda vault: os.kill(vault.pid, signal.SIGTERM),
    "the socket's removal": lambda vault: os.unlink(vault.socket),
}


def main():
    number = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault(folder)
        for name, end in ENDS.items():
            for attempt in range(3):
                before = len(vault.log())
                reply = race(vault, "GetVariable", {"path": "a", "name": "CANARY"}, end)
                got = reply is not None and "error" not in reply
                logged = any(leaf["action"] == "get" and leaf["outcome"] == "granted" for leaf in vault.log()[before:])
                number += 1
                sound = logged or not got
                failed += not sound
                print(f"{'' if sound else 'not '}ok {number} - a value answered at {name} is logged, attempt {attempt}")
                value = f"{name} {attempt}"
                reply = race(vault, "SetVariable", {"path": "a", "name": "CHANGED", "value": value}, end)
                done = reply is not None and "error" not in reply
                kept = done and vault.run("env", "get", "CHANGED", "--at", "a", "--key-file", folder + "/key") == value
                number += 1
                sound = kept or not done
                failed += not sound
                print(f"{'' if sound else 'not '}ok {number} - a change answered at {name} stays, attempt {attempt}")
        number += 1
        vault.run("audit", "verify", "--key-file", folder + "/key")
        print(f"ok {number} - the log verifies")
    print(f"1..{number}")
    return 1 if failed else 0


sys.exit(main())
