//go:build !linux

package engine

func (e *Engine) leaveCore() {}
