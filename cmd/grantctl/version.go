package main

import (
	"fmt"
	"runtime/debug"
)

// version says which grantctl this is: the version of the module, or the commit
// of a program that was built in a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "grantctl, of an unknown version"
	}
	text := "grantctl " + info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text += ", commit " + s.Value
		}
	}
	return fmt.Sprintf("%s, %s", text, info.GoVersion)
}
