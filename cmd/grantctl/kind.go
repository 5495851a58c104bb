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
	{"due.", "due", "an index of grants with a revocation to make"},
	{"upkeep.", "upkeep", "which process keeps idle grants alive, and when it looked last"},
	{"middleware.used.", "used codes", "states of logins that were used already"},
	{"client.", "registration", "the client IDs and secrets that an app got when it registered itself: without it the app registers again, and earlier grants are lost"},
	{storage.NamePrefix, "name key", "the key that storage keys are made with"},
}

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
