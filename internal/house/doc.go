// Package house tests rules that no compiler checks, over all modules of the
// workspace.
//
//   - Packages import each other in one direction only, as one table states.
//   - The rules of the lease protocol are pure functions.
//   - A package exports a limited number of names.
//   - Comments use plain words and are wrapped at 80 columns.
//
// The package holds tests only. Each prints every place that breaks its rule.
package house
