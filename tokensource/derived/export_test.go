package derived

// MostHeld is mostHeld, for tests of the bound.
const MostHeld = mostHeld
