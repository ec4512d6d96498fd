package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A rule bounds the values of a setting beyond their kind.
type rule[T any] struct {
	// bounds reads after "give": "1s to 30m", "host:port".
	bounds string
	fits   func(T) bool
}

// between admits low, high and what lies between.
func between[T cmp.Ordered](low, high T) rule[T] {
	return rule[T]{
		bounds: show(low) + " to " + show(high),
		fits:   func(v T) bool { return low <= v && v <= high },
	}
}

// above admits what is more than low and at most high.
func above[T cmp.Ordered](low, high T) rule[T] {
	return rule[T]{
		bounds: "more than " + show(low) + ", at most " + show(high),
		fits:   func(v T) bool { return low < v && v <= high },
	}
}

// oneOf admits the words given.
func oneOf(words ...string) rule[string] {
	return rule[string]{
		bounds: "one of " + strings.Join(words, ", "),
		fits:   func(v string) bool { return slices.Contains(words, v) },
	}
}

// optional admits the empty text as well.
func optional(r rule[string]) rule[string] {
	return rule[string]{
		bounds: r.bounds + ", or nothing",
		fits:   func(v string) bool { return v == "" || r.fits(v) },
	}
}

// kafkaName admits what a broker accepts as a topic name: at most 249 of
// letters, digits, ".", "_" and "-", neither "." nor ".." (Apache Kafka's
// Topic.validate). Consumer groups and client ids could hold more, but quotas
// and metrics are named after them.
var kafkaName = rule[string]{
	bounds: "1 to 249 of letters, digits, . _ -",
	fits: func(v string) bool {
		return kafkaNamePattern.MatchString(v) && v != "." && v != ".."
	},
}

var kafkaNamePattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// bucketName admits what S3 accepts as the name of a bucket: 3 to 63 of lower
// case letters, digits, "." and "-", which begins and ends with a letter or
// digit (Amazon S3 user guide, general purpose bucket naming rules).
var bucketName = rule[string]{
	bounds: "an S3 bucket name: 3 to 63 of lower case letters, digits, . -",
	fits: func(v string) bool {
		return bucketPattern.MatchString(v) && !strings.Contains(v, "..")
	},
}

var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// word admits a text without white space and control characters.
var word = rule[string]{
	bounds: "a text without spaces",
	fits:   func(v string) bool { return v != "" && printable(v) },
}

// printable tells whether v holds visible ASCII only, which is what may stand
// in an HTTP header besides spaces.
func printable(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// hostPort admits the address of a server elsewhere.
var hostPort = rule[string]{
	bounds: "host:port",
	fits: func(v string) bool {
		host, port, err := net.SplitHostPort(v)
		return err == nil && host != "" && printable(host) && !strings.Contains(host, "/") && isPort(port, 1)
	},
}

// listenAddress admits an address to listen on; no host means every interface,
// and port 0 one that the system chooses.
var listenAddress = rule[string]{
	bounds: "[host]:port",
	fits: func(v string) bool {
		_, port, err := net.SplitHostPort(v)
		return err == nil && isPort(port, 0)
	},
}

func isPort(s string, lowest int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && lowest <= n && n <= 65535
}

// webAddress admits a plain http or https URL.
var webAddress = rule[string]{
	bounds: "an absolute http or https URL without user, query or fragment",
	fits: func(v string) bool {
		u, err := url.Parse(v)
		return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" &&
			u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
	},
}

// secureAddress admits a web address to which selfies and keys may be sent:
// https, or http within this machine.
var secureAddress = rule[string]{
	bounds: "an absolute https URL (http only for a loopback host) without user, query or fragment",
	fits:   func(v string) bool { return webAddress.fits(v) && !inTheClear(v) },
}

// inTheClear tells whether what is sent to the web address leaves this machine
// unencrypted.
func inTheClear(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && !isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// urlPath admits the path of a route.
var urlPath = rule[string]{
	bounds: "a path that begins with /",
	fits: func(v string) bool {
		return strings.HasPrefix(v, "/") && printable(v) && !strings.ContainsAny(v, "?#{}")
	},
}

// readableFile admits the path of a file that can be opened.
var readableFile = rule[string]{
	bounds: "the path of a file that can be read",
	fits: func(v string) bool {
		f, err := os.Open(v)
		if err != nil {
			return false
		}
		defer f.Close()
		info, err := f.Stat()
		return err == nil && info.Mode().IsRegular()
	},
}

// items admits lists of low to high items.
func items[T any](low, high int) rule[[]T] {
	return rule[[]T]{
		bounds: fmt.Sprintf("%d to %d items", low, high),
		fits:   func(v []T) bool { return low <= len(v) && len(v) <= high },
	}
}
