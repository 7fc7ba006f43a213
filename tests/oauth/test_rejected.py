#!/usr/bin/python3
"""An API refuses an access token that has not ended (oauth.md 3.3, "revoked grant"): one renewal, one more try, then a verdict. TAP.

sanitize: yes
"""

import contextlib
import json

from agent_world import FRESH, Closed, check, connected, error, founded, is_, run_tests, slot_key, KEY, until


def leaves(world, *actions):
    return [(leaf["action"], leaf["outcome"]) for leaf in world.client.leaves() if leaf["action"] in actions]


def story(world):
    """What left the agent and what was noted, in order."""
    return leaves(world, "test", "refresh", "refreshed", "tested")


def tested(world, client=None):
    return (client or world.client).call("TestAccount", account="slack:one")["parameters"]


def health(world):
    accounts = world.ask("ListAccounts")["accounts"]
    return accounts[0]["health"], accounts[0].get("reason")


@contextlib.contextmanager
def ended_early():
    """A world with an account whose API takes the second token only."""
    with founded() as world:
        world.connect_account("one")
        world.set(taken=2)
        yield world


STATUS_401 = "the API answers with status 401"
TWICE = STATUS_401 + ", with a token that was renewed just now, too"
TEST, REFRESH, REFRESHED = ("test", "granted"), ("refresh", "granted"), ("refreshed", "granted")


def test_a_token_that_ended_early_is_renewed_once_and_tried_again():
    with ended_early() as world:
        is_(tested(world), {"works": True, "status": 200, "identity": {"id": "one"}})
        is_(health(world), ("healthy", None))
        # The generation that came of it worked, and so gets its own chance.
        world.set(taken=3)
        is_(tested(world)["works"], True)
        is_(world.token("one"), "at-one-3")
        is_(story(world)[:4], [TEST, REFRESH, REFRESHED, TEST])
        is_((len(world.jobs("test")), world.refreshes()), (4, 2))
        check(not any("c4n4ry" in json.dumps(leaf) for leaf in world.client.leaves()), "a secret is in the log")


def test_a_revoked_grant_needs_to_be_connected_anew():
    with founded() as world:
        world.connect_account("one")
        world.set(taken=9, provider='{"one": 7}')
        is_(tested(world), {"works": False, "status": 401, "identity": {"id": "one"},
                            "reason": STATUS_401 + ", and the token could not be renewed: the provider refuses: invalid_grant"})
        is_(story(world), [TEST, REFRESH, ("refreshed", "refused")])
        is_(health(world), ("needs_reconnect", "the provider refuses: invalid_grant"))
        is_(tested(world)["works"], False)
        is_(world.refreshes(), 1)
        # An API that goes on taking the old token is no proof of a grant.
        world.set(taken=0)
        is_(tested(world)["works"], True)
        is_(health(world), ("needs_reconnect", "the provider refuses: invalid_grant"))


def test_a_token_that_is_new_and_refused_all_the_same_is_a_verdict_until_one_is_taken():
    with founded() as world:
        world.connect_account("one")
        world.set(taken=9)
        is_(tested(world), {"works": False, "status": 401, "identity": {"id": "one"}, "reason": TWICE})
        is_(story(world), [TEST, REFRESH, REFRESHED, TEST, ("tested", "refused")])
        is_(health(world), ("needs_reconnect", TWICE))
        is_(world.ask("ShowAccount", account="slack:one")["account"]["reason"], TWICE)
        is_(tested(world)["works"], False)
        is_((len(world.jobs("test")), world.refreshes()), (3, 1))
        # One API's word does not keep steps from the token, nor the token from being renewed by time.
        is_(world.token("one"), "at-one-2")
        world.ask("RefreshAccount", account="slack:one")
        is_(world.token("one"), "at-one-3")
        is_(health(world), ("needs_reconnect", TWICE))
        world.set(taken=0)
        is_(tested(world)["works"], True)
        is_(health(world), ("healthy", None))
        is_(story(world)[-1], ("tested", "granted"))
        is_(error(world.client.many("Check")[-1]), None)


def test_an_account_that_cannot_be_renewed_gets_its_verdict_at_once():
    with founded() as world:
        world.set(barren="yes")
        world.connect_account("one", refresh_token=None)
        world.set(taken=9)
        is_(tested(world)["reason"], STATUS_401)
        is_(health(world), ("needs_reconnect", STATUS_401))
        is_(story(world), [TEST, ("tested", "refused")])
        is_(world.refreshes(), 0)


def test_a_provider_that_is_down_leaves_the_verdict_open():
    with founded() as world:
        world.connect_account("one")
        world.set(taken=9)
        world.behave("transient")
        is_(tested(world)["reason"], STATUS_401 + ", and the token could not be renewed: the provider answers with HTTP status 503")
        is_(health(world), ("failing", "the provider answers with HTTP status 503"))
        is_((len(world.jobs("test")), world.refreshes()), (1, 1))


def test_many_who_meet_one_refused_token_have_it_renewed_once():
    with ended_early() as world:
        clients = [world.agent.connect() for _ in range(8)]
        for client in clients:
            client.send(client.request("TestAccount", account="slack:one"))
        is_([client.receive()["parameters"]["works"] for client in clients], [True] * 8)
        is_(world.refreshes(), 1)


def test_a_token_that_was_renewed_meanwhile_is_tried_and_not_renewed_again():
    with ended_early() as world:
        world.behave("test waits")
        client = world.send("TestAccount", account="slack:one")
        until(lambda: world.jobs("test"), "no helper was started")
        world.ask("RefreshAccount", account="slack:one")
        world.release()
        is_(client.receive()["parameters"]["works"], True)
        is_((len(world.jobs("test")), world.refreshes()), (2, 1))


def test_who_hangs_up_loses_no_token():
    with ended_early() as world:
        world.behave("rotate, then wait")
        client = world.send("TestAccount", account="slack:one")
        world.until_rotated()
        client.close()
        world.release()
        until(lambda: world.token("one") == "at-one-2", "the token was lost")
        is_(len(world.jobs("test")), 1)


def test_locking_meanwhile_loses_no_token():
    with ended_early() as world:
        world.behave("rotate, then wait")
        client = world.send("TestAccount", account="slack:one")
        world.until_rotated()
        locker = world.send("Lock")
        world.until_closing()
        world.release()
        is_(error(locker.receive()), None)
        try:
            check(error(client.receive()) in (None, "Locked"), "another error")
        except Closed:
            pass
        world.agent.wait()
        world.open()
        is_(world.token("one"), "at-one-2")


def test_an_agent_of_one_command_renews_and_tries_again_too():
    with founded() as world:
        world.connect_account("one", lifetime=FRESH)
        world.set(taken=2)
        world.client.call("Lock")
        world.agent.wait()
        process, client = connected(world.agent.vault)
        is_(client.call("TestAccount", account="slack:one", slot_key=slot_key(KEY))["parameters"]["works"], True)
        client.close()
        is_(process.wait(20), 0)
        is_((len(world.jobs("test")), world.refreshes()), (2, 1))


if __name__ == "__main__":
    run_tests(dict(globals()))
