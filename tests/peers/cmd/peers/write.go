// A log that Tessera's POSIX driver writes, with entries that are nothing of ours, for our own verifier to read.
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// signer reads the key kept in a file, or makes one of that name; the verifier key stands beside it, in FILE.pub.
func signer(path, name string) (note.Signer, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		secret, public, err := note.GenerateKey(rand.Reader, name)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(path+".pub", []byte(public+"\n"), 0o644); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
			return nil, err
		}
		return note.NewSigner(secret)
	}
	if err != nil {
		return nil, err
	}
	return note.NewSigner(string(text))
}

// entry makes entry i: mostly short and without sense, some empty, some as large as the format allows, and some that
// begin as a sealed entry of ours does, with each form, so that nobody takes them for one.
func entry(i uint64, random *mathrand.ChaCha8) []byte {
	size := 1 + random.Uint64()%400
	switch {
	case i%251 == 1:
		return []byte{}
	case i%5003 == 2:
		size = 65535
	}
	data := make([]byte, size)
	_, _ = random.Read(data)
	if i%4 == 3 && size > 10 {
		data[0] = 1
		data[1] = byte(i / 4 % 8)
		binary.BigEndian.PutUint32(data[2:], uint32(i%3))
		binary.BigEndian.PutUint32(data[6:], uint32(i%2))
	}
	return data
}

type writer struct {
	add     func(context.Context, *tessera.Entry) tessera.IndexFuture
	waiting []tessera.IndexFuture
	first   uint64
}

func (w *writer) settle(most int) error {
	for len(w.waiting) > most {
		index, err := w.waiting[0]()
		if err != nil {
			return err
		}
		if index.Index != w.first {
			return fmt.Errorf("entry %d was given the index %d", w.first, index.Index)
		}
		w.first++
		w.waiting = w.waiting[1:]
	}
	return nil
}

// collected waits until the partial tiles of full ones are gone.
func collected(dir string) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		left := false
		err := filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, _ os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".p") {
				_, full := os.Stat(strings.TrimSuffix(path, ".p"))
				left = left || full == nil
			}
			return nil
		})
		if err != nil || !left {
			return err
		}
	}
	return errors.New("the partial tiles stay")
}

func writeCommand(arguments []string) (string, error) {
	flags := flag.NewFlagSet("write", flag.ContinueOnError)
	key := flags.String("key", "", "file of the signing key; made when it is not there")
	name := flags.String("name", "example.org/peers", "origin, when the key is made")
	add := flags.Uint64("add", 1, "entries to add")
	seed := flags.Uint64("seed", 1, "of the entries")
	batch := flags.Uint("batch", 1024, "entries that Tessera takes at once")
	cosigned := flags.Bool("cosigned", false, "a second key of the same name signs, too")
	collect := flags.Bool("collect", false, "wait until Tessera has removed the partial tiles of full ones")
	dir, err := options(flags, arguments)
	if err != nil {
		return "", err
	}
	own, err := signer(*key, *name)
	if err != nil {
		return "", err
	}
	var others []note.Signer
	if *cosigned {
		other, err := signer(*key+".second", own.Name())
		if err != nil {
			return "", err
		}
		others = append(others, other)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return "", err
	}
	settings := tessera.NewAppendOptions().WithCheckpointSigner(own, others...).
		WithBatching(*batch, 20*time.Millisecond).WithCheckpointInterval(100 * time.Millisecond)
	if *collect {
		settings.WithGarbageCollectionInterval(200 * time.Millisecond)
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, settings)
	if err != nil {
		return "", err
	}
	first, err := reader.IntegratedSize(ctx)
	if err != nil {
		return "", err
	}
	w := writer{add: appender.Add, first: first}
	var block [32]byte
	binary.BigEndian.PutUint64(block[:], *seed)
	binary.BigEndian.PutUint64(block[8:], first)
	random := mathrand.NewChaCha8(block)
	for i := range *add {
		w.waiting = append(w.waiting, w.add(ctx, tessera.NewEntry(entry(first+i, random))))
		if err := w.settle(2048); err != nil { // below Tessera's pushback
			return "", err
		}
	}
	if err := w.settle(0); err != nil {
		return "", err
	}
	if err := shutdown(ctx); err != nil {
		return "", err
	}
	if *collect {
		if err := collected(dir); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("size %d", first+*add), nil
}
