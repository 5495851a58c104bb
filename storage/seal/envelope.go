package seal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Envelope is an AEAD for keys that a key management service holds, where each
// call costs time and money. It makes a data key, lets the service seal that
// one, and seals values with it. Every value carries its sealed data key. So
// the service is asked once for each data key, and not once for each value
// ([NIST SP 800-57], key wrapping).
//
// The data keys are in memory for their lifetime, and then the service is asked
// again. So a key that the service has retired opens nothing after that time.
// While the service cannot be reached, the data keys in memory are used for a
// day. A value that somebody made up costs one call of the service.
//
// An Envelope is safe for concurrent use. Printing it shows no key. Its zero
// value has no service: Seal returns an error, and Open returns ErrUnknownKey.
//
// [NIST SP 800-57]: https://doi.org/10.6028/NIST.SP.800-57pt1r5
type Envelope struct {
	inner func() *envelope // a closure, so that nothing prints the keys
}

var _ Rotator = (*Envelope)(nil)

// EnvelopeOptions adjusts an Envelope. The zero value is the safe default.
type EnvelopeOptions struct {
	// KeyLifetime is how long a data key seals, and how long the answer of the
	// service for one that only opens counts. Zero means 1 hour. It must be less
	// than a day.
	KeyLifetime time.Duration

	// CacheSize is how many data keys of other processes are in memory at most.
	// Zero means 1,000. Each process makes one for each KeyLifetime.
	CacheSize int
}

const (
	defaultKeyLifetime = time.Hour
	defaultCacheSize   = 1000

	// outageLifetime is how long a data key is used if the service fails.
	outageLifetime = 24 * time.Hour

	askTime  = 10 * time.Second // bounds one call of the service
	askPause = 5 * time.Second  // between two calls for one key, if the first one failed

	// maxSeals is how many values one data key seals. It is half of what random
	// nonces allow, see Keys.
	maxSeals = 1 << 31

	maxWrapped = 2 << 10 // the longest sealed data key; an AEAD may add 4 KiB in all
)

// An envelope is one byte of format, the length of the sealed data key in two
// bytes, the sealed data key, the nonce, the ciphertext and the tag.
const (
	envelopeFormat = 2
	envelopePrefix = 3
)

// dataKeyDomain is the associated data of a data key.
const dataKeyDomain = "authtrip data key"

// envelope is an Envelope behind its closure.
type envelope struct {
	service   AEAD
	lifetime  time.Duration
	cacheSize int

	mu      sync.Mutex // guards the rest; never held while the service is asked
	current *dataKey   // that seals; nil before the first value
	opened  map[string]*dataKey
	asking  map[string]*ask // calls of the service under way, by sealed data key; "" makes a new one
}

// dataKey is a data key in memory.
type dataKey struct {
	ringKey
	wrapped string
	checked time.Time // when the service sealed or opened it
	retry   time.Time // after a call that failed: no further one before this time
	seals   int64
}

// ask is one call of the service, for all that wait for it.
type ask struct {
	done chan struct{} // closed at the end
	key  *dataKey
	err  error
}

// NewEnvelope returns an Envelope whose data keys are sealed by service. The
// results of its Seal may be up to 2 KiB longer than a data key. Nil options
// mean all defaults. It refuses a nil service and options that cannot work, and
// does not call the service.
func NewEnvelope(service AEAD, o *EnvelopeOptions) (*Envelope, error) {
	if service == nil {
		return nil, errors.New("seal: nil service: an Envelope needs an AEAD that seals its data keys")
	}
	if o == nil {
		o = new(EnvelopeOptions)
	}
	e := &envelope{
		service: service, lifetime: o.KeyLifetime, cacheSize: o.CacheSize,
		opened: map[string]*dataKey{}, asking: map[string]*ask{},
	}
	switch {
	case e.lifetime < 0 || e.lifetime >= outageLifetime:
		return nil, fmt.Errorf("seal: KeyLifetime %v: use less than %v, or zero for %v", e.lifetime, outageLifetime, defaultKeyLifetime)
	case e.lifetime == 0:
		e.lifetime = defaultKeyLifetime
	}
	switch {
	case e.cacheSize < 0:
		return nil, fmt.Errorf("seal: CacheSize %d is negative: zero means %d", e.cacheSize, defaultCacheSize)
	case e.cacheSize == 0:
		e.cacheSize = defaultCacheSize
	}
	return &Envelope{func() *envelope { return e }}, nil
}

func (e *Envelope) envelope() *envelope {
	if e == nil || e.inner == nil {
		return nil
	}
	return e.inner()
}

// Seal implements [AEAD]. The error is that of the service.
func (e *Envelope) Seal(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	in := e.envelope()
	if in == nil {
		return nil, errors.New("seal: Envelope without a service: make it with NewEnvelope")
	}
	k, err := in.sealing(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, envelopePrefix+len(k.wrapped)+len(plaintext)+k.aead.Overhead())
	out = append(out, envelopeFormat)
	out = binary.BigEndian.AppendUint16(out, uint16(len(k.wrapped))) //nolint:gosec // at most maxWrapped
	out = append(out, k.wrapped...)
	return k.aead.Seal(out, nil, plaintext, associatedData), nil
}

// Open implements [AEAD]. Its errors are [ErrTampered], those of the service,
// and [ErrUnknownKey] if there is no service.
func (e *Envelope) Open(ctx context.Context, sealed, associatedData []byte) ([]byte, error) {
	in := e.envelope()
	wrapped, box, ok := splitEnvelope(sealed)
	switch {
	case !ok:
		return nil, ErrTampered
	case in == nil:
		return nil, ErrUnknownKey
	}
	k, err := in.opening(ctx, string(wrapped))
	if err != nil {
		return nil, err
	}
	return k.open(box, associatedData)
}

// Current implements [Rotator]. It reports whether the service would seal the
// data key of this value with the same key now. If the service is no Rotator,
// that is not known, and Current returns false.
func (e *Envelope) Current(sealed []byte) bool {
	in := e.envelope()
	wrapped, _, ok := splitEnvelope(sealed)
	if in == nil || !ok {
		return false
	}
	r, ok := in.service.(Rotator)
	return ok && r.Current(wrapped)
}

// splitEnvelope returns the parts of a sealed value. It reports false if sealed
// does not have that form.
func splitEnvelope(sealed []byte) (wrapped, box []byte, ok bool) {
	if len(sealed) < envelopePrefix || sealed[0] != envelopeFormat {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(sealed[1:envelopePrefix]))
	rest := sealed[envelopePrefix:]
	if n == 0 || n > maxWrapped || n > len(rest) {
		return nil, nil, false
	}
	return rest[:n], rest[n:], true
}

// sealing returns the data key that seals. If it is too old and the service
// fails, it seals for a while longer.
func (e *envelope) sealing(ctx context.Context) (*dataKey, error) {
	e.mu.Lock()
	k := e.current
	if k != nil && k.seals < maxSeals && (time.Since(k.checked) < e.lifetime || time.Now().Before(k.retry) && k.usable()) {
		k.seals++
		e.mu.Unlock()
		return k, nil
	}
	a := e.ask(ctx, "", e.make)
	e.mu.Unlock()
	made, err := a.wait(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		made.seals++
		return made, nil
	case ctx.Err() == nil && k.usable() && k.seals < maxSeals:
		k.retry = time.Now().Add(askPause)
		k.seals++
		return k, nil
	}
	return nil, err
}

// usable reports whether a data key may be used while the service fails.
func (k *dataKey) usable() bool { return k != nil && time.Since(k.checked) < outageLifetime }

// make makes a data key.
func (e *envelope) make(ctx context.Context) (*dataKey, error) {
	secret := NewKey()
	wrapped, err := e.service.Seal(ctx, secret, []byte(dataKeyDomain))
	if err != nil {
		return nil, err
	}
	if len(wrapped) == 0 || len(wrapped) > maxWrapped {
		return nil, fmt.Errorf("seal: the service returned a data key of %d bytes, want at most %d", len(wrapped), maxWrapped)
	}
	ring, err := newRingKey(secret)
	if err != nil {
		return nil, err
	}
	k := &dataKey{ringKey: ring, wrapped: string(wrapped), checked: time.Now()}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current = k
	e.remember(k)
	return k, nil
}

// opening returns the data key that a value carries.
func (e *envelope) opening(ctx context.Context, wrapped string) (*dataKey, error) {
	e.mu.Lock()
	k := e.opened[wrapped]
	if k != nil && (time.Since(k.checked) < e.lifetime || time.Now().Before(k.retry) && k.usable()) {
		e.mu.Unlock()
		return k, nil
	}
	a := e.ask(ctx, wrapped, func(ctx context.Context) (*dataKey, error) { return e.unwrap(ctx, wrapped) })
	e.mu.Unlock()
	opened, err := a.wait(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		return opened, nil
	case errors.Is(err, ErrUnsealed):
		delete(e.opened, wrapped)
		if e.current != nil && e.current.wrapped == wrapped {
			e.current = nil // the service has retired the key: no further value is sealed with it
		}
	case ctx.Err() == nil && k.usable():
		k.retry = time.Now().Add(askPause)
		return k, nil
	}
	return nil, err
}

// unwrap lets the service open a data key.
func (e *envelope) unwrap(ctx context.Context, wrapped string) (*dataKey, error) {
	secret, err := e.service.Open(ctx, []byte(wrapped), []byte(dataKeyDomain))
	if err != nil {
		return nil, err
	}
	ring, err := newRingKey(bytes.Clone(secret))
	if err != nil {
		return nil, ErrTampered
	}
	k := &dataKey{ringKey: ring, wrapped: wrapped, checked: time.Now()}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remember(k)
	return k, nil
}

// remember keeps a data key. The oldest one goes if there are too many. The
// caller holds mu.
func (e *envelope) remember(k *dataKey) {
	e.opened[k.wrapped] = k
	for len(e.opened) > e.cacheSize {
		var oldest *dataKey
		for _, other := range e.opened {
			if other != k && (oldest == nil || other.checked.Before(oldest.checked)) {
				oldest = other
			}
		}
		if oldest == nil {
			return
		}
		delete(e.opened, oldest.wrapped)
	}
}

// ask begins a call of the service, or joins the one for the same key. The call
// outlives the caller that began it. The caller holds mu.
func (e *envelope) ask(ctx context.Context, key string, call func(context.Context) (*dataKey, error)) *ask {
	if a := e.asking[key]; a != nil {
		return a
	}
	a := &ask{done: make(chan struct{})}
	e.asking[key] = a
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
		defer cancel()
		a.key, a.err = call(ctx)
		e.mu.Lock()
		delete(e.asking, key)
		e.mu.Unlock()
		close(a.done)
	}()
	return a
}

// wait returns the outcome of a call. If ctx ends first, it returns the cause.
func (a *ask) wait(ctx context.Context) (*dataKey, error) {
	select {
	case <-a.done:
		return a.key, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("seal: gave up waiting for the keys: %w", context.Cause(ctx))
	}
}
