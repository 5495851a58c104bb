package postgresstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var errClosed = fmt.Errorf("the store is closed: %w", fs.ErrClosed)

// explain returns the error of a method: the cause of ctx if that has ended,
// and otherwise err with an advice.
func explain(ctx context.Context, op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("postgresstore: %s: %w", op, context.Cause(ctx))
	}
	if advice := adviceFor(err); advice != "" {
		return fmt.Errorf("postgresstore: %s: %s: %w", op, advice, err)
	}
	return fmt.Errorf("postgresstore: %s: %w", op, err)
}

// SQLSTATE codes.
const (
	undefinedTable       = "42P01"
	undefinedColumn      = "42703"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	noPreparedStatement  = "26000"
	twoPreparedStatement = "42P05"
)

// adviceFor returns what to do about an error, if that is known.
func adviceFor(err error) string {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case hasCode(err, readOnlyTransaction):
		return "connect to the primary: this server takes no writes"
	case hasCode(err, noPreparedStatement, twoPreparedStatement):
		return "behind a pooler such as PgBouncer, add default_query_exec_mode=exec to the URL"
	case untrusted:
		return "name the certificate authority with sslrootcert=FILE; sslmode=require accepts any certificate"
	case strings.Contains(err.Error(), "server refused TLS"): // the driver has no error of its own for it
		return "nothing secret was sent: turn TLS on in the server, or, where nobody can listen to the connection, add sslmode=disable to the URL"
	}
	return ""
}

func hasCode(err error, codes ...string) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains(codes, e.Code)
}
