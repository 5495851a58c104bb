package main

import (
	"strings"

	"github.com/authtrip/authtrip/storage"
)

// kind is what a record is for, as its storage key says.
type kind struct {
	prefix string // of storage keys
	name   string // for -o json and the counts
	about  string
}

// grantKind is the kind of grants (grant.Key).
var grantKind = kind{"grant.", "grant", "a grant"}

// otherKinds are the kinds of other records of the engine and the middleware.
var otherKinds = []kind{
	{"sessions.", "sessions", "sessions of a user: without it they end"},
	{"login.", "pending login", "a login that has tokens and could not finish yet; it is finished, or its tokens are revoked"},
	{accountPrefix, "connections", "the connected accounts of a user of the app: without it they are not shown, and their grants stay"},
	{"connection.", "connection", "which users of the app have connected an account: without it they must connect it again"},
	{"due.", "due", "an index of what is due: tokens to revoke, ended grants to delete, logins that wait"},
	{"upkeep.", "upkeep", "which process keeps idle grants alive, and when it looked last"},
	{"middleware.used.", "used codes", "states of logins that were used already"},
	{"middleware.server.", "sessions of the server", "which users the server means when it reports a logout: without it such a report ends no session"},
	{"nativeapp.accounts.", "accounts", "who is logged in to a command: without it nobody is, and the grants stay"},
	{"mcp.login.", "login claim", "which process of a command logs its user in to an MCP server now"},
	{"mcp.steps.", "step-ups", "when a command asked an MCP server for more scopes: without it the command may ask again"},
	{"mcp.", "MCP login", "where the grant of a command at an MCP server is: without it the user logs in again, and the grant stays"},
	{"client.", "registration", "the client IDs and secrets that an app got when it registered itself: without it the app registers again, and earlier grants are lost"},
	{storage.NamePrefix, "name key", "the key that storage keys are made with"},
}

// The names of lists of connections (package middleware/connect) belong to no
// client: accountOwner is their owner.
const (
	accountPrefix = "account."
	accountOwner  = "authtrip/connect"
)

// unknownKind is the kind of records of somebody else, or of a later version.
var unknownKind = kind{"", "unknown", "no record of this version"}

func kindOf(key string) kind {
	if strings.HasPrefix(key, grantKind.prefix) {
		return grantKind
	}
	for _, k := range otherKinds {
		if strings.HasPrefix(key, k.prefix) {
			return k
		}
	}
	return unknownKind
}
