package grant

// Event is something that happened to a grant. It holds no token and may be logged.
type Event struct {
	Kind    EventKind
	Subject string
	Err     error // the cause of a failure, or nil
}

// EventKind says what happened.
type EventKind string

// What Options.Observe is told.
const (
	EventAuthorized    EventKind = "authorized"     // a user authorized, and the grant is stored
	EventRefreshed     EventKind = "refreshed"      // a refresh succeeded
	EventRefreshFailed EventKind = "refresh failed" // a refresh failed for now; the grant is alive
	EventDied          EventKind = "died"           // the grant was refused for good: the user must authorize again
	EventUnsaved       EventKind = "unsaved"        // the store refused renewed tokens: they are served from memory, and written when it returns
	EventSaved         EventKind = "saved"          // the store has taken tokens that it had refused before
	EventSuperseded    EventKind = "superseded"     // renewed tokens were dropped: the store holds newer ones
	EventLate          EventKind = "late"           // renewed tokens came after a logout and were revoked, or Err says why not
	EventLoggedOut     EventKind = "logged out"     // a grant was revoked and deleted, or Err says what is left to do
)

func (k *Keeper) tell(kind EventKind, subject string, err error) {
	if k.o.Observe != nil {
		k.o.Observe(Event{Kind: kind, Subject: subject, Err: err})
	}
}
