#!/usr/bin/python3
"""Reads a vault, and verifies all of it, by docs/FORMAT.md alone: no line of this is from the C code, or calls it.

    vault_reader.py FILE (--key-file F | --passphrase-file F | --code-file F) [--variable PATH NAME]...
                    [--account APP LABEL]... [--names] [--log] [--head]

Verifies S, count, tree, tiles, eras, checkpoints and chain first, whatever is asked for; prints JSON. Exit status 1
and one sentence where the file is not what FORMAT.md says.
"""

import argparse
import base64
import hashlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile

import argon2.low_level
import nacl.bindings
import nacl.exceptions
import nacl.signing

FORMAT = 1
KINDS = {1: "passphrase", 2: "login", 3: "recovery", 4: "machine"}
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Wrong(Exception):
    """The file is not what the specification says."""


def require(good, what):
    if not good:
        raise Wrong(what)


# ---- Section 2: primitives ----

def number(value, size):
    return value.to_bytes(size, "big")


def u32(value):
    return number(value, 4)


def u64(value):
    return number(value, 8)


def run(data):
    return u32(len(data)) + data


def text(value):
    return run(value.encode())


def keyed(key, size, data):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def unseal(key, sealed, associated, what):
    require(len(sealed) >= 40, f"{what} is too short")
    try:
        return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed[24:], associated, sealed[:24], key)
    except nacl.exceptions.CryptoError:
        raise Wrong(f"{what} does not open") from None


def unpad(padded, what):
    """u32 length, that many bytes, zeros up to 256 * 2^k."""
    length = int.from_bytes(padded[:4], "big")
    size = 256
    while size < 4 + length:
        size *= 2
    require(len(padded) == size and not any(padded[4 + length:]), f"the padding of {what}")
    return padded[4:4 + length]


# ---- Section 3: slots ----

def code_key(code, salt):
    digits = code.upper().replace("O", "0").replace("I", "1").replace("L", "1").replace("-", "").replace(" ", "")
    require(len(digits) == 36 and all(digit in CROCKFORD for digit in digits), "the recovery code's digits")
    bits = 0
    for digit in digits:
        bits = bits << 5 | CROCKFORD.index(digit)
    secret, check = number(bits >> 20, 20), bits & 0xfffff
    expected = int.from_bytes(hashlib.blake2b(text("stepvault/v1/recovery-code") + secret, digest_size=32).digest()[:3],
                              "big") >> 4
    require(check == expected, "the recovery code's checksum")
    return keyed(secret, 32, text("stepvault/v1/recovery") + salt)


def passphrase_key(passphrase, slot):
    require(65536 <= slot["memory_kib"] <= 4 << 20 and 3 <= slot["passes"] <= 64 and slot["lanes"] == 4,
            "the slot's key derivation")
    return argon2.low_level.hash_secret_raw(passphrase, slot["salt"], slot["passes"], slot["memory_kib"], slot["lanes"],
                                            32, argon2.low_level.Type.ID, 0x13)


class Vault:
    """An opened and verified vault."""

    def __init__(self, path):
        self.folder = tempfile.TemporaryDirectory()
        copy = os.path.join(self.folder.name, "vault")
        for suffix in ("", "-wal"):
            if os.path.exists(path + suffix):
                shutil.copyfile(path + suffix, copy + suffix)
        self.database = sqlite3.connect(copy)
        self.database.row_factory = sqlite3.Row
        require(self.one("PRAGMA application_id")[0] == 0x53564C54, "the application id")
        require(self.one("PRAGMA user_version")[0] == FORMAT, "the format")
        header = self.rows("SELECT * FROM header")
        require(len(header) == 1 and header[0]["id"] == 0, "the header")
        self.id, self.epoch = header[0]["vault_id"], header[0]["epoch"]
        self.slots = self.rows("SELECT * FROM slots ORDER BY id")

    def rows(self, sql, *values):
        return self.database.execute(sql, values).fetchall()

    def one(self, sql, *values):
        return self.database.execute(sql, values).fetchone()

    def blobs(self, table):
        return {row["number"]: row["bytes"] for row in self.rows(f"SELECT number, bytes FROM {table} ORDER BY number")}

    # -- keys --

    def slot_data(self, slot):
        return (text("stepvault/v1/slot") + u32(FORMAT) + self.id + u32(self.epoch) + slot["id"] + number(slot["kind"], 1)
                + u32(slot["memory_kib"]) + u32(slot["passes"]) + u32(slot["lanes"]) + slot["salt"]
                + u64(slot["created_ms"]))

    def unlock(self, kinds, derive):
        """Tries the slots of these kinds with the key that `derive` makes for each."""
        for slot in self.slots:
            if KINDS.get(slot["kind"]) not in kinds:
                continue
            key, associated = derive(slot), self.slot_data(slot)
            if keyed(key, 32, text("stepvault/v1/slot-commitment") + associated) == slot["commitment"]:
                wrap = keyed(key, 32, text("stepvault/v1/slot-wrap") + associated)
                self.key = unseal(wrap, slot["wrapped"], associated, "the slot")
                return
        raise Wrong("the key, which opens no slot")

    def purpose(self, word):
        return keyed(self.key, 32, b"stepvault/v1/" + word.encode() + b"\0" + self.id + u32(self.epoch))

    # -- sections 4 and 5: records --

    def look(self, word, first, second):
        return keyed(self.purpose("lookup"), 16, text(word) + text(first) + text(second))

    def open_record(self, row):
        associated = (text("stepvault/v1/record") + u32(FORMAT) + self.id + u32(row["epoch"]) + row["id"]
                      + u64(row["version"]) + row["place"] + row["name"] + row["link"] + run(row["finals"]))
        require(row["epoch"] == self.epoch, "a record's epoch")
        data = unpad(unseal(self.purpose("record"), row["body"], associated, "a record"), "a record")
        fields = {}
        while data:
            size = int.from_bytes(data[:2], "big")
            name, rest = data[2:2 + size].decode(), data[2 + size:]
            length = int.from_bytes(rest[1:5], "big")
            require(name and name not in fields and rest[0] == 0 and rest[5 + length] == 0, "a record's fields")
            fields[name], data = rest[5:5 + length], rest[6 + length:]
        kind, where, name = (fields[field].decode() for field in ("kind", "where", "name"))
        require(self.look(kind, where, name) == row["name"], "a record's look-up")
        require(all(fields[field].isdigit() for field in ("created", "updated")), "a record's times")
        place = {"path": ("place", where), "variable": ("place", where), "binding": ("place", where),
                 "account": ("accounts", ""), "key": ("keys", ""), "past-variable": ("past", where),
                 "past-account": ("past-accounts", ""), "client": ("clients", "")}[kind]
        require(self.look(*place, "") == row["place"], "a record's place")
        parent = "" if where == "/" else where.rpartition("/")[0] or "/"
        link = {"path": ("children", parent), "variable": ("named", name), "account": ("app", where),
                "binding": ("bound", fields.get("account", b"").decode()), "key": ("keys", ""),
                "past-variable": ("past-of", name), "past-account": ("past-of", name),
                "client": ("clients-of", where)}[kind]
        require(self.look(*link, "") == row["link"], "a record's link")
        return fields

    def read_records(self):
        self.records = {}
        for row in self.rows("SELECT * FROM records NOT INDEXED ORDER BY id"):
            fields = self.open_record(row)
            self.records[tuple(fields[field].decode() for field in ("kind", "where", "name"))] = (row["id"], fields)

    # -- section 6: state --

    def verify_state(self):
        key = self.purpose("accumulator")
        terms = []
        for row in self.rows("SELECT * FROM records NOT INDEXED"):
            terms.append(text("record") + row["id"] + row["place"] + row["name"] + row["link"] + u64(row["version"])
                         + u32(row["epoch"]) + u32(len(row["finals"])) + u32(len(row["body"])) + row["finals"]
                         + row["body"])
        for row in self.slots:
            terms.append(text("slot") + row["id"] + u32(row["kind"]) + u32(row["memory_kib"]) + u32(row["passes"])
                         + u32(row["lanes"]) + row["salt"] + u64(row["created_ms"]) + row["commitment"] + row["wrapped"])
        for table, word in (("segments", "segment"), ("checkpoints", "checkpoint")):
            for index, blob in self.blobs(table).items():
                terms.append(text(word) + u64(index) + run(blob))
        total = sum(int.from_bytes(keyed(key, 32, term), "little") for term in terms) % 2**256
        states = self.rows("SELECT * FROM state")
        require(len(states) == 1 and states[0]["id"] == 0, "the state's row")
        state = states[0]
        size, count = state["log_size"], state["record_count"]
        plain = unseal(self.purpose("state"), state["sealed"], text("stepvault/v1/state") + u32(FORMAT) + self.id
                       + u32(self.epoch) + u64(size) + u64(count), "the state")
        self.sum = total.to_bytes(32, "little")
        require(len(plain) == 1072 and plain[:32] == self.sum, "the sum S of the rows")
        require(plain[32:48] == u64(count) + u64(size) and count == len(terms), "the count of the rows")
        self.count, self.size = count, size
        self.head = plain[48:].rstrip(b"\0").decode()

    # -- sections 7 to 9: the log --

    def read_keys(self):
        keys = {name: fields for (kind, _, name), (_, fields) in self.records.items() if kind == "key"}
        signing = keys.pop("log-signing")
        reading = keys.pop("log-reading")["key"]
        self.pruned = int(keys.pop("log-pruned", {}).get("first", b"0"))
        require(self.pruned % 256 == 0 and (self.pruned == 0 or self.pruned < self.size), "what was pruned")
        seed = nacl.signing.SigningKey(signing["key"])
        signing["verifier"] = verifier_of(self.origin(signing), bytes(seed.verify_key)).encode()
        require(all(name == f"log-era-{int(fields.get('first', b'0'))}" for name, fields in keys.items()), "a key record")
        self.eras = sorted([*keys.values(), signing], key=first_of)
        require(self.eras[-1] is signing and first_of(self.eras[0]) == 0, "the eras")
        self.segments = []
        for first, blob in self.blobs("segments").items():
            associated = text("stepvault/v1/segment") + u32(FORMAT) + self.id + u64(first) + u64(0)
            self.segments.append((first, unseal(reading, blob, associated, "a segment key")))
        require(self.segments and self.segments[0][0] == 0, "the first segment")

    def origin(self, era):
        return f"stepvault/v1/{self.id.hex()}/{era['instance'].decode()}"

    def era_at(self, index):
        return max(number for number, era in enumerate(self.eras) if first_of(era) <= index)

    def check_note(self, note):
        """Its size and root; signed by the key of its era."""
        for position, era in enumerate(self.eras):
            signed = open_note(note, era["verifier"].decode())
            if signed is None:
                continue
            origin, size, root = signed.splitlines()
            end = first_of(self.eras[position + 1]) if position + 1 < len(self.eras) else self.size
            require(origin == self.origin(era) and first_of(era) < int(size) <= end, "a checkpoint's place")
            return int(size), base64.b64decode(root, validate=True)
        raise Wrong("a checkpoint's signature")

    def read_log(self):
        """Verifies and returns all lines (None for a pruned one) and keeps the leaf hashes."""
        leaves, tiles = self.blobs("leaves"), self.blobs("tiles")
        kept = {first_of(era) for era in self.eras[1:]}
        expected = [index for index in range(self.size) if index >= self.pruned or index in kept]
        require(sorted(leaves) == expected, "the numbers of the leaves")
        lines, self.hashes, tag = [], [], None
        for index in range(self.size):
            if index not in leaves:
                lines.append(None)
                offset = index % 256 * 32
                self.hashes.append(tiles[index // 256][offset:offset + 32])
                continue
            first, key = [segment for segment in self.segments if segment[0] <= index][-1]
            associated = text("stepvault/v1/leaf") + u32(FORMAT) + self.id + u64(index) + u64(first)
            line = unpad(unseal(key, leaves[index], associated, f"leaf {index}"), f"leaf {index}")
            leaf = json.loads(line)
            self.check_leaf(index, leaf)
            tag = (index, leaf["state"]) if "state" in leaf else tag
            lines.append(line)
            self.hashes.append(hashlib.sha256(b"\0" + line).digest())
        if tag:
            expected = keyed(self.purpose("tag"), 16, u64(tag[0]) + u64(self.count) + self.sum).hex()
            require(tag[1] == expected, "what the last leaf says of the state")
        self.check_tiles(tiles)
        return lines

    def check_leaf(self, index, leaf):
        position = self.era_at(index)
        era = self.eras[position]
        start = min(first_of(other) for other in self.eras if other["instance"] == era["instance"])
        require(leaf["v"] == 1 and leaf["writer"] == era["instance"].decode() and leaf["writer_seq"] == index - start
                and leaf["epoch"] == int(era.get("epoch", b"1")), f"the writer of leaf {index}")
        before = None if index == start else self.hashes[-1].hex()
        require(leaf.get("prev") == before, f"the chain at leaf {index}")
        if index == first_of(era) and position > 0:
            successor = leaf["successor"]
            signed = open_note(successor["note"], self.eras[position - 1]["verifier"].decode())
            require(signed == f"stepvault/v1/successor\n{index}\n{successor['key']}\n"
                    and successor["key"] == era["verifier"].decode(), f"the key that leaf {index} announces")

    def check_tiles(self, tiles):
        expected, level, hashes = {}, 0, self.hashes
        while hashes:
            for index in range(0, len(hashes), 256):
                part = hashes[index:index + 256]
                if level > 0 or len(part) == 256:
                    expected[level << 56 | index // 256] = b"".join(part)
            hashes = [root_of(hashes[index:index + 256]) for index in range(0, len(hashes) - 255, 256)]
            level += 1
        require(tiles == expected, "the tiles")

    def check_checkpoints(self):
        size, root = self.check_note(self.head)
        require(size == self.size and root == root_of(self.hashes), "the root of the log")
        for size, blob in self.blobs("checkpoints").items():
            associated = text("stepvault/v1/checkpoint") + u32(FORMAT) + self.id + u64(size) + u64(self.epoch)
            plain = unseal(self.purpose("checkpoint"), blob, associated, "a checkpoint")
            require(len(plain) == 1032, "a checkpoint's size")
            kept, root = self.check_note(plain[8:].rstrip(b"\0").decode())
            require(kept == size and root == root_of(self.hashes[:size]), f"the checkpoint of size {size}")

    def verify(self):
        self.read_records()
        self.verify_state()
        self.read_keys()
        self.lines = self.read_log()
        self.check_checkpoints()


def first_of(era):
    return int(era.get("first", b"0"))


def root_of(hashes):
    """RFC 6962, section 2.1, over leaf hashes."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(hashes[:half]) + root_of(hashes[half:])).digest()


def key_id(name, blob):
    return hashlib.sha256(name.encode() + b"\n" + blob).digest()[:4]


def verifier_of(name, public):
    blob = b"\1" + public
    return f"{name}+{key_id(name, blob).hex()}+{base64.b64encode(blob).decode()}"


def open_note(note, verifier):
    """The signed text, or None if this key is not among its signatures."""
    name, _, blob = verifier.split("+", 2)
    blob = base64.b64decode(blob, validate=True)
    signed, _, signatures = note.rpartition("\n\n")
    signed += "\n"
    for line in signatures.splitlines():
        mark, signer, signature = line.split(" ")
        signature = base64.b64decode(signature, validate=True)
        if mark == "\u2014" and signer == name and signature[:4] == key_id(name, blob):
            try:
                nacl.signing.VerifyKey(blob[1:]).verify(signed.encode(), signature[4:])
            except nacl.exceptions.BadSignatureError:
                raise Wrong("a signature") from None
            return signed
    return None


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--key-file")
    parser.add_argument("--passphrase-file")
    parser.add_argument("--code-file")
    parser.add_argument("--variable", nargs=2, action="append", default=[])
    parser.add_argument("--account", nargs=2, action="append", default=[])
    parser.add_argument("--names", action="store_true")
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--head", action="store_true")
    options = parser.parse_args()
    vault = Vault(options.file)
    if options.key_file:
        vault.unlock({"machine"}, lambda slot: read_file(options.key_file))
    elif options.code_file:
        vault.unlock({"recovery"}, lambda slot: code_key(read_file(options.code_file).decode().strip(), slot["salt"]))
    else:
        passphrase = read_file(options.passphrase_file).removesuffix(b"\n")
        vault.unlock({"passphrase", "login"}, lambda slot: passphrase_key(passphrase, slot))
    vault.verify()
    answer = {"size": vault.size, "rows": vault.count, "eras": len(vault.eras), "pruned": vault.pruned}
    for path, name in options.variable:
        answer[f"{path} {name}"] = vault.records["variable", path, name][1]["value"].decode()
    for app, label in options.account:
        fields = vault.records["account", app, label][1]
        answer[f"{app}:{label}"] = {name.removeprefix("property/"): value.decode() for name, value in fields.items()
                                    if name.startswith("property/")}
    if options.names:
        answer["names"] = sorted(" ".join(key) for key in vault.records)
    if options.log:
        answer["log"] = [line and line.decode() for line in vault.lines]
    if options.head:
        answer["head"] = vault.head
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    try:
        main()
    except (Wrong, KeyError, ValueError, IndexError, sqlite3.DatabaseError) as problem:
        sys.exit(f"vault_reader.py: not as FORMAT.md has it: {problem}")
