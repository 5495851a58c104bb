package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// command is one word of the command line, the flags and arguments after it,
// and its help.
type command struct {
	name  string
	args  []string // the names of its arguments, for the help
	about string   // in one line
	help  string   // the rest of it
	setup func(*flag.FlagSet) action
}

// action does what a command is for, once its flags are set.
type action func(ctx context.Context, c *console, args []string) error

// usageError says what is wrong with the command line. It never repeats the
// command line, because there may be a password in a URL.
type usageError string

func (e usageError) Error() string { return string(e) }

func commands() []*command {
	return []*command{
		listCommand(), showCommand(), revokeCommand(), deleteCommand(), sealCommand(), resealCommand(), exportCommand(), importCommand(),
		copyCommand(), adoptCommand(), probeCommand(),
	}
}

// dispatch runs the command that args begin with.
func dispatch(ctx context.Context, c *console, args []string) error {
	all := commands()
	if len(args) == 0 {
		return usageError("no command: -h lists them")
	}
	if slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		printHelp(c.stdout, all)
		return flag.ErrHelp
	}
	if slices.Contains([]string{"-version", "--version", "version"}, args[0]) {
		fmt.Fprintln(c.stdout, version())
		return nil
	}
	for _, cmd := range all {
		if cmd.name == args[0] {
			return cmd.run(ctx, c, args[1:])
		}
	}
	return usageError("no such command: -h lists them")
}

// run parses args and carries out the command. Flags may stand before, between
// and after the arguments.
func (cmd *command) run(ctx context.Context, c *console, args []string) error {
	flags := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	do := cmd.setup(flags)
	var named []string
	for {
		if err := flags.Parse(args); err == flag.ErrHelp { //nolint:errorlint // Parse returns it as it is
			cmd.printHelp(c.stdout, flags)
			return err
		} else if err != nil {
			return usageError(fmt.Sprintf("%s: a flag that does not exist, or has a wrong value: %s -h lists them", cmd.name, cmd.name))
		}
		if flags.NArg() == 0 {
			break
		}
		named, args = append(named, flags.Arg(0)), flags.Args()[1:]
	}
	if len(named) != len(cmd.args) {
		return usageError(fmt.Sprintf("%s needs %s, and not %d arguments: %s -h says more",
			cmd.name, strings.Join(cmd.args, " and "), len(named), cmd.name))
	}
	return do(ctx, c, named)
}

const intro = `grantctl looks after the grants in a store of authtrip.

  grantctl COMMAND [flags] STORE ...

Commands ("grantctl COMMAND -h" says more):
`

const outro = `
STORE is one of
  file:DIR                            the directory given to filestore.Open
  sqlite:PATH[?table=NAME]            the file given to sqlitestore.Open
  postgres://...[?table=NAME]         the URL given to postgresstore.Open; import and copy make the table
  rediss://...[?prefix=NAME:]         the URL given to redisstore.Open; of a Cluster, that of any of its nodes;
                                      redis:// has no TLS and is for this machine only, unless the URL has
                                      insecure_no_tls=true; what is lost: the network can read the password
  env:NAME                            what the environment variable NAME says: so no password is seen in the
                                      list of processes

` + keysVariable + ` holds the keys that the grants are sealed with, as seal.ParseKeys reads them: base64, separated by
commas, the one that seals first. Without it sealed grants can be listed by storage key, exported, imported, copied, and
deleted by storage key.

Run grantctl as the user that runs the app: with file: and sqlite: it refuses what belongs to somebody else.

Stop the app before you move grants to another store (export, import, copy), and start it on the new one. An app that still
runs on the old store goes on redeeming refresh tokens there, and the copies are spent: servers take a second use for theft.

No token, key or password is ever printed; export writes tokens only under -insecure-plaintext.
Exit codes: 0 all done; 1 something failed or was left out, and stderr says what; 2 wrong usage.
`

func printHelp(w io.Writer, all []*command) {
	io.WriteString(w, intro) //nolint:errcheck // run reports what was not written
	for _, cmd := range all {
		fmt.Fprintf(w, "  %-30s %s\n", cmd.name+" "+strings.Join(cmd.args, " "), cmd.about)
	}
	io.WriteString(w, outro) //nolint:errcheck // run reports what was not written
}

func (cmd *command) printHelp(w io.Writer, flags *flag.FlagSet) {
	fmt.Fprintf(w, "grantctl %s [flags] %s\n\n%s\n", cmd.name, strings.Join(cmd.args, " "), strings.TrimLeft(cmd.help, "\n"))
	fmt.Fprintln(w, "Flags:")
	flags.SetOutput(w)
	flags.PrintDefaults()
}
