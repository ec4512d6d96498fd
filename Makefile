# One entry to everything. Only Go, a C compiler (for the race detector) and
# bash are needed; linter and helpers are built from the pinned modules under
# internal/tools into bin/tools.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := help

BIN     := $(CURDIR)/bin
TOOLS   := $(BIN)/tools
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE   ?= reauth
# How long each fuzz target runs, how often each benchmark does, which of them.
FUZZTIME ?= 10s
COUNT    ?= 6
BENCH    ?= .
# Which of the end-to-end tests `make test-kafka` runs.
RUN      ?= .

GO_BUILD := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)'

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^## / { print "\n" substr($$0, 4) } \
	  /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Build and run

.PHONY: build
build: ## build consumer, producer and sandbox into bin/
	@mkdir -p $(BIN)
	@$(GO_BUILD) -o $(BIN)/ ./cmd/...

.PHONY: sandbox
sandbox: build ## run Kafka, S3 and the vendors on this machine; writes bin/sandbox.env
	@exec $(BIN)/sandbox --faceki 127.0.0.1:9102 --checkout 127.0.0.1:9103 --rekognition 127.0.0.1:9104 --env-file $(BIN)/sandbox.env

.PHONY: run
run: build ## run the consumer against the sandbox that `make sandbox` started
	@test -f $(BIN)/sandbox.env || { echo 'run: start `make sandbox` in another terminal first' >&2; exit 1; }
	@set -a; . $(BIN)/sandbox.env; set +a; exec $(BIN)/consumer run

.PHONY: demo
demo: build ## run a whole campaign against the sandbox and check every result
	@BIN=$(BIN) deploy/demo/demo.sh

.PHONY: image
image: ## build the production image (needs Docker)
	docker build -f deploy/Dockerfile --build-arg VERSION=$(VERSION) -t $(IMAGE):$(VERSION) .

## Test

.PHONY: test
test: $(TOOLS)/gotest ## run all tests under the race detector; quiet unless one fails
	@$(TOOLS)/gotest -events $(BIN)/test.json -- -race $$(go list ./... | grep -v /internal/e2e$$)
	@$(TOOLS)/gotest -- -race ./internal/e2e # alone: it measures how well the quota is used

.PHONY: model
model: ## check the ledger's protocol exhaustively with spin (installs Debian's package where it can)
	@command -v spin >/dev/null || { apt-get update && apt-get install -y --no-install-recommends spin; } >/dev/null 2>&1 || \
	  { echo 'model: install spin first' >&2; exit 1; }
	@go test -count=1 -tags model -timeout 20m ./internal/ledger/model

.PHONY: test-short
test-short: $(TOOLS)/gotest ## run the quick tests only, without the race detector
	@$(TOOLS)/gotest -- -short ./...

.PHONY: test-kafka
test-kafka: $(TOOLS)/gotest ## run the end-to-end tests (RUN=regexp) on three real brokers; REAUTH_E2E_BROKERS=host:port,… for a cluster that is there
	@if [[ -n "$${REAUTH_E2E_BROKERS:-}" ]]; then \
	  exec $(TOOLS)/gotest -- -count=1 -timeout 30m -run '$(RUN)' ./internal/e2e; \
	fi; \
	command -v java mvn >/dev/null || { apt-get update && apt-get install -y --no-install-recommends default-jre-headless maven; } >/dev/null 2>&1 || \
	  { echo 'test-kafka: install Java 17 or newer, and Maven, first' >&2; exit 1; }; \
	cluster=$$(mktemp -d); \
	trap 'internal/tools/kafka/cluster.sh stop "$$cluster"; rm -rf "$$cluster"' EXIT; \
	brokers=$$(internal/tools/kafka/cluster.sh start "$$cluster"); \
	REAUTH_E2E_BROKERS=$$brokers REAUTH_E2E_CLUSTER=$$cluster $(TOOLS)/gotest -- -count=1 -timeout 30m -run '$(RUN)' ./internal/e2e

.PHONY: test-deploy
test-deploy: $(TOOLS)/gotest ## check image, Compose file, manifests and the import arrows
	@cd deploy/test && $(TOOLS)/gotest -- -count=1 ./... # what is tested lies outside the module: never cached

.PHONY: test-alerts
test-alerts: $(TOOLS)/promtool ## check the Prometheus alerts and run their tests
	@cd deploy/prometheus && { $(TOOLS)/promtool check rules alerts.yaml && $(TOOLS)/promtool test rules alerts.test.yaml; } >$(BIN)/alerts.log 2>&1 || \
	  { cat $(BIN)/alerts.log; exit 1; }

.PHONY: slow
slow: $(TOOLS)/gotestsum ## list the slowest tests of the last `make test`
	@$(TOOLS)/gotestsum tool slowest --threshold 500ms --jsonfile $(BIN)/test.json

.PHONY: fuzz
fuzz: ## fuzz every fuzz target for FUZZTIME (10s)
	@mkdir -p $(BIN)
	@grep -rlE --include='*_test.go' '^func Fuzz' cmd internal | xargs -r -n1 dirname | sort -u | while read -r dir; do \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -d' ' -f2); do \
	    echo "$$dir $$target"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$dir" >$(BIN)/fuzz.log 2>&1 || { cat $(BIN)/fuzz.log; exit 1; }; \
	  done; \
	done

.PHONY: bench
bench: MEASURE ?= path restore memory drain latency utilisation soak
bench: build ## measure the consumer from outside (MEASURE="path drain …"; all take half an hour), then run the Go benchmarks (BENCH=regexp COUNT=6) into bin/bench.txt, keeping the last run
	@go build -o $(TOOLS)/bench ./internal/bench
	@for what in $(MEASURE); do printf '\n%s\n\n' "$$what"; $(TOOLS)/bench "$$what" -bin $(BIN) 2>$(BIN)/bench.$$what.log || { tail -n 50 $(BIN)/bench.$$what.log >&2; exit 1; }; done; echo
	@test ! -f $(BIN)/bench.txt || mv $(BIN)/bench.txt $(BIN)/bench.old.txt
	@go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./... | grep -v '^\(ok\|PASS\|?\)' | tee $(BIN)/bench.txt

.PHONY: bench-compare
bench-compare: $(TOOLS)/benchstat ## compare the last two runs of `make bench`
	@$(TOOLS)/benchstat $(BIN)/bench.old.txt $(BIN)/bench.txt

## Keep in shape

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## run the linters over every module
	@$(TOOLS)/golangci-lint run ./...
	@cd deploy/test && $(TOOLS)/golangci-lint run ./...

.PHONY: fmt
fmt: ## format all Go code
	@gofmt -l -w cmd internal deploy

.PHONY: golden
golden: ## rewrite the golden files; review the difference as a change of contract
	@grep -rl --include='*_test.go' '"update"' cmd internal | xargs -r -n1 dirname | sort -u | sed 's,^,./,' | \
	  xargs -r -I{} go test {} -update

.PHONY: check
check: ## run what CI runs
	@.ci/run

.PHONY: clean
clean: ## remove what was built
	@rm -rf $(BIN)

# The tools, each rebuilt when its pinned module changes.

.PHONY: tools
tools: $(TOOLS)/gotest $(TOOLS)/golangci-lint $(TOOLS)/gotestsum $(TOOLS)/benchstat

$(TOOLS)/gotest: $(wildcard internal/tools/gotest/*.go)
	@go build -o $@ ./internal/tools/gotest
	@touch $@

# Prometheus' own checker, taken out of Debian's package unless it is installed.
$(TOOLS)/promtool:
	@mkdir -p $(TOOLS); \
	if command -v promtool >/dev/null; then ln -sf "$$(command -v promtool)" $@; exit; fi; \
	dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; cd "$$dir"; \
	{ apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } >log 2>&1 && dpkg -x prometheus_*.deb . && \
	  cp usr/bin/promtool $@ || { cat log >&2; echo 'test-alerts: install promtool first' >&2; exit 1; }

$(TOOLS)/golangci-lint: internal/tools/lint/go.mod internal/tools/lint/go.sum
	@go build -C internal/tools/lint -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

$(TOOLS)/gotestsum: internal/tools/misc/go.mod internal/tools/misc/go.sum
	@go build -C internal/tools/misc -o $@ gotest.tools/gotestsum
	@touch $@

$(TOOLS)/benchstat: internal/tools/misc/go.mod internal/tools/misc/go.sum
	@go build -C internal/tools/misc -o $@ golang.org/x/perf/cmd/benchstat
	@touch $@
