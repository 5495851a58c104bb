package redisstore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/redisstore"
)

const (
	benchSize  = 2048 // bytes of a value
	benchBatch = 800  // operations of a batch, by all goroutines together
)

// BenchmarkPaired compares the store with the bare driver, which gets and sets
// the same bytes. Batches of both alternate in one process, so that what else
// the machine does strikes both; "ratio" is the median of the ratios. For
// saves, "ratio÷script" compares with a third one: the driver that runs the
// script of Put.
func BenchmarkPaired(b *testing.B) {
	for _, fsync := range []string{"always", "no"} {
		server := servertest.Redis(b, durability(fsync)...)
		for _, op := range []string{"load", "save"} {
			for _, workers := range []int{1, 16} {
				b.Run(fmt.Sprintf("fsync=%s/%s/%d", fsync, op, workers), func(b *testing.B) { paired(b, server.URL, op, workers) })
			}
		}
	}
}

func durability(fsync string) []string {
	if fsync == "no" {
		return []string{"--appendonly", "no"}
	}
	return nil // what servertest does by itself
}

// contender is one side of a comparison. Each worker has a key of its own.
type contender struct {
	load func(ctx context.Context, worker int) ([]byte, error)
	save func(ctx context.Context, worker int, value []byte) error
}

func paired(b *testing.B, url, op string, workers int) {
	sides := []contender{driver(b, url), store(b, url, workers)}
	if op == "save" {
		sides = append(sides, scripted(b, url, workers))
	}
	for _, side := range sides { // opens all connections, and makes the records
		batch(b, side, "save", workers)
		batch(b, side, "load", workers)
	}
	var ratios, scriptRatios, times []float64
	for i := 0; b.Loop(); i++ {
		took := make([]float64, len(sides))
		for n := range sides {
			side := (i + n) % len(sides) // who is first takes turns
			took[side] = float64(batch(b, sides[side], op, workers).Microseconds())
		}
		ratios = append(ratios, took[1]/took[0])
		scriptRatios = append(scriptRatios, took[1]/took[len(took)-1])
		times = append(times, took[1]/benchBatch)
	}
	b.ReportMetric(median(ratios), "ratio")
	if op == "save" {
		b.ReportMetric(median(scriptRatios), "ratio÷script")
	}
	b.ReportMetric(median(times), "µs/op")
	b.ReportMetric(0, "ns/op") // would be that of two batches
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// batch has workers share the operations of a batch, and returns how long it
// took.
func batch(b *testing.B, c contender, op string, workers int) time.Duration {
	ctx := b.Context() // can end, as that of a request can
	var done sync.WaitGroup
	start := time.Now()
	for w := range workers {
		done.Go(func() {
			value := bytes.Repeat([]byte{'v'}, benchSize)
			for i := range benchBatch / workers {
				binary.BigEndian.PutUint64(value, uint64(i))
				if err := once(ctx, c, op, w, value); err != nil {
					b.Errorf("%s = %v, want no error", op, err)
					return
				}
			}
		})
	}
	done.Wait()
	return time.Since(start)
}

func once(ctx context.Context, c contender, op string, worker int, value []byte) error {
	if op == "save" {
		return c.save(ctx, worker, value)
	}
	got, err := c.load(ctx, worker)
	if err == nil && len(got) != benchSize {
		err = fmt.Errorf("%d bytes, want %d", len(got), benchSize)
	}
	return err
}

func driver(b *testing.B, url string) contender {
	client := connect(b, url)
	key := func(worker int) string { return fmt.Sprintf("bare:%d", worker) }
	return contender{
		load: func(ctx context.Context, w int) ([]byte, error) {
			data, err := client.Get(ctx, key(w)).Bytes()
			return data[min(8, len(data)):], err
		},
		save: func(ctx context.Context, w int, value []byte) error {
			return client.Set(ctx, key(w), append(make([]byte, 8, 8+len(value)), value...), 0).Err()
		},
	}
}

// scripted runs the script of Put with nothing around it.
func scripted(b *testing.B, url string, workers int) contender {
	client, script := connect(b, url), redis.NewScript(redisstore.PutSource)
	prefix := newPrefix()
	olds := make([][]byte, workers)
	return contender{
		load: func(ctx context.Context, w int) ([]byte, error) {
			data, err := client.Get(ctx, fmt.Sprint(prefix, w)).Bytes()
			return data[min(8, len(data)):], err
		},
		save: func(ctx context.Context, w int, value []byte) error {
			record := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(value)), uint64(storage.NewVersion()))
			record = append(record, value...)
			answer, err := script.Run(ctx, client, []string{fmt.Sprint(prefix, w)}, olds[w], prefix, "k", record).Int64()
			if err == nil && answer != 1 {
				err = storage.ErrConflict
			}
			olds[w] = record[:8]
			return err
		},
	}
}

func store(b *testing.B, url string, workers int) contender {
	s, err := redisstore.Open(b.Context(), url, &redisstore.Options{Prefix: newPrefix()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	versions := make([]storage.Version, workers)
	key := func(worker int) string { return fmt.Sprintf("%d", worker) }
	return contender{
		load: func(ctx context.Context, w int) ([]byte, error) {
			r, err := s.Get(ctx, key(w))
			return r.Value(), err
		},
		save: func(ctx context.Context, w int, value []byte) (err error) {
			versions[w], err = s.Put(ctx, key(w), value, versions[w])
			return err
		},
	}
}

func connect(t testing.TB, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return client
}
