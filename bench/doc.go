// Package bench measures authtrip beside its peers and beside the cheapest
// correct code: transports, reads of a cached token, refresh storms, stores,
// and how cost grows. It is a module of its own, outside go.work, so that its
// peers are in nobody's build. Program cmd/report prints the tables and writes
// them into docs/performance.md; the benchmarks here run the same contenders
// one by one, for profiles.
package bench
