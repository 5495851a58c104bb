package main

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// version says which grantctl this is: the version of the module, or the commit
// of a program that was built in a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "grantctl, of an unknown version"
	}
	var text strings.Builder
	text.WriteString("grantctl " + info.Main.Version)
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text.WriteString(", commit " + s.Value)
		}
	}
	return fmt.Sprintf("%s, %s", text.String(), info.GoVersion)
}
