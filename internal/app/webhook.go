package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/config"
	"reauth/internal/ops"
	"reauth/internal/vendors"
	"reauth/internal/vendors/checkout"
)

// openWebhook returns the listener for Checkout.com's webhook, nil if there is to
// be none. tell passes its news on.
func openWebhook(c config.Config, tell func(context.Context, vendors.News) error, log *slog.Logger, registerer prometheus.Registerer) (*ops.Listener, error) {
	s := c.Vendors.Checkout
	if !s.Enabled || s.Webhook.Listen == "" {
		return nil, nil //nolint:nilnil // no webhook is no fault
	}
	o := checkout.WebhookConfig{Secret: s.Webhook.SignatureKey.Current, Tell: tell, Registerer: registerer, Logger: log}
	if s.Webhook.Authorization.IsSet() {
		o.Authorization = s.Webhook.Authorization.Current
	}
	hook, err := checkout.NewWebhook(o)
	if err != nil {
		return nil, fmt.Errorf("vendors.checkout.webhook: %w", err)
	}
	routes := http.NewServeMux()
	routes.Handle(s.Webhook.Path, hook)
	return ops.Listen(s.Webhook.Listen, "webhooks of Checkout.com", routes, log)
}
