package nativeapp

// Commands is commands, for tests of the other operating systems.
var Commands = commands
