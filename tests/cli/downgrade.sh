#!/bin/bash
# Whoever can write the vault's file cannot make it weaker: derivation below the floor or so dear that it takes the machine, no
# accumulator, another format, slots and key records that were put in, another vault's id.
. "$(dirname "$0")/fixture.bash"

new_vault vault --passphrase-fd 3 --kdf-time 0 --key-file "$scratch/key"
place TOKEN "first $CANARY"
stepvault lock
cp "$STEPVAULT_VAULT" "$scratch/earlier.db"
stepvault unlock --key-file "$scratch/key"
place TOKEN "second $CANARY"
stepvault lock
cp "$STEPVAULT_VAULT" "$scratch/whole.db"

# restore_whole: the closed vault as it was, on a machine that has not seen it. That an older one is refused is pin.sh's.
restore_whole() {
    cp "$scratch/whole.db" "$STEPVAULT_VAULT"
    rm -rf "$XDG_STATE_HOME/stepvault/pins"
}
# edit SQL: in that vault, with the checks of its tables off.
edit() {
    restore_whole
    python3 - "$STEPVAULT_VAULT" "$1" "$scratch/earlier.db" << 'END'
import sqlite3, sys
vault = sqlite3.connect(sys.argv[1], isolation_level=None)
vault.execute("PRAGMA ignore_check_constraints = ON")
vault.execute("ATTACH ? AS earlier", (sys.argv[3],))
vault.executescript(sys.argv[2])
vault.close()
END
}
# arenas PASSPHRASE: unlocks by it; how many pieces of 16 MiB or more that took from the kernel, which is one a derivation.
arenas() {
    strace -qq -e trace=mmap -o "$scratch/trace" stepvault unlock --passphrase-fd 3 3<<< "$1" > "$scratch/out" 2> "$scratch/err"
    awk '/mmap\(NULL, [0-9]+, PROT_READ\|PROT_WRITE/ { sub(/.*NULL, /, ""); if ($0 + 0 >= 16777216) count++ } END { print count + 0 }' \
        "$scratch/trace"
}
try_passphrase() { stepvault unlock --passphrase-fd 3 3<<< "$1"; }

# ---- The cost of a passphrase ----

is "one try of the passphrase is one derivation" "$(arenas "$pass")" 1
stepvault lock
is "... a wrong one, too" "$(arenas wrong)" 1
lacks "... and it is locked" "$(stepvault status)" "open"
for edited in memory_kib=65535 memory_kib=8 memory_kib=0 memory_kib=4194305 memory_kib=4294967295 passes=2 passes=0 passes=65 \
    passes=4294967295 lanes=1 lanes=0 lanes=5 lanes=4294967295; do
    edit "UPDATE slots SET $edited WHERE kind = 1"
    is "a slot with $edited: nothing is derived" "$(arenas "$pass")" 0
    has "... and it is said" "$(cat "$scratch/err")" "the slot asks for Argon2id with"
    fails "... by the key file it does not open either" 1 "are not those it wrote" stepvault unlock --key-file "$scratch/key"
done
edit "UPDATE slots SET memory_kib = 4294967296 WHERE kind = 1"
fails "a number that none can be" 1 "memory_kib" try_passphrase "$pass"

# Two that say they are the passphrase's: one try would be two, and one of them somebody else's.
for id in 00000000000000000000000000000000 ffffffffffffffffffffffffffffffff; do
    edit "INSERT INTO slots SELECT x'$id', kind, memory_kib, passes, lanes, randomblob(16), created_ms, commitment, wrapped
          FROM slots WHERE kind = 1"
    is "of two slots for a passphrase at most one is derived" "${id::2} $(($(arenas "$pass") <= 1))" "${id::2} 1"
done
fails "... and the vault stays shut" 1 "" try_passphrase "$pass"
fails "... by the key file, too" 1 "are not those it wrote" stepvault unlock --key-file "$scratch/key"

# ---- What holds the rows together ----

for edited in "DELETE FROM state" "UPDATE state SET sealed = zeroblob(length(sealed))" "UPDATE state SET sealed = x'00'" \
    "UPDATE state SET record_count = 0" "UPDATE state SET log_size = 0" \
    "DELETE FROM state; INSERT INTO state SELECT * FROM earlier.state" \
    "DELETE FROM state; DELETE FROM leaves; DELETE FROM tiles; DELETE FROM checkpoints" \
    "DELETE FROM leaves WHERE number = (SELECT max(number) FROM leaves); UPDATE state SET log_size = log_size - 1" \
    "INSERT OR REPLACE INTO records SELECT * FROM earlier.records" \
    "UPDATE header SET epoch = 0" "UPDATE header SET epoch = 2" "UPDATE header SET vault_id = randomblob(16)"; do
    edit "$edited"
    try stepvault unlock --key-file "$scratch/key"
    is "refused: $edited" "$status$(grep -c "are not those\|not what the vault wrote\|is missing\|does not open" <<< "$err")" 11
done

# Rows that would say something of the vault: nothing is there that is not in the sum.
for edited in "INSERT INTO records SELECT randomblob(16), place, randomblob(16), link, finals, version, epoch, body FROM records LIMIT 1" \
    "INSERT INTO records SELECT randomblob(16), randomblob(16), randomblob(16), randomblob(16), x'', 1, 1, randomblob(296)" \
    "INSERT INTO segments SELECT number + 1, bytes FROM segments" "INSERT INTO segments VALUES (1, randomblob(72))" \
    "INSERT INTO checkpoints VALUES (2, randomblob(1072))" \
    "INSERT INTO slots SELECT randomblob(16), 4, 0, 0, 0, salt, created_ms, commitment, wrapped FROM slots WHERE kind = 4"; do
    edit "$edited"
    fails "refused: $edited" 1 "are not those it wrote" stepvault unlock --key-file "$scratch/key"
done

# ---- Another format ----

for format in 0 2 3 4294967295; do
    edit "PRAGMA user_version = $format"
    fails "format $format" 1 "has format" stepvault unlock --key-file "$scratch/key"
    fails "... and nothing of it is asked for" 1 "has format" try_passphrase "$pass"
done
edit "PRAGMA application_id = 0"
fails "another application's file" 1 "is not a stepvault vault" stepvault unlock --key-file "$scratch/key"
edit "ALTER TABLE records ADD COLUMN more BLOB"
fails "a schema with more" 1 "its schema was changed" stepvault unlock --key-file "$scratch/key"
edit "CREATE TABLE restored (at INTEGER)"
fails "a table that says something" 1 "its schema was changed" stepvault unlock --key-file "$scratch/key"

restore_whole
succeeds "the vault as it was opens" try_passphrase "$pass"
holds "... and holds"
finish
