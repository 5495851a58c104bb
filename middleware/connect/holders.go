package connect

import (
	"context"
	"slices"
	"time"

	"github.com/authtrip/authtrip/internal/connecting"
)

const holdersPrefix = "connection." // of storage keys

// holders is the record of one account at a server: the users of the app who
// have it as a connection. It decides whose the account is.
type holders struct {
	Version  int      `json:"v"`
	ID       string   `json:"i"`
	Accounts []string `json:"a"` // as Accounts.named returns them

	// Ending is when the last of them began to disconnect, in seconds since 1970,
	// or zero.
	Ending int64 `json:"e,omitempty"`

	want string // the ID that the key is of
}

func (h *holders) valid() bool { return h.Version == recordVersion && h.ID == h.want }

func (h *holders) empty() bool { return len(h.Accounts) == 0 }

func (h *holders) has(account string) bool { return slices.Contains(h.Accounts, account) }

func (h *holders) remove(account string) {
	h.Accounts = slices.DeleteFunc(h.Accounts, func(a string) bool { return a == account })
}

func newHolders(id string) *holders { return &holders{Version: recordVersion, ID: id, want: id} }

func (p *part) holdersKey(ctx context.Context, subject string) (string, error) {
	key, err := p.accounts.records().Name(ctx, holdersPrefix, p.owner.Authority+" "+p.owner.ClientID, subject)
	return key, away(unreadable(holdersPrefix, err))
}

// holders reads the record of an account at the server.
func (p *part) holders(ctx context.Context, subject string) (*holders, error) {
	key, err := p.holdersKey(ctx, subject)
	if err != nil {
		return nil, err
	}
	h := newHolders(idOf(p.owner, subject))
	_, err = p.accounts.read(ctx, key, h)
	return h, away(err)
}

func (p *part) changeHolders(ctx context.Context, subject string, alter func(*holders) error) error {
	key, err := p.holdersKey(ctx, subject)
	if err != nil {
		return err
	}
	id := idOf(p.owner, subject)
	return change(ctx, p.accounts, key, func() *holders { return newHolders(id) }, alter)
}

// hold makes an account a holder. It returns ErrConnectedElsewhere if there is
// another one who does not share.
func (p *part) hold(ctx context.Context, account, subject string) error {
	return p.changeHolders(ctx, subject, func(h *holders) error {
		if underWay(h.Ending, time.Now()) {
			return errBusy("disconnected")
		}
		had := h.has(account)
		switch {
		case had && h.Ending == 0:
			return errUnchanged
		case had:
		case p.accounts.options.Shared && len(h.Accounts) >= maxConnections:
			return connecting.ErrTooMany
		case !p.accounts.options.Shared:
			if err := p.dropStrays(ctx, h); err != nil {
				return err
			}
			if len(h.Accounts) > 0 {
				return connecting.ErrElsewhere
			}
		}
		h.Ending = 0
		if !had {
			h.Accounts = append(h.Accounts, account)
		}
		return nil
	})
}

// dropStrays removes holders who do not list the connection. The list is
// written first and goes last, so such a holder was left by hand or by a
// restored backup.
func (p *part) dropStrays(ctx context.Context, h *holders) error {
	for _, account := range slices.Clone(h.Accounts) {
		l, err := p.accounts.listing(ctx, account)
		if err != nil {
			return err
		}
		if l.find(h.ID) == nil {
			h.remove(account)
		}
	}
	return nil
}

// letGo makes an account no holder any more, if there are others. Otherwise it
// notes that the grant is about to end, and returns the time that it noted: the
// account is a holder until release.
func (p *part) letGo(ctx context.Context, account, subject string) (ending int64, err error) {
	err = p.changeHolders(ctx, subject, func(h *holders) error {
		ending = 0
		switch {
		case !h.has(account):
			return errUnchanged
		case len(h.Accounts) == 1:
			ending = time.Now().Unix()
			h.Ending = ending
		default:
			h.remove(account)
		}
		return nil
	})
	return ending, err
}

// release makes an account no holder any more. It does so only if ending is
// what letGo has noted, or zero as before letGo. Otherwise the user has
// connected the account meanwhile.
func (p *part) release(ctx context.Context, account, subject string, ending int64) error {
	return p.changeHolders(ctx, subject, func(h *holders) error {
		if !h.has(account) || h.Ending != ending {
			return errUnchanged
		}
		h.remove(account)
		h.Ending = 0
		return nil
	})
}
