package event

import "time"

// Header is one Kafka record header.
type Header struct {
	Key   string
	Value []byte
}

// Record is a Kafka record without any client library's types. For a record
// that is to be written, Partition is the shard it belongs to and Offset is
// meaningless. Key, Value and Headers must not be changed once a Record has
// been handed on: writers keep them until the broker has answered.
type Record struct {
	Topic     string
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	// Time of a record that was read is its producer's and of the years 1 to 9999; a
	// millisecond before 1970 stands for none.
	Time time.Time
}

// Header returns the value of the last header called key, and whether there is
// one. Kafka allows a header to repeat; the last one wins, as in Kafka's own
// clients.
func (r Record) Header(key string) (value string, ok bool) {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == key {
			return string(r.Headers[i].Value), true
		}
	}
	return "", false
}
