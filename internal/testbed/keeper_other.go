//go:build !linux

package testbed

import "testing"

type keeper struct{ reply }

func keep(t testing.TB, _ spec) *keeper {
	t.Skip("test beds of several hosts want Linux")
	return nil
}

func (k *keeper) processes(testing.TB) []Process { return nil }

func (k *keeper) kill(int) {}

func (k *keeper) start(testing.TB, daemon) {}
