// Command tesserabench measures Tessera's POSIX driver: how many entries of 1 KiB a second become durable, that is
// sequenced, integrated and written with O_SYNC, and how long each waits for that. Lines: name value unit n median p99.
//
//	tesserabench [-entries N] DIR
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"
)

const entryBytes = 1024

// tuning is what one run sets; adders ask and wait for their answer, as connections would.
type tuning struct {
	name     string
	settings func(*tessera.AppendOptions)
	adders   int
}

var tunings = []tuning{
	{"tessera_posix_1KiB_defaults", func(*tessera.AppendOptions) {}, 2048},
	{"tessera_posix_1KiB", func(o *tessera.AppendOptions) {
		o.WithBatching(4096, 20*time.Millisecond).WithPushback(32768)
	}, 3 * 4096},
}

func quieten() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	_ = flags.Set("stderrthreshold", "FATAL")
	klog.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func newSigner() (note.Signer, error) {
	secret, _, err := note.GenerateKey(rand.Reader, "example.org/bench")
	if err != nil {
		return nil, err
	}
	return note.NewSigner(secret)
}

type run struct {
	next  atomic.Int64
	waits []time.Duration
	fault atomic.Pointer[error]
}

// add gives entries to the log, one after the other, until all are given.
func (r *run) add(ctx context.Context, appender *tessera.Appender, body []byte) {
	entry := slices.Clone(body)
	for {
		i := r.next.Add(1) - 1
		if i >= int64(len(r.waits)) || r.fault.Load() != nil {
			return
		}
		binary.BigEndian.PutUint64(entry, uint64(i))
		begun := time.Now()
		if _, err := appender.Add(ctx, tessera.NewEntry(slices.Clone(entry)))(); err != nil {
			r.fault.Store(&err)
			return
		}
		r.waits[i] = time.Since(begun)
	}
}

func measure(dir string, entries int, t tuning) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signer, err := newSigner()
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: filepath.Join(dir, t.name)})
	if err != nil {
		return err
	}
	settings := tessera.NewAppendOptions().WithCheckpointSigner(signer)
	t.settings(settings)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, settings)
	if err != nil {
		return err
	}
	body := make([]byte, entryBytes)
	_, _ = rand.Read(body)
	r := run{waits: make([]time.Duration, entries)}
	var adders sync.WaitGroup
	begun := time.Now()
	for range t.adders {
		adders.Add(1)
		go func() {
			defer adders.Done()
			r.add(ctx, appender, body)
		}()
	}
	adders.Wait()
	took := time.Since(begun)
	if fault := r.fault.Load(); fault != nil {
		return *fault
	}
	slices.Sort(r.waits)
	us := func(percent int) float64 {
		return float64(r.waits[min(entries-1, entries*percent/100)].Nanoseconds()) / 1000
	}
	fmt.Printf("%s %.6g /s(us) %d %.6g %.6g\n", t.name, float64(entries)/took.Seconds(), entries, us(50), us(99))
	return shutdown(ctx)
}

func main() {
	entries := flag.Int("entries", 200000, "how many")
	flag.Parse()
	if flag.NArg() != 1 || *entries < 1 {
		fmt.Fprintln(os.Stderr, "usage: tesserabench [-entries N] DIR")
		os.Exit(64)
	}
	quieten()
	for _, t := range tunings {
		if err := measure(flag.Arg(0), *entries, t); err != nil {
			fmt.Fprintf(os.Stderr, "tesserabench: %s: %v\n", t.name, err)
			os.Exit(1)
		}
	}
}
