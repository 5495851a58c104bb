package identity

// MaxInFlight is how many requests of a Resolver are under way at once.
const MaxInFlight = maxInFlight
