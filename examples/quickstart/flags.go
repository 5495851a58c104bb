package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// parse reads the command line.
func parse(args []string) (addr, dir string, err error) {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.StringVar(&addr, "addr", "127.0.0.1:8080", "where the app listens, on loopback; port 0 picks a free one")
	flags.StringVar(&dir, "data", "", "folder for key and grants (default authtrip-quickstart in the user's configuration folder)")
	if err := flags.Parse(args); err != nil {
		return "", "", err
	}
	if flags.NArg() > 0 {
		return "", "", fmt.Errorf("unknown argument %q: -h lists what can be set", flags.Arg(0))
	}
	if dir == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return "", "", fmt.Errorf("no folder for the data: name one with -data: %w", err)
		}
		dir = filepath.Join(config, "authtrip-quickstart")
	}
	return addr, dir, nil
}
