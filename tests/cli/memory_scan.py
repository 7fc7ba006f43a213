#!/usr/bin/python3
"""Says where the memory of a process holds some bytes, plain or in base64: memory_scan.py PID NEEDLE...

One line for each needle that was found: the needle, how often, and the mappings it lies in. Exits 0 if none was found, 1
if one was, 2 if the memory cannot be read.
"""

import base64
import sys

CHUNK = 1 << 22


def mappings(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split(None, 5)
            start, end = (int(number, 16) for number in words[0].split("-"))
            name = words[5].strip() if len(words) > 5 else "anonymous"
            if "r" in words[1] and name not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                yield start, end, name


def find(memory, start, end, needle):
    """How often the needle begins between two addresses."""
    found = 0
    for at in range(start, end, CHUNK):
        memory.seek(at)
        part = memory.read(min(CHUNK + len(needle) - 1, end - at))
        found += part.count(needle)
    return found


def forms(word):
    """The bytes, and what of them is the same in the base64 of any text that has them: one for each alignment."""
    yield word
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + word).rstrip(b"=")
        yield whole[(before * 8 + 5) // 6:len(whole) - ((before + len(word)) % 3 > 0)]


def main():
    pid, needles = sys.argv[1], [form for word in sys.argv[2:] for form in forms(word.encode())]
    hits = {}
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for start, end, name in mappings(pid):
                for needle in needles:
                    try:
                        count = find(memory, start, end, needle)
                    except OSError:
                        continue
                    if count:
                        hits.setdefault(needle, []).append(f"{count} in {name}")
    except OSError as error:
        print(error)
        return 2
    for needle, places in hits.items():
        print(f"{needle.decode()}: {', '.join(places)}")
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main())
