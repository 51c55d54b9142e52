// The proof of one entry as a text (C2SP tlog-proof), as `veilleuse prove` writes it: read and checked with sumdb alone.
package main

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const proofHeader = "c2sp.org/tlog-proof@v1"

type proof struct {
	entry  []byte // what a vault's proof carries as extra data
	index  int64
	hashes tlog.RecordProof
	note   []byte
}

func parseProof(text string) (proof, error) {
	var p proof
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != proofHeader {
		return p, errors.New("not a tlog-proof")
	}
	lines = lines[1:]
	var err error
	if extra, is := strings.CutPrefix(lines[0], "extra "); is {
		if p.entry, err = base64.StdEncoding.Strict().DecodeString(extra); err != nil {
			return p, err
		}
		lines = lines[1:]
	}
	number, is := strings.CutPrefix(lines[0], "index ")
	if !is {
		return p, errors.New("no index")
	}
	if p.index, err = strconv.ParseInt(number, 10, 64); err != nil {
		return p, err
	}
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return p, err
		}
		p.hashes = append(p.hashes, hash)
	}
	p.note = []byte(checkpoint)
	return p, nil
}

func proofCommand(arguments []string) (string, error) {
	flags := flag.NewFlagSet("proof", flag.ContinueOnError)
	keys := flags.String("verifier", "", "file of verifier keys")
	path, err := options(flags, arguments)
	if err != nil {
		return "", err
	}
	known, err := verifiers(*keys)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	p, err := parseProof(string(text))
	if err != nil {
		return "", err
	}
	opened, err := note.Open(p.note, note.VerifierList(known...))
	if err != nil {
		return "", err
	}
	tree, err := parseTree(opened.Text, opened.Sigs[0].Name)
	if err != nil {
		return "", err
	}
	if err := tlog.CheckRecord(p.hashes, tree.N, tree.Hash, p.index, tlog.RecordHash(p.entry)); err != nil {
		return "", err
	}
	return fmt.Sprintf("entry %d of %d", p.index, tree.N), nil
}

// proveCommand writes such a text about a log, the entry itself as extra data.
func proveCommand(arguments []string) (string, error) {
	flags := flag.NewFlagSet("prove", flag.ContinueOnError)
	keys := flags.String("verifier", "", "file of verifier keys")
	index := flags.Int64("index", 0, "which entry")
	root, err := options(flags, arguments)
	if err != nil {
		return "", err
	}
	known, err := verifiers(*keys)
	if err != nil {
		return "", err
	}
	d := newDisk(root)
	newest, err := d.open("checkpoint", known)
	if err != nil {
		return "", err
	}
	entry, err := d.entry(*index, newest.tree.N)
	if err != nil {
		return "", err
	}
	hashes, err := tlog.ProveRecord(newest.tree.N, *index, tlog.TileHashReader(newest.tree, d))
	if err != nil {
		return "", err
	}
	message, err := os.ReadFile(filepath.Join(root, "checkpoint"))
	if err != nil {
		return "", err
	}
	lines := []string{proofHeader, "extra " + base64.StdEncoding.EncodeToString(entry), fmt.Sprintf("index %d", *index)}
	for _, hash := range hashes {
		lines = append(lines, hash.String())
	}
	return strings.Join(lines, "\n") + "\n\n" + strings.TrimSuffix(string(message), "\n"), nil
}
