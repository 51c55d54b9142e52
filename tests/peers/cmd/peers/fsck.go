// The vault before Tessera's fsck, which makes the whole tree again from the entries and compares every tile with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// A worker of fsck that finds a fault ends; enough of them, and no fault can leave the others waiting.
const fsckWorkers = 16

// files is Tessera's own fetcher over a directory, with another checkpoint in the place of the newest.
type files struct {
	client.FileFetcher
	checkpoint string
}

func (f files) ReadCheckpoint(context.Context) ([]byte, error) { return os.ReadFile(f.checkpoint) }

func leafHashes(data []byte) ([][]byte, error) {
	var bundle api.EntryBundle
	if err := bundle.UnmarshalText(data); err != nil {
		return nil, err
	}
	list := make([][]byte, len(bundle.Entries))
	for i, entry := range bundle.Entries {
		list[i] = rfc6962.DefaultHasher.HashLeaf(entry)
	}
	return list, nil
}

// fsckOne checks the tree of one checkpoint. A bundle of too few entries makes fsck panic: that is a refusal, too.
func fsckOne(root, checkpoint string, verifier note.Verifier) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if problem := recover(); problem != nil {
				done <- fmt.Errorf("fsck fell over: %v", problem)
			}
		}()
		source := files{client.FileFetcher{Root: root}, checkpoint}
		check := fsck.New(verifier.Name(), verifier, source, leafHashes, fsck.Opts{N: fsckWorkers})
		done <- check.Check(context.Background())
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Minute):
		return errors.New("fsck does not come to an end")
	}
}

func fsckCommand(arguments []string) (string, error) {
	flags := flag.NewFlagSet("fsck", flag.ContinueOnError)
	keys := flags.String("verifier", "", "file of verifier keys (VAULT/verifier)")
	kept := flags.Bool("kept", false, "also the tree of each kept checkpoint")
	root, err := options(flags, arguments)
	if err != nil {
		return "", err
	}
	if *keys == "" {
		*keys = filepath.Join(root, "verifier")
	}
	known, err := verifiers(*keys)
	if err != nil {
		return "", err
	}
	d := newDisk(root)
	newest := filepath.Join(root, "checkpoint")
	if err := fsckOne(root, newest, known[len(known)-1]); err != nil {
		return "", fmt.Errorf("%s: %v", newest, err)
	}
	if !*kept {
		return "1 tree", nil
	}
	list, err := d.kept(known)
	if err != nil {
		return "", err
	}
	for _, opened := range list {
		for _, verifier := range known {
			if verifier.Name() != opened.signer.Name || verifier.KeyHash() != opened.signer.Hash {
				continue
			}
			if err := fsckOne(root, opened.path, verifier); err != nil {
				return "", fmt.Errorf("%s: %v", opened.path, err)
			}
		}
	}
	return fmt.Sprintf("%d trees", 1+len(list)), nil
}
