package event

import (
	"reflect"
	"strings"
)

// The JSON names of the fields of our events.
var (
	resultNames  = jsonNames[Result]()
	pendingNames = jsonNames[Pending]()
)

// jsonNames returns the JSON names of T's fields, in their order.
func jsonNames[T any]() []string {
	t := reflect.TypeFor[T]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}
