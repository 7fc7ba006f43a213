"""What docs/PROTOCOL.md says of the agent, tried. Prints TAP; each function named test_... is one test."""

import base64
import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from agent_client import Agent, Client, Closed, connected, error, machine_slot, program, slot_id, slot_key
from checks import check, is_, run_tests

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
PASSPHRASE_SLOT = {**machine_slot(OTHER_KEY, 3), "kind": "passphrase", "memory_kib": 65536, "passes": 3, "lanes": 4}
# The parameters of a call that would succeed on the vault of `furnished`; in this order each finds what it needs.
CALLS = {
    "Status": {}, "ListSlots": {}, "AddSlot": {"new_slot": machine_slot(OTHER_KEY, 2)}, "RemoveSlot": {"slot": slot_id(2)},
    "ReplacePassphrase": {"new_slot": {**PASSPHRASE_SLOT, "id": slot_id(4)}},
    "AddAccount": {"app": "slack", "properties": {"token": "xoxb"}}, "ListAccounts": {}, "ShowAccount": {"account": "slack"},
    "SetAccount": {"account": "slack", "properties": {"more": "1"}},
    "AnnotateAccount": {"account": "slack", "note": "a note"}, "ListAccountRevisions": {"account": "slack"},
    "RestoreAccount": {"account": "slack"}, "ForgetAccount": {"account": "slack"}, "RenameAccount": {"account": "slack", "label": "work"},
    "Bind": {"path": "billing/notify", "account": "slack"}, "Unbind": {"path": "billing/notify", "alias": "slack"},
    "RemoveAccount": {"account": "slack"}, "AddClient": {"app": "slack", "client_id": "id", "client_secret": "s3cret"},
    "ListClients": {}, "RemoveClient": {"app": "slack"}, "SetVariable": {"path": "/", "name": "TOKEN", "value": "t"},
    "AnnotateVariable": {"path": "/", "name": "TOKEN", "note": "a note"},
    "GetVariable": {"path": "/", "name": "TOKEN"}, "ListVariables": {}, "UnsetVariable": {"path": "/", "name": "TOKEN"},
    "ListVariableRevisions": {"path": "/"}, "RestoreVariable": {"path": "/", "name": "TOKEN"}, "ForgetVariable": {"path": "/", "name": "TOKEN"},
    "BlockVariable": {"path": "billing", "name": "TOKEN"},
    "StageImport": {"path": "billing", "environment": "SU1QT1JURUQ9MQA=", "replace": True, "commit": True},
    "AddStep": {"path": "billing/notify"}, "ListSteps": {}, "ShowStep": {"path": "billing/notify"}, "ListNames": {"kind": "path"},
    "Project": {"step": "billing/notify"},
    "AnnotateStep": {"path": "billing/notify", "note": "a note"}, "MoveStep": {"path": "billing/notify", "to": "moved", "dry_run": True},
    "RemoveStep": {"path": "billing/notify", "force": True}, "ReadLog": {}, "VerifyLog": {}, "Checkpoint": {}, "LogKey": {},
    "ProveLeaf": {"index": 0}, "PruneLog": {"before": "2026-01-01"},
}
FRESH = {"PruneLog", "AddSlot", "RemoveSlot", "ReplacePassphrase", "Rekey"}
MANY = {"ReadLog", "VerifyLog"}
ANYTIME = {"Status", "ListSlots"}
LOGGED = {"PruneLog", "AddSlot", "RemoveSlot", "ReplacePassphrase", "AddAccount", "SetAccount", "RenameAccount", "RemoveAccount", "SetVariable",
          "GetVariable", "UnsetVariable", "BlockVariable", "StageImport", "Bind", "Unbind", "AddStep", "RemoveStep", "Project", "Checkpoint",
          "AnnotateAccount", "RestoreAccount", "ForgetAccount", "AnnotateVariable", "RestoreVariable", "ForgetVariable", "AnnotateStep",
          "MoveStep", "AddClient", "RemoveClient"}


# As systemd does: the descriptor becomes 3, then the agent.
HAND_OVER = "import os,sys; os.dup2(int(sys.argv[1]),3,inheritable=True); " \
    "os.environ.update(LISTEN_PID=str(os.getpid()),LISTEN_FDS='1'); os.execv(sys.argv[2],sys.argv[2:])"


def rekey_slots(salt, *more):
    """The new set of slots: the machine slot of `furnished` goes on."""
    key = base64.b64encode(KEY).decode()
    return [{**machine_slot(KEY), "salt": f"{salt:02x}" * 16, "old_key": key}, *more]


CALLS["Rekey"] = {"slots": rekey_slots(1), "dry_run": True}


@contextlib.contextmanager
def scratch():
    folder = tempfile.mkdtemp(prefix="agent-", dir=os.environ.get("TMPDIR"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(folder, **options):
    """A running agent; ended in the end, whatever happens."""
    agent = Agent(folder, **options)
    try:
        yield agent
    finally:
        if agent.process.poll() is None:
            agent.process.kill()
        agent.process.wait()


@contextlib.contextmanager
def furnished(**options):
    """An agent with an open vault that has a step and a variable, and a client."""
    with scratch() as folder, running(folder, **options) as agent:
        client = agent.connect()
        check("error" not in client.call("Initialize", slots=[machine_slot(KEY), PASSPHRASE_SLOT]), "Initialize")
        for method, parameters in (("AddStep", {"path": "billing/notify"}),
                                   ("SetVariable", {"path": "/", "name": "STRIPE_KEY", "value": "sk_live_1"})):
            check("error" not in client.call(method, **parameters), method)
        yield agent, client


def lock(agent, client):
    """Ends the agent and starts another on the locked vault: (agent, client)."""
    is_(error(client.call("Lock")), None)
    is_(agent.wait(), 0)
    agent = Agent(os.path.dirname(os.path.dirname(agent.socket)), agent.vault)
    return agent, agent.connect()


def any_call(client, method, **extra):
    parameters = {**CALLS[method], **extra}
    return client.many(method, **parameters)[-1] if method in MANY else client.call(method, **parameters)


# ---- methods and states ----

def test_every_method_without_a_vault_file():
    with scratch() as folder, running(folder) as agent:
        client = agent.connect()
        for method in CALLS:
            is_((method, error(any_call(client, method))), (method, None if method == "Status" else "NoVault"))
        is_(error(client.call("Unlock", slot_key=slot_key(KEY))), "NoVault")


def test_every_method_on_a_locked_vault():
    with furnished() as (agent, client):
        agent, client = lock(agent, client)
        for method in CALLS:
            is_((method, error(any_call(client, method))), (method, None if method in ANYTIME else "Locked"))
        is_(error(client.call("Initialize", slots=[machine_slot(KEY)])), "Exists")
        is_(error(client.call("Unlock")), "KeyRequired")
        agent.process.kill()


def test_every_method_with_a_slot_key_on_a_locked_vault_which_stays_locked_to_others():
    with furnished() as (agent, client):
        agent, client = lock(agent, client)
        other = agent.connect()
        for method in CALLS:
            is_((method, error(any_call(client, method, slot_key=slot_key(KEY)))), (method, None))
            is_((method, error(other.call("ListSteps"))), (method, "Locked"))
        agent.process.kill()


def test_every_method_with_a_wrong_key_on_a_locked_vault():
    with furnished() as (agent, client):
        agent, client = lock(agent, client)
        for method in CALLS:
            if method != "ListSlots":
                is_((method, error(any_call(client, method, slot_key=slot_key(OTHER_KEY)))), (method, "WrongKey"))
        is_(error(client.call("Unlock", slot_key=slot_key(OTHER_KEY))), "WrongKey")
        is_(client.call("Status")["parameters"]["state"], "locked")
        agent.process.kill()


def test_every_method_on_an_open_vault():
    with furnished() as (agent, client):
        for method in CALLS:
            key = {"slot_key": slot_key(KEY)} if method in FRESH else {}
            is_((method, error(any_call(client, method, **key))), (method, None))


def test_methods_that_need_a_fresh_key_refuse_without_and_with_a_wrong_one():
    with furnished() as (agent, client):
        for method in FRESH:
            is_((method, error(any_call(client, method))), (method, "KeyRequired"))
            is_((method, error(any_call(client, method, slot_key=slot_key(OTHER_KEY)))), (method, "WrongKey"))
        is_([leaf["why"] for leaf in client.leaves(outcome="refused")], ["KeyRequired", "WrongKey"] * len(FRESH))


def test_every_method_refuses_another_vault():
    with furnished() as (agent, client):
        for method in [*CALLS, "Unlock", "Lock"]:
            parameters = {**CALLS.get(method, {}), "vault": "/elsewhere/vault.db"}
            reply = client.many(method, **parameters)[-1] if method in MANY else client.call(method, **parameters)
            is_((method, error(reply)), (method, "OtherVault"))
        is_(client.call("Status")["parameters"]["state"], "open")


def test_no_method_is_left_out_here():
    """What CALLS lacks, and the script that looks for its leaf, or why it has none."""
    elsewhere = {"Initialize": "the vault's first leaf", "Unlock": "cli/semantics.sh", "Lock": "cli/semantics.sh",
                 "Backup": "cli/backup.sh", "Check": "none: it writes nothing", "StageRestore": "none: it is Restore's",
                 "Restore": "cli/restore.sh", **dict.fromkeys(("Connect", "AnswerConnect", "KeepAccount", "RefreshAccount", "TestAccount",
                                                                "DisconnectAccount"), "oauth/test_agent.py"),
                 "Request": "oauth/test_request.py"}
    with open(os.path.join(os.path.dirname(__file__), "../../vault/agent/io.stepvault.Agent.varlink"), encoding="utf-8") as file:
        is_(sorted(re.findall(r"^method (\w+)", file.read(), re.MULTILINE)), sorted([*CALLS, *elsewhere]))


def test_each_logged_method_has_one_leaf_with_who_asked():
    with furnished() as (agent, client):
        for method in CALLS:
            before = client.call("Status")["parameters"]["log_size"]
            any_call(client, method, **({"slot_key": slot_key(KEY)} if method in FRESH else {}))
            after = client.call("Status")["parameters"]["log_size"]
            is_((method, after - before), (method, int(method in LOGGED)))
        for leaf in client.leaves():
            is_((leaf["who"]["uid"], leaf["who"]["pid"]), (os.getuid(), os.getpid()))
            is_(leaf["who"]["exe"], os.readlink("/proc/self/exe"))
            is_(leaf["who"]["parent"]["pid"], os.getppid())


def test_rekey_is_logged_with_the_slots_and_leaves_only_those_that_were_named():
    with furnished() as (agent, client):
        importer = agent.connect()
        is_(importer.call("StageImport", environment="QT0xAA==")["parameters"]["staged"], 1)
        new = {**machine_slot(OTHER_KEY, 5), "salt": "05" * 16}
        planned = client.call("Rekey", slot_key=slot_key(KEY), slots=rekey_slots(1, new), dry_run=True)["parameters"]
        is_((planned["epoch"], planned["kept"], planned["made"], planned["removed"]),
            (1, [slot_id(1)], [slot_id(5)], [slot_id(3)]))
        reply = client.call("Rekey", slot_key=slot_key(KEY), slots=rekey_slots(1, new))["parameters"]
        is_({**reply, "records": 0}, {**planned, "records": 0, "epoch": 2, "folded": True})
        leaf = client.leaves()[-1]
        is_((leaf["action"], leaf["epoch"], leaf["slots"]),
            ("rekey", 2, {"kept": [slot_id(1)], "made": [slot_id(5)], "removed": [slot_id(3)]}))
        check(leaf["successor"]["key"] == client.call("LogKey")["parameters"]["key"], leaf)
        is_(error(importer.call("StageImport", commit=True)), "Locked")
        is_(error(client.call("Rekey", slot_key=slot_key(KEY), slots=rekey_slots(1))), "Invalid")
        is_(error(client.call("Rekey", slot_key=slot_key(KEY), slots=[{**slot, "old_key": "A" * 43 + "="} for slot in rekey_slots(2)])),
            "WrongKey")
        is_(client.leaves()[-1]["why"], "WrongKey")
        check("slots" not in client.leaves()[-1], "a refused rekey has no slots in its leaf")
        is_(error(client.many("VerifyLog")[-1]), None)
        is_(client.call("Project", step="billing/notify")["parameters"]["variables"], {"STRIPE_KEY": "sk_live_1"})
        agent, client = lock(agent, client)
        is_(error(client.call("Unlock", slot_key=slot_key(KEY))), None)
        agent, client = lock(agent, client)
        is_(error(client.call("Unlock", slot_key=slot_key(OTHER_KEY))), None)
        is_(error(client.many("VerifyLog")[-1]), None)
        agent.process.kill()


def test_secrets_never_stand_in_the_log():
    with furnished() as (agent, client):
        client.call("Project", step="billing/notify", reason="a reason", command="/bin/true", purpose="run")
        client.call("GetVariable", path="/", name="STRIPE_KEY")
        lines = json.dumps(client.leaves())
        check("sk_live_1" not in lines and "a reason" in lines, lines)


def test_parameters_wrong_missing_and_superfluous_are_named():
    with furnished() as (agent, client):
        for parameters, name in (({"step": 1}, "step"), ({}, "step"), ({"step": "x", "stop": 1}, "stop"),
                                 ({"step": "x", "deliver": "env"}, "deliver"), ({"step": "x", "deliver": [1]}, "deliver"),
                                 ({"step": "x", "own": "yes"}, "own"), ({"step": "x", "slot_key": {}}, "slot_key"),
                                 ({"step": "x", "slot_key": {"key": "", "salt": ""}}, "slot_key"), ({"vault": None, "step": "x"}, "vault")):
            reply = client.call("Project", **parameters)
            is_((error(reply), reply["parameters"]), ("InvalidParameter", {"parameter": name}))
        is_(error(client.call("Project", step="billing/notify", own=None, reason=None)), None)


def test_values_out_of_their_range_are_refused():
    with furnished() as (agent, client):
        for method, parameters in (("ProveLeaf", {"index": -1}), ("ProveLeaf", {"index": 0, "size": -1}),
                                   ("PruneLog", {"before": "soon", "slot_key": slot_key(KEY)}),
                                   ("Unlock", {"lifetime": -1}), ("Unlock", {"idle": 10 ** 12}),
                                   ("Project", {"step": "billing/notify", "deliver": []}),
                                   ("Project", {"step": "billing/notify", "form": "xml"}),
                                   ("Project", {"step": "billing/notify", "purpose": "fun"}),
                                   ("Project", {"step": "Billing"}), ("SetVariable", {"path": "/", "name": "A"}),
                                   ("SetVariable", {"path": "/", "name": "A", "value": "1", "value_base64": "MQ=="}),
                                   ("SetVariable", {"path": "/", "name": "A", "value_base64": "MQ"}),
                                   ("ListSteps", {"slot_key": {"key": "MQ=="}}),
                                   ("AddSlot", {"new_slot": {**machine_slot(KEY), "id": "1"}, "slot_key": slot_key(KEY)}),
                                   ("AddSlot", {"new_slot": {**machine_slot(KEY), "kind": "door"}, "slot_key": slot_key(KEY)}),
                                   ("AddSlot", {"new_slot": {**machine_slot(KEY), "passes": -1}, "slot_key": slot_key(KEY)})):
            is_((method, parameters, error(client.call(method, **parameters))), (method, parameters, "Invalid"))
        is_(error(client.call("Project", step="billing/notify", reason="r" * 1025)), "TooLarge")
        for parameters in ({"outcome": "maybe"}, {"since": "yesterday"}, {"uid": -1}):
            is_(error(client.many("ReadLog", **parameters)[-1]), "Invalid")


def test_bytes_that_are_no_text_go_and_come_as_base64():
    with furnished() as (agent, client):
        value = base64.b64encode(b"\xff\xfe\x01").decode()
        is_(error(client.call("SetVariable", path="/", name="RAW", value_base64=value)), None)
        is_(client.call("GetVariable", path="/", name="RAW")["parameters"].get("value_base64"), value)
        is_(error(client.call("SetVariable", path="/", name="NUL", value_base64=base64.b64encode(b"a\0b").decode())), "Invalid")
        is_(error(client.call("SetVariable", path="/", name="BIG", value="v" * 65537)), "TooLarge")


# ---- envelopes and frames ----

def test_the_service_describes_itself():
    with scratch() as folder, running(folder) as agent:
        client = agent.connect()
        info = client.call("org.varlink.service.GetInfo")["parameters"]
        is_(sorted(info), ["interfaces", "product", "url", "vendor", "version"])
        text = client.call("org.varlink.service.GetInterfaceDescription", interface="io.stepvault.Agent")["parameters"]["description"]
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../vault/agent/io.stepvault.Agent.varlink")
        with open(source, encoding="utf-8") as file:
            is_(text, file.read())
        for method, expected in (("org.varlink.service.GetInterfaceDescription", "InterfaceNotFound"), ("a.b.C", "InterfaceNotFound"),
                                 ("io.stepvault.Agent.Nothing", "MethodNotFound"), ("org.varlink.service.Nothing", "MethodNotFound")):
            is_(error(client.call(method, interface="x.y")), expected)


def test_envelope_rules():
    with furnished() as (agent, client):
        status = client.request("Status")
        client.send({**status, "com.example.extension": 1})
        is_(error(client.receive()), None)
        client.send({**status, "upgrade": True})
        is_(error(client.receive()), "MethodNotImplemented")
        client.send(client.request("ReadLog"))
        is_(error(client.receive()), "ExpectedMore")
        client.send({**client.request("Project", step="nowhere"), "oneway": True})
        client.send({**client.request("AddStep", path="quiet"), "oneway": True})
        check("quiet" in [step["path"] for step in client.call("ListSteps")["parameters"]["steps"]], "oneway was not served")
        for broken in (b"{}\0", b"[]\0", b"\0", b"not json\0", b'{"method":1}\0', json.dumps({**status, "fds": 1}).encode() + b"\0",
                       json.dumps({**status, "oneway": True, "more": True}).encode() + b"\0", b'{"method":"a.B","method":"a.B"}\0',
                       b'{"method":"a.B","parameters":[]}\0', b'\xff\xfe\0', b"[" * 5000 + b"\0"):
            with contextlib.closing(agent.connect()) as other:
                other.send(broken)
                try:
                    raise AssertionError(f"{broken[:40]} was answered: {other.receive()}")
                except Closed:
                    pass
        is_(error(client.call("Status")), None)


def test_an_oversized_request_is_told_so_and_the_connection_closed():
    with furnished() as (agent, client):
        big = client.request("Project", step="billing/notify", reason="r" * (256 * 1024))
        try:
            client.send(big)
        except BrokenPipeError:
            pass
        is_(error(client.receive()), "TooLarge")
        try:
            client.receive()
            raise AssertionError("the connection is still open")
        except (Closed, ConnectionResetError):
            pass
        other = agent.connect()
        names = ["N" * 200 + f"{number:05}" for number in range(1200)]
        is_(error(other.call("Project", step="billing/notify", inherited=names)), None)


def test_a_frame_may_come_byte_by_byte_and_several_at_once():
    with furnished() as (agent, client):
        frame = json.dumps(client.request("Status")).encode() + b"\0"
        for at in range(len(frame)):
            client.stream.sendall(frame[at:at + 1])
        is_(error(client.receive()), None)
        client.stream.sendall(frame * 300 + frame[:10])
        for _ in range(300):
            is_(error(client.receive()), None)
        client.stream.sendall(frame[10:])
        is_(error(client.receive()), None)


def test_pipelined_calls_are_answered_in_order_even_after_the_client_stopped_sending():
    with furnished() as (agent, client):
        for number in range(60):
            client.send(client.request("SetVariable", path="/", name=f"N{number}", value=str(number)))
            client.send(client.request("GetVariable", path="/", name=f"N{number}"))
        client.stream.shutdown(socket.SHUT_WR)
        for number in range(60):
            is_(client.receive()["parameters"], {"replaced": False})
            is_(client.receive()["parameters"]["value"], str(number))
        try:
            client.receive()
            raise AssertionError("the connection is still open")
        except Closed:
            pass


def test_a_frame_that_is_not_finished_within_ten_seconds_ends_the_connection():
    with furnished() as (agent, client):
        slow = agent.connect()
        slow.stream.sendall(b'{"method":')
        started = time.monotonic()
        time.sleep(6)
        slow.stream.sendall(b'"io.')
        try:
            slow.receive()
            raise AssertionError("it was answered")
        except Closed:
            pass
        check(9 < time.monotonic() - started < 13, time.monotonic() - started)
        is_(error(client.call("Status")), None)


def test_a_reader_who_does_not_take_its_reply_holds_up_nobody():
    with furnished() as (agent, client):
        for number in range(12):
            client.call("SetVariable", path="/", name=f"BIG{number}", value="v" * 65536)
        lazy = agent.connect()
        lazy.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.send(lazy.request("Project", step="billing/notify"))
        time.sleep(0.2)
        for _ in range(20):
            is_(error(client.call("Project", step="billing/notify")), None)
        check(len(json.dumps(lazy.receive())) > 12 * 65536, "the reply was cut")


# ---- connections ----

def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


def test_a_thousand_idle_clients_cost_little_and_hold_up_nobody():
    with furnished() as (agent, client):
        before = resident_kib(agent.process.pid)
        idle = [agent.connect() for _ in range(1000)]
        while client.call("Status")["parameters"]["connections"] < 1001:
            time.sleep(0.01)
        grown = resident_kib(agent.process.pid) - before
        check(grown < (16384 if "sanitize" in os.path.abspath(os.environ.get("BUILD", "build")) else 2048), f"{grown} KiB")
        is_(error(client.call("Project", step="billing/notify")), None)
        is_(error(idle[999].call("Project", step="billing/notify")), None)
        for one in idle:
            one.close()


def test_too_many_clients_make_the_longest_idle_one_give_way():
    with furnished(prefix=["prlimit", "--nofile=256"]) as (agent, client):
        crowd = []
        for _ in range(230):
            crowd.append(agent.connect())
            client.call("Status")
        is_(error(crowd[-1].call("Status")), None)
        is_(error(client.call("Status")), None)
        try:
            crowd[0].call("Status")
            raise AssertionError("the longest idle client is still there")
        except (Closed, BrokenPipeError, ConnectionResetError):
            pass


def test_the_socket_and_its_folder_are_private():
    with furnished() as (agent, client):
        is_(oct(os.stat(agent.socket).st_mode & 0o777), "0o600")
        is_(oct(os.stat(os.path.dirname(agent.socket)).st_mode & 0o777), "0o700")
        is_(oct(os.stat(agent.vault).st_mode & 0o777), "0o600")


def test_a_second_agent_on_one_socket_says_so_and_ends():
    with furnished() as (agent, client):
        done = subprocess.run([program(), "--vault", agent.vault, "--socket", agent.socket], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=20, check=False)
        is_((done.returncode, done.stderr), (1, f"stepvault-agent: another agent serves {agent.socket}\n"))
        is_(error(client.call("Status")), None)


def test_a_second_agent_on_one_vault_finds_it_busy():
    with furnished() as (agent, client), scratch() as folder, running(folder, vault=agent.vault) as second:
        other = second.connect()
        is_(error(other.call("Unlock", slot_key=slot_key(KEY))), "Busy")
        is_(other.call("Status")["parameters"]["state"], "locked")
        is_(error(client.call("Project", step="billing/notify")), None)


def test_a_dead_socket_is_replaced_and_anything_else_is_not():
    with scratch() as folder:
        os.makedirs(os.path.join(folder, "run"), 0o700)
        dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        dead.bind(os.path.join(folder, "run/agent.sock"))
        dead.close()
        with running(folder) as agent:
            is_(agent.end(), 0)
        check(not os.path.exists(agent.socket), "the socket is left")
        with open(agent.socket, "wb"):
            pass
        done = subprocess.run([program(), "--vault", agent.vault, "--socket", agent.socket], capture_output=True, timeout=20, check=False)
        check(done.returncode == 1 and b"not a socket of ours" in done.stderr, done.stderr)
        check(os.path.isfile(agent.socket), "the file is gone")


def test_a_folder_that_others_may_enter_is_refused():
    with scratch() as folder:
        os.makedirs(os.path.join(folder, "run"))
        os.chmod(os.path.join(folder, "run"), 0o755)
        done = subprocess.run([program(), "--vault", folder + "/v.db", "--socket", folder + "/run/agent.sock"], capture_output=True,
                              timeout=20, check=False)
        check(done.returncode == 1 and done.stderr.count(b"\n") == 1, done.stderr)


def test_command_line_errors():
    for arguments in ((), ("--vault", "relative.db"), ("--vault", "/v.db", "--what"), ("--vault", "/v.db", "--wait", "x")):
        is_((arguments, subprocess.run([program(), *arguments], capture_output=True, check=False).returncode), (arguments, 2))
    is_(subprocess.run([program(), "--vault", "/v.db"], capture_output=True, check=False).returncode, 2)
    is_(subprocess.run([program(), "--version"], capture_output=True, check=False).returncode, 0)


def test_root_is_refused_by_the_agent_of_another_user():
    if os.geteuid() != 0:
        return "needs root"
    home = tempfile.mkdtemp(prefix="agent-", dir="/tmp")
    try:
        shutil.copy(program(), home)
        os.chown(home, 65534, 65534)
        with running(home, prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", "shift; exec \"$0\" \"$@\"",
                                   os.path.join(home, "stepvault-agent")]) as agent:
            client = agent.connect()
            for method in ("Status", "Initialize", "Nonsense", "org.varlink.service.GetInfo"):
                reply = client.call(method)
                is_((reply.get("error"), reply["parameters"]), ("org.varlink.service.PermissionDenied", {}))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return None


# ---- how it ends ----

def ends_and_locks(end):
    with furnished() as (agent, client):
        end(agent, client)
        is_(agent.wait(), 0)
        check(not os.path.exists(agent.vault + "-wal"), "the vault was not closed")
        with running(os.path.dirname(os.path.dirname(agent.socket)), vault=agent.vault) as again:
            client = again.connect()
            is_(client.call("Unlock", slot_key=slot_key(KEY))["parameters"], {"was_open": False, "pin": "held"})
            is_(error(client.many("VerifyLog")[-1]), None)
            return [leaf for leaf in client.leaves() if leaf["action"] == "lock"][-1]


def test_lock_ends_the_agent_and_frees_the_socket_before_the_reply():
    with furnished() as (agent, client):
        is_(client.call("Lock")["parameters"], {"was_open": True})
        check(not os.path.exists(agent.socket), "the socket is still there")
        with running(os.path.dirname(os.path.dirname(agent.socket))) as again:
            is_(again.connect().call("Lock")["parameters"], {"was_open": False})
            is_(again.wait(), 0)
        is_(agent.wait(), 0)


def test_signals_lock_and_end_it():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        is_(ends_and_locks(lambda agent, _: agent.process.send_signal(number))["cause"], "signal")


def test_removing_the_socket_locks_and_ends_it():
    is_(ends_and_locks(lambda agent, _: os.unlink(agent.socket))["cause"], "socket removed")


def test_replacing_the_socket_locks_and_ends_it_and_leaves_the_new_one():
    def replace(agent, _):
        other = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        other.bind(agent.socket + ".new")
        os.rename(agent.socket + ".new", agent.socket)
        other.close()
        is_(agent.wait(), 0)
        check(os.path.exists(agent.socket), "another's socket was removed")
    is_(ends_and_locks(replace)["cause"], "socket removed")


def test_its_lifetime_locks_and_ends_it():
    def live(_, client):
        is_(client.call("Unlock", lifetime=1)["parameters"], {"was_open": True, "pin": "held"})
        is_(client.call("Status")["parameters"]["locks_in"], 1)
    is_(ends_and_locks(live)["cause"], "lifetime")


def test_idle_time_locks_it_and_use_puts_that_off():
    def rest(agent, client):
        client.call("Unlock", idle=1)
        is_(client.call("Status")["parameters"]["idle_locks_after"], 1)
        for _ in range(8):
            time.sleep(0.3)
            client.call("Project", step="billing/notify")
        is_(agent.process.poll(), None)
        started = time.monotonic()
        agent.wait()
        check(0.5 < time.monotonic() - started < 4, time.monotonic() - started)
    is_(ends_and_locks(rest)["cause"], "idle")


def test_completing_a_name_is_no_use_that_puts_locking_off():
    def press(agent, client):
        client.call("Unlock", idle=1)
        started = time.monotonic()
        try:
            while time.monotonic() - started < 10:
                is_(error(client.call("ListNames", kind="path")), None)
                time.sleep(0.2)
        except (OSError, Closed):
            pass
        check(time.monotonic() - started < 8, "it is still open")
    is_(ends_and_locks(press)["cause"], "idle")


def test_times_can_be_removed_again():
    with furnished() as (agent, client):
        client.call("Unlock", lifetime=2, idle=2)
        client.call("Unlock", lifetime=0, idle=0)
        time.sleep(2.5)
        is_(client.call("Status")["parameters"]["locks_in"], 0)


def test_an_agent_whose_starter_has_gone_keeps_nothing_of_its_standard_error():
    with scratch() as folder:
        process, client = connected(os.path.join(folder, "vault/vault.db"), ["--socket", os.path.join(folder, "run/agent.sock")],
                                    stderr=subprocess.PIPE)
        client.send(client.request("Initialize", slots=[machine_slot(KEY)]))
        client.stream.close()
        ended, _, _ = select.select([process.stderr], [], [], 20)
        check(ended and process.stderr.read() == b"", "its end is not seen")
        is_(process.poll(), None)
        process.terminate()
        is_(process.wait(20), 0)


def test_kill_at_any_moment_leaves_the_state_before_or_after():
    with scratch() as folder:
        agent = Agent(folder)
        client = agent.connect()
        client.call("Initialize", slots=[machine_slot(KEY)])
        told = 0
        for turn in range(6):
            answered = 0
            for number in range(100):
                client.send(client.request("SetVariable", path="/", name=f"T{turn}_{number}", value="x" * 100))
            for _ in range(5 + turn * 17):
                client.receive()
                answered += 1
            agent.process.kill()
            agent.process.wait()
            agent = Agent(folder)
            client = agent.connect()
            is_(client.call("Unlock", slot_key=slot_key(KEY))["parameters"], {"was_open": False, "pin": "held"})
            names = {row["name"] for row in client.call("ListVariables", path="/")["parameters"]["variables"]}
            kept = sum(name.startswith(f"T{turn}_") for name in names)
            check(answered <= kept <= 100 and all(f"T{turn}_{n}" in names for n in range(kept)), (answered, kept))
            told += kept
            is_(error(client.many("VerifyLog")[-1]), None)
            is_(sum(leaf["action"] == "set-variable" for leaf in client.leaves()), told)
        is_(agent.end(), 0)


# ---- imports ----

def entries(path, *lines):
    return {"path": path, "environment": base64.b64encode(b"".join(line + b"\0" for line in lines)).decode()}


def variables(first, count, path="imported", value="v"):
    return entries(path, *(f"N{number}={value}".encode() for number in range(first, first + count)))


def names_at(client, path):
    return [row["name"] for row in client.call("ListVariables", path=path)["parameters"]["variables"]]


def test_an_import_is_staged_in_many_calls_and_comes_with_one_commit():
    with furnished() as (agent, client):
        importer = agent.connect()
        size = client.call("Status")["parameters"]["log_size"]
        for first in range(0, 3000, 1000):
            is_(importer.call("StageImport", **variables(first, 1000))["parameters"],
                {"staged": first + 1000, "added": 0, "replaced": 0, "unchanged": 0})
            is_((names_at(client, "imported"), client.call("Status")["parameters"]["log_size"]), ([], size))
        account = {"app": "slack", "label": "work", "properties": {"token": "xoxb"}}
        is_(importer.call("StageImport", accounts=[account], **entries("/", b"BYTES=\xff"),
                          commit=True)["parameters"], {"staged": 3002, "added": 3002, "replaced": 0, "unchanged": 0})
        is_(len(names_at(client, "imported")), 3000)
        is_(client.call("GetVariable", path="/", name="BYTES")["parameters"], {"value_base64": "/w=="})
        leaves = [leaf for leaf in client.leaves() if leaf["action"] == "import"]
        is_([leaf["part"] for leaf in leaves], [1, 2])
        is_(sum(len(group["added"]) for leaf in leaves for group in leaf.get("imported", [])), 3001)
        is_([(row["app"], row["label"], row["change"]) for row in leaves[1]["accounts"]], [("slack", "work", "added")])
        is_([len(client.leaves(**filters)) for filters in ({"variable": "N2999"}, {"account": "slack:work"}, {"variable": "N3000"})],
            [1, 1, 0])
        is_(error(client.many("VerifyLog")[-1]), None)
        is_(importer.call("StageImport", **variables(0, 3), commit=True)["parameters"]["unchanged"], 3)


def test_who_did_not_begin_a_restore_or_an_import_neither_ends_nor_finishes_it():
    with furnished() as (agent, client):
        copy = "".join(base64.b64encode(base64.b64decode(reply["parameters"]["data"])).decode() for reply in client.many("Backup"))
        starter, other = agent.connect(), agent.connect()
        is_(error(starter.call("StageImport", **variables(0, 1000))), None)
        is_(error(starter.call("StageRestore", data=copy[:4000])), None)
        for commit in (False, True):
            is_(error(other.many("Restore", slot_key=slot_key(KEY), commit=commit)[-1]), "NotFound")
            is_(other.call("StageImport", commit=commit)["parameters"]["staged"], 0)
        is_(error(other.call("StageRestore", data=copy[:4000])), "Busy")
        is_(error(agent.connect().call("StageRestore", data="", last=True)), "Busy")
        is_(error(other.call("Rekey", slots=rekey_slots(1))), "KeyRequired")
        is_(error(other.call("Rekey", slots=rekey_slots(1), slot_key=slot_key(OTHER_KEY))), "WrongKey")
        other.close()
        is_(starter.call("StageImport", commit=True)["parameters"]["added"], 1000)
        is_(error(starter.call("StageRestore", data=copy[4000:])), None)
        is_(error(starter.call("StageRestore", data="", last=True)), None)
        is_(error(starter.many("Restore", slot_key=slot_key(OTHER_KEY), commit=True)[-1]), "WrongKey")
        is_(error(client.call("GetVariable", path="/", name="STRIPE_KEY")), None)


def test_a_connection_that_ends_before_the_commit_leaves_nothing():
    with furnished() as (agent, client):
        importer = agent.connect()
        is_(error(importer.call("StageImport", **variables(0, 1000))), None)
        importer.send(importer.request("StageImport", **variables(1000, 1000)))
        importer.close()
        importer = agent.connect()
        is_(importer.call("StageImport", commit=True)["parameters"], {"staged": 0, "added": 0, "replaced": 0, "unchanged": 0})
        is_(names_at(client, "imported"), [])


def test_an_import_of_which_one_call_failed_is_not_committed_by_the_next():
    failing = (entries("/", b"1="), entries("/", b"LD_PRELOAD="), entries("/", b"A"), entries("/", b"=A"), entries("/", b""),
               {"environment": base64.b64encode(b"A=unended").decode()}, {"environment": "QT0A===="}, entries("no//path", b"A="),
               variables(5, 1), entries("/", b"TWICE=1", b"TWICE=2"),
               {"vault": "/elsewhere"}, {"accounts": [{"app": "a", "label": "b", "properties": {"c": 1}}]})
    with furnished() as (agent, client):
        for parameters in failing:
            importer = agent.connect()
            # The calls after the one that fails are under way already.
            for call in (variables(0, 10), parameters, variables(10, 10), {"commit": True}):
                importer.send(importer.request("StageImport", **call))
            replies = [importer.receive() for _ in range(4)]
            check(error(replies[0]) is None and "error" in replies[1], (parameters, replies))
            is_([error(reply) for reply in replies[2:]], ["Failed", "Failed"])
            is_((parameters, names_at(client, "imported")), (parameters, []))
        importer = agent.connect()
        is_(error(importer.call("StageImport", **entries("/", b"STRIPE_KEY=other"), commit=True)), "Exists")
        is_(error(importer.call("StageImport", **variables(0, 1), commit=True)), "Failed")
        refused = [leaf for leaf in client.leaves(outcome="refused") if leaf["action"] == "import"]
        is_(refused[-2]["why"], "Exists")
        check("other" not in json.dumps(refused), refused)


def test_imports_are_bounded_all_together():
    with furnished() as (agent, client):
        importers = [agent.connect() for _ in range(2)]
        value = "x" * 65000
        counts = [0, 0]
        while True:
            for which, importer in enumerate(importers):
                reply = importer.call("StageImport", **variables(counts[which], 2, f"i{which}", value))
                if "error" in reply:
                    break
                counts[which] += 2
            else:
                continue
            break
        is_(error(reply), "TooLarge")
        check("64 MiB" in reply["parameters"]["message"], reply)
        check(1020 <= sum(counts) <= 1035, counts)
        # What the one that failed had staged is gone, and the other goes on.
        is_(error(importers[1 - which].call("StageImport", commit=True)), None)
        is_(len(names_at(client, f"i{1 - which}")), counts[1 - which])
        importer = agent.connect()
        for first in range(0, 200000, 4000):
            is_(error(importer.call("StageImport", **variables(first, 4000, "c", ""))), None)
        is_(error(importer.call("StageImport", **variables(200000, 1, "c", ""))), "TooLarge")


def test_a_locked_vault_is_open_for_an_import_with_a_key_and_to_nobody_else():
    with furnished() as (agent, client):
        agent, client = lock(agent, client)
        importer = agent.connect()
        is_(error(importer.call("StageImport", **variables(0, 1))), "Locked")
        importer = agent.connect()
        for first in (0, 10):
            is_(error(importer.call("StageImport", slot_key=slot_key(KEY), **variables(first, 10))), None)
            is_(error(client.call("ListVariables")), "Locked")
        is_(importer.call("StageImport", slot_key=slot_key(KEY), commit=True)["parameters"]["added"], 20)
        is_(error(importer.call("ListVariables")), "Locked")
        importer.call("StageImport", slot_key=slot_key(KEY), **variables(100, 10))
        importer.close()
        importer = agent.connect()
        is_(error(importer.call("StageImport", slot_key=slot_key(OTHER_KEY), **variables(20, 10))), "WrongKey")
        is_(error(importer.call("StageImport", slot_key=slot_key(KEY), **variables(20, 10), commit=True)), "Failed")
        client.call("Unlock", slot_key=slot_key(KEY))
        is_(len(names_at(client, "imported")), 20)
        importer = agent.connect()
        importer.call("StageImport", **variables(30, 10))
        client.call("Lock")
        is_(agent.wait(), 0)


# ---- the agent of one command ----

def test_a_connected_agent_serves_its_connection_and_ends_with_it():
    with furnished() as (agent, client):
        client.call("Lock")
        agent.wait()
        process, one = connected(agent.vault)
        is_(error(one.call("Project", step="billing/notify")), "Locked")
        is_(one.call("Project", step="billing/notify", slot_key=slot_key(KEY))["parameters"]["variables"], {"STRIPE_KEY": "sk_live_1"})
        is_(error(one.call("ListSteps")), "Locked")
        leaves = one.leaves(slot_key=slot_key(KEY))
        is_([leaf["action"] for leaf in leaves][-2:], ["refusals", "project"])
        one.close()
        is_(process.wait(20), 0)


def test_a_connected_agent_waits_for_the_vault_of_another():
    with furnished() as (agent, client):
        process, one = connected(agent.vault)
        one.send(one.request("Project", step="billing/notify", slot_key=slot_key(KEY)))
        time.sleep(0.5)
        client.call("Lock")
        is_(one.receive()["parameters"]["variables"], {"STRIPE_KEY": "sk_live_1"})
        one.close()
        is_(process.wait(20), 0)
    with furnished() as (agent, client):
        process, one = connected(agent.vault, ["--wait", "0"])
        is_(error(one.call("Project", step="billing/notify", slot_key=slot_key(KEY))), "Busy")
        one.close()
        is_(process.wait(20), 0)


def test_an_agent_started_to_be_unlocked_stays_only_if_it_was():
    with furnished() as (agent, client):
        client.call("Lock")
        agent.wait()
        for key, stays in ((OTHER_KEY, False), (KEY, True)):
            process, one = connected(agent.vault, ["--socket", agent.socket], stderr=subprocess.PIPE)
            is_(error(one.call("Unlock", slot_key=slot_key(key))), None if stays else "WrongKey")
            is_(process.stderr.read(), b"")
            one.close()
            if not stays:
                is_(process.wait(20), 0)
        client = agent.connect()
        is_(client.call("Status")["parameters"]["state"], "open")
        client.call("Lock")
        is_(process.wait(20), 0)


def test_a_socket_handed_over_is_served_and_left_alone():
    with furnished() as (agent, client), scratch() as folder:
        client.call("Lock")
        agent.wait()
        path = os.path.join(folder, "handed.sock")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen()
        process = subprocess.Popen([sys.executable, "-c", HAND_OVER, str(listener.fileno()), program(), "--vault", agent.vault],
                                   pass_fds=[listener.fileno()])
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.connect(path)
        one = Client(stream, agent.vault)
        is_(one.call("Unlock", slot_key=slot_key(KEY))["parameters"], {"was_open": False, "pin": "held"})
        is_(one.call("Lock")["parameters"], {"was_open": True})
        is_(process.wait(20), 0)
        check(os.path.exists(path), "the socket was removed")


def test_a_connection_handed_over_is_served_and_ends_the_agent():
    with furnished() as (agent, client):
        client.call("Lock")
        agent.wait()
        ours, theirs = socket.socketpair()
        process = subprocess.Popen([sys.executable, "-c", HAND_OVER, str(theirs.fileno()), program(), "--vault", agent.vault],
                                   pass_fds=[theirs.fileno()])
        theirs.close()
        one = Client(ours, agent.vault)
        is_(one.call("Project", step="billing/notify", slot_key=slot_key(KEY))["parameters"]["variables"], {"STRIPE_KEY": "sk_live_1"})
        one.close()
        is_(process.wait(20), 0)


# ---- the log ----

def test_refusals_while_locked_wait_and_become_leaves_before_the_next_projection():
    with furnished() as (agent, client):
        agent, client = lock(agent, client)
        for _ in range(5):
            is_(error(client.call("Project", step="billing/notify")), "Locked")
        is_(error(client.call("GetVariable", path="/", name="STRIPE_KEY")), "Locked")
        is_(error(client.call("Unlock", slot_key=slot_key(OTHER_KEY))), "WrongKey")
        is_(client.call("Status")["parameters"]["waiting_refusals"], 7)
        client.call("Unlock", slot_key=slot_key(KEY))
        is_(client.call("Status")["parameters"]["waiting_refusals"], 0)
        client.call("Project", step="billing/notify")
        leaves = client.leaves()[-5:]
        is_([(leaf["action"], leaf.get("refused"), leaf.get("count"), leaf.get("why")) for leaf in leaves],
            [("refusals", "project", 5, "Locked"), ("refusals", "get", 1, "Locked"), ("refusals", "unlock", 1, "WrongKey"),
             ("unlock", None, None, None), ("project", None, None, None)])
        check(leaves[0]["first"] <= leaves[0]["last"] and leaves[0]["who"]["pid"] == os.getpid() and "step" not in leaves[0], leaves[0])
        agent.process.kill()


def test_refusals_that_find_no_room_are_said_as_lost():
    with furnished() as (agent, client):
        agent, client = lock(agent, client)
        script = "import os,sys; sys.path.insert(0,sys.argv[1]); from agent_client import *; import socket\n" \
            "s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[2]); Client(s,sys.argv[3]).call('Project',step='x')"
        for _ in range(8):
            crowd = [subprocess.Popen([sys.executable, "-c", script, os.path.dirname(os.path.abspath(__file__)), agent.socket,
                                       agent.vault]) for _ in range(9)]
            for one in crowd:
                is_(one.wait(60), 0)
        is_(client.call("Status")["parameters"]["waiting_refusals"], 72)
        client.call("Unlock", slot_key=slot_key(KEY))
        leaves = client.leaves(outcome="refused")
        is_((sum(leaf.get("count", 0) for leaf in leaves), leaves[-1].get("lost")), (64, 8))
        agent.process.kill()


def test_the_log_can_be_filtered():
    with furnished() as (agent, client):
        client.call("AddAccount", app="slack", properties={"token": "xoxb"})
        client.call("Bind", path="billing/notify", account="slack")
        client.call("Project", step="billing/notify")
        client.call("Project", step="nowhere")
        for filters, actions in (({"step": "billing/notify"}, ["project"]), ({"outcome": "refused"}, ["project"]),
                                 ({"variable": "STRIPE_KEY"}, ["set-variable", "project"]), ({"variable": "SLACK_TOKEN"}, ["project"]),
                                 ({"account": "slack"}, ["add-account", "bind", "project"]),
                                 ({"account": "slack:default"}, ["add-account", "bind", "project"]), ({"account": "slack:other"}, []),
                                 ({"uid": os.getuid() + 1}, []), ({"since": "2999-01-01T00:00:00Z"}, []),
                                 ({"uid": os.getuid(), "step": "billing/notify", "since": "2000-01-01T00:00:00Z"}, ["project"])):
            is_((filters, [leaf["action"] for leaf in client.leaves(**filters)]), (filters, actions))


def test_a_long_log_comes_in_pages_while_others_are_served():
    with furnished() as (agent, client):
        for _ in range(10):
            for _ in range(100):
                client.send(client.request("GetVariable", path="/", name="STRIPE_KEY"))
            for _ in range(100):
                client.receive()
        reader = agent.connect()
        reader.send(reader.request("ReadLog", {"more": True}))
        is_(error(client.call("Project", step="billing/notify")), None)
        replies = [reader.receive()]
        while replies[-1].get("continues"):
            replies.append(reader.receive())
        indices = [leaf["index"] for reply in replies for leaf in reply["parameters"]["leaves"]]
        is_(indices, list(range(replies[-1]["parameters"]["total"])))
        check(len(replies) > 7, len(replies))
        reader.send(reader.request("ReadLog", {"more": True}))
        reader.receive()
        reader.close()
        is_(error(client.call("Status")), None)


def test_locking_ends_a_reading_with_locked():
    with furnished() as (agent, client):
        for _ in range(8):
            for _ in range(100):
                client.send(client.request("GetVariable", path="/", name="STRIPE_KEY"))
            for _ in range(100):
                client.receive()
        reader = agent.connect()
        reader.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.send(reader.request("ReadLog", {"more": True}))
        reader.receive()
        is_(error(client.call("Lock")), None)
        reply = {"continues": True}
        while reply.get("continues"):
            reply = reader.receive()
        is_(error(reply), "Locked")
        is_(agent.wait(), 0)


def traced_turns():
    """What the agent did from the first of 32 calls on that lie before it all at once: r, f, s for received, synced, sent."""
    with scratch() as folder:
        trace = os.path.join(folder, "trace")
        with running(folder, prefix=["strace", "-f", "-s", "400", "-o", trace, "-e", "trace=fdatasync,sendto,recvfrom"]) as agent:
            client = agent.connect()
            client.call("Initialize", slots=[machine_slot(KEY)])
            client.call("SetVariable", path="/", name="TOKEN", value="t")
            clients = [agent.connect() for _ in range(32)]
            for one in clients:
                is_(error(one.call("Project", step="/")), None)
            pid = int(client.call("Status")["parameters"]["pid"])
            os.kill(pid, signal.SIGSTOP)
            for one in clients:
                one.send(one.request("Project", step="/", reason="together"))
            os.kill(pid, signal.SIGCONT)
            for one in clients:
                is_(error(one.receive()), None)
            client.call("Lock")
            agent.wait()
        with open(trace, encoding="utf-8", errors="replace") as file:
            lines = [line for line in file if "together" in line or "fdatasync(" in line or "sendto(" in line]
        first = next(at for at, line in enumerate(lines) if "together" in line)
        return "".join(re.search(r"(recvfrom|fdatasync|sendto)\(", line).group(1)[0] for line in lines[first:])


def test_one_sync_serves_many_calls_and_comes_before_their_replies():
    """A turn that takes long ends early, which it may under strace on a busy machine: so one in five must be whole. In none
    may a reply come before a sync that came after its call."""
    if shutil.which("strace") is None or "sanitize" in os.path.abspath(os.environ.get("BUILD", "build")) or os.geteuid() != 0:
        return "strace must be there, and root to read what an undumpable process sends"
    for _ in range(5):
        kinds = traced_turns()
        waiting = synced = replies = 0
        for kind in kinds:
            if kind == "r":
                waiting += 1
            elif kind == "f":
                waiting, synced = 0, synced + waiting
            elif replies < 32:
                replies, synced = replies + 1, synced - 1
                check(synced >= 0, kinds[:80])
        is_(replies, 32)
        if re.match(r"^r{32}f+s{32}", kinds) and kinds.index("s") - 32 <= 2:
            return None
    raise AssertionError("no turn of 32 calls had one sync")


def disk_test(name):
    """Runs a test of agent_disk.py, which needs a file system of its own."""
    done = subprocess.run(["unshare", "-rm", sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "agent_disk.py"), name],
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        return "no file system of one's own here"
    check(done.returncode == 0, done.stdout + done.stderr)
    return None


def test_a_full_disk_refuses_and_the_log_can_still_be_read():
    return disk_test("full")


def test_a_read_only_disk_refuses_and_the_log_can_still_be_read():
    return disk_test("read_only")


# ---- confinement ----

def test_the_process_has_given_up_what_status_says():
    with furnished() as (agent, client):
        held = {row["name"]: row["held"] for row in client.call("Status")["parameters"]["protections"]}
        is_(sorted(held), ["core dumps off", "landlock", "memory locked", "no new privileges", "peer reader", "system calls"])
        with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as file:
            status = file.read()
        is_(bool(re.search(r"NoNewPrivs:\s+1", status)), held["no new privileges"])
        is_(bool(re.search(r"Seccomp:\s+2", status)), held["system calls"])
        is_(re.search(r"Max core file size +(\d+)", open(f"/proc/{agent.process.pid}/limits", encoding="ascii").read()).group(1), "0")
        check(held["peer reader"] and held["no new privileges"], held)


if __name__ == "__main__":
    run_tests(globals())
