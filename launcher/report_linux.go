package launcher

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// checkReport refuses to put a report in the place of what is no regular file, such as
// a link that somebody has planted, or /dev/null.
func checkReport(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().IsRegular() {
		return nil
	}
	owner := ""
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = fmt.Sprintf(" of user %d", s.Uid)
	}
	return fmt.Errorf("report: %s is no regular file but %v%s: name another", path, info.Mode(), owner)
}

// writeReport writes r to path as JSON. The file is whole or not there: it gets
// its name when it is complete.
func writeReport(path string, r *Result) error {
	if err := checkReport(path); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".muster-report-*")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
