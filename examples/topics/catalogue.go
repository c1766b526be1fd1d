package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-mpi/muster/collectives"
	"github.com/muster-mpi/muster/rank"
)

// A document of the catalogue: its name, by which -like finds it, and how many
// bytes have to be read for it, by which the work is divided.
type document struct {
	Name  string
	Bytes int64
}

// A catalogue is the list of all documents, in the order of their names, the same
// on every rank. Documents are known by their place in it.
type catalogue struct {
	Library   string // what they are, for the report
	Root      string // the directory they are in
	Packages  bool   // Go packages rather than text files
	Documents []document
}

// openCatalogue has rank 0 list the documents that o asks for, and gives the list
// to every rank. Every rank calls it; an error is everybody's.
func openCatalogue(ctx context.Context, c *rank.Comm, o *options) (*catalogue, error) {
	var k catalogue
	var err error
	if c.Rank() == 0 {
		k, err = o.list()
	}
	if err := agree(ctx, c, err); err != nil {
		return nil, err
	}
	if k, err = collectives.BcastObject(ctx, c, 0, k); err == nil {
		o.fit(len(k.Documents))
	}
	return &k, err
}

// list returns the catalogue of the documents that o asks for, after everything is
// checked that can be checked by their number and names.
func (o *options) list() (k catalogue, err error) {
	if o.dir == "" {
		k, err = listPackages()
	} else {
		k, err = listFolder(o.dir, o.extensions)
	}
	if err != nil {
		return k, err
	}
	n := len(k.Documents)
	if n < 2 {
		return k, fmt.Errorf("%s has %s, expected 2 or more", k.Root, count(n, "document"))
	}
	o.fit(n)
	for _, bounded := range []struct {
		name  string
		value int
	}{{"dimensions", o.dimensions}, {"min-docs", o.minDocs}} {
		if bounded.value > n {
			return k, fmt.Errorf("-%s %d: %s has %s, expected 1 to %d", bounded.name, bounded.value, k.Root, count(n, "document"), n)
		}
	}
	_, err = k.find(o.like)
	return k, err
}

// costs returns what it costs to read each document, in bytes: opening a file is
// worth some, too.
func (k *catalogue) costs() []int64 {
	costs := make([]int64, len(k.Documents))
	for i, d := range k.Documents {
		costs[i] = d.Bytes + 1000
	}
	return costs
}

// find returns the place of the document called name; of the default one if name
// is empty.
func (k *catalogue) find(name string) (int, error) {
	byName := func(d document, name string) int { return strings.Compare(d.Name, name) }
	if name == "" && k.Packages {
		name = "encoding/json"
	}
	if i, ok := slices.BinarySearchFunc(k.Documents, name, byName); ok || name == "" {
		return i, nil
	}
	var similar []string
	for _, d := range k.Documents {
		if len(similar) < 5 && strings.Contains(strings.ToLower(d.Name), strings.ToLower(name)) {
			similar = append(similar, d.Name)
		}
	}
	if similar == nil {
		similar = []string{k.Documents[0].Name}
	}
	return 0, fmt.Errorf("-like %q: %s has no document of that name, but for example %s", name, k.Root, strings.Join(similar, ", "))
}

// read returns the text of document i. Ranks read their documents themselves, so
// all hosts must see the same files; that the size is the listed one shows that
// they do.
func (k *catalogue) read(i int) (string, error) {
	d := k.Documents[i]
	read := readFile
	if k.Packages {
		read = readPackage
	}
	text, bytes, err := read(k.Root, d.Name)
	if err == nil && bytes != d.Bytes {
		err = fmt.Errorf("%s in %s: has %d bytes here, rank 0 listed %d: every host must see the same files, and they must not change", d.Name, k.Root, bytes, d.Bytes)
	}
	return text, err
}
