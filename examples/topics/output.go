package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/muster-mpi/muster/rank"
	"gonum.org/v1/gonum/blas/blas64"
)

// write writes what -output asks for, on rank 0. Every rank calls it; an error is
// everybody's.
func write(ctx context.Context, c *rank.Comm, s *study, o *options) error {
	if o.output == "" {
		return nil
	}
	places, err := wholeMatrix(ctx, c, s.latent.places())
	if err != nil {
		return err
	}
	mixtures, err := wholeMatrix(ctx, c, s.model.mixtures())
	if err != nil {
		return err
	}
	if c.Rank() == 0 {
		err = writeFile(o.output, func(w io.Writer) error { return writeCSV(w, s.Documents, places, mixtures) })
	}
	return agree(ctx, c, err)
}

// writeFile creates the file name with what f writes.
func writeFile(name string, f func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("-output: %w", err)
	}
	err = f(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("-output %s: %w", name, err)
	}
	return nil
}

// writeCSV writes a line for each document: its name, its places, its mixture. Numbers
// are read back bit by bit.
func writeCSV(w io.Writer, documents []document, places, mixtures blas64.General) error {
	out := csv.NewWriter(w)
	line := []string{"document"}
	for j := range places.Cols {
		line = append(line, fmt.Sprintf("lsa%d", j+1))
	}
	for j := range mixtures.Cols {
		line = append(line, fmt.Sprintf("topic%d", j+1))
	}
	out.Write(line) // an error stays with out, for the end
	for i, d := range documents {
		line = append(line[:0], d.Name)
		for _, m := range []blas64.General{places, mixtures} {
			for _, x := range rowOf(m, i) {
				line = append(line, strconv.FormatFloat(x, 'g', -1, 64))
			}
		}
		out.Write(line)
	}
	out.Flush()
	return out.Error()
}
