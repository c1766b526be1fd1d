package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// listFolder lists the regular files in and below dir, but for hidden ones and
// those with another extension than the given, if any is given. Their names are
// slash-separated paths from dir.
func listFolder(dir string, extensions []string) (catalogue, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return catalogue{}, err
	}
	if info, err := os.Stat(dir); err != nil {
		return catalogue{}, fmt.Errorf("-dir: %w", err)
	} else if !info.IsDir() {
		return catalogue{}, fmt.Errorf("-dir %s: expected a directory", dir)
	}
	k := catalogue{Library: "text files in " + dir, Root: dir}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(e.Name(), ".") && path != dir:
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case !e.Type().IsRegular():
			return nil
		case len(extensions) > 0 && !slices.Contains(extensions, strings.ToLower(filepath.Ext(path))):
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		k.Documents = append(k.Documents, document{filepath.ToSlash(name), info.Size()})
		return nil
	})
	if err != nil {
		return catalogue{}, fmt.Errorf("-dir: %w", err)
	}
	if len(k.Documents) == 0 {
		of := "no files"
		if len(extensions) > 0 {
			of = "no files that end in " + strings.Join(extensions, " or ")
		}
		return catalogue{}, fmt.Errorf("-dir %s: there are %s in or below it, expected one for each document", dir, of)
	}
	k.sort()
	return k, nil
}

// sort puts the documents in the order of their names, which a walk of directories
// does not: it has a/b before a.b.
func (k *catalogue) sort() {
	slices.SortFunc(k.Documents, func(a, b document) int { return strings.Compare(a.Name, b.Name) })
}

// readFile returns the text of a file and its size. Bytes that are not UTF-8 are
// left in: they separate words.
func readFile(root, name string) (string, int64, error) {
	path := filepath.Join(root, filepath.FromSlash(name))
	text, err := os.ReadFile(path)
	if err != nil {
		return "", 0, err
	}
	if at := bytes.IndexByte(text, 0); at >= 0 {
		return "", 0, fmt.Errorf("%s: byte %d is zero, expected a text file (-ext .txt,.md takes only files with such names)", path, at)
	}
	return string(text), int64(len(text)), nil
}
