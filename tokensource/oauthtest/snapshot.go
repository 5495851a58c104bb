package oauthtest

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Snapshot returns the grants and tokens as JSON, so that a demo survives a
// restart. Of a token it holds the hash and what is known of it, never the
// token. Apps, users, knobs, authorization codes, the tokens that apps got for
// themselves, the record, and the answers that a grace window would repeat are
// not in it.
func (s *Server) Snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := savedBooks{Grants: make([]savedGrant, 0, len(s.books.grants))}
	for _, g := range s.books.grants {
		out.Grants = append(out.Grants, g.save())
	}
	return json.Marshal(out)
}

// Restore replaces the grants and tokens with those of a snapshot. Data that is
// no snapshot, or that is not consistent, is an error and changes nothing.
func (s *Server) Restore(snapshot []byte) error {
	var in savedBooks
	if err := json.Unmarshal(snapshot, &in); err != nil {
		return errors.New("oauthtest: this is no snapshot")
	}
	var next books
	next.init(s.options.Keep)
	for i, saved := range in.Grants {
		g, err := saved.load(&next, i+1)
		if err != nil {
			return err
		}
		next.grants = append(next.grants, g)
		if h := (holder{g.client, g.user}); g.ended == "" {
			next.live[h] = append(next.live[h], g)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.books = next
	clear(s.codes)
	return nil
}

type savedBooks struct {
	Grants []savedGrant `json:"grants"`
}

type savedGrant struct {
	Number    int         `json:"number"`
	Client    string      `json:"client"`
	User      string      `json:"user"`
	Scopes    []string    `json:"scopes"`
	Created   time.Time   `json:"created"`
	Key       string      `json:"thumbprint,omitzero"`
	Refreshes int         `json:"refreshes,omitzero"`
	Epoch     int         `json:"epoch,omitzero"`
	EpochAt   time.Time   `json:"epoch_at,omitzero"`
	Branched  bool        `json:"branched,omitzero"`
	Ended     Reason      `json:"ended,omitzero"`
	EndedAt   time.Time   `json:"ended_at,omitzero"`
	Issued    int         `json:"issued"`
	Pairs     []savedPair `json:"pairs"`
	Spent     []string    `json:"spent,omitzero"`
}

// savedPair is a pair. Without rotation only the first pair of a refresh token
// holds it, and Shared is that pair's number in the others.
type savedPair struct {
	Number  int         `json:"number"`
	Parent  int         `json:"parent,omitzero"`
	Access  savedToken  `json:"access"`
	Refresh *savedToken `json:"refresh,omitzero"`
	Shared  int         `json:"shared,omitzero"`
}

type savedToken struct {
	Hash    string    `json:"hash"`
	Epoch   int       `json:"epoch,omitzero"`
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires,omitzero"`
	Dead    Reason    `json:"dead,omitzero"`
	DeadAt  time.Time `json:"dead_at,omitzero"`
}

func (g *grant) save() savedGrant {
	out := savedGrant{
		Number: g.number, Client: g.client, User: g.user, Scopes: g.scopes, Created: g.created, Key: g.thumbprint, Refreshes: g.refreshes,
		Epoch: g.epoch, EpochAt: g.epochAt, Branched: g.branched, Ended: g.ended, EndedAt: g.endedAt, Issued: g.issued,
	}
	for _, p := range g.pairs {
		saved := savedPair{Number: p.number, Parent: p.parent, Access: p.access.save()}
		switch {
		case p.refresh == nil:
		case p.refresh.pair == p:
			t := p.refresh.save()
			saved.Refresh = &t
		default:
			saved.Shared = p.refresh.pair.number
		}
		out.Pairs = append(out.Pairs, saved)
	}
	for _, id := range g.spent {
		out.Spent = append(out.Spent, hex.EncodeToString(id[:]))
	}
	return out
}

func (t *token) save() savedToken {
	return savedToken{
		Hash: hex.EncodeToString(t.id[:]), Epoch: t.epoch, Issued: t.issued, Expires: t.expires, Dead: t.dead, DeadAt: t.deadAt,
	}
}

// load adds the tokens of a grant to the books.
func (saved *savedGrant) load(b *books, number int) (*grant, error) {
	damaged := fmt.Errorf("oauthtest: snapshot: grant %d is damaged", number)
	if saved.Number != number || saved.Client == "" || saved.User == "" {
		return nil, damaged
	}
	g := &grant{
		number: number, client: saved.Client, user: saved.User, scopes: slices.Clone(saved.Scopes), created: saved.Created, thumbprint: saved.Key,
		refreshes: saved.Refreshes, epoch: saved.Epoch, epochAt: saved.EpochAt, branched: saved.Branched,
		ended: saved.Ended, endedAt: saved.EndedAt, issued: saved.Issued,
	}
	pairs := map[int]*pair{}
	for _, sp := range saved.Pairs {
		p := &pair{grant: g, number: sp.Number, parent: sp.Parent}
		p.access = sp.Access.load(access, p)
		if sp.Refresh != nil {
			p.refresh = sp.Refresh.load(refresh, p)
		}
		if first := pairs[sp.Shared]; first != nil {
			p.refresh = first.refresh
		}
		if p.access == nil || sp.Refresh != nil && p.refresh == nil || sp.Number < 1 || sp.Number > g.issued {
			return nil, damaged
		}
		pairs[p.number] = p
		g.pairs = append(g.pairs, p)
		b.tokens[p.access.id] = p.access
		if p.refresh != nil {
			b.tokens[p.refresh.id] = p.refresh
		}
	}
	return g, saved.loadSpent(b, g)
}

// loadSpent adds the redeemed refresh tokens of forgotten pairs.
func (saved *savedGrant) loadSpent(b *books, g *grant) error {
	forgotten := &pair{grant: g}
	for _, hash := range saved.Spent {
		t := (&savedToken{Hash: hash, Dead: Redeemed, DeadAt: saved.Created}).load(refresh, forgotten)
		if t == nil {
			return fmt.Errorf("oauthtest: snapshot: grant %d is damaged", g.number)
		}
		g.spent = append(g.spent, t.id)
		b.tokens[t.id] = t
	}
	return nil
}

// load returns nil if the hash is none.
func (saved *savedToken) load(k kind, p *pair) *token {
	raw, err := hex.DecodeString(saved.Hash)
	if err != nil || len(raw) != len(digest{}) {
		return nil
	}
	return &token{
		id: digest(raw), kind: k, pair: p, epoch: saved.Epoch, issued: saved.Issued, expires: saved.Expires,
		dead: saved.Dead, deadAt: saved.DeadAt,
	}
}
