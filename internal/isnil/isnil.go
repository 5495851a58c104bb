// Package isnil finds nil values that an interface hides.
package isnil

import "reflect"

// Value reports whether v is nil, or an interface with a nil pointer or a nil
// function in it. Such an interface is not equal to nil, and its methods panic
// when they are called.
func Value(v any) bool {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func:
		return r.IsNil()
	default:
		return false
	}
}
