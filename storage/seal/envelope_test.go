package seal_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/storage/seal"
)

var errDown = errors.New("the service is down")

// service is a key management service that counts its calls.
type service struct {
	keys         atomic.Pointer[seal.Keys]
	seals, opens atomic.Int64
	down         atomic.Bool
	slow         time.Duration
}

func newService(t testing.TB, primary []byte) *service {
	s := new(service)
	s.keys.Store(ring(t, primary))
	return s
}

func (s *service) Seal(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	s.seals.Add(1)
	time.Sleep(s.slow)
	if s.down.Load() {
		return nil, errDown
	}
	return s.keys.Load().Seal(ctx, plaintext, ad)
}

func (s *service) Open(ctx context.Context, sealed, ad []byte) ([]byte, error) {
	s.opens.Add(1)
	time.Sleep(s.slow)
	if s.down.Load() {
		return nil, errDown
	}
	return s.keys.Load().Open(ctx, sealed, ad)
}

func (s *service) Current(sealed []byte) bool { return s.keys.Load().Current(sealed) }

func (s *service) want(t *testing.T, what string, seals, opens int64) {
	t.Helper()
	if gotSeals, gotOpens := s.seals.Load(), s.opens.Load(); gotSeals != seals || gotOpens != opens {
		t.Errorf("%s: %d seals and %d opens of the service, want %d and %d", what, gotSeals, gotOpens, seals, opens)
	}
}

func newEnvelope(t testing.TB, s seal.AEAD, o *seal.EnvelopeOptions) *seal.Envelope {
	t.Helper()
	e, err := seal.NewEnvelope(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustSeal(t *testing.T, a seal.AEAD, text string) []byte {
	t.Helper()
	box, err := a.Seal(t.Context(), []byte(text), []byte("place"))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func wantOpen(t *testing.T, what string, a seal.AEAD, box []byte, text string) {
	t.Helper()
	if got, err := a.Open(t.Context(), box, []byte("place")); err != nil || string(got) != text {
		t.Errorf("%s: Open() = %q, %v, want %q", what, got, err, text)
	}
}

func TestEnvelopeAsksTheServiceOncePerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, key(1))
		here, there := newEnvelope(t, s, nil), newEnvelope(t, s, nil)
		for range 1000 {
			wantOpen(t, "here", here, mustSeal(t, here, "secret"), "secret")
		}
		s.want(t, "1000 values of one process", 1, 0)
		for range 1000 {
			wantOpen(t, "there", there, mustSeal(t, here, "secret"), "secret")
		}
		s.want(t, "1000 values of another process", 1, 1)
		time.Sleep(time.Hour)
		box := mustSeal(t, here, "secret")
		s.want(t, "the first value after an hour", 2, 1)
		wantOpen(t, "there", there, box, "secret")
		s.want(t, "the first value after an hour, in the other process", 2, 2)
	})
}

func TestEnvelopeAsksOnceForManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, key(1))
		s.slow = time.Second
		here, there := newEnvelope(t, s, nil), newEnvelope(t, s, nil)
		var wg sync.WaitGroup
		boxes := make([][]byte, 50)
		for i := range boxes {
			wg.Go(func() { boxes[i] = mustSeal(t, here, "secret") })
		}
		wg.Wait()
		for _, box := range boxes {
			wg.Go(func() { wantOpen(t, "there", there, box, "secret") })
		}
		wg.Wait()
		s.want(t, "50 callers at once", 1, 1)

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		time.Sleep(2 * time.Hour)
		if _, err := here.Seal(ctx, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Seal() of a caller that gave up = %v, want its deadline", err)
		}
		time.Sleep(2 * time.Second)
		s.want(t, "a caller that gave up", 2, 1)
		mustSeal(t, here, "secret")
		s.want(t, "the next caller", 2, 1)
	})
}

// A key that the service has retired opens nothing, once the data keys in
// memory have been asked for again.
func TestEnvelopeRetiredKeysOpenNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, key(1))
		e := newEnvelope(t, s, &seal.EnvelopeOptions{KeyLifetime: 10 * time.Minute})
		old := mustSeal(t, e, "old")
		s.keys.Store(ring(t, key(2), key(1)))
		if e.Current(old) {
			t.Error("Current() of a value under the older key = true, want false")
		}
		time.Sleep(10 * time.Minute)
		fresh := mustSeal(t, e, "new")
		if !e.Current(fresh) {
			t.Error("Current() of a value under the first key = false, want true")
		}
		wantOpen(t, "the older key still opens", e, old, "old")
		s.keys.Store(ring(t, key(2)))
		time.Sleep(10 * time.Minute)
		for range 2 {
			if got, err := e.Open(t.Context(), old, []byte("place")); !errors.Is(err, seal.ErrUnknownKey) {
				t.Errorf("Open() under a retired key = %q, %v, want ErrUnknownKey", got, err)
			}
		}
		wantOpen(t, "the first key", e, fresh, "new")
	})
}

// An outage of the service stops nothing for a day, and costs one call in five
// seconds.
func TestEnvelopeWhileTheServiceIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, key(1))
		e := newEnvelope(t, s, nil)
		box := mustSeal(t, e, "secret")
		s.down.Store(true)
		if _, err := newEnvelope(t, s, nil).Seal(t.Context(), nil, nil); !errors.Is(err, errDown) {
			t.Errorf("Seal() without a data key = %v, want the error of the service", err)
		}
		if _, err := newEnvelope(t, s, nil).Open(t.Context(), box, []byte("place")); !errors.Is(err, errDown) || errors.Is(err, seal.ErrUnsealed) {
			t.Errorf("Open() of an unknown data key = %v, want the error of the service, which is no end", err)
		}
		s.seals.Store(0)
		s.opens.Store(0)
		time.Sleep(2 * time.Hour)
		for range 100 {
			wantOpen(t, "in the outage", e, mustSeal(t, e, "more"), "more")
			wantOpen(t, "in the outage", e, box, "secret")
		}
		s.want(t, "100 values in the outage", 1, 0)
		time.Sleep(22 * time.Hour)
		if _, err := e.Open(t.Context(), box, []byte("place")); !errors.Is(err, errDown) {
			t.Errorf("Open() after a day of outage = %v, want the error of the service", err)
		}
		if _, err := e.Seal(t.Context(), nil, nil); !errors.Is(err, errDown) {
			t.Errorf("Seal() after a day of outage = %v, want the error of the service", err)
		}
		s.down.Store(false)
		wantOpen(t, "after the outage", e, box, "secret")
	})
}

// The data keys in memory are bounded, and the one in use is not forgotten.
func TestEnvelopeForgetsTheOldestDataKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, key(1))
		here := newEnvelope(t, s, &seal.EnvelopeOptions{CacheSize: 3})
		var boxes [][]byte
		for range 5 {
			time.Sleep(time.Second)
			boxes = append(boxes, mustSeal(t, newEnvelope(t, s, nil), "secret"))
			wantOpen(t, "the first look", here, boxes[len(boxes)-1], "secret")
		}
		s.opens.Store(0)
		for _, box := range boxes[2:] {
			wantOpen(t, "in memory", here, box, "secret")
		}
		s.want(t, "the three latest", 5, 0)
		wantOpen(t, "forgotten", here, boxes[0], "secret")
		s.want(t, "the first one", 5, 1)
	})
}

func TestEnvelopeRefusesWhatWasChanged(t *testing.T) {
	e := newEnvelope(t, newService(t, key(1)), nil)
	box := mustSeal(t, e, "secret")
	for i := range box {
		changed := bytes.Clone(box)
		changed[i] ^= 1
		if got, err := e.Open(t.Context(), changed, []byte("place")); !errors.Is(err, seal.ErrUnsealed) {
			t.Errorf("Open() with byte %d changed = %q, %v, want ErrUnsealed", i, got, err)
		}
		if got, err := e.Open(t.Context(), box[:i], []byte("place")); !errors.Is(err, seal.ErrUnsealed) {
			t.Errorf("Open() of the first %d bytes = %q, %v, want ErrUnsealed", i, got, err)
		}
	}
	if _, err := e.Open(t.Context(), box, []byte("another place")); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("Open() at another place = %v, want ErrTampered", err)
	}
	if got := len(box) - len("secret"); got > 4096 {
		t.Errorf("a sealed value is %d bytes longer, want at most 4 KiB", got)
	}
	// The service seals data keys for no other purpose.
	if _, err := newEnvelope(t, newService(t, key(2)), nil).Open(t.Context(), box, []byte("place")); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("Open() with another service = %v, want ErrUnknownKey", err)
	}
}

type verbose struct{ seal.AEAD }

func (v verbose) Seal(context.Context, []byte, []byte) ([]byte, error) {
	return make([]byte, 3<<10), nil
}

func TestEnvelopeSettingsThatAreRefused(t *testing.T) {
	s := newService(t, key(1))
	for name, o := range map[string]*seal.EnvelopeOptions{
		"KeyLifetime": {KeyLifetime: 24 * time.Hour}, "CacheSize": {CacheSize: -1},
	} {
		if _, err := seal.NewEnvelope(s, o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("NewEnvelope(%+v) = %v, want an error about %s", o, err, name)
		}
	}
	if _, err := seal.NewEnvelope(nil, nil); err == nil {
		t.Error("NewEnvelope(nil) = nil, want an error")
	}
	if _, err := newEnvelope(t, verbose{s}, nil).Seal(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "3072 bytes") {
		t.Errorf("Seal() with a data key of 3 KiB = %v, want an error about its size", err)
	}
	var zero seal.Envelope
	if _, err := zero.Seal(t.Context(), nil, nil); err == nil {
		t.Error("Seal() of the zero Envelope = nil, want an error")
	}
	box := mustSeal(t, newEnvelope(t, s, nil), "secret")
	if _, err := zero.Open(t.Context(), box, nil); !errors.Is(err, seal.ErrUnknownKey) || zero.Current(box) {
		t.Errorf("Open() of the zero Envelope = %v, want ErrUnknownKey", err)
	}
}

// plain is a service that shows which data keys it was given.
type plain struct{ last []byte }

func (p *plain) Seal(_ context.Context, plaintext, _ []byte) ([]byte, error) {
	p.last = bytes.Clone(plaintext)
	return []byte("wrapped"), nil
}

func (p *plain) Open(context.Context, []byte, []byte) ([]byte, error) { return p.last, nil }

func TestNothingPrintsDataKeys(t *testing.T) {
	p := new(plain)
	e := newEnvelope(t, p, nil)
	mustSeal(t, e, "secret")
	for _, v := range []any{e, *e, struct{ E seal.Envelope }{*e}} {
		exposure.Check(t, "an Envelope", v, string(p.last))
	}
}

// Keys can be replaced while the program runs.
func TestLiveUsesTheKeysOfTheMoment(t *testing.T) {
	var now atomic.Pointer[seal.Keys]
	live := seal.Live(now.Load)
	if _, err := live.Seal(t.Context(), nil, nil); err == nil {
		t.Error("Seal() without keys = nil, want an error")
	}
	if _, err := seal.Live(nil).Open(t.Context(), mustSeal(t, newKeys(t), "x"), nil); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("Open() of a nil Live = %v, want ErrUnknownKey", err)
	}
	now.Store(ring(t, key(1)))
	old := mustSeal(t, live, "old")
	now.Store(ring(t, key(2), key(1)))
	wantOpen(t, "the older key", live, old, "old")
	if fresh := mustSeal(t, live, "new"); live.Current(old) || !live.Current(fresh) {
		t.Errorf("Current() = %t and %t, want false for the older key and true for the first", live.Current(old), live.Current(fresh))
	}
	now.Store(ring(t, key(2)))
	if _, err := live.Open(t.Context(), old, []byte("place")); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("Open() under a key that is gone = %v, want ErrUnknownKey", err)
	}
}
