package bench_test

import (
	"context"
	"testing"

	"github.com/authtrip/authtrip/bench/internal/peers"
	"github.com/authtrip/authtrip/bench/internal/target"
)

// BenchmarkTransport runs each contender by itself, for profiles. Compare them with cmd/report: two runs differ by more
// than most contenders do.
func BenchmarkTransport(b *testing.B) {
	for _, s := range target.Shapes {
		memory := target.Memory{Shape: s}
		for _, peer := range peers.Transports() {
			if peer.Name == peers.Base {
				continue
			}
			rt, err := peer.New(memory, peers.Token(s.Token), peers.Origin)
			run(b, s.Name+"/"+peer.Name, err, func() (func(int) error, error) {
				req, err := s.Request(context.Background(), peers.Origin)
				return target.Worker(rt, req), err
			})
		}
		const subjects = 100_000
		e, err := peers.NewEngine(subjects, s.Token)
		if err != nil {
			b.Fatal(err)
		}
		one, err := e.Transport(memory, peers.Origin, 0)
		run(b, s.Name+"/"+peers.Authtrip, err, func() (func(int) error, error) {
			req, err := s.Request(context.Background(), peers.Origin)
			return target.Worker(one, req), err
		})
		contexts := peers.Contexts(subjects)
		all, err := e.Transport(memory, peers.Origin, -1)
		run(b, s.Name+"/"+peers.AuthtripAll, err, func() (func(int) error, error) {
			swap := &target.Swap{Context: context.Background()}
			req, err := s.Request(swap, peers.Origin)
			return target.Subjects(all, req, swap, contexts, 0), err
		})
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	}
}

// run measures a worker, whose maker may fail.
func run(b *testing.B, name string, err error, worker func() (func(int) error, error)) {
	b.Run(name, func(b *testing.B) {
		if err != nil {
			b.Fatal(err)
		}
		loop, err := worker()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.ResetTimer()
		if err := loop(b.N); err != nil {
			b.Fatal(err)
		}
	})
}
