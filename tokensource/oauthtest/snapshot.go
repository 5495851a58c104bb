package oauthtest

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Snapshot returns the grants, tokens and posts as JSON, so that a demo survives a restart. Of a token it holds the hash
// and what is known of it, never the token. Apps, users, knobs, authorization codes, app-only bearers, the record, and
// the answers that a grace window would repeat are not in it.
func (s *Server) Snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := savedState{Posts: s.posts, NextPost: s.nextPost, Attempts: s.attempts}
	for _, g := range s.grants {
		out.Grants = append(out.Grants, savedGrant{
			ID: g.id, Client: g.client, User: g.user, Scopes: g.scopes, Created: g.created,
			Refreshes: g.refreshes, Epoch: g.epoch, Branched: g.branched, Ended: g.ended,
		})
	}
	for id, t := range s.tokens {
		if t.grant != nil {
			out.Tokens = append(out.Tokens, savedToken{
				Hash: hex.EncodeToString(id[:]), Kind: t.kind, Grant: t.grant.id, Epoch: t.epoch,
				Expires: t.expires, Revoked: t.revoked, RotatedAt: t.rotatedAt,
			})
		}
	}
	return json.Marshal(out)
}

// Restore replaces the grants, tokens and posts with those of a snapshot. Data that is no snapshot, or that is not
// consistent, is an error and changes nothing.
func (s *Server) Restore(snapshot []byte) error {
	var in savedState
	if err := json.Unmarshal(snapshot, &in); err != nil {
		return errors.New("oauthtest: this is no snapshot")
	}
	grants, err := in.grants()
	if err != nil {
		return err
	}
	tokens, err := in.tokens(grants)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants, s.tokens = grants, tokens
	s.posts, s.nextPost, s.attempts = in.Posts, max(in.NextPost, s.nextPost), in.Attempts
	clear(s.codes)
	clear(s.bearers)
	clear(s.live)
	for _, g := range grants {
		if p := (pair{g.client, g.user}); g.ended == "" {
			s.live[p] = append(s.live[p], g)
		}
	}
	return nil
}

type savedState struct {
	Grants   []savedGrant `json:"grants"`
	Tokens   []savedToken `json:"tokens"`
	Posts    []Post       `json:"posts"`
	NextPost int          `json:"next_post"`
	Attempts int          `json:"attempts"`
}

type savedGrant struct {
	ID        int       `json:"id"`
	Client    string    `json:"client"`
	User      string    `json:"user"`
	Scopes    []string  `json:"scopes"`
	Created   time.Time `json:"created"`
	Refreshes int       `json:"refreshes,omitzero"`
	Epoch     int       `json:"epoch,omitzero"`
	Branched  bool      `json:"branched,omitzero"`
	Ended     string    `json:"ended,omitzero"`
}

type savedToken struct {
	Hash      string    `json:"hash"`
	Kind      kind      `json:"kind"`
	Grant     int       `json:"grant"`
	Epoch     int       `json:"epoch,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
	Revoked   bool      `json:"revoked,omitzero"`
	RotatedAt time.Time `json:"rotated_at,omitzero"`
}

func (in *savedState) grants() ([]*grant, error) {
	var list []*grant
	for i, g := range in.Grants {
		if g.ID != i+1 || g.Client == "" || g.User == "" {
			return nil, fmt.Errorf("oauthtest: snapshot: grant %d is damaged", i+1)
		}
		list = append(list, &grant{
			id: g.ID, client: g.Client, user: g.User, scopes: slices.Clone(g.Scopes), created: g.Created,
			refreshes: g.Refreshes, epoch: g.Epoch, branched: g.Branched, ended: g.Ended,
		})
	}
	return list, nil
}

func (in *savedState) tokens(grants []*grant) (map[digest]*token, error) {
	list := make(map[digest]*token, len(in.Tokens))
	for i, t := range in.Tokens {
		raw, err := hex.DecodeString(t.Hash)
		if err != nil || len(raw) != len(digest{}) || t.Grant < 1 || t.Grant > len(grants) || t.Kind != access && t.Kind != refresh {
			return nil, fmt.Errorf("oauthtest: snapshot: token %d is damaged", i+1)
		}
		list[digest(raw)] = &token{
			kind: t.Kind, grant: grants[t.Grant-1], epoch: t.Epoch,
			expires: t.Expires, revoked: t.Revoked, rotatedAt: t.RotatedAt,
		}
	}
	return list, nil
}
