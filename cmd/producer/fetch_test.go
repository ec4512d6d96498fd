package main

import "github.com/twmb/franz-go/pkg/kmsg"

// fetchNotice tells of the next fetch, which it leaves to the cluster.
func fetchNotice(fetched chan<- struct{}) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(kmsg.Request) (kmsg.Response, error, bool) {
		select {
		case fetched <- struct{}{}:
		default:
		}
		return nil, nil, false
	}
}
