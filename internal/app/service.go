package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/event"
	"reauth/internal/ops"
	"reauth/internal/pipeline"
	"reauth/internal/storage"
	"reauth/internal/stream"
	"reauth/internal/vendors"
)

// flushTime bounds the writer's flush and each other step of a stop that is not
// the grace time's.
const flushTime = 10 * time.Second

// Service is the consumer, put together but not running.
type Service struct {
	settings config.Config
	log      *slog.Logger
	kafka    *stream.Client
	store    *storage.Store
	archive  *storage.Archive // nil: none
	writer   *stream.Writer
	lanes    map[event.Vendor]*vendors.Lane
	pipeline *pipeline.Pipeline
	member   *stream.Member
	ops      *ops.Server
	webhook  *ops.Listener // nil: none
	limiter  *limiter      // nil: none
}

// New puts the service together. It makes no connection, but for credentials
// that the AWS SDK's chain must fetch. version is the build's, for the metrics.
func New(ctx context.Context, c config.Config, version string, log *slog.Logger) (*Service, error) {
	registry := ops.NewRegistry(version)
	s := &Service{settings: c, log: log}
	var err error
	if s.store, err = OpenStore(ctx, c, registry); err != nil {
		return nil, err
	}
	if s.archive, err = openArchive(ctx, c, s.store); err != nil {
		return nil, err
	}
	adapters, err := Adapters(ctx, c, s.store, registry)
	if err != nil {
		return nil, err
	}
	all := append(connect.ShardedTopics(c.Kafka.Topics), c.Kafka.Topics.Signals)
	if s.kafka, err = connect.Open(c.Kafka, all, log, registry); err != nil {
		return nil, err
	}
	s.writer = s.kafka.NewWriter(stream.WriterConfig{MaxBytes: connect.MaxRecordBytes})
	s.lanes = openLanes(c, adapters, log, registry)
	s.pipeline = pipeline.New(pipelineConfig(c), pipeline.Parts{
		Lanes:         s.lanes,
		FetchSelfie:   func(ctx context.Context, ref storage.Ref) (pipeline.Selfie, error) { return s.store.Fetch(ctx, ref) },
		Dispose:       s.store.Dispose,
		DisposeUnsure: s.store.DisposeUnsure,
		Archives:      archives(s.archive),
		Writer:        s.writer,
		OpenReader: func(topic string, partition int, next int64) (pipeline.Reader, error) {
			return s.kafka.NewReader(topic, partition, next)
		},
		Offsets:    s.kafka,
		Registerer: registry,
		Logger:     log,
	})
	if s.member, err = s.kafka.NewMember(groupConfig(c.Kafka), s.pipeline); err != nil {
		return nil, err
	}
	held := func() bool {
		_, _, assigned := s.pipeline.Shards()
		return assigned
	}
	if s.limiter, err = openLimiter(c, s.lanes, held, log, registry); err != nil {
		return nil, err
	}
	if s.webhook, err = openWebhook(c, s.pipeline.Tell, log, registry); err != nil {
		return nil, err
	}
	s.ops, err = ops.New(ops.Config{
		Listen: c.Ops.Listen, PProf: c.Ops.PProf, Registry: registry, Ready: s.conditions, Logger: log,
	})
	return s, err
}

// Run works until ctx ends, then stops in order: hand the shards over to the
// other replicas, and work on until they have them (stream.MaxHandover at most);
// take no more work and leave the group, let calls that are at a vendor end
// within the grace time into ledger and results, flush, and last of all stop
// answering probes. Its error says what forced a stop, or what a stop had to
// leave undone.
func (s *Service) Run(ctx context.Context) error {
	probes, stopProbes := context.WithCancel(context.WithoutCancel(ctx))
	opsEnded, bounded := make(chan error, 1), make(chan struct{})
	go func() { opsEnded <- s.ops.Run(probes) }()
	go func() {
		defer close(bounded)
		ops.BoundHeadroom(probes, uint64(s.settings.Selfies.MaxMemory)/2, ops.Headroom)
	}()
	err := s.work(ctx)
	stopProbes()
	<-bounded
	err = errors.Join(err, <-opsEnded)
	s.log.Info("stopped", "error", err)
	return err
}

func (s *Service) work(ctx context.Context) error {
	defer s.close()
	if err := s.checkTopics(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	defer s.listenForNews(ctx)()
	membership, leave := context.WithCancel(ctx)
	defer leave()
	left := make(chan error, 1)
	go func() { left <- s.member.Run(membership) }()
	// Without shards there is no work; until they are handed over there is.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() {
		<-s.member.HandedOver()
		stop()
	}()
	limited := s.limiter.start(work)
	err := s.pipeline.Run(work)
	leave()
	err = errors.Join(err, <-left)
	stop()
	limited()
	return err
}

// listenForNews serves the webhook, if there is one, until the returned function
// is called. Without it verdicts are polled for, so that it breaks off is no
// reason to stop.
func (s *Service) listenForNews(ctx context.Context) (stop func()) {
	if s.webhook == nil {
		return func() {}
	}
	s.log.Info("listening for news", "address", s.webhook.Addr())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.webhook.Run(ctx); err != nil {
			s.log.Error("no more news; polling", "error", err)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// topicPatience is for how long a topic may be unknown: brokers do not all hear of
// a new one at once.
const topicPatience = 10 * time.Second

// checkTopics returns once the topics are known to be fit, or ctx ends.
func (s *Service) checkTopics(ctx context.Context) error {
	for start := time.Now(); ; {
		shards, err := connect.CheckTopics(ctx, s.kafka, s.settings)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			s.log.Info("topics are fit", "shards", shards)
			return nil
		case errors.Is(err, stream.ErrUnfitTopics), errors.Is(err, stream.ErrUnknownTopic) && time.Since(start) > topicPatience:
			return fmt.Errorf("%w (the topics command creates what is missing)", err)
		}
		s.log.Warn("the topics cannot be checked; trying again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
}

func (s *Service) close() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := s.writer.Close(ctx); err != nil {
		s.log.Warn("flushing what was written", "error", err)
	}
	if err := s.kafka.Close(); err != nil {
		s.log.Warn("closing connections to kafka", "error", err)
	}
	if s.archive != nil {
		s.archive.Close()
	}
	s.store.Close()
}

// OpsAddr returns the address of the ops listener.
func (s *Service) OpsAddr() string { return s.ops.Addr() }

// conditions are what readiness depends on.
func (s *Service) conditions() []ops.Condition {
	owned, total, assigned := s.pipeline.Shards()
	conditions := []ops.Condition{{
		Name: "group", OK: assigned,
		Reason: fmt.Sprintf("%d of %d shards", owned, total),
	}, faultCondition("selfies", s.pipeline.StoreFault())}
	for vendor, lane := range s.lanes {
		c := faultCondition("vendor "+string(vendor), lane.Fault())
		if state := lane.BreakerState(); c.OK && state != vendors.BreakerClosed {
			c.Reason = "breaker " + state.String()
		}
		if c.OK && s.pipeline.PausedByOrder(vendor) {
			c.Reason = "paused by order" // a restart would not help
		}
		if fault := s.pipeline.ArchiveFault(vendor); c.OK && c.Reason == "" && fault != nil {
			c.Reason = "archiving paused: " + fault.Error() // verdicts come none the less
		}
		conditions = append(conditions, c)
	}
	return conditions
}

func faultCondition(name string, fault error) ops.Condition {
	if fault == nil {
		return ops.Condition{Name: name, OK: true}
	}
	return ops.Condition{Name: name, Reason: "paused: " + fault.Error()}
}
