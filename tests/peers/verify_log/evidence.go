// An outsider's view of a stepvault log: its signed notes, its exported lines, receipts and proofs of consistency, judged by
// Go's own packages for notes and transparency logs from docs/FORMAT.md, sections 7 to 9, and one verifier key that was kept.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const receiptFormat = "c2sp.org/tlog-proof@v1"

// A run of leaves under one signing key.
type era struct {
	first    int64
	key      string
	verifier note.Verifier
}

// An exported log: the hash of each leaf, the line of each that was not pruned, and the eras that the lines announce.
type exported struct {
	hashes []tlog.Hash
	lines  [][]byte
	eras   []era
	pruned int
}

type checkpoint struct {
	size int64
	root tlog.Hash
}

// decode takes base64 in its one canonical spelling: encoding/base64 ignores newlines and spare bits.
func decode(text string) ([]byte, error) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err == nil && base64.StdEncoding.EncodeToString(decoded) != text {
		err = fmt.Errorf("base64 that is not canonical")
	}
	return decoded, err
}

func decodeHash(text string) (hash tlog.Hash, err error) {
	decoded, err := decode(text)
	if err == nil && len(decoded) != len(hash) {
		err = fmt.Errorf("a hash of %d bytes", len(decoded))
	}
	copy(hash[:], decoded)
	return hash, err
}

func decodeNumber(text string) (int64, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err == nil && (number < 0 || strconv.FormatInt(number, 10) != text) {
		err = fmt.Errorf("a number that is not canonical")
	}
	return number, err
}

// openNote gives the text of a note that the verifier's key signed.
func openNote(message []byte, verifier note.Verifier) (string, error) {
	opened, err := note.Open(message, note.VerifierList(verifier))
	if err != nil {
		return "", err
	}
	for _, signature := range append(opened.Sigs, opened.UnverifiedSigs...) {
		if _, err := decode(signature.Base64); err != nil {
			return "", err
		}
	}
	// Open ignores a repeated signature, whatever it says.
	if bytes.Count(message, []byte("\n— ")) != len(opened.Sigs)+len(opened.UnverifiedSigs) {
		return "", fmt.Errorf("a signature stands there twice")
	}
	return opened.Text, nil
}

func openCheckpoint(message []byte, verifier note.Verifier) (found checkpoint, err error) {
	text, err := openNote(message, verifier)
	if err != nil {
		return found, err
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return found, fmt.Errorf("a checkpoint of ours has three lines")
	}
	if lines[0] != verifier.Name() {
		return found, fmt.Errorf("the origin is not the key's name")
	}
	if found.size, err = decodeNumber(lines[1]); err != nil {
		return found, err
	}
	found.root, err = decodeHash(lines[2])
	return found, err
}

// openOfEra opens a checkpoint with the key of the era in which the log had that size.
func openOfEra(message []byte, eras []era) (checkpoint, int, error) {
	err := fmt.Errorf("no era")
	for number := len(eras) - 1; number >= 0; number-- {
		var found checkpoint
		if found, err = openCheckpoint(message, eras[number].verifier); err != nil {
			continue
		}
		if found.size <= eras[number].first && number > 0 || number+1 < len(eras) && found.size > eras[number+1].first {
			return found, number, fmt.Errorf("size %d is not of era %d", found.size, number)
		}
		return found, number, nil
	}
	return checkpoint{}, 0, err
}

// readLine gives the hash of one line of an export, and the line itself unless the entry was pruned.
func readLine(index int, line []byte) (tlog.Hash, []byte, error) {
	var pruned struct {
		Index  int    `json:"index"`
		Pruned string `json:"pruned"`
	}
	var hash tlog.Hash

	if !bytes.HasPrefix(line, []byte(`{"index":`)) {
		return tlog.RecordHash(line), line, nil
	}
	if err := json.Unmarshal(line, &pruned); err != nil {
		return hash, nil, err
	}
	decoded, err := hex.DecodeString(pruned.Pruned)
	if err != nil || len(decoded) != len(hash) {
		return hash, nil, fmt.Errorf("line %d has no hash", index)
	}
	if pruned.Index != index || fmt.Sprintf(`{"index":%d,"pruned":"%x"}`, index, decoded) != string(line) {
		return hash, nil, fmt.Errorf("line %d is not that of a pruned entry", index)
	}
	copy(hash[:], decoded)
	return hash, nil, nil
}

// nextEra reads what the first leaf of an era announces, which the key before it must have signed.
func nextEra(index int, line []byte, before era) (*era, error) {
	var leaf struct {
		Action    string `json:"action"`
		Successor *struct {
			Key  string `json:"key"`
			Note string `json:"note"`
		} `json:"successor"`
	}

	if err := json.Unmarshal(line, &leaf); err != nil {
		return nil, err
	}
	if leaf.Successor == nil {
		return nil, nil
	}
	text, err := openNote([]byte(leaf.Successor.Note), before.verifier)
	if err != nil {
		return nil, err
	}
	if text != fmt.Sprintf("stepvault/v1/successor\n%d\n%s\n", index, leaf.Successor.Key) {
		return nil, fmt.Errorf("line %d announces another key than was signed", index)
	}
	verifier, err := note.NewVerifier(leaf.Successor.Key)
	if err != nil {
		return nil, err
	}
	sameLog := strings.LastIndex(before.verifier.Name(), "/") + 1
	if !strings.HasPrefix(verifier.Name(), before.verifier.Name()[:sameLog]) {
		return nil, fmt.Errorf("line %d announces the key of another vault", index)
	}
	if (verifier.Name() == before.verifier.Name()) != (leaf.Action == "rekey") || leaf.Action != "rekey" && leaf.Action != "restore" {
		return nil, fmt.Errorf("line %d announces a key and is %s", index, leaf.Action)
	}
	return &era{int64(index), leaf.Successor.Key, verifier}, nil
}

// readExport reads the lines of `audit export`, trusting the key of the first era and whatever that vouches for.
func readExport(text []byte, trusted string) (*exported, error) {
	verifier, err := note.NewVerifier(trusted)
	if err != nil {
		return nil, err
	}
	export := &exported{eras: []era{{0, trusted, verifier}}}
	if len(text) == 0 || text[len(text)-1] != '\n' {
		return nil, fmt.Errorf("an export ends with a newline")
	}
	for index, line := range bytes.Split(text[:len(text)-1], []byte("\n")) {
		hash, line, err := readLine(index, line)
		if err != nil {
			return nil, err
		}
		export.hashes = append(export.hashes, hash)
		export.lines = append(export.lines, line)
		if line == nil {
			export.pruned++
			continue
		}
		next, err := nextEra(index, line, export.eras[len(export.eras)-1])
		if err != nil {
			return nil, err
		}
		if next != nil {
			export.eras = append(export.eras, *next)
		}
	}
	return export, nil
}

// root computes the root of the first `size` leaves by tlog's stored hashes.
func (export *exported) root(size int64) (tlog.Hash, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index >= int64(len(stored)) {
				return nil, fmt.Errorf("no hash %d", index)
			}
			found[i] = stored[index]
		}
		return found, nil
	})

	if size > int64(len(export.hashes)) {
		return tlog.Hash{}, fmt.Errorf("the log has %d entries, not %d", len(export.hashes), size)
	}
	for index, hash := range export.hashes[:size] {
		added, err := tlog.StoredHashesForRecordHash(int64(index), hash, reader)
		if err != nil {
			return tlog.Hash{}, err
		}
		stored = append(stored, added...)
	}
	return tlog.TreeHash(size, reader)
}

// checkNote: the log in the export is what the note's signer saw.
func (export *exported) checkNote(message []byte) error {
	found, _, err := openOfEra(message, export.eras)
	if err != nil {
		return err
	}
	root, err := export.root(found.size)
	if err == nil && root != found.root {
		err = fmt.Errorf("the first %d lines have another root", found.size)
	}
	return err
}

// checkReceipt verifies a tlog-proof (C2SP) and the entry that it carries, or that `line` is where it carries none.
func checkReceipt(text []byte, eras []era, line []byte) (int64, error) {
	front, message, parted := strings.Cut(string(text), "\n\n")
	lines := strings.Split(front, "\n")
	var proof tlog.RecordProof

	if !parted || len(lines) < 2 || lines[0] != receiptFormat {
		return 0, fmt.Errorf("this is no receipt")
	}
	lines = lines[1:]
	if extra := strings.TrimPrefix(lines[0], "extra "); extra != lines[0] {
		carried, err := decode(extra)
		if err != nil {
			return 0, err
		}
		line, lines = carried, lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return 0, fmt.Errorf("the receipt has no index")
	}
	index, err := decodeNumber(strings.TrimPrefix(lines[0], "index "))
	if err != nil {
		return 0, err
	}
	for _, text := range lines[1:] {
		hash, err := decodeHash(text)
		if err != nil {
			return 0, err
		}
		proof = append(proof, hash)
	}
	found, _, err := openOfEra([]byte(message), eras)
	if err != nil {
		return 0, err
	}
	return index, tlog.CheckRecord(proof, found.size, found.root, index, tlog.RecordHash(line))
}

// What `audit verify --against NOTE --json` says.
type verified struct {
	Total   int64  `json:"total"`
	Root    string `json:"root"`
	Note    string `json:"note"`
	Against struct {
		Size  int64    `json:"size"`
		Root  string   `json:"root"`
		Proof []string `json:"proof"`
	} `json:"against"`
}

// checkGrowth: the log of the head in `reply` goes on from the kept note.
func checkGrowth(reply verified, kept []byte, eras []era) error {
	var proof tlog.TreeProof

	before, _, err := openOfEra(kept, eras)
	if err != nil {
		return err
	}
	head, _, err := openOfEra([]byte(reply.Note), eras)
	if err != nil {
		return err
	}
	if head.size != reply.Total || hex.EncodeToString(head.root[:]) != reply.Root {
		return fmt.Errorf("the signed head is not what was verified")
	}
	if before.size != reply.Against.Size || hex.EncodeToString(before.root[:]) != reply.Against.Root {
		return fmt.Errorf("the reply is to another note")
	}
	for _, text := range reply.Against.Proof {
		hash, err := decodeHash(text)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	return tlog.CheckTree(proof, head.size, head.root, before.size, before.root)
}
