// The vault before golang.org/x/mod/sumdb: note opens the checkpoints, tlog proves entries and growth from the tiles.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type sumdb struct {
	disk   *disk
	newest checkpoint
	kept   []checkpoint
	random *rand.Rand
}

// some gives up to `most` of the numbers below `count`: all of them, or that many by chance.
func (s *sumdb) some(count int64, most int) []int64 {
	if count <= int64(most) {
		list := make([]int64, count)
		for i := range list {
			list[i] = int64(i)
		}
		return list
	}
	chosen := map[int64]bool{0: true, count - 1: true}
	for len(chosen) < most {
		chosen[s.random.Int64N(count)] = true
	}
	list := make([]int64, 0, most)
	for i := range chosen {
		list = append(list, i)
	}
	return list
}

// tiles compares each tile of the newest tree with what sumdb reads out of the hashes it has checked.
func (s *sumdb) tiles() (int, error) {
	reader := tlog.TileHashReader(s.newest.tree, s.disk)
	list := tlog.NewTiles(tileHeight, 0, s.newest.tree.N)
	for _, tile := range list {
		checked, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return 0, fmt.Errorf("%s: %v", tile.Path(), err)
		}
		stored, err := s.disk.file(tile)
		if err != nil || !bytes.Equal(stored[:min(len(stored), len(checked))], checked) {
			return 0, fmt.Errorf("%s does not hold the hashes of the tree: %v", tile.Path(), err)
		}
	}
	return len(list), nil
}

func (s *sumdb) leaf(i int64) error {
	tree := s.newest.tree
	data, err := s.disk.entry(i, tree.N)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(tree.N, i, tlog.TileHashReader(tree, s.disk))
	if err == nil {
		err = tlog.CheckRecord(proof, tree.N, tree.Hash, i, tlog.RecordHash(data))
	}
	if err != nil {
		return fmt.Errorf("entry %d: %v", i, err)
	}
	return nil
}

func (s *sumdb) grown(older, newer checkpoint) error {
	if older.tree.N == 0 {
		return nil // every tree grows from the empty one: there is no such proof
	}
	proof, err := tlog.ProveTree(newer.tree.N, older.tree.N, tlog.TileHashReader(newer.tree, s.disk))
	if err == nil {
		err = tlog.CheckTree(proof, newer.tree.N, newer.tree.Hash, older.tree.N, older.tree.Hash)
	}
	if err != nil {
		return fmt.Errorf("from %s to %s: %v", older.path, newer.path, err)
	}
	return nil
}

// pairs checks that the newer of two checkpoints goes on from the older, for all pairs or `most` of them by chance.
func (s *sumdb) pairs(most int) (int, error) {
	all := append(append([]checkpoint{}, s.kept...), s.newest)
	var pairs [][2]int
	for older := range all {
		for newer := older + 1; newer < len(all); newer++ {
			pairs = append(pairs, [2]int{older, newer})
		}
	}
	chosen := s.some(int64(len(pairs)), most)
	for _, i := range chosen {
		if err := s.grown(all[pairs[i][0]], all[pairs[i][1]]); err != nil {
			return 0, err
		}
	}
	return len(chosen), nil
}

func sumdbCommand(arguments []string) (string, error) {
	flags := flag.NewFlagSet("sumdb", flag.ContinueOnError)
	keys := flags.String("verifier", "", "file of verifier keys (VAULT/verifier)")
	leaves := flags.Int("leaves", 1000, "all entries, or so many by chance")
	pairs := flags.Int("pairs", 200, "all pairs of checkpoints, or so many by chance")
	seed := flags.Uint64("seed", 1, "of chance")
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
	s := sumdb{disk: newDisk(root), random: rand.New(rand.NewPCG(*seed, 0))}
	if s.kept, err = s.disk.kept(known); err != nil {
		return "", err
	}
	// The newest checkpoint is of the newest epoch of the origin.
	if s.newest, err = s.disk.open("checkpoint", known[len(known)-1:]); err != nil {
		return "", err
	}
	return s.check(*leaves, *pairs, known)
}

func (s *sumdb) check(leaves, pairs int, known []note.Verifier) (string, error) {
	tileCount, err := s.tiles()
	if err != nil {
		return "", err
	}
	chosen := s.some(s.newest.tree.N, leaves)
	for _, i := range chosen {
		if err := s.leaf(i); err != nil {
			return "", err
		}
	}
	pairCount, err := s.pairs(pairs)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("size %d keys %d checkpoints %d tiles %d leaves %d pairs %d", s.newest.tree.N, len(known),
		len(s.kept)+1, tileCount, len(chosen), pairCount), nil
}
