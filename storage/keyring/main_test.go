package keyring_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage/keyring"
	"github.com/authtrip/authtrip/storage/userstore"
)

// orderEnv is the variable with what a process is to do at the keychain. The
// connection to a session is one for a whole process, so each session needs
// processes of its own.
const orderEnv = "AUTHTRIP_KEYRING_ORDER"

func TestMain(m *testing.M) {
	if order := os.Getenv(orderEnv); order != "" {
		fmt.Println(do(context.Background(), strings.Fields(order)))
		return
	}
	os.Exit(m.Run())
}

// do carries out an order and returns what came of it.
func do(ctx context.Context, order []string) string {
	k := keyring.New()
	switch order[0] {
	case "available":
		return outcome("yes", k.Available(ctx))
	case "keep":
		key, err := hex.DecodeString(order[2])
		return outcome("kept", errors.Join(err, k.Keep(ctx, order[1], key)))
	case "key":
		key, err := k.Key(ctx, order[1])
		if errors.Is(err, fs.ErrNotExist) {
			return "no such key"
		}
		return outcome(hex.EncodeToString(key), err)
	case "forget":
		return outcome("forgotten", k.Forget(ctx, order[1]))
	case "open":
		f, err := userstore.Open(ctx, "notes", &userstore.Options{Dir: order[1], Keys: k})
		if err != nil {
			return outcome("", err)
		}
		return outcome(f.Key(), f.Close())
	case "move":
		f, err := userstore.Open(ctx, "notes", &userstore.Options{Dir: order[1], Keys: k})
		if err != nil {
			return outcome("", err)
		}
		err = f.MoveKey(ctx, map[string]userstore.KeySource{"keychain": k}[order[2]])
		return outcome(f.Key(), errors.Join(err, f.Close()))
	}
	return "no such order"
}

func outcome(text string, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return text
}

// session is a D-Bus session.
type session struct {
	*testing.T
	env []string
}

// run lets a process of the session do something.
func (s *session) run(order ...string) string {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), s.env...), orderEnv+"="+strings.Join(order, " "))
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("%v: %v: %s", order, err, out)
	}
	return strings.TrimSpace(string(out))
}

// want checks what comes of an order.
func (s *session) want(want string, order ...string) {
	s.Helper()
	if got := s.run(order...); !strings.Contains(got, want) {
		s.Errorf("%s = %s, want %s", strings.Join(order, " "), got, want)
	}
}
