#!/usr/bin/python3
"""The agent renews tokens: once for all who wait, durable before anybody is told, whatever helper, disk and callers do. TAP.

sanitize: yes
limit: 480
"""

import json
import os
import signal
import socket
import time
from datetime import datetime

from agent_world import (FRESH, KEY, PROVIDER, Call, check, connected, error, founded, is_, is_helper, machine_slot, run_tests,
                         shorten, slot_key, until)


LONG = os.environ.get("LONG") == "1"


def leaves(world, action, outcome="granted"):
    return [leaf for leaf in world.client.leaves() if leaf["action"] == action and leaf["outcome"] == outcome]


def waiting_caller(world, name="one"):
    """A caller of an account for whose token a helper was started, which waits."""
    before = world.refreshes()
    world.connect_expired(name)
    world.behave("wait")
    call = Call(world, name)
    world.until_asked(before + 1)
    return call


def under_way(world):
    """A caller of an account whose token was rotated at the provider, and is not stored yet."""
    world.connect_expired("one")
    world.behave("rotate, then wait")
    call = Call(world, "one")
    world.until_rotated()
    return call


# ---- once for all ----

def test_a_fresh_token_is_handed_out_without_a_helper():
    with founded() as world:
        world.connect_account("one")
        before = len(world.jobs())
        is_(world.token("one"), "at-one-1")
        is_(len(world.jobs()), before)


def test_fifty_callers_of_one_ended_token_cost_one_request_and_all_get_the_new_one():
    with founded() as world:
        world.connect_expired("one")
        world.behave("slow 1")
        calls = [Call(world, "one") for _ in range(50)]
        is_({call.wait() for call in calls}, {"at-one-2"})
        is_(world.refreshes(), 1)
        is_(len(leaves(world, "refresh")), 1)
        is_(len(leaves(world, "refreshed")), 1)
        is_(len(leaves(world, "project")), 50)
        is_(leaves(world, "refresh")[0]["who"]["pid"], world.agent.process.pid)
        is_(world.token("one"), "at-one-2")
        is_(world.refreshes(), 1)


def test_all_accounts_of_a_step_are_renewed_at_once():
    with founded() as world:
        for name in ("one", "two", "three"):
            world.connect_expired(name, step="all")
        world.behave("slow 1")
        begun = time.monotonic()
        reply = world.client.call("Project", step="all", deliver=["auths"])
        check(time.monotonic() - begun < 2.5, "they waited for each other")
        is_({shorten(name, reply) for name in ("one", "two", "three")}, {"at-one-2", "at-two-2", "at-three-2"})
        is_(world.refreshes(), 3)


def test_only_a_step_that_gets_the_token_has_it_renewed():
    with founded() as world:
        world.connect_expired("one")
        world.ask("AddStep", path="id")
        world.ask("Bind", path="id", account="slack:one", alias="who", only=["oauth_uid"])
        is_(world.ask("Project", step="id", deliver=["env", "auths"])["auths"], {"who": {"oauth_uid": "one"}})
        is_(world.refreshes(), 0)
        is_(world.ask("Project", step="steps/one", deliver=[], references={"K": "stepvault://slack:one/oauth_uid"})["resolved"], {"K": "one"})
        is_(world.refreshes(), 0)
        is_(world.ask("Project", step="steps/one", deliver=[], references={"K": "stepvault://slack:one/oauth_access_token"})["resolved"],
            {"K": "at-one-2-c4n4ry"})
        is_(world.refreshes(), 1)


def test_a_helper_gets_what_its_job_needs_and_nothing_of_the_agents():
    os.environ["https_proxy"] = "http://127.0.0.1:1"
    os.environ["SOME_SECRET"] = "c4n4ry"
    try:
        with founded() as world:
            world.connect_expired("one")
            is_(world.token("one"), "at-one-2")
            job = world.jobs("refresh")[0]
            is_(job["properties"], ["oauth_refresh_token", "oauth_uid"])
            is_(job["secret"], True)
            is_(job["others"], [])
            is_(job["descriptors"], ["/dev/null", "socket", "socket"])
            is_(job["session"], True)
            is_(job["arguments"], [])
            is_(job["folder"], "/")
            check(set(job["environment"]) <= {"PATH", "LANG", "https_proxy", "LC_CTYPE", "SSL_CERT_DIR", "SSL_CERT_FILE"}, job["environment"])
            check("https_proxy" in job["environment"], job["environment"])
    finally:
        del os.environ["https_proxy"], os.environ["SOME_SECRET"]


# ---- patience ----

def test_who_holds_a_token_that_still_works_waits_five_seconds_and_gets_it():
    with founded() as world:
        world.connect_account("one", due=0)
        world.behave("wait")
        call = Call(world, "one")
        is_(call.wait(), "at-one-1")
        check(4.5 < call.seconds < 7, call.seconds)
        is_(world.ask("Status")["renewing"], 1)
        late = Call(world, "one")
        time.sleep(0.5)
        world.release()
        is_(late.wait(), "at-one-2")
        check(late.seconds < 4, late.seconds)
        is_(world.refreshes(), 1)
        is_(world.ask("Status")["renewing"], 0)


def test_a_slow_helper_does_not_hold_up_others():
    with founded() as world:
        world.connect_account("two")
        call = waiting_caller(world)
        begun = time.monotonic()
        for _ in range(20):
            is_(world.token("two"), "at-two-1")
        check(time.monotonic() - begun < 3, "others waited")
        world.release()
        is_(call.wait(), "at-one-2")


def test_a_parked_caller_that_hangs_up_loses_nothing():
    with founded() as world:
        world.connect_expired("one")
        world.behave("wait")
        client = world.send("Project", step="steps/one")
        world.until_asked()
        client.close()
        world.release()
        until(lambda: world.ask("Status")["renewing"] == 0, "it never ends")
        is_(world.token("one"), "at-one-2")
        is_(world.refreshes(), 1)
        is_(world.ask("Status")["connections"], 1)


def test_calls_behind_a_parked_one_are_answered_in_order():
    with founded() as world:
        world.connect_expired("one")
        world.behave("slow 1")
        client = world.agent.connect()
        project = client.request("Project", step="steps/one", deliver=["auths"])
        many = [client.request("SetVariable", path="/", name=f"V{at}", value="v" * 5000) for at in range(40)]
        client.send(b"".join(json.dumps(call).encode() + b"\0" for call in [client.request("Status"), project, *many, project]))
        client.stream.shutdown(socket.SHUT_WR)
        is_(client.receive()["parameters"]["state"], "open")
        is_(shorten("one", client.receive()), "at-one-2")
        for _ in many:
            is_(error(client.receive()), None)
        is_(shorten("one", client.receive()), "at-one-2")
        is_(world.refreshes(), 1)


def test_a_call_that_waits_leaves_what_its_connection_has_staged():
    with founded() as world:
        world.connect_expired("one")
        client = world.agent.connect()
        is_(client.call("StageImport", environment="QT12AA==")["parameters"]["staged"], 1)
        world.behave("slow 1")
        is_(shorten("one", client.call("Project", step="steps/one", deliver=["auths"])), "at-one-2")
        is_(client.call("StageImport", environment="Qj13AA==", commit=True)["parameters"]["added"], 2)
        is_(world.ask("GetVariable", path="/", name="A")["value"], "v")


def test_a_oneway_call_that_waits_is_served_without_a_byte():
    with founded() as world:
        world.connect_expired("one")
        client = world.send("Project", {"oneway": True}, step="steps/one")
        is_(client.call("Status")["parameters"]["state"], "open")
        is_(world.refreshes(), 1)
        is_(len(leaves(world, "project")), 1)


def test_nothing_is_left_of_helpers_that_have_ended():
    with founded() as world:
        for at in range(40):
            world.connect_expired(f"n{at}")
        count = lambda: len(os.listdir(f"/proc/{world.agent.process.pid}/fd"))
        before = count()
        calls = [Call(world, f"n{at}") for at in range(40)]
        is_([call.wait() for call in calls], [f"at-n{at}-2" for at in range(40)])
        until(lambda: count() == before, f"{count()} descriptors, before {before}")
        children = open(f"/proc/{world.agent.process.pid}/task/{world.agent.process.pid}/children", encoding="utf-8").read().split()
        for child in children:
            until(lambda child=child: open(f"/proc/{child}/task/{child}/children", encoding="utf-8").read() == "",
                  "a child of a child is left")
        until(lambda: not any(is_helper(job["pid"], world.bin) for job in world.jobs() if "job" in job), "a helper is left")
        is_(world.refreshes(), 40)


def test_who_hangs_up_and_asks_again_starts_no_helpers_without_end():
    with founded() as world:
        world.connect_account("one")
        world.behave("wait")

        def ask_and_hang_up():
            client = world.send("TestAccount", account="slack:one")
            time.sleep(0.01)
            client.close()
            return len(world.jobs("test")) >= 32

        # A slow agent may see that the caller is gone before it sees the call.
        until(ask_and_hang_up, "the helpers do not start", 60)
        for _ in range(30):
            ask_and_hang_up()
        time.sleep(1)
        is_(len(world.jobs("test")), 32)
        is_(error(world.client.call("TestAccount", account="slack:one")), "Busy")
        world.release()
        until(lambda: not any(is_helper(job["pid"], world.bin) for job in world.jobs() if "job" in job), "a helper is left")
        is_(world.ask("TestAccount", account="slack:one")["works"], True)


# ---- helpers that fail ----

def test_after_a_helper_without_a_good_answer_the_old_token_is_tried_once_more():
    for behaviour in ("die", "end", "garbage", "array", "unknown", "flood", "unfinished", "notices"):
        with founded() as world:
            world.connect_expired("one")
            world.behave(behaviour)
            is_(world.token("one"), "TokenUnavailable")
            is_(world.account("one")["health"], "failing")
            is_(len(leaves(world, "refreshed", "refused")), 1)
            world.behave("")
            # Not at once; then the old token is tried once more.
            is_(world.token("one"), "TokenUnavailable")
            is_(world.refreshes(), 1)
            until(lambda: world.token("one") == "at-one-2", f"after {behaviour} it is never tried again", 30)
            is_(world.refreshes(), 2)
            is_(world.account("one")["health"], "healthy")


def test_a_failed_renewal_is_told_to_all_who_wait_and_tried_again_later():
    with founded() as world:
        world.connect_expired("one")
        world.behave("transient")
        calls = [Call(world, "one") for _ in range(10)]
        is_({call.wait() for call in calls}, {"TokenUnavailable"})
        is_(world.refreshes(), 1)
        message = world.client.call("Project", step="steps/one")["parameters"]["message"]
        check("503" in message and "c4n4ry" not in message, message)
        is_(world.refreshes(), 1)


def test_a_token_that_still_works_is_handed_out_when_the_provider_is_down():
    with founded() as world:
        world.connect_account("one", due=0)
        world.behave("transient")
        is_(world.token("one"), "at-one-1")
        is_(world.refreshes(), 1)
        is_(world.token("one"), "at-one-1")
        is_(world.refreshes(), 1)
        is_(world.account("one")["health"], "failing")


def test_a_dead_refresh_token_is_asked_for_once():
    with founded() as world:
        world.connect_expired("one")
        world.set(provider='{"one": 7}')
        is_(world.token("one"), "NeedsReconnect")
        is_(world.token("one"), "NeedsReconnect")
        is_(world.refreshes(), 1)


def test_without_the_program_nothing_is_in_doubt():
    with founded() as world:
        world.connect_expired("one")
        world.client.call("Lock")
        world.agent.wait()
        os.rename(os.path.join(world.bin, "stepvault-oauth"), os.path.join(world.bin, "away"))
        world.restart()
        is_(world.token("one"), "TokenUnavailable")
        is_(world.account("one")["health"], "failing")


# ---- Lock, signals, the end ----

def test_lock_waits_for_a_renewal_and_loses_nothing():
    with founded() as world:
        call = under_way(world)
        locking = world.send("Lock")
        world.until_closing()
        is_(error(world.client.call("Unlock", slot_key=slot_key(KEY))), "Locked")
        is_(world.ask("Status")["renewing"], 1)
        world.release()
        is_(call.wait(), "at-one-2")
        is_(locking.receive(), {"parameters": {"was_open": True}})
        is_(world.agent.wait(), 0)
        world.restart()
        is_(world.token("one"), "at-one-2")
        is_(world.refreshes(), 1)


def test_two_who_lock_during_a_renewal_are_both_told_when_it_is_locked():
    with founded() as world:
        call = under_way(world)
        lockers = [world.agent.connect() for _ in range(2)]
        for locker in lockers:
            locker.send(locker.request("Lock"))
        world.until_closing()
        world.release()
        is_(call.wait(), "at-one-2")
        is_(sorted(locker.receive()["parameters"]["was_open"] for locker in lockers), [False, True])
        world.agent.wait()


def test_a_signal_waits_for_a_renewal_and_the_second_does_not():
    with founded() as world:
        call = waiting_caller(world)
        os.kill(world.agent.process.pid, signal.SIGTERM)
        world.until_closing()
        check(world.agent.process.poll() is None, "it did not wait")
        world.release()
        is_(call.wait(), "at-one-2")
        is_(world.agent.wait(), 0)
        os.remove(os.path.join(world.bin, "go"))
        world.behave("")
        world.restart()
        is_([leaf.get("cause") for leaf in leaves(world, "lock")], ["signal"])
        call = waiting_caller(world, "two")
        os.kill(world.agent.process.pid, signal.SIGTERM)
        world.until_closing()
        os.kill(world.agent.process.pid, signal.SIGTERM)
        is_(world.agent.wait(), 0)
        is_(call.wait(), "Locked")
        helper = world.jobs("refresh")[-1]["pid"]
        check(is_helper(helper, world.bin), "the helper did not go on")
        world.release()
        until(lambda: not is_helper(helper, world.bin), "the helper does not end")


def test_idle_time_does_not_run_while_calls_wait():
    with founded() as world:
        world.connect_expired("one")
        world.behave("wait")
        world.ask("Unlock", idle=1)
        call = Call(world, "one")
        time.sleep(3)
        check(world.agent.process.poll() is None, "it locked")
        world.release()
        is_(call.wait(), "at-one-2")
        is_(world.agent.wait(), 0)


if LONG:
    def test_idle_lock_and_lock_wait_for_an_answer_that_cannot_be_stored_less_than_a_client_waits():
        with founded() as idle, founded() as locked:
            for world in (idle, locked):
                world.connect_expired("one")
                world.behave("wait")
                world.ask("Unlock", idle=2)
                begun = time.monotonic()
                call = Call(world, "one")
                world.until_asked()
                world.limit_files(True)
                world.release()
                is_(call.wait(), "LogUnwritable")
            locker = locked.agent.connect()
            locker.stream.settimeout(65)
            is_(error(locker.call("Lock")), None)
            check(time.monotonic() - begun > 60, "it did not wait")
            until(lambda: idle.agent.process.poll() is not None, "it is never locked", 20)

    def test_who_needs_a_token_waits_thirty_seconds_for_the_request_of_an_agent_that_was_killed():
        with founded() as world:
            waiting_caller(world)
            world.kill()
            world.restart()
            call = Call(world, "one")
            is_(call.wait(), "TokenUnavailable")
            check(29 < call.seconds < 40, call.seconds)
            is_(world.refreshes(), 1)


def test_the_lifetime_of_an_unlocking_waits_for_a_renewal():
    with founded() as world:
        call = waiting_caller(world)
        world.ask("Unlock", lifetime=1)
        time.sleep(2)
        is_(error(world.client.call("Project", step="/")), "Locked")
        world.release()
        is_(call.wait(), "at-one-2")
        is_(world.agent.wait(), 0)


def test_the_helper_of_an_agent_that_was_killed_ends_by_itself():
    with founded() as world:
        call = waiting_caller(world)
        helper = world.jobs("refresh")[0]["pid"]
        world.kill()
        check(call.wait() in ("Closed", "ConnectionResetError"), call.result)
        check(is_helper(helper, world.bin), "the helper was killed with the agent")
        world.release()
        until(lambda: not is_helper(helper, world.bin), "the helper does not end")
        world.open()
        call = Call(world, "one")
        time.sleep(1)
        check(call.is_alive() and world.refreshes() == 1, "it is asked for while that request may be under way")


# ---- the disk ----

def test_without_its_intent_nothing_is_sent():
    with founded() as world:
        world.connect_expired("one")
        world.limit_files(True)
        is_(world.token("one"), "LogUnwritable")
        is_(world.refreshes(), 0)
        world.limit_files(False)
        is_(world.token("one"), "at-one-2")
        is_(world.refreshes(), 1)


def test_an_answer_that_cannot_be_stored_is_kept_until_it_can_be():
    with founded() as world:
        world.connect_expired("one")
        world.behave("wait")
        calls = [Call(world, "one") for _ in range(3)]
        world.until_asked()
        world.limit_files(True)
        world.release()
        is_({call.wait() for call in calls}, {"LogUnwritable"})
        is_(world.token("one"), "LogUnwritable")
        is_(world.ask("Status")["renewing"], 1)
        world.limit_files(False)
        until(lambda: world.ask("Status")["renewing"] == 0, "it is never stored")
        is_(world.token("one"), "at-one-2")
        is_(world.refreshes(), 1)


def test_a_file_that_is_replaced_meanwhile_is_left_alone():
    with founded() as world:
        call = waiting_caller(world)
        vault = world.agent.vault
        os.rename(vault, vault + ".away")
        with open(vault, "wb") as file:
            file.write(b"another")
        world.release()
        is_(call.wait(), "Foreign")
        with open(vault, "rb") as file:
            is_(file.read(), b"another")
        is_(world.ask("Status")["state"], "foreign")


# ---- what else happens to the account, or the vault, meanwhile ----

def test_a_new_key_of_the_vault_loses_no_renewal():
    with founded() as world:
        call = under_way(world)
        slot = {**machine_slot(KEY), "salt": "01" * 16, "old_key": slot_key(KEY)["key"]}
        is_(error(world.client.call("Rekey", slot_key=slot_key(KEY), slots=[slot])), None)
        world.release()
        is_(call.wait(), "at-one-2")
        is_(error(world.client.many("VerifyLog")[-1]), None)


def test_a_token_that_is_set_by_hand_meanwhile_is_not_overwritten():
    with founded() as world:
        call = under_way(world)
        world.ask("SetAccount", account="slack:one", properties={"oauth_access_token": "by-hand", "oauth_refresh_token": "rt-by-hand"})
        world.release()
        is_(call.wait(), "by-hand")
        is_([leaf["result"] for leaf in leaves(world, "refreshed")], ["superseded"])


def test_an_account_that_is_removed_meanwhile_stays_removed():
    with founded() as world:
        call = under_way(world)
        world.ask("Unbind", path="steps/one", alias="slack_one")
        world.ask("RemoveAccount", account="slack:one")
        world.release()
        is_(call.wait(), "NotFound")
        is_(world.ask("ListAccounts")["accounts"], [])
        is_(world.ask("Status")["renewing"], 0)


def test_an_account_that_is_connected_anew_meanwhile_keeps_the_new_grant():
    with founded() as world:
        call = under_way(world)
        world.behave("")
        world.set(provider="{}")
        check("error" not in world.client.many("Connect", app="slack", provider=PROVIDER, flow="import", account="slack:one",
                                               properties={"oauth_refresh_token": "rt-c4n4ry"})[-1], "Connect")
        kept = world.ask("KeepAccount")["account"]
        is_([binding["alias"] for binding in kept["bindings"]], ["slack_one"])
        world.release()
        is_(call.wait(), "at-one-1")


def test_a_copy_takes_the_vaults_place_when_nothing_is_under_way():
    with founded() as world:
        copy = "".join(reply["parameters"]["data"] for reply in world.client.many("Backup"))
        parts = [copy[at:at + 131072] for at in range(0, len(copy), 131072)]
        call = under_way(world)
        restoring = world.agent.connect()
        for at, part in enumerate(parts):
            check("error" not in restoring.call("StageRestore", data=part, last=at == len(parts) - 1), "StageRestore")
        is_(error(restoring.many("Restore", slot_key=slot_key(KEY), commit=True)[-1]), "Busy")
        world.release()
        is_(call.wait(), "at-one-2")


# ---- agents of one command ----

def locked(world):
    world.client.call("Lock")
    world.agent.wait()
    return world.agent.vault


def test_an_agent_of_one_command_renews_too():
    with founded() as world:
        world.connect_expired("one")
        vault = locked(world)
        world.behave("slow 1")
        process, client = connected(vault)
        key = slot_key(KEY)
        client.send(client.request("Project", step="steps/one", deliver=["auths"], slot_key=key))
        client.send(client.request("GetVariable", path="/", name="NONE", slot_key=key))
        client.send(client.request("Project", step="steps/one", deliver=["auths"], slot_key=key))
        is_(shorten("one", client.receive()), "at-one-2")
        is_(error(client.receive()), "NotFound")
        is_(shorten("one", client.receive()), "at-one-2")
        client.close()
        is_(process.wait(20), 0)
        is_(world.refreshes(), 1)


def test_an_agent_of_one_command_stores_what_came_for_a_command_that_was_interrupted():
    with founded() as world:
        world.connect_expired("one")
        vault = locked(world)
        world.behave("rotate, then wait")
        process, client = connected(vault)
        client.send(client.request("Project", step="steps/one", slot_key=slot_key(KEY)))
        world.until_rotated()
        client.close()
        time.sleep(0.5)
        check(process.poll() is None, "it did not wait")
        world.release()
        is_(process.wait(20), 0)
        world.open()
        is_(world.token("one"), "at-one-2")
        is_(world.refreshes(), 1)


def test_an_agent_of_one_command_waits_however_good_the_old_token_is():
    with founded() as world:
        world.connect_account("one", due=0)
        vault = locked(world)
        world.behave("slow 7")
        process, client = connected(vault)
        is_(shorten("one", client.call("Project", step="steps/one", deliver=["auths"], slot_key=slot_key(KEY))), "at-one-2")
        client.close()
        is_(process.wait(20), 0)


def test_a_parked_caller_with_a_key_keeps_the_vault_locked_for_others():
    with founded() as world:
        world.connect_expired("one")
        locked(world)
        world.start()
        world.behave("wait")
        call = Call(world, "one", slot_key=slot_key(KEY))
        world.until_asked()
        is_(error(world.client.call("Project", step="/")), "Locked")
        is_(world.ask("Status")["state"], "locked")
        world.release()
        is_(call.wait(), "at-one-2")
        is_(error(world.client.call("Project", step="/")), "Locked")


# ---- connecting ----

def begin_connect(client, flow="paste", **more):
    client.send(client.request("Connect", {"more": True}, app="slack", provider=PROVIDER, flow=flow,
                               properties={"oauth_uid": "one", "oauth_refresh_token": "rt-c4n4ry"}, **more))


def test_connecting_tells_of_notices_and_keeps_nothing_before_it_is_asked_to():
    with founded() as world:
        client = world.agent.connect()
        begin_connect(client)
        attempt = client.receive()["parameters"]["attempt"]
        notice = client.receive()
        check(notice["continues"], notice)
        is_(notice["parameters"], {"attempt": attempt, "notice": "open", "url": "https://provider.test/authorize?state=1",
                                   "redirect_uri": "http://127.0.0.1:7/", "port": 7})
        is_(error(world.client.call("AnswerConnect", attempt="0" * 32, url="http://x/?code=1")), "NotFound")
        world.ask("AnswerConnect", attempt=attempt, url="http://127.0.0.1:7/?error=1")
        is_(client.receive()["parameters"], {"attempt": attempt, "notice": "refused", "reason": "the address has no code"})
        world.ask("AnswerConnect", attempt=attempt, url="http://127.0.0.1:7/?code=1")
        last = client.receive()
        check("continues" not in last and "c4n4ry" not in json.dumps(last), last)
        is_(last["parameters"], {"properties": ["oauth_access_token", "oauth_refresh_token", "oauth_uid"], "scopes": "read write",
                                 "identity": {"id": "one", "name": "one of Test"}})
        is_(world.ask("ListAccounts")["accounts"], [])
        is_(error(world.client.call("KeepAccount")), "NotFound")
        kept = client.call("KeepAccount")
        is_(kept["parameters"]["account"]["label"], "default")
        is_(error(client.call("KeepAccount", label="again")), "NotFound")
        is_(len(world.ask("ListAccounts")["accounts"]), 1)
        is_(len(leaves(world, "authorize")), 1)
        is_(len(leaves(world, "connect")), 1)
        check(not any("c4n4ry" in json.dumps(leaf) or "s3cret" in json.dumps(leaf) for leaf in world.client.leaves()), "a secret is in the log")


def test_the_time_of_a_new_token_counts_from_its_request():
    with founded() as world:
        world.set(age=FRESH // 2)
        begun = time.time()
        world.connect_account("one", due=0)
        ends = world.account("one")["token_expires"]
        left = datetime.fromisoformat(ends.replace("Z", "+00:00")).timestamp() - begun
        check(FRESH / 2000 - 1 < left < FRESH / 2000 + 30, ends)


def test_keeping_that_could_not_be_written_may_be_tried_again():
    with founded() as world:
        begin_connect(world.client, "import")
        replies = [world.client.receive()]
        while replies[-1].get("continues"):
            replies.append(world.client.receive())
        world.limit_files(True)
        is_(error(world.client.call("KeepAccount")), "LogUnwritable")
        world.limit_files(False)
        is_(error(world.client.call("KeepAccount")), None)


def test_an_attempt_ends_with_its_connection_and_with_lock():
    with founded() as world:
        client = world.agent.connect()
        begin_connect(client, "browser")
        client.receive(), client.receive()
        client.close()
        until(lambda: any(job.get("cancelled") for job in world.jobs()), "the helper waits on")
        client = world.agent.connect()
        begin_connect(client, "browser")
        client.receive(), client.receive()
        is_(error(world.client.call("Lock")), None)
        is_(error(client.receive()), "Locked")
        is_(world.agent.wait(), 0)
        until(lambda: sum(bool(job.get("cancelled")) for job in world.jobs()) == 2, "the helper waits on")


def test_a_refusal_of_the_provider_is_one_of_the_call():
    with founded() as world:
        world.behave("refused")
        replies = world.client.many("Connect", app="slack", provider=PROVIDER, flow="device")
        is_(error(replies[-1]), "Refused")
        check("access_denied" in replies[-1]["parameters"]["message"], replies[-1])
        is_(error(world.client.many("Connect", app="slack", provider=PROVIDER, flow="telepathy")[-1]), "Invalid")
        is_(error(world.client.many("Connect", app="github", provider=PROVIDER, flow="device")[-1]), "NotFound")
        is_(error(world.client.many("Connect", app="slack", provider=PROVIDER, flow="browser", port=0)[-1]), "Invalid")


def test_an_agent_of_one_command_lets_go_of_the_vault_while_a_person_consents():
    with founded() as world:
        vault = locked(world)
        process, client = connected(vault)
        begin_connect(client, slot_key=slot_key(KEY))
        attempt = client.receive()["parameters"]["attempt"]
        client.receive()
        other, second = connected(vault, ["--wait", "1"])
        is_(error(second.call("AddStep", path="meanwhile", slot_key=slot_key(KEY))), None)
        second.close()
        is_(other.wait(20), 0)
        # The connection is busy with its attempt: what needs no reply is heard all the same.
        client.send(client.request("AnswerConnect", {"oneway": True}, attempt=attempt, url="http://127.0.0.1:7/?code=1"))
        is_(client.receive()["parameters"]["identity"]["id"], "one")
        is_(error(client.call("KeepAccount", slot_key=slot_key(KEY))), None)
        client.close()
        is_(process.wait(20), 0)


# ---- one account ----

def test_refreshing_by_hand_answers_when_it_is_stored():
    with founded() as world:
        world.connect_account("one")
        check(world.ask("RefreshAccount", account="slack:one")["account"]["refreshed"], "no time")
        is_(world.token("one"), "at-one-2")
        is_(len(leaves(world, "refresh-account")), 1)
        world.behave("transient")
        reply = world.client.call("RefreshAccount", account="slack:one")
        is_(error(reply), "TokenUnavailable")
        check("503" in reply["parameters"]["message"], reply)
        is_(world.token("one"), "at-one-2")
        world.ask("AddAccount", app="stripe", properties={"key": "k"})
        is_(error(world.client.call("RefreshAccount", account="stripe")), "Refused")


def test_an_account_is_tested_with_a_fresh_token():
    with founded() as world:
        world.connect_expired("one")
        is_(world.ask("TestAccount", account="slack:one"), {"works": True, "status": 200, "identity": {"id": "one"}})
        is_(world.refreshes(), 1)
        job = world.jobs("test")[0]
        check("oauth_access_token" in job["properties"] and "oauth_refresh_token" not in job["properties"] and not job["secret"], job)
        world.behave("refused")
        is_(world.ask("TestAccount", account="slack:one"),
            {"works": False, "status": 401, "identity": {"id": "one"},
             "reason": "the API answers with status 401, and the token could not be renewed: the provider refuses: invalid_client"})
        world.behave("die")
        is_(world.ask("TestAccount", account="slack:one"), {"works": False, "reason": "the helper gave no answer"})
        is_(len(leaves(world, "test")), 3)


def test_disconnecting_revokes_and_removes():
    with founded() as world:
        world.connect_account("one")
        is_(error(world.client.call("DisconnectAccount", account="slack:one")), "InUse")
        is_(world.jobs("revoke"), [])
        world.ask("Unbind", path="steps/one", alias="slack_one")
        is_(world.ask("DisconnectAccount", account="slack:one"), {"revoked": ["refresh_token"], "page": "https://provider.test/apps"})
        is_(world.ask("ListAccounts")["accounts"], [])
        is_(len(leaves(world, "disconnect")), 1)
        is_(leaves(world, "disconnected")[0]["revoked"], ["refresh_token"])
        world.connect_account("two")
        world.ask("Unbind", path="steps/two", alias="slack_two")
        world.behave("transient")
        is_(world.ask("DisconnectAccount", account="slack:two"), {"revoked": [], "reason": "the provider cannot be reached"})
        is_(world.ask("ListAccounts")["accounts"], [])


def test_nothing_is_removed_while_too_many_helpers_run_to_ask_the_provider():
    with founded() as world:
        for at in range(33):
            world.connect_account(f"n{at}")
            world.ask("Unbind", path=f"steps/n{at}", alias=f"slack_n{at}")
        world.behave("wait")
        clients = [world.agent.connect() for _ in range(32)]
        for at, client in enumerate(clients):
            client.send(client.request("RefreshAccount", account=f"slack:n{at}"))
        until(lambda: world.ask("Status")["renewing"] == 32, "they are not under way")
        is_(error(world.client.call("DisconnectAccount", account="slack:n32")), "Busy")
        is_(error(world.client.call("TestAccount", account="slack:n32")), "Busy")
        is_(len(world.ask("ListAccounts")["accounts"]), 33)
        waiting = world.send("RefreshAccount", account="slack:n32")
        world.release()
        is_([error(client.receive()) for client in [*clients, waiting]], [None] * 33)


def test_disconnecting_waits_for_a_renewal_that_is_under_way():
    with founded() as world:
        world.connect_account("one")
        world.ask("Unbind", path="steps/one", alias="slack_one")
        world.behave("slow 1")
        refreshing = world.send("RefreshAccount", account="slack:one")
        world.until_asked()
        is_(world.ask("DisconnectAccount", account="slack:one")["revoked"], ["refresh_token"])
        is_(error(refreshing.receive()), None)
        kinds = [line.get("job") or line.get("ended") for line in world.jobs() if "job" in line or "ended" in line]
        check(kinds.index("revoke") > kinds.index("refresh") + 1, kinds)


def test_tokens_that_come_while_an_account_is_disconnected_are_revoked_too():
    with founded() as world:
        world.connect_account("one")
        world.ask("Unbind", path="steps/one", alias="slack_one")
        world.behave("revoke waits")
        client = world.send("DisconnectAccount", account="slack:one")
        until(lambda: world.jobs("revoke"), "no helper was started")
        world.behave("slow 1")
        refreshing = world.send("RefreshAccount", account="slack:one")
        world.until_asked()
        world.release()
        is_(client.receive()["parameters"]["revoked"], ["refresh_token"])
        is_(error(refreshing.receive()) in (None, "NotFound"), True)
        is_(world.ask("ListAccounts")["accounts"], [])
        is_((len(world.jobs("revoke")), len(leaves(world, "disconnect"))), (2, 2))


if __name__ == "__main__":
    run_tests(dict(globals()))
