package provider_test

import (
	"reflect"
	"testing"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// No list, map or text of a clone is shared with the original, whatever fields
// a Provider has.
func TestCloneSharesNothing(t *testing.T) {
	p := new(provider.Provider)
	fill(reflect.ValueOf(p).Elem())
	shared(t, "Provider", reflect.ValueOf(p).Elem(), reflect.ValueOf(p.Clone()).Elem())
}

// fill puts something into everything that can be shared.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(field)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
	}
}

// shared reports the lists and maps that two values have in common.
func shared(t *testing.T, name string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Struct:
		for field, value := range a.Fields() {
			shared(t, name+"."+field.Name, value, b.FieldByName(field.Name))
		}
	case reflect.Slice:
		if b.Len() != 1 {
			t.Errorf("the clone has lost %s", name)
			return
		}
		if a.Pointer() == b.Pointer() {
			t.Errorf("the clone shares %s with the original", name)
		}
		shared(t, name+"[0]", a.Index(0), b.Index(0))
	case reflect.Map:
		if b.Len() != 1 {
			t.Errorf("the clone has lost %s", name)
			return
		}
		if a.Pointer() == b.Pointer() {
			t.Errorf("the clone shares %s with the original", name)
		}
		for _, key := range a.MapKeys() {
			shared(t, name+"[key]", a.MapIndex(key), b.MapIndex(key))
		}
	}
}
