// verify_log checks a folder of evidence, as an outsider would who has never seen stepvault:
//
//	trusted.key        the verifier key that was kept when the log began (`audit key`)
//	keys.json          `audit key --all --json`
//	export.jsonl       `audit export`
//	*.note             checkpoints that were kept
//	*.tlog-proof       receipts (`audit prove`)
//	*.verified.json    `audit verify --against X.note --json`, named after X
//
// verify_log check FOLDER; verify_log mutate FOLDER changes every byte of it and counts what is noticed; verify_log keys FOLDER
// tries 1 000 keys that are not the log's; verify_log vectors FILE runs tests/vectors/tlog_kat.json.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The files of a folder, by name.
type folder map[string][]byte

func readFolder(path string) (folder, error) {
	files := folder{}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if files[entry.Name()], err = os.ReadFile(filepath.Join(path, entry.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (files folder) trusted() string {
	return strings.TrimSuffix(string(files["trusted.key"]), "\n")
}

func (files folder) export() (*exported, error) {
	return readExport(files["export.jsonl"], files.trusted())
}

// with gives the names that end so.
func (files folder) with(end string) (names []string) {
	for name := range files {
		if strings.HasSuffix(name, end) {
			names = append(names, name)
		}
	}
	return names
}

// checkKeys: the eras that the agent lists are those that the log itself announces.
func (files folder) checkKeys(export *exported) error {
	var listed struct {
		Key  string `json:"key"`
		Eras []struct {
			First int64  `json:"first"`
			Key   string `json:"key"`
		} `json:"eras"`
	}

	if err := json.Unmarshal(files["keys.json"], &listed); err != nil {
		return err
	}
	if len(listed.Eras) != len(export.eras) || listed.Key != export.eras[len(export.eras)-1].key {
		return fmt.Errorf("the log announces %d keys, and %d are listed", len(export.eras), len(listed.Eras))
	}
	for number, era := range export.eras {
		if listed.Eras[number].First != era.first || listed.Eras[number].Key != era.key {
			return fmt.Errorf("era %d is listed otherwise than the log announces it", number)
		}
	}
	return nil
}

func (files folder) checkReceipt(name string, export *exported) error {
	var index int64

	// Of an entry that was pruned nobody but who has the line can make anything.
	if _, err := fmt.Sscanf(name, "%d.tlog-proof", &index); err != nil || index >= int64(len(export.lines)) {
		return fmt.Errorf("%s is named after no entry", name)
	}
	found, err := checkReceipt(files[name], export.eras, files[fmt.Sprintf("%d.line", index)])
	if err == nil && found != index {
		err = fmt.Errorf("it is of entry %d", found)
	}
	return err
}

func (files folder) checkGrowth(name string, export *exported) error {
	var reply verified

	if err := json.Unmarshal(files[name], &reply); err != nil {
		return err
	}
	return checkGrowth(reply, files[strings.TrimSuffix(name, ".verified.json")+".note"], export.eras)
}

func (files folder) check() error {
	export, err := files.export()
	if err == nil {
		err = files.checkKeys(export)
	}
	if err != nil {
		return err
	}
	for _, name := range files.with(".note") {
		if err := export.checkNote(files[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range files.with(".tlog-proof") {
		if err := files.checkReceipt(name, export); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range files.with(".verified.json") {
		if err := files.checkGrowth(name, export); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	fmt.Printf("%d entries, %d of them pruned, %d keys, %d notes, %d receipts, %d proofs of growth\n", len(export.hashes), export.pruned,
		len(export.eras), len(files.with(".note")), len(files.with(".tlog-proof")), len(files.with(".verified.json")))
	return nil
}

func run(command, path string) error {
	if command == "vectors" {
		return checkVectors(path)
	}
	files, err := readFolder(path)
	if err != nil {
		return err
	}
	switch command {
	case "check":
		return files.check()
	case "mutate":
		return files.mutate()
	case "keys":
		return files.tryKeys()
	}
	return fmt.Errorf("no such command: %s", command)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "verify_log check|mutate|keys FOLDER, verify_log vectors FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "verify_log:", err)
		os.Exit(1)
	}
}
