package postgresstore

import (
	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes of a server that takes no writes any more, or that ends
// sessions. They concern all connections to that server.
const (
	readOnlyTransaction = "25006"
	adminShutdown       = "57P01"
	crashShutdown       = "57P02"
	cannotConnectNow    = "57P03"
	databaseDropped     = "57P04"
)

// isMoved reports whether an error says that another connection may reach a
// server that works: after a switchover, the old primary keeps its connections
// and refuses writes.
func isMoved(err error) bool {
	return hasCode(err, readOnlyTransaction, adminShutdown, crashShutdown, cannotConnectNow, databaseDropped)
}

// isUnapplied reports whether an error proves that the statement had no effect,
// so that it may be sent again.
func isUnapplied(err error) bool {
	return hasCode(err, readOnlyTransaction) || pgconn.SafeToRetry(err)
}

// bornReadOnly is the name under which a connection remembers whether its
// server took writes at first.
const bornReadOnly = "authtrip.readonly"

// turnedReadOnly reports whether the server of a connection took writes at
// first and does not take them any more. What it answers may be old, because
// another server takes the writes. It cannot tell before PostgreSQL 14, which
// does not report this.
//
// A server that never took writes is one that the caller chose, for reading.
func turnedReadOnly(conn *pgconn.PgConn) bool {
	now := conn.ParameterStatus("in_hot_standby") == "on" || conn.ParameterStatus("default_transaction_read_only") == "on"
	data := conn.CustomData()
	born, known := data[bornReadOnly].(bool)
	if !known {
		data[bornReadOnly] = now
		return false
	}
	return now && !born
}
