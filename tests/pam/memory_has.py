#!/usr/bin/python3
"""memory_has.py PID NEEDLE: exit status 0 if the process's memory has it, and where on stdout; 1 if not."""
import sys

process, needle = sys.argv[1], sys.argv[2].encode()
found = False
with open(f"/proc/{process}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{process}/mem", "rb", 0) as memory:
    for line in maps:
        fields = line.split()
        start, end = (int(part, 16) for part in fields[0].split("-"))
        if "r" not in fields[1] or fields[-1] in ("[vvar]", "[vsyscall]"):
            continue
        try:
            memory.seek(start)
            content = memory.read(end - start)
        except (OSError, ValueError, OverflowError):
            continue
        if needle in content:
            found = True
            print(f"{process} {line.strip()}")
sys.exit(0 if found else 1)
