package app

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/storage"
	"reauth/internal/vendors"
	"reauth/internal/vendors/argos"
	"reauth/internal/vendors/checkout"
	"reauth/internal/vendors/faceki"
	"reauth/internal/vendors/rekognition"
)

// adapterMakers has one line for each vendor that this build has an adapter for.
var adapterMakers = map[event.Vendor]func(context.Context, config.Config, adapterParts) (vendors.Adapter, error){
	event.Argos:       newArgos,
	event.Checkout:    newCheckout,
	event.Faceki:      newFaceki,
	event.Rekognition: newRekognition,
}

// Vendors are the vendors that this build has an adapter for.
var Vendors = slices.Sorted(maps.Keys(adapterMakers))

// adapterParts are what an adapter may be made of beside its settings.
type adapterParts struct {
	client     *http.Client
	store      *storage.Store // nil if no call will be made
	registerer prometheus.Registerer
}

// Adapters returns the adapters of the enabled vendors. Without a store they are
// good for Check only. A nil registerer leaves their own metrics, which are
// counted either way, out of any registry.
func Adapters(ctx context.Context, c config.Config, store *storage.Store, registerer prometheus.Registerer) (map[event.Vendor]vendors.Adapter, error) {
	adapters := map[event.Vendor]vendors.Adapter{}
	for name, settings := range laneSettings(c) {
		make, known := adapterMakers[name]
		if !known {
			return nil, fmt.Errorf("vendors.%s: this build has no adapter for it", name)
		}
		client := vendors.NewHTTPClient(vendors.HTTPOptions{MaxInFlight: settings.MaxInFlight})
		a, err := make(ctx, c, adapterParts{client: client, store: store, registerer: registerer})
		if err != nil {
			return nil, fmt.Errorf("vendors.%s: %w", name, err)
		}
		adapters[name] = a
	}
	return adapters, nil
}

func newArgos(_ context.Context, c config.Config, p adapterParts) (vendors.Adapter, error) {
	s := c.Vendors.Argos
	return argos.New(argos.Config{BaseURL: s.BaseURL, APIKey: s.APIKey.Current, Client: p.client})
}

func newCheckout(_ context.Context, c config.Config, p adapterParts) (vendors.Adapter, error) {
	s := c.Vendors.Checkout
	o := checkout.Config{
		BaseURL: s.BaseURL, TokenURL: s.TokenURL, UserJourneyID: s.UserJourneyID,
		MaxAttempts: s.MaxInvitations, Deadline: s.Deadline, LinkLife: s.LinkLife, PollFirst: s.PollInitial, PollMax: s.PollMax,
		AssetTypes: s.FollowUps.Archive.AssetTypes, AssetHosts: s.FollowUps.Archive.AllowedHosts,
		AssetClient: vendors.NewHTTPClient(vendors.HTTPOptions{MaxInFlight: assetsInFlight}),
		Client:      p.client, Registerer: p.registerer,
	}
	if s.ClientID != "" {
		o.ClientID, o.ClientSecret = s.ClientID, s.ClientSecret.Current
	} else {
		o.SecretKey = s.SecretKey.Current
	}
	return checkout.New(o)
}

func newFaceki(_ context.Context, c config.Config, p adapterParts) (vendors.Adapter, error) {
	s := c.Vendors.Faceki
	return faceki.New(faceki.Config{
		BaseURL: s.BaseURL, APIVersion: faceki.APIVersion(s.APIVersion), ClientID: s.ClientID, ClientSecret: s.ClientSecret.Current,
		OnAmbiguous: faceki.OnAmbiguous(s.OnAmbiguous), Client: p.client, Registerer: p.registerer,
	})
}

func newRekognition(ctx context.Context, c config.Config, p adapterParts) (vendors.Adapter, error) {
	s := c.Vendors.Rekognition
	if s.Region == "" {
		s.Region = c.Selfies.Region
	}
	signer, err := storage.NewSigner(ctx, storage.SignerConfig{Service: rekognition.Service, Region: s.Region})
	if err != nil {
		return nil, err
	}
	return rekognition.New(rekognition.Config{
		BaseURL: s.BaseURL, Region: s.Region, Sign: signer.Sign, DefaultBucket: c.Selfies.Bucket, HasReference: hasObject(p.store),
		Threshold: s.Threshold, QualityFilter: rekognition.QualityFilter(s.QualityFilter), Client: p.client,
	})
}

// hasObject asks the store, nil without one.
func hasObject(store *storage.Store) func(context.Context, vendors.ObjectRef) (bool, error) {
	if store == nil {
		return nil
	}
	return func(ctx context.Context, o vendors.ObjectRef) (bool, error) {
		return store.Has(ctx, storage.Ref{Bucket: o.Bucket, Key: o.Key, Version: o.Version})
	}
}
