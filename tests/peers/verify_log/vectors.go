package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type vectors struct {
	Leaves    []string          `json:"leaves_hex"`
	Roots     map[string]string `json:"roots_hex"`
	Inclusion []struct {
		Size, Index int64
		Proof       []string
	}
	Consistency []struct {
		First, Second int64
		Proof         []string
	}
	Notes struct {
		Example string `json:"vkey_example"`
		Own     struct {
			Seed      string `json:"seed_hex"`
			Key       string `json:"vkey"`
			Text      string
			Signature string `json:"signature_line"`
		} `json:"own_checkpoint"`
		Witness struct {
			Key       string `json:"vkey"`
			Signature string `json:"signature_line"`
		} `json:"own_cosignature"`
	}
}

func hashes(texts []string) (found []tlog.Hash, err error) {
	for _, text := range texts {
		var hash tlog.Hash
		decoded, err := hex.DecodeString(text)
		if err != nil || len(decoded) != len(hash) {
			return nil, fmt.Errorf("%s is no hash", text)
		}
		copy(hash[:], decoded)
		found = append(found, hash)
	}
	return found, nil
}

func (known *vectors) root(size int64) tlog.Hash {
	found, err := hashes([]string{known.Roots[fmt.Sprint(size)]})
	if err != nil {
		return tlog.Hash{}
	}
	return found[0]
}

func (known *vectors) checkTree() (count int, err error) {
	var export exported

	for _, text := range known.Leaves {
		leaf, err := hex.DecodeString(text)
		if err != nil {
			return count, err
		}
		export.hashes = append(export.hashes, tlog.RecordHash(leaf))
	}
	// tlog's root of no leaves is all zero, and not RFC 6962's.
	for size := int64(1); size <= int64(len(known.Leaves)); size++ {
		root, err := export.root(size)
		if err != nil || root != known.root(size) {
			return count, fmt.Errorf("the root of %d leaves differs: %v", size, err)
		}
		count++
	}
	for _, proof := range known.Inclusion {
		found, err := hashes(proof.Proof)
		if err == nil {
			err = tlog.CheckRecord(found, proof.Size, known.root(proof.Size), proof.Index, export.hashes[proof.Index])
		}
		if err != nil {
			return count, fmt.Errorf("leaf %d of %d: %w", proof.Index, proof.Size, err)
		}
		count++
	}
	for _, proof := range known.Consistency {
		found, err := hashes(proof.Proof)
		if err == nil {
			err = tlog.CheckTree(found, proof.Second, known.root(proof.Second), proof.First, known.root(proof.First))
		}
		if err != nil {
			return count, fmt.Errorf("%d to %d: %w", proof.First, proof.Second, err)
		}
		count++
	}
	return count, nil
}

func (known *vectors) checkNotes() error {
	own := known.Notes.Own
	seed, err := hex.DecodeString(own.Seed)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(own.Key, "+")
	key, err := note.NewEd25519VerifierKey(name, ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	if err != nil || key != own.Key {
		return fmt.Errorf("the seed's key is %s, not %s: %v", key, own.Key, err)
	}
	verifier, err := note.NewVerifier(own.Key)
	if err != nil {
		return err
	}
	if _, err := note.NewVerifier(known.Notes.Example); err != nil {
		return err
	}
	for _, signatures := range []string{own.Signature, own.Signature + known.Notes.Witness.Signature, known.Notes.Witness.Signature + own.Signature} {
		found, err := openCheckpoint([]byte(own.Text+"\n"+signatures), verifier)
		if err != nil || found.size != 8 || found.root != known.root(8) {
			return fmt.Errorf("the known checkpoint does not verify: %v", err)
		}
	}
	for _, signatures := range []string{"", "\n", known.Notes.Witness.Signature} {
		if _, err := openCheckpoint([]byte(own.Text+"\n"+signatures), verifier); err == nil {
			return fmt.Errorf("a checkpoint that our key did not sign passes")
		}
	}
	return nil
}

func checkVectors(path string) error {
	var known vectors

	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &known)
	}
	if err != nil {
		return err
	}
	count, err := known.checkTree()
	if err == nil {
		err = known.checkNotes()
	}
	if err != nil {
		return err
	}
	fmt.Printf("%d roots and proofs, and the notes\n", count)
	return nil
}
