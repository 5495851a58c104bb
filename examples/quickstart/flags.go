package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const usage = `Quickstart shows what authtrip does: a web app that stays logged in at a fake of X.

Usage: quickstart [flags]

Environment:
  X_CLIENT_ID
    	client ID of an app at the real X; if it is set, the real X is used and no fake
  X_CLIENT_SECRET
    	client secret of that app; empty for a public client (native app, single page app)
  HTTPS_PROXY, NO_PROXY
    	the proxy on the way to the real X, as Go programs use it
  XDG_CONFIG_HOME, HOME (Unix), AppData (Windows)
    	the user's configuration folder, unless -data names another one

Flags:
`

// parse reads the command line.
func parse(args []string) (addr, dir string, err error) {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.StringVar(&addr, "addr", "127.0.0.1:8080", "where the app listens, on loopback; port 0 picks a free one")
	flags.StringVar(&dir, "data", "", "folder for key and grants (default authtrip-quickstart in the user's configuration folder)")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
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
