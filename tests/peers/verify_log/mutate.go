package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// At most so many places of one file are changed, evenly spread.
const placesMax = 2000

const wrongKeys = 1000

// changes gives a file with one byte flipped or left out, cut off at each end of a line, and with each line left out.
func changes(file []byte) (changed [][]byte) {
	step := len(file)/placesMax + 1
	for at := 0; at < len(file); at += step {
		flipped := append([]byte{}, file...)
		flipped[at] ^= 1
		changed = append(changed, flipped, append(append([]byte{}, file[:at]...), file[at+1:]...))
	}
	lines := bytes.SplitAfter(file, []byte("\n"))
	step = len(lines)/placesMax + 1
	for at := 0; at+1 < len(lines); at += step {
		changed = append(changed, bytes.Join(lines[:at], nil), bytes.Join(append(append([][]byte{}, lines[:at]...), lines[at+1:]...), nil))
	}
	return changed
}

type tally struct{ detected, tried int }

func (tally *tally) count(err error) {
	tally.tried++
	if err != nil {
		tally.detected++
	}
}

// growthChanges gives the reply with each hash of its proof changed, left out, doubled, and with each other number.
func growthChanges(reply verified) (changed []verified) {
	proof := reply.Against.Proof
	with := func(hashes ...[]string) {
		other := reply
		other.Against.Proof = nil
		for _, part := range hashes {
			other.Against.Proof = append(other.Against.Proof, part...)
		}
		changed = append(changed, other)
	}
	for at, hash := range proof {
		for place := range hash {
			flipped := hash[:place] + string(hash[place]^1) + hash[place+1:]
			with(proof[:at], []string{flipped}, proof[at+1:])
		}
		with(proof[:at], proof[at+1:])
		with(proof[:at])
		with(proof[:at+1], proof[at:])
	}
	if len(proof) > 0 {
		with(proof, proof[:1])
	} else {
		with([]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
	}
	for _, difference := range []int64{-1, 1} {
		other := reply
		other.Total += difference
		changed = append(changed, other)
		other = reply
		other.Against.Size += difference
		changed = append(changed, other)
	}
	for _, note := range changes([]byte(reply.Note)) {
		other := reply
		other.Note = string(note)
		changed = append(changed, other)
	}
	return changed
}

func (files folder) replaced(name string, file []byte) folder {
	other := folder{}
	for kept, text := range files {
		other[kept] = text
	}
	other[name] = file
	return other
}

// mutate changes everything that could be changed, and reports what was noticed of it.
func (files folder) mutate() error {
	tallies := map[string]*tally{"notes": {}, "export": {}, "receipts": {}, "growth": {}, "keys": {}}
	export, err := files.export()
	if err != nil {
		return err
	}
	for _, name := range files.with(".note") {
		for _, changed := range changes(files[name]) {
			tallies["notes"].count(export.checkNote(changed))
		}
	}
	for _, name := range files.with(".tlog-proof") {
		for _, changed := range changes(files[name]) {
			other := files.replaced(name, changed)
			if bytes.Contains(files[name], []byte("\nextra ")) {
				// Without its entry such a receipt would be as good with the line from elsewhere.
				delete(other, strings.TrimSuffix(name, ".tlog-proof")+".line")
			}
			tallies["receipts"].count(other.checkReceipt(name, export))
		}
	}
	var head []byte
	for _, name := range files.with(".verified.json") {
		var reply verified
		if err := json.Unmarshal(files[name], &reply); err != nil {
			return err
		}
		kept := files[strings.TrimSuffix(name, ".verified.json")+".note"]
		for _, changed := range growthChanges(reply) {
			tallies["growth"].count(checkGrowth(changed, kept, export.eras))
		}
		head = []byte(reply.Note)
	}
	// The whole export is what the head of any of these replies says.
	for _, changed := range changes(files["export.jsonl"]) {
		other, err := readExport(changed, files.trusted())
		if err == nil {
			err = other.checkNote(head)
		}
		tallies["export"].count(err)
	}
	for _, changed := range changes([]byte(files.trusted())) {
		other, err := readExport(files["export.jsonl"], string(changed))
		for _, name := range files.with(".note") {
			if err == nil {
				err = other.checkNote(files[name])
			}
		}
		tallies["keys"].count(err)
	}
	missed := false
	for _, what := range []string{"keys", "notes", "export", "receipts", "growth"} {
		fmt.Printf("%s: %d detected / %d tried\n", what, tallies[what].detected, tallies[what].tried)
		missed = missed || tallies[what].detected != tallies[what].tried || tallies[what].tried == 0
	}
	if missed {
		return fmt.Errorf("something was not noticed, or not tried")
	}
	return nil
}

// tryKeys: no other key of the same name verifies any note.
func (files folder) tryKeys() error {
	refused, tried := 0, 0
	export, err := files.export()
	if err != nil {
		return err
	}
	name := export.eras[0].verifier.Name()
	for at := 0; at < wrongKeys; at++ {
		_, key, err := note.GenerateKey(rand.Reader, name)
		if err != nil {
			return err
		}
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return err
		}
		for _, file := range files.with(".note") {
			tried++
			if _, err := openCheckpoint(files[file], verifier); err != nil {
				refused++
			}
		}
	}
	fmt.Printf("%d wrong keys: %d refusals / %d notes tried\n", wrongKeys, refused, tried)
	if refused != tried || tried == 0 {
		return fmt.Errorf("a wrong key verifies")
	}
	return nil
}
