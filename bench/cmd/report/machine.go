package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine says where the figures were measured.
func (r *report) machine() error {
	return r.put("machine", fmt.Sprintf("The machine: %s/%s, %d processors (%s).", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor()))
}

// conditions says when a section was measured, and under what: each block says
// it for itself, because a run may replace some blocks and leave the others.
// Call it before the section runs.
func (r *report) conditions() string {
	return fmt.Sprintf("Measured on %s with %s at scale %q%s%s.", time.Now().Format(time.DateOnly), runtime.Version(), r.size, revision(), load())
}

// revision says which commit is measured, if git knows.
func revision() string {
	hash, err := exec.Command("git", "rev-parse", "--short=8", "HEAD").Output()
	if err != nil {
		return ""
	}
	return ", commit " + strings.TrimSpace(string(hash))
}

// processor returns the model of the processor, as Linux tells it.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return runtime.GOARCH
}

// load says how busy the machine was at this moment, as Linux tells it.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	average, _, _ := strings.Cut(string(text), " ")
	return "; load average before it " + average
}
