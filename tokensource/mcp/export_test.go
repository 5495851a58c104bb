package mcp

import (
	"context"
	"errors"
)

// Claim waits for the turn of a Handler to log the user in, and returns what
// ends it. The process dies with crash.
func (h *Handler) Claim(ctx context.Context) (release, crash func(), err error) {
	f := &Found{Provider: atOrigin(h.endpoint, &h.options), Resource: h.endpoint}
	c, err := h.turn(ctx, f, "", false)
	if err == nil && c == nil {
		err = errors.New("the login of another process is used")
	}
	if err != nil {
		return nil, nil, err
	}
	return func() { c.release(ctx) }, c.stop, nil
}
