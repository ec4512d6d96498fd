package stream

import "testing"

// The hashes are those in the tests of Kafka's own Utils.murmur2: -973932308,
// -790332482 and -985981536, without their sign bit.
func TestPartitionOfIsThatOfKafkasJavaClient(t *testing.T) {
	for key, want := range map[string]int{
		"21":                       1173551340 % 12,
		"foobar":                   1357151166 % 12,
		"a-little-bit-long-string": 1161502112 % 12,
	} {
		if got := PartitionOf([]byte(key), 12); got != want {
			t.Errorf("%s: partition %d, want %d", key, got, want)
		}
	}
}
