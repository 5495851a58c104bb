package storage

import (
	"fmt"
	"io"
	"log/slog"
)

// String says which version the record has; its value may be a secret.
func (r Record) String() string {
	return fmt.Sprintf("storage.Record{%d bytes, version %x}", len(r.Value), uint64(r.Version))
}

// Format prints what String returns for every verb, so that no verb shows the value.
func (r Record) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, r.String()) // fmt.State keeps no error to report
}

// LogValue returns what String does.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON returns what String does, as a JSON string.
func (r Record) MarshalJSON() ([]byte, error) { return []byte(`"` + r.String() + `"`), nil }
