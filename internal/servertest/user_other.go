//go:build !unix

package servertest

import "os/exec"

func asServerUser(*exec.Cmd) {}

func handOver(string) error { return nil }
