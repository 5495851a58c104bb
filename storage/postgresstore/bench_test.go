package postgresstore_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/postgresstore"
)

// The store and the bare driver take turns in batches, each on a table and on
// connections of its own, and what counts is the ratio within a round: this
// machine's noise is far larger than the differences. One iteration is one
// round.

const (
	benchValue = 2048 // bytes
	benchBatch = 96   // operations
)

// contender is what is measured: what goroutine i does once, with a value that
// is never the same.
type contender struct {
	name       string
	load, save func(i int, value []byte) error
}

func BenchmarkPairedLoad(b *testing.B) {
	paired(b, func(c contender) func(int, []byte) error { return c.load }, storeContender, poolContender, connContender)
}

func BenchmarkPairedSave(b *testing.B) {
	paired(b, func(c contender) func(int, []byte) error { return c.save }, storeContender, poolContender, connContender)
}

// BenchmarkPairedNotify compares Put, which notifies afterwards, with the same
// write that notifies in its own transaction.
func BenchmarkPairedNotify(b *testing.B) {
	paired(b, func(c contender) func(int, []byte) error { return c.save }, storeContender, withinContender)
}

// paired reports the median of the first contender's time over each other's.
func paired(b *testing.B, op func(contender) func(int, []byte) error, makers ...func(*testing.B, int) contender) {
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			var contenders []contender
			for _, make := range makers {
				c := make(b, goroutines)
				batch(b, goroutines, c.save) // creates the records and warms up every connection
				batch(b, goroutines, op(c))
				contenders = append(contenders, c)
			}
			ratios := make([][]float64, len(contenders))
			took := make([]float64, len(contenders))
			for round := 0; b.Loop(); round++ {
				for i := range contenders {
					turn := (i + round) % len(contenders)
					took[turn] = batch(b, goroutines, op(contenders[turn]))
				}
				for i := range contenders {
					ratios[i] = append(ratios[i], took[0]/took[i])
				}
			}
			for i, c := range contenders[1:] {
				b.ReportMetric(median(ratios[i+1]), "ratio÷"+c.name)
			}
			b.ReportMetric(took[0]/benchBatch*1e6, "µs/op")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// batch makes benchBatch operations and returns the seconds they took.
func batch(b *testing.B, goroutines int, op func(int, []byte) error) float64 {
	values := make([][]byte, goroutines)
	for i := range values {
		values[i] = make([]byte, benchValue)
		_, _ = rand.Read(values[i])
	}
	var all sync.WaitGroup
	start := time.Now()
	for i, value := range values {
		all.Go(func() {
			for n := range benchBatch / goroutines {
				binary.LittleEndian.PutUint64(value, uint64(n))
				if err := op(i, value); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(start).Seconds()
}

func median(f []float64) float64 {
	slices.Sort(f)
	return f[len(f)/2]
}

// benchPool returns a pool that holds a connection for each goroutine.
func benchPool(b *testing.B, goroutines int) *pgxpool.Pool {
	return newPool(b, func(c *pgxpool.Config) { c.MaxConns = int32(max(4, goroutines)) })
}

func benchKeys(goroutines int) []string {
	keys := make([]string, goroutines)
	for i := range keys {
		keys[i] = fmt.Sprintf("%064x", i)
	}
	return keys
}

func storeContender(b *testing.B, goroutines int) contender {
	s := newStore(b, benchPool(b, goroutines), newTable(b))
	keys, versions := benchKeys(goroutines), make([]storage.Version, goroutines)
	return contender{
		name: "store",
		load: func(i int, _ []byte) error {
			r, err := s.Get(context.Background(), keys[i])
			return wantLength(err, r.Value())
		},
		save: func(i int, value []byte) (err error) {
			versions[i], err = s.Put(context.Background(), keys[i], value, versions[i])
			return err
		},
	}
}

const (
	bareLoad = "SELECT version, value FROM %s WHERE key = $1"
	bareSave = `INSERT INTO %s VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value`
)

func poolContender(b *testing.B, goroutines int) contender {
	pool, table := benchPool(b, goroutines), bareTable(b)
	load, save, keys := fmt.Sprintf(bareLoad, table), fmt.Sprintf(bareSave, table), benchKeys(goroutines)
	return contender{
		name: "pgxpool",
		load: func(i int, _ []byte) error {
			var version int64
			var value []byte
			err := pool.QueryRow(context.Background(), load, keys[i]).Scan(&version, &value)
			return wantLength(err, value)
		},
		save: func(i int, value []byte) error {
			_, err := pool.Exec(context.Background(), save, keys[i], int64(storage.NewVersion()), value)
			return err
		},
	}
}

// connContender is the least that the driver can do: a connection for each
// goroutine, prepared, no conversions.
func connContender(b *testing.B, goroutines int) contender {
	table, keys, ctx := bareTable(b), benchKeys(goroutines), context.Background()
	conns := make([]*pgconn.PgConn, goroutines)
	for i := range conns {
		conn, err := pgconn.Connect(ctx, server(b).URL)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close(ctx) })
		for name, sql := range map[string]string{"load": bareLoad, "save": bareSave} {
			if _, err := conn.Prepare(ctx, name, fmt.Sprintf(sql, table), nil); err != nil {
				b.Fatal(err)
			}
		}
		conns[i] = conn
	}
	binaryFormat := []int16{1}
	return contender{
		name: "pgconn",
		load: func(i int, _ []byte) error {
			result := conns[i].ExecPrepared(ctx, "load", [][]byte{[]byte(keys[i])}, binaryFormat, binaryFormat)
			var value []byte
			for result.NextRow() {
				value = slices.Clone(result.Values()[1])
			}
			_, err := result.Close()
			return wantLength(err, value)
		},
		save: func(i int, value []byte) error {
			version := binary.BigEndian.AppendUint64(nil, uint64(storage.NewVersion()))
			result := conns[i].ExecPrepared(ctx, "save", [][]byte{[]byte(keys[i]), version, value}, binaryFormat, nil)
			_, err := result.Close()
			return err
		},
	}
}

// withinContender writes as the store does, and notifies in the same
// transaction.
func withinContender(b *testing.B, goroutines int) contender {
	pool, table, keys := benchPool(b, goroutines), bareTable(b), benchKeys(goroutines)
	save := "WITH written AS (" + fmt.Sprintf(bareSave, table) + " RETURNING key) SELECT pg_notify('within', key) FROM written"
	return contender{
		name: "within",
		save: func(i int, value []byte) error {
			_, err := pool.Exec(context.Background(), save, keys[i], int64(storage.NewVersion()), value)
			return err
		},
	}
}

// bareTable creates a table of the store's shape.
func bareTable(b *testing.B) string {
	table := newTable(b)
	schema, err := postgresstore.Schema(table)
	if err != nil {
		b.Fatal(err)
	}
	exec(b, newPool(b, nil), schema)
	return table
}

func wantLength(err error, value []byte) error {
	if err == nil && len(value) != benchValue {
		return fmt.Errorf("loaded %d bytes", len(value))
	}
	return err
}
