package event

// IsControlMarker tells whether rec is the marker that ends a Kafka
// transaction, which kafka-go v0.4.51 hands to readers like any record: a key
// of a zero version and a type of 0 (abort) or 1 (commit), both two bytes, a
// value of a zero version and a coordinator epoch, two and four bytes, and no
// headers. Such a record can be skipped: a value that begins with a zero byte
// is not JSON in any form, so no request is ever taken for a marker.
func IsControlMarker(rec Record) bool {
	k, v := rec.Key, rec.Value
	return len(k) == 4 && k[0] == 0 && k[1] == 0 && k[2] == 0 && k[3] <= 1 &&
		len(v) == 6 && v[0] == 0 && v[1] == 0 &&
		len(rec.Headers) == 0
}
