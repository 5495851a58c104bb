package mcp

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/authtrip/authtrip/internal/stored"
	"github.com/authtrip/authtrip/storage"
)

// memory is what the store remembers of the last login, beside the grant: where
// the grant is. It contains no secret.
type memory struct {
	Login    string   `json:"login"` // a random name of the login
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	Resource string   `json:"resource"`
	TokenURL string   `json:"token_url"`
	Scopes   []string `json:"scopes,omitempty"`
}

// key returns the key of a record of this Handler.
func (h *Handler) key(ctx context.Context, prefix string) (string, error) {
	key, err := h.store.Name(ctx, prefix, h.endpoint, h.options.RedirectURL, h.options.Account)
	return key, stored.Failed("store", err)
}

// remember stores where the grant is. A process that stored something else at
// the same time has logged in too, and the later login stays.
func (h *Handler) remember(ctx context.Context, m memory) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	key, err := h.key(ctx, "mcp.")
	if err != nil {
		return err
	}
	for {
		rec, err := h.store.Get(ctx, key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return stored.Failed("store", err)
		}
		_, err = h.store.Put(ctx, key, value, rec.Version)
		if !errors.Is(err, storage.ErrConflict) {
			return stored.Failed("store", err)
		}
	}
}

// recall returns where the grant is, and whether there is one.
func (h *Handler) recall(ctx context.Context) (memory, bool, error) {
	key, err := h.key(ctx, "mcp.")
	if err != nil {
		return memory{}, false, err
	}
	rec, err := h.store.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return memory{}, false, nil
	}
	var m memory
	if err == nil {
		err = json.Unmarshal(rec.Value(), &m)
	}
	return m, err == nil, stored.Failed("store", err)
}
