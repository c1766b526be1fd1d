//go:build !unix

package remote

import "io/fs"

func fileNumber(fs.FileInfo) (device, inode uint64) { return 0, 0 }
