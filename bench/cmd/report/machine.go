package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// note is a line of text among the tables.
type note string

// String implements fmt.Stringer.
func (n note) String() string { return string(n) + "\n" }

// machine says where and when the figures were measured.
func (r *report) machine() error {
	return r.show("machine", note(fmt.Sprintf("Measured on %s with %s on %s/%s, %d processors (%s), at scale %q%s.",
		time.Now().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), r.size, load())))
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

// load says how busy the machine was when the program began, as Linux tells it.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	average, _, _ := strings.Cut(string(text), " ")
	return "; load average before it " + average
}
