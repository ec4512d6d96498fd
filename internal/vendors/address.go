package vendors

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Address checks an address that a vendor is reached at, and returns it without
// slashes at its end. It is https, but for a loopback address or with allowHTTP.
// Its errors go on after what the address is, as in "base URL is not an absolute
// URL", and don't show it, for it may hold a password.
func Address(address string, allowHTTP bool) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return "", errors.New("is not an absolute URL")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("has a user, a query or a fragment")
	case !IsSecure(u, allowHTTP):
		return "", fmt.Errorf("of %s is not https", u.Host)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// IsSecure tells whether credentials may travel to an address: by https, or by
// http to a loopback address or where allowHTTP says so.
func IsSecure(u *url.URL, allowHTTP bool) bool {
	return u.Scheme == "https" || u.Scheme == "http" && (allowHTTP || isLoopback(u.Hostname()))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
