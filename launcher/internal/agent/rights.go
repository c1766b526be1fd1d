package agent

import (
	"fmt"
	"os"
)

// OwnRights is an error for a process that has other rights than whoever started it: of
// a program that is set-user-ID or set-group-ID. Muster runs programs that its user
// names, so it must not have more than that user.
func OwnRights() error {
	switch {
	case os.Getuid() != os.Geteuid():
		return fmt.Errorf("muster was started by user %d and has the rights of user %d: its file must not be set-user-ID", os.Getuid(), os.Geteuid())
	case os.Getgid() != os.Getegid():
		return fmt.Errorf("muster was started by group %d and has the rights of group %d: its file must not be set-group-ID", os.Getgid(), os.Getegid())
	}
	return nil
}
