#!/bin/bash
# What the file tells of a value is the padded size of its row, and nothing that depends on its content: not up to which of 64
# lengths it has, nor whether it could be compressed, or is there already.
. "$(dirname "$0")/fixture.bash"
new_vault vault --key-file "$scratch/key"

# rows QUERY: what the closed file answers.
rows() {
    python3 - "$STEPVAULT_VAULT" "$1" << 'END_OF_PYTHON'
import sqlite3, sys
for row in sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute(sys.argv[2]):
    print(*row)
END_OF_PYTHON
}
begin() {
    stepvault lock
    rows "SELECT hex(id), version FROM records" | sort > "$scratch/before"
    leaves=$(rows "SELECT count(*) FROM leaves")
    stepvault unlock --key-file "$scratch/key"
}
# The sizes of the records and of the entries that were written since, each behind how often.
written() {
    stepvault lock
    rows "SELECT hex(id), version, length(body) FROM records" | sort > "$scratch/after"
    join -j 1 -v 2 <(sed 's/ /:/' "$scratch/before" | sort) <(sed 's/ /:/' "$scratch/after" | sort) | cut -d' ' -f2 | sort -n | uniq -c | xargs
    stepvault unlock --key-file "$scratch/key"
}
entries() {
    stepvault lock
    rows "SELECT length(bytes) FROM leaves WHERE number >= $leaves" | sort -n | uniq -c | xargs
    stepvault unlock --key-file "$scratch/key"
}
text() { head -c "$1" /dev/zero | tr '\0' "${2:-a}"; }

stepvault step add sized
stepvault step add twice
begin
for size in {0..63}; do place "V$((100 + size))" "$(text "$size")" sized; done
is "64 values of 0 to 63 bytes are in rows of one size" "$(written)" "64 296"
is "... and so are their entries" "$(entries | wc -w)" 2

begin
for size in {0..63}; do place "V$((100 + size))" "$(text "$size" b)" sized; done
is "set again, they are as well, and what they were is in the next size or this" "$(written | sed -E 's/^[0-9]+ 296 [0-9]+ 552$/296 552/')" "296 552"

begin
for size in {0..63}; do account sized "l$((100 + size))" "{\"token\":\"$(text "$size")\"}"; done
is "64 properties of 0 to 63 bytes are in rows of one size" "$(written)" "64 296"

# ---- What could be compressed ----

begin
for size in 3000 20000 60000; do
    place "ZEROES$size" "$(text "$size" 0)" twice
    place "RANDOM$size" "$(head -c "$size" /dev/urandom | base64 -w 0 | head -c "$size")" twice
done
is "a run of zeroes takes as much as random text" "$(written)" "2 4136 2 32808 2 65576"

begin
secret=$(head -c 3000 /dev/urandom | base64 -w 0 | head -c 3000)
place "SAME1" "$secret" twice
place "SAME2" "$secret" twice
place "OTHER" "$(head -c 3000 /dev/urandom | base64 -w 0 | head -c 3000)" twice
is "a value that is there already takes as much as another" "$(written)" "3 4136"
stepvault lock
is "... and no two rows are alike" "$(rows "SELECT count(*) - count(DISTINCT body) FROM records")" 0
finish
