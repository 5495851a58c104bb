package storagetest

import (
	"context"
	"fmt"
	"time"
)

// Fault is what happens to one call of a store. A call is a request to the
// store, an effect there, and an answer to the caller. The zero Fault is none.
//
// Fields combine, in the order in which they stand here. The usual faults are:
//
//	Fault{Delay: d}                      a slow request
//	Fault{AnswerDelay: d}                a slow answer
//	Fault{Err: err}                      an error without an effect
//	Fault{Err: storage.ErrConflict}      a conflict that nobody caused
//	Fault{Err: err, Applied: true}       an effect whose answer is an error
//	Fault{Hang: true}                    a lost request: no effect, no answer
//	Fault{Hang: true, Applied: true}     a lost answer: an effect, no answer
//	Fault{Err: err, Late: d}             an error, and the effect comes later
//	Fault{Hang: true, Late: d}           no answer, and the effect comes later
type Fault struct {
	// Wait delays the request until the channel is closed. Nil means no delay.
	Wait <-chan struct{}

	// Delay is how long the request is under way. If ctx ends meanwhile, the
	// request has no effect.
	Delay time.Duration

	// Hang makes the call return when ctx ends, and not before. Without
	// Applied and Late there is no effect.
	Hang bool

	// Err is the error that the caller receives. Without Applied and Late
	// there is no effect.
	Err error

	// Applied lets the request have its effect before Hang or Err. If the
	// store itself returns an error, the caller receives that error.
	Applied bool

	// Late lets a Put or Delete have its effect this long after the call
	// returned. It needs Hang or Err. Zero means no late effect.
	Late time.Duration

	// AnswerDelay is how long the answer is under way. If ctx ends meanwhile,
	// the caller receives the error of ctx, and the effect remains.
	AnswerDelay time.Duration

	// Value is what Get returns in place of the stored value. Nil means the
	// stored value.
	Value []byte
}

// course is one call on its way through a network.
type course struct {
	fault Fault
	cut   func() bool                         // whether the caller is partitioned now
	later func(after time.Duration, f func()) // runs f after a time
	act   func(ctx context.Context) error     // the effect
}

// run carries out the call with its fault and returns the caller's error.
func (c course) run(ctx context.Context) error {
	if err := c.request(ctx); err != nil {
		return err
	}
	switch {
	case c.cut():
		<-ctx.Done()
		return ended(ctx)
	case c.fault.Hang && !c.fault.Applied:
		<-ctx.Done()
		return c.missed(ctx, ended(ctx))
	case c.fault.Err != nil && !c.fault.Applied:
		return c.missed(ctx, c.fault.Err)
	}
	if err := c.act(ctx); err != nil {
		return err
	}
	return c.answer(ctx)
}

// request waits while the request is under way.
func (c course) request(ctx context.Context) error {
	if err := ended(ctx); err != nil {
		return err
	}
	if c.fault.Wait != nil {
		select {
		case <-c.fault.Wait:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
	return sleep(ctx, c.fault.Delay)
}

// answer waits while the answer is under way.
func (c course) answer(ctx context.Context) error {
	if c.fault.Hang || c.cut() {
		<-ctx.Done()
		return ended(ctx)
	}
	if err := sleep(ctx, c.fault.AnswerDelay); err != nil {
		return err
	}
	if c.cut() {
		<-ctx.Done()
		return ended(ctx)
	}
	return c.fault.Err
}

// missed returns err, the error of a call without an effect so far. With Late,
// the effect follows.
func (c course) missed(ctx context.Context, err error) error {
	if c.fault.Late > 0 {
		ctx = context.WithoutCancel(ctx)
		c.later(c.fault.Late, func() { _ = c.act(ctx) }) // nobody waits for its error
	}
	return err
}

// sleep waits until d has passed or ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ended(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// ended returns the error of a method whose ctx has ended, otherwise nil.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("storagetest: %w", context.Cause(ctx))
}
