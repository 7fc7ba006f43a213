"""A helper and its provider in one, for the tests of the agent: no network, and whatever behaviour the file `behaviour` beside it
names. The provider rotates its refresh tokens, knows one good one at a time, and takes any other for stolen. Each job is a line of
`jobs`: what it was, and when it began and ended."""

import fcntl
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SECRET = "c4n4ry"


def path(name):
    return os.path.join(HERE, name)


def read(name, default=""):
    try:
        with open(path(name), encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return default


def note(**members):
    line = json.dumps({"at": time.time(), "pid": os.getpid(), **members}) + "\n"
    descriptor = os.open(path("jobs"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def say(**members):
    try:
        os.write(1, json.dumps(members).encode() + b"\n")
    except OSError:
        pass


def wait_for(name):
    while not os.path.exists(path(name)):
        time.sleep(0.02)


def rotate(account, token):
    """The provider's side: the number of the new generation, or None for a token that is not the good one."""
    descriptor = os.open(path("provider"), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    state = json.loads(os.read(descriptor, 1 << 20) or b"{}")
    number = state.get(account, 0)
    good = token == f"rt-{account}-{number}-{SECRET}" or (number == 0 and token.startswith("rt-"))
    if good:
        state[account] = number + 1
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(state).encode())
    os.close(descriptor)
    return number + 1 if good else None


def give(account, number):
    lifetime = int(read("lifetime", "3600000"))
    due = int(read("due", str(lifetime * 3 // 4)))
    tokens = {"oauth_access_token": f"at-{account}-{number}-{SECRET}", "oauth_refresh_token": f"rt-{account}-{number}-{SECRET}", "oauth_uid": account}
    if read("barren"):
        del tokens["oauth_refresh_token"]
    say(answer="tokens", properties=tokens, lifetime_ms=lifetime, due_ms=due, age_ms=int(read("age", "0")), scopes=read("scopes", "read write"),
        identity={"id": account, "name": f"{account} of Test"})


def misbehave(behaviour):
    """True where there is no answer, or none that can be read."""
    if behaviour == "die":
        os.kill(os.getpid(), 9)
    if behaviour == "silent":
        time.sleep(3600)
    texts = {"end": b"", "garbage": b"this is no JSON\n", "array": b"[1]\n", "unknown": b'{"answer":"perhaps"}\n', "flood": b"x" * (3 << 20),
             "unfinished": b'{"answer":"tokens"', "notices": b'{"notice":"open"}\n' * 1000}
    if behaviour not in texts:
        return False
    try:
        os.write(1, texts[behaviour])
    except OSError:
        pass
    return True


def refresh(job, behaviour):
    account = job["properties"].get("oauth_uid", "new")
    if behaviour == "transient":
        return say(answer="failed", verdict="transient", reason="the provider answers with HTTP status 503", sent=True)
    if behaviour == "unsent":
        return say(answer="failed", verdict="transient", reason="the provider cannot be reached", sent=False)
    if behaviour == "refused":
        return say(answer="failed", verdict="refused", reason="the provider refuses: invalid_client", code="invalid_client", sent=True)
    number = rotate(account, job["properties"]["oauth_refresh_token"])
    note(rotated=account, number=number)
    if behaviour == "rotate and drop":
        return None
    if behaviour.startswith("rotate, then wait"):
        wait_for("go")
    if number is None:
        return say(answer="failed", verdict="dead", reason="the provider refuses: invalid_grant", code="invalid_grant", sent=True)
    return give(account, number)


def test(job, behaviour):
    """The app's API takes the access tokens from the number on that the file `taken` has."""
    token = job["properties"]["oauth_access_token"]
    number = int(token.split("-")[2]) if token.startswith("at-") else 0
    identity = {"id": job["properties"].get("oauth_uid", "")}
    if behaviour == "test waits":
        wait_for("go")
    if behaviour == "refused" or number < int(read("taken", "0")):
        return say(answer="tested", works=False, status=401, identity=identity, reason="the API answers with status 401")
    return say(answer="tested", works=True, status=200, identity=identity)


def connect(job, behaviour):
    account = job["properties"].get("oauth_uid", "first")
    if job["flow"] in ("browser", "paste"):
        say(notice="open", url="https://provider.test/authorize?state=1", redirect_uri="http://127.0.0.1:7/", port=7)
        for line in sys.stdin:
            url = json.loads(line)["url"]
            note(pasted=url)
            if "code=" in url:
                return give(account, rotate(account, "rt-"))
            say(notice="refused", reason="the address has no code")
        note(cancelled=True)
        return say(answer="failed", verdict="cancelled", reason="nobody came", sent=False)
    if behaviour == "refused":
        return say(answer="failed", verdict="refused", reason="the provider refuses: access_denied", code="access_denied", sent=True)
    return give(account, rotate(account, "rt-"))


def main():
    job = json.loads(sys.stdin.readline())
    behaviour = read("behaviour")
    note(job=job["job"], secret="secret" in job["client"], properties=sorted(job["properties"]), environment=sorted(os.environ),
         descriptors=sorted(os.readlink(f"/proc/self/fd/{name}").split(":")[0] for name in os.listdir("/proc/self/fd") if int(name) < 3),
         others=[name for name in os.listdir("/proc/self/fd") if int(name) > 3], session=os.getsid(0) == os.getpid(), folder=os.getcwd(), arguments=sys.argv[1:])
    if behaviour.startswith("slow "):
        time.sleep(float(behaviour[5:]))
    if behaviour == "wait":
        wait_for("go")
    if not misbehave(behaviour):
        if job["job"] == "refresh":
            refresh(job, behaviour)
        elif job["job"] == "connect":
            connect(job, behaviour)
        elif job["job"] == "test":
            test(job, behaviour)
        elif behaviour == "transient":
            say(answer="failed", verdict="transient", reason="the provider cannot be reached", sent=False)
        else:
            if behaviour == "revoke waits":
                wait_for("go")
            say(answer="revoked", revoked=["refresh_token"], page="https://provider.test/apps")
    note(ended=job["job"])


main()
