//go:build linux

package fleet_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

// swapper replaces values by compare-and-swap, by a bare driver. The version of
// a value is its first eight bytes.
type swapper interface {
	get(ctx context.Context, key string) ([]byte, error)
	swap(ctx context.Context, key string, old, value []byte) error
	fill(ctx context.Context, values map[string][]byte) error
}

var errOvertaken = errors.New("fleet: another process has replaced the value")

func (m massWork) swapper(ctx context.Context) (swapper, error) {
	if strings.HasPrefix(m.Store, "redis:") {
		o, err := redis.ParseURL(m.Store)
		if err != nil {
			return nil, err
		}
		return bareRedis{redis.NewClient(o)}, nil
	}
	pool, err := pgxpool.New(ctx, m.Store)
	return barePostgres{pool}, err
}

type barePostgres struct{ pool *pgxpool.Pool }

func (b barePostgres) get(ctx context.Context, key string) (value []byte, err error) {
	err = b.pool.QueryRow(ctx, "SELECT value FROM bare WHERE key = $1", key).Scan(&value)
	return value, err
}

func (b barePostgres) swap(ctx context.Context, key string, old, value []byte) error {
	tag, err := b.pool.Exec(ctx, "UPDATE bare SET version = $2, value = $3 WHERE key = $1 AND version = $4", key, version(value), value, version(old))
	if err == nil && tag.RowsAffected() != 1 {
		return errOvertaken
	}
	return err
}

func (b barePostgres) fill(ctx context.Context, values map[string][]byte) error {
	if _, err := b.pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS bare (key text PRIMARY KEY, version bigint NOT NULL, value bytea NOT NULL)"); err != nil {
		return err
	}
	var rows [][]any
	for key, value := range values {
		rows = append(rows, []any{key, version(value), value})
	}
	_, err := b.pool.CopyFrom(ctx, pgx.Identifier{"bare"}, []string{"key", "version", "value"}, pgx.CopyFromRows(rows))
	return err
}

type bareRedis struct{ client *redis.Client }

func (b bareRedis) get(ctx context.Context, key string) ([]byte, error) {
	return b.client.Get(ctx, key).Bytes()
}

var bareSwap = redis.NewScript(`if redis.call('GETRANGE',KEYS[1],0,7)~=ARGV[1] then return 0 end
redis.call('SET',KEYS[1],ARGV[2])
return 1`)

func (b bareRedis) swap(ctx context.Context, key string, old, value []byte) error {
	n, err := bareSwap.Run(ctx, b.client, []string{key}, old[:8], value).Int()
	if err == nil && n != 1 {
		return errOvertaken
	}
	return err
}

func (b bareRedis) fill(ctx context.Context, values map[string][]byte) error {
	pipe := b.client.Pipeline()
	for key, value := range values {
		pipe.Set(ctx, key, value, 0)
	}
	_, err := pipe.Exec(ctx)
	return err
}

func version(value []byte) int64 { return int64(binary.BigEndian.Uint64(value)) }

// bareValue is a value of the length of a stored grant.
func bareValue(n uint64, token string, size int) []byte {
	value := binary.BigEndian.AppendUint64(nil, n)
	value = append(value, token...)
	return append(value, make([]byte, max(0, size-len(value)))...)
}

func bareKey(n int) string { return fmt.Sprintf("bare.%064d", n) }

// populateFloor stores what the floor works on.
func (m massWork) populateFloor(t *testing.T, grants, size int) {
	t.Helper()
	s, err := m.swapper(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const batch = 1000
	for from := 0; from < grants; from += batch {
		values := map[string][]byte{}
		for n := from; n < min(from+batch, grants); n++ {
			values[bareKey(n)] = bareValue(1, massToken("floor", n, 0)+"\n", size)
		}
		if err := s.fill(t.Context(), values); err != nil {
			t.Fatal(err)
		}
	}
}

// floor returns the least that refreshes a grant and survives a crash: a read,
// the intent by a swap, one request, and the tokens by a swap.
func (m massWork) floor(ctx context.Context) (func(n int) error, error) {
	s, err := m.swapper(ctx)
	if err != nil {
		return nil, err
	}
	wire := http.DefaultTransport.(*http.Transport).Clone()
	wire.DisableKeepAlives = true // a refresh token travels on a new connection (G3)
	api := &http.Client{Transport: wire}
	return func(n int) error {
		old, err := s.get(ctx, bareKey(n))
		if err != nil {
			return err
		}
		token, _, _ := strings.Cut(string(old[8:]), "\n")
		intent := bareValue(2, token+"\n", len(old))
		if err := s.swap(ctx, bareKey(n), old, intent); err != nil {
			return err
		}
		next, err := m.refresh(ctx, api, token)
		if err != nil {
			return err
		}
		return s.swap(ctx, bareKey(n), intent, bareValue(3, next+"\n", len(old)))
	}, nil
}

func (m massWork) refresh(ctx context.Context, api *http.Client, token string) (string, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Server+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth("mass", "the-secret-of-the-app-0123456789")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := api.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var tok struct {
		Refresh string `json:"refresh_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tok); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the token request was answered by %s", resp.Status)
	}
	return tok.Refresh, nil
}
