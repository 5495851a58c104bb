package main

import (
	"context"
	"flag"
)

const copyHelp = `
Copy is export and import in one: it creates the records of one store in another, as they are stored. It can be run again.

Stop the app first, and start it again on the new store only: else refresh tokens are spent twice.

Example:
  grantctl copy file:/var/lib/app/grants env:DATABASE_URL
`

func copyCommand() *command {
	return &command{
		name: "copy", args: []string{"FROM", "TO"}, about: "export and import in one", help: copyHelp,
		setup: func(f *flag.FlagSet) action {
			var i importer
			i.flags(f)
			return func(ctx context.Context, c *console, args []string) error {
				return with(ctx, args[0], mustExist, func(from *vault) error {
					return with(ctx, args[1], i.mode(), func(to *vault) error {
						i.to, i.log = to, c.stderr
						return i.finish(c, from.each(ctx, c.stderr, func(key string, value []byte) error {
							return i.add(ctx, key, value)
						}))
					})
				})
			}
		},
	}
}
