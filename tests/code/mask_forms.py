#!/usr/bin/python3
"""What Python and Node print values as, against `run --mask`: encoders that are not ours.

    mask_forms.py MASKED

Prints for each form and value a line `ok` or what of the value was left.
"""

import base64
import json
import random
import subprocess
import sys
import textwrap
import urllib.parse

MASKED = sys.argv[1]
NODE = """
const [value, before, after] = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const text = before + value + after;
console.log(JSON.stringify({
  "JSON.stringify": JSON.stringify(text),
  "encodeURIComponent": encodeURIComponent(text),
  "encodeURI": encodeURI(text),
  "URLSearchParams": new URLSearchParams({k: text}).toString(),
  "Buffer base64": Buffer.from(text).toString('base64'),
  "Buffer base64url": Buffer.from(text).toString('base64url'),
}));
"""
VALUES = [
    "abcd", "xoxb-12345-AbCdEf", "p@ss w\"o\\rd/+&=<>?", "žluťoučký kůň 😀", "tab\tand\nlines of\ntext that is long\n",
    "-----BEGIN KEY-----\n" + "\n".join(textwrap.wrap("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 8, 64)) + "\n-----END KEY-----\n",
    "%41+%2f ~'()*!", "\x01\x1f\x7fcontrols", "".join(random.Random(6).choices("abcXYZ019-_.", k=200)),
]
SURROUNDS = [("", ""), ("x", ""), ("xy", "z"), ("xyz", "uv"), ("<", ">")]


def forms(value, before, after):
    text = before + value + after
    raw = text.encode()
    encoded = {
        "as it is": text,
        "json.dumps": json.dumps(text),
        "json.dumps without ASCII": json.dumps(text, ensure_ascii=False),
        "quote": urllib.parse.quote(text),
        "quote of all": urllib.parse.quote(text, safe=""),
        "quote_plus": urllib.parse.quote_plus(text),
        "urlencode, lower case": urllib.parse.urlencode({"k": text}).replace("%", "\0").lower().replace("\0", "%")
        if text.lower() == text else "",
        "base64": base64.b64encode(raw).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(raw).decode(),
        "base64 for URLs without padding": base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }
    if not before:
        encoded["base64 in lines of 76"] = base64.encodebytes(raw).decode()
        encoded["base64 in lines of 64"] = "\n".join(textwrap.wrap(base64.b64encode(raw).decode(), 64))
    done = subprocess.run(["node", "-e", NODE], input=json.dumps([value, before, after]), capture_output=True, text=True, check=True)
    encoded.update({"node's " + name: text for name, text in json.loads(done.stdout).items()})
    return encoded


def masked(value, texts):
    """All of them through one command, each on lines of its own."""
    separator = "\n\n==\n\n"
    done = subprocess.run([MASKED, "NAME=" + value, "--", "cat"], input=separator.join(texts).encode(), capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace").split(separator)


def rest(form, before, after):
    """What may be left: of base64 up to the characters that the value shares with its neighbours, else the neighbours."""
    size = len((before + after).encode())
    return 4 + (size * 8 + 5) // 6 + 2 + 2 if "base64" in form else 3 * size + len("k=\"\"")


def main():
    for value in VALUES:
        for before, after in SURROUNDS:
            encoded = forms(value, before, after)
            names = [name for name, text in encoded.items() if text]
            for name, left in zip(names, masked(value, [encoded[name] for name in names])):
                stripped = left.replace("***", "").replace("\n", "")
                if "***" not in left or len(stripped) > rest(name, before, after):
                    print(f"{name} of {value!r} between {before!r} and {after!r}: {left!r} is left of {encoded[name]!r}"[:600])
    print("end")


main()
