package e2e

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// proxy is a TCP proxy with toxics, between the consumers and something.
type proxy struct {
	t *testing.T
	p *toxiproxy.Proxy
}

// newProxy listens on an address, of which port 0 is a free one, for upstream.
func newProxy(t *testing.T, name, listen, upstream string) proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := proxy{t, toxiproxy.NewProxy(server, name, listen, upstream)}
	p.start()
	t.Cleanup(p.p.Stop)
	return p
}

func (p proxy) start() {
	p.t.Helper()
	if err := p.p.Start(); err != nil {
		p.t.Fatalf("starting the proxy of %s: %v", p.p.Name, err)
	}
}

// stop breaks every connection and takes no more.
func (p proxy) stop() { p.p.Stop() }

// poison adds a toxic on the way back to the consumers, as toxiproxy's API
// takes it; what is returned takes it away.
func (p proxy) poison(name, toxic string) (cure func()) {
	p.t.Helper()
	if _, err := p.p.Toxics.AddToxicJson(strings.NewReader(`{"name":"` + name + `","stream":"downstream",` + toxic + `}`)); err != nil {
		p.t.Fatalf("adding %s to %s: %v", toxic, p.p.Name, err)
	}
	return func() {
		p.t.Helper()
		if err := p.p.Toxics.RemoveToxic(context.Background(), name); err != nil {
			p.t.Fatalf("removing %s from %s: %v", name, p.p.Name, err)
		}
	}
}

// proxyBrokers puts a proxy before each broker of a proxied world.
func (w *world) proxyBrokers() (proxies []proxy) {
	w.t.Helper()
	addresses := w.Brokers()
	if realKafka {
		addresses = proxiedBrokers(w.t)
	}
	for _, address := range strings.Split(addresses, ",") {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			w.t.Fatal(err)
		}
		proxies = append(proxies, newProxy(w.t, "broker at "+port, net.JoinHostPort(proxyHost, port), net.JoinHostPort("127.0.0.1", port)))
	}
	return proxies
}

// proxyHTTP puts a proxy before store and vendor, and points consumers there.
func (w *world) proxyHTTP() (store, vendor proxy) {
	w.t.Helper()
	through := func(name, address, setting string) proxy {
		u, err := url.Parse(address)
		if err != nil {
			w.t.Fatal(err)
		}
		p := newProxy(w.t, name, "127.0.0.1:0", u.Host)
		u.Host = p.p.Listen
		w.environ = append(w.environ, setting+"="+u.String())
		return p
	}
	return through("store", w.S3URL(), "REAUTH_SELFIES__ENDPOINT"), through("vendor", w.ArgosURL(), "REAUTH_VENDORS__ARGOS__BASE_URL")
}
