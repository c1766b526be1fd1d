package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// outputs are the files that rank 0 writes; nil where none was asked for.
type outputs struct {
	bodies, picture *os.File
}

func openOutputs(o *options) (f outputs, err error) {
	if o.output != "" {
		if f.bodies, err = os.Create(o.output); err != nil {
			return f, err
		}
	}
	if o.plot != "" {
		f.picture, err = os.Create(o.plot)
	}
	return f, err
}

// close closes what is still open.
func (f *outputs) close() {
	f.bodies.Close()
	f.picture.Close()
}

// write writes the files that o asks for. Every rank calls it and gets rank 0's verdict.
func (f *outputs) write(ctx context.Context, s *simulation, o *options, report *reporter, shot *picture) error {
	if o.output != "" {
		if err := verdict(ctx, s.c, f.writeBodies(ctx, s)); err != nil {
			return err
		}
		report.printf("bodies at the end: %s\n", o.output)
	}
	if o.plot != "" {
		var err error
		if report != nil {
			err = errors.Join(shot.draw(f.picture, strings.ToLower(filepath.Ext(o.plot))), f.picture.Close())
		}
		if err := verdict(ctx, s.c, err); err != nil {
			return err
		}
		report.printf("picture: %s\n", o.plot)
	}
	return nil
}

// writeBodies writes the bodies block by block; rank 0 never holds more than two blocks.
func (f *outputs) writeBodies(ctx context.Context, s *simulation) error {
	if f.bodies == nil {
		return s.collect(ctx, nil)
	}
	w, err := newCSVWriter(f.bodies)
	if lost := s.collect(ctx, func(b *bodies) error {
		if err == nil {
			err = w.write(b)
		}
		return nil
	}); lost != nil {
		return lost
	}
	if err == nil {
		err = w.flush()
	}
	return errors.Join(err, f.bodies.Close())
}
