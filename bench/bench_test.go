package bench_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/bench/internal/peers"
	"github.com/authtrip/authtrip/bench/internal/target"
)

// BenchmarkTransport runs each contender by itself, for profiles. Compare them
// with cmd/report: two runs differ by more than most contenders do.
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
		users := peers.Users{Count: 100_000, TokenLength: s.Token}
		e, err := peers.NewEngine(users)
		if err != nil {
			b.Fatal(err)
		}
		one, err := e.Transport(memory, peers.Origin, 0)
		run(b, s.Name+"/"+peers.Authtrip, err, func() (func(int) error, error) {
			req, err := s.Request(context.Background(), peers.Origin)
			return target.Worker(one, req), err
		})
		all, err := e.Transport(memory, peers.Origin, -1)
		turns(b, s, "in turn, "+peers.AuthtripAll, all, err, users)
		turns(b, s, "in turn, "+peers.FloorAll, peers.NewFloorAll(memory, users), nil, users)
		turns(b, s, "in turn, "+peers.XOAuth2All, peers.NewPerUser(memory, users), nil, users)
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	}
}

// turns measures a transport whose requests are each another user's.
func turns(b *testing.B, s target.Shape, name string, rt http.RoundTripper, err error, users peers.Users) {
	contexts := users.Contexts()
	run(b, s.Name+"/"+name, err, func() (func(int) error, error) {
		swap := &target.Swap{Context: context.Background()}
		req, err := s.Request(swap, peers.Origin)
		return target.Subjects(rt, req, swap, contexts, 0), err
	})
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
