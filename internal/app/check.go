package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"reauth/internal/config"
	"reauth/internal/connect"
)

// checkTime bounds each try of Check.
const checkTime = 15 * time.Second

// Check tries what the service depends on, one after the other and without a
// paid call, and writes a line for each. It returns how many failed. An archive is
// tried by writing to it, as nothing else would tell.
func Check(ctx context.Context, c config.Config, out io.Writer) (failed int) {
	report := func(name, detail string, err error) {
		if err == nil {
			fmt.Fprintf(out, "ok    %s  %s\n", name, detail)
			return
		}
		failed++
		fmt.Fprintf(out, "FAIL  %s  %v\n", name, err)
	}
	for _, w := range c.Warnings() {
		fmt.Fprintf(out, "warn  %v\n", w)
	}
	report("settings", "", nil)
	checkKafka(ctx, c, report)
	checkSelfies(ctx, c, report)
	checkArchive(ctx, c, report)
	checkLimiter(ctx, c, report)
	checkVendors(ctx, c, report)
	return failed
}

type reporter func(name, detail string, err error)

func checkKafka(ctx context.Context, c config.Config, report reporter) {
	client, err := connect.Open(c.Kafka, nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		report("kafka", "", err)
		return
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	err = client.Ping(ctx)
	report("kafka", "", err)
	if err != nil {
		return
	}
	shards, err := connect.CheckTopics(ctx, client, c)
	report("topics", strconv.Itoa(shards)+" shards", err)
}

func checkSelfies(ctx context.Context, c config.Config, report reporter) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	store, err := OpenStore(ctx, c, nil)
	if err == nil {
		defer store.Close()
		err = store.Check(ctx)
	}
	report("selfies", "bucket "+c.Selfies.Bucket, err)
}

func checkLimiter(ctx context.Context, c config.Config, report reporter) {
	if !c.Limiter.Redis.Used() {
		return
	}
	redis, err := openRedis(c.Limiter.Redis)
	if err == nil {
		defer redis.Close()
		bounded, cancel := context.WithTimeout(ctx, checkTime)
		defer cancel()
		err = redis.Check(bounded)
	}
	report("limiter", "redis at "+strings.Join(c.Limiter.Redis.Address, ","), err)
}

func checkVendors(ctx context.Context, c config.Config, report reporter) {
	adapters, err := Adapters(ctx, c, nil, nil)
	if err != nil {
		report("vendors", "", err)
		return
	}
	for name, adapter := range adapters {
		ctx, cancel := context.WithTimeout(ctx, checkTime)
		err := adapter.Check(ctx)
		cancel()
		report("vendor "+string(name), "address and credentials", err)
	}
}
