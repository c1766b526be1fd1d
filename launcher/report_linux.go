package launcher

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// writeReport writes r to path as JSON. The file is whole or not there: it gets
// its name when it is complete.
func writeReport(path string, r *Result) error {
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
