package registration

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/authtrip/authtrip/internal/stored"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

// work returns the client to use. It reads, and waits for another process, or
// registers the app itself.
func (r *Registrar) work(ctx context.Context, j job, refused string) (client, error) {
	for {
		version, rec, err := r.read(ctx, j.key)
		if err != nil {
			return client{}, err
		}
		now := time.Now()
		if c, ok := rec.current(j.of, now); ok && c.ID != refused {
			return c, nil
		}
		if rec.live(now) {
			if err := pause(ctx, poll); err != nil {
				return client{}, err
			}
			continue
		}
		if err := r.mayTry(j, now); err != nil {
			return client{}, err
		}
		rec, _ = rec.refusing(refused)
		if left := rec.wait(j.of, now); left > 0 {
			if err := r.mark(ctx, j, refused); err != nil {
				return client{}, err
			}
			return client{}, &tokensource.Error{
				Op: op, Kind: tokensource.ErrClient, RetryAfter: left,
				Hint: "the server refuses clients soon after it has registered them: the app is registered again later",
			}
		}
		rec.Intent = &intent{By: me, End: now.Add(lease).UnixMilli()}
		version, err = r.write(ctx, j.key, rec, version)
		if errors.Is(err, storage.ErrConflict) {
			continue
		}
		if err != nil {
			return client{}, stored.Failed("store", err)
		}
		return r.register(ctx, j, rec, version)
	}
}

// mayTry returns the error of the last attempt of this process for a moment,
// and an error if there is nothing to send to.
func (r *Registrar) mayTry(j job, now time.Time) error {
	if err := sane(j.provider); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.failed[j.key+j.of]
	if ok && now.Sub(f.at) < retryPause {
		return f.err
	}
	delete(r.failed, j.key+j.of)
	return nil
}

// remember keeps the error of an attempt for a moment. Errors that count no
// more are dropped: servers that come from outside are without number (G10).
func (r *Registrar) remember(j job, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(r.failed, func(_ string, f failure) bool { return now.Sub(f.at) >= retryPause })
	r.failed[j.key+j.of] = failure{err, now}
}

// register sends the request under the announcement that is stored as version,
// and stores the outcome.
func (r *Registrar) register(ctx context.Context, j job, rec record, version storage.Version) (client, error) {
	asking, stop := context.WithTimeout(ctx, timeout)
	made := time.Now()
	c, err := r.request(asking, j.provider, j.metadata)
	stop()
	if err != nil {
		r.remember(j, err)
		rec.Intent = nil
		_, _ = r.write(ctx, j.key, rec, version) // otherwise the announcement ends by itself
		return client{}, err
	}
	c.Of, c.Made = j.of, made.Unix()
	for {
		_, err := r.write(ctx, j.key, rec.with(c), version)
		if err == nil {
			return c, nil
		}
		// The write may have happened, and another process may have written.
		var problem error
		if version, rec, problem = r.read(ctx, j.key); problem != nil {
			return client{}, stored.Failed("store", errors.Join(err, problem))
		}
		if other, ok := rec.current(j.of, time.Now()); ok {
			return other, nil // ours, or one that others use already
		}
		if !errors.Is(err, storage.ErrConflict) {
			if err := pause(ctx, poll); err != nil {
				return client{}, err
			}
		}
	}
}

// mark records that the server has refused a client.
func (r *Registrar) mark(ctx context.Context, j job, refused string) error {
	return r.change(ctx, j.key, func(rec record) (record, bool) { return rec.refusing(refused) })
}

// change reads, changes and writes a record until nobody else writes meanwhile.
func (r *Registrar) change(ctx context.Context, key string, do func(record) (record, bool)) error {
	for {
		version, rec, err := r.read(ctx, key)
		if err != nil {
			return err
		}
		rec, changed := do(rec)
		if !changed {
			return nil
		}
		if _, err = r.write(ctx, key, rec, version); !errors.Is(err, storage.ErrConflict) {
			return stored.Failed("store", err)
		}
	}
}

// read returns the record. One that does not exist has the version zero.
func (r *Registrar) read(ctx context.Context, key string) (storage.Version, record, error) {
	got, err := r.store.Get(ctx, key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return 0, record{}, nil
	case err != nil:
		return 0, record{}, stored.Failed("store", err)
	}
	rec, err := decode(got.Value())
	return got.Version, rec, err
}

func (r *Registrar) write(ctx context.Context, key string, rec record, old storage.Version) (storage.Version, error) {
	value, err := rec.encode()
	if err != nil {
		return 0, err
	}
	return r.store.Put(ctx, key, value, old)
}

// pause waits, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: context.Cause(ctx)}
	}
}
