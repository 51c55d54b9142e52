// A log as it lies in a directory: its checkpoints, its tiles, its entries, read by sumdb's own rules.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

type disk struct {
	root    string
	bundles map[int64][][]byte
}

func newDisk(root string) *disk {
	return &disk{root: root, bundles: map[int64][][]byte{}}
}

// verifiers reads a file of verifier keys, one a line: one for each epoch of the log's origin, newest last.
func verifiers(path string) ([]note.Verifier, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []note.Verifier
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		verifier, err := note.NewVerifier(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %v", path, line, err)
		}
		list = append(list, verifier)
	}
	return list, nil
}

// checkpoint is a signed tree, and the key that signed it.
type checkpoint struct {
	tree   tlog.Tree
	signer note.Signature
	path   string
}

// parseTree reads the three lines that C2SP tlog-checkpoint puts into the note; sumdb's ParseTree wants its own origin.
func parseTree(text, origin string) (tlog.Tree, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) != 4 {
		return tlog.Tree{}, fmt.Errorf("not the three lines of a checkpoint: %q", text)
	}
	if lines[0] != origin {
		return tlog.Tree{}, fmt.Errorf("origin %q, but signed by %q", lines[0], origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] || size < 0 {
		return tlog.Tree{}, fmt.Errorf("no size: %q", lines[1])
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
}

// open has sumdb/note check the signature; the first known signer's name must be the origin.
func (d *disk) open(relative string, known []note.Verifier) (checkpoint, error) {
	path := filepath.Join(d.root, relative)
	message, err := os.ReadFile(path)
	if err != nil {
		return checkpoint{}, err
	}
	opened, err := note.Open(message, note.VerifierList(known...))
	if err != nil {
		return checkpoint{}, fmt.Errorf("%s: %v", path, err)
	}
	tree, err := parseTree(opened.Text, opened.Sigs[0].Name)
	if err != nil {
		return checkpoint{}, fmt.Errorf("%s: %v", path, err)
	}
	return checkpoint{tree: tree, signer: opened.Sigs[0], path: path}, nil
}

// kept opens every checkpoints/<size>, ascending.
func (d *disk) kept(known []note.Verifier) ([]checkpoint, error) {
	entries, err := os.ReadDir(filepath.Join(d.root, "checkpoints"))
	if err != nil {
		return nil, err
	}
	var list []checkpoint
	for _, entry := range entries {
		opened, err := d.open(filepath.Join("checkpoints", entry.Name()), known)
		if err != nil {
			return nil, err
		}
		if strconv.FormatInt(opened.tree.N, 10) != entry.Name() {
			return nil, fmt.Errorf("%s is of size %d", opened.path, opened.tree.N)
		}
		list = append(list, opened)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].tree.N < list[j].tree.N })
	return list, nil
}

// file reads a tile or bundle of the given width; where only a wider one stands, all of that.
func (d *disk) file(tile tlog.Tile) ([]byte, error) {
	path := func(t tlog.Tile) string {
		relative := strings.TrimPrefix(t.Path(), "tile/8/")
		relative = strings.Replace(relative, "data/", "entries/", 1)
		return filepath.Join(d.root, "tile", filepath.FromSlash(relative))
	}
	data, err := os.ReadFile(path(tile))
	if os.IsNotExist(err) && tile.W != tileWidth {
		tile.W = tileWidth
		data, err = os.ReadFile(path(tile))
	}
	return data, err
}

// Height, ReadTiles and SaveTiles make a disk a tlog.TileReader.
func (d *disk) Height() int { return tileHeight }

func (d *disk) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	list := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, err := d.file(tile)
		if err != nil {
			return nil, err
		}
		if want := tile.W * tlog.HashSize; len(data) > want {
			data = data[:want]
		}
		list[i] = data
	}
	return list, nil
}

func (d *disk) SaveTiles([]tlog.Tile, [][]byte) {}

// bundle splits an entry bundle: each entry behind its size in two bytes.
func bundle(data []byte) ([][]byte, error) {
	var list [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("the bundle ends in the middle of entry %d", len(list))
		}
		size := int(binary.BigEndian.Uint16(data))
		list = append(list, data[2:2+size])
		data = data[2+size:]
	}
	return list, nil
}

// entry gives entry i of a tree of `size`.
func (d *disk) entry(i, size int64) ([]byte, error) {
	number := i / tileWidth
	entries, known := d.bundles[number]
	if !known {
		width := min(size-number*tileWidth, tileWidth)
		data, err := d.file(tlog.Tile{H: tileHeight, L: -1, N: number, W: int(width)})
		if err != nil {
			return nil, err
		}
		if entries, err = bundle(data); err != nil {
			return nil, fmt.Errorf("bundle %d: %v", number, err)
		}
		if int64(len(entries)) < width {
			return nil, fmt.Errorf("bundle %d holds %d entries, not %d", number, len(entries), width)
		}
		d.bundles[number] = entries
	}
	return entries[i%tileWidth], nil
}
