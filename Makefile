# Millwright. `make run` shows the works, `make test` proves it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOFLAGS_BUILD := -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
ARGS ?=

# One build serves the analysis, the tests without the race detector, the program that
# the tests run and the archives: each other way to build compiles all dependencies again.
GO := CGO_ENABLED=0 GOFLAGS="$(shell go env GOFLAGS) -trimpath" go

export MILLWRIGHT_NODE_MODULES := $(CURDIR)/.ci/node/node_modules
export MILLWRIGHT_PYTHON := $(CURDIR)/.ci/venv/bin/python
export MILLWRIGHT_INFLUXD := $(CURDIR)/.ci/bin/influxd
export MILLWRIGHT_SPARKPLUG := $(CURDIR)/.ci/sparkplug

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: build ## build everything and run a whole works at http://127.0.0.1:8080
	./millwright up $(ARGS)

build: web ## the one static binary, with the web app inside
	CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o millwright .

web: hmi/web/dist/index.html ## bundle the web app

hmi/web/node_modules/.done: hmi/web/package.json hmi/web/package-lock.json
	cd hmi/web && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

WEB_SOURCES := $(shell find hmi/web/src hmi/web/build -type f 2>/dev/null)
hmi/web/dist/index.html: hmi/web/node_modules/.done $(WEB_SOURCES)
	$(GO) run ./hmi/web/build

tools: .ci/node/.done .ci/venv/.done .ci/sparkplug/.done .ci/system.done .ci/bin/influxd ## install what the tests need

.ci/node/.done: testdata/foreign/package.json testdata/foreign/package-lock.json
	mkdir -p .ci/node
	cp testdata/foreign/package.json testdata/foreign/package-lock.json .ci/node/
	cd .ci/node && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

.ci/venv/.done: testdata/foreign/requirements.txt testdata/science/requirements.txt .ci/system.done
	python3 -m venv .ci/venv
	.ci/venv/bin/pip install --quiet --disable-pip-version-check -r testdata/foreign/requirements.txt -r testdata/science/requirements.txt
	touch $@

.ci/sparkplug/.done: testdata/foreign/sparkplug/package.json testdata/foreign/sparkplug/package-lock.json testdata/foreign/sparkplug/requirements.txt .ci/system.done
	mkdir -p .ci/sparkplug/node
	cp testdata/foreign/sparkplug/package.json testdata/foreign/sparkplug/package-lock.json .ci/sparkplug/node/
	cd .ci/sparkplug/node && npm ci --ignore-scripts --no-audit --no-fund
	python3 -m venv .ci/sparkplug/venv
	.ci/sparkplug/venv/bin/pip install --quiet --disable-pip-version-check -r testdata/foreign/sparkplug/requirements.txt
	touch $@

# The newest InfluxDB that Go alone can build.
.ci/bin/influxd:
	GOBIN=$(CURDIR)/.ci/bin go install github.com/influxdata/influxdb/cmd/influxd@v1.8.10

# Debian's Chromium and Mosquitto, and Python's venv where it is a package apart.
.ci/system.done:
	@missing=""; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v mosquitto >/dev/null || test -x /usr/sbin/mosquitto || missing="$$missing mosquitto"; \
	command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq $$missing >/dev/null; \
	fi
	@mkdir -p .ci && touch $@

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

check: ## vet, format, static analysis and the import rules
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) test -count=1 -run 'TestImports' .

# SQLite is C translated to Go, ten times slower with the race detector, and none
# of ours: what calls it is watched, it is not. Vet has run in check. A process
# with the race detector sleeps for a second at its end if it is not told otherwise,
# and a test of the command line is hundreds of processes.
RACE := GORACE=atexit_sleep_ms=10 go test -race -vet=off -gcflags='modernc.org/...=-race=false'

# What has one goroutine and computes long, or cannot be watched, runs without it.
PLAIN := CI=true $(GO) test -count=1 -vet=off
APART := ^Test(Kill|Killed|Memory|ReadBack|Flood|Planner|Budget|SecureWithUser|TokenRenewal)$$
# And what waits for servers of other makes.
LONG := ^Test(BudgetHoldsInStorm|SessionBudget|Floors|OneBadOfMany|AllBad|ReadAroundBad|LowPublishLimit|SlowLink|LongWay|RefreshRequired|NoAlarms|AlarmFlood|AlarmsAcrossRestart|DeadbandKeepsBackBefore|ServersNoteChanges|PulseNumb|FrozenClock|NodeBack)$$

# The tests with the race detector wait as much as they compute: analysis and web tests
# run beside them. The rest comes after, one step at a time: it computes long, or looks at
# the clock. go test tells of each package in one piece, and make names the steps that failed.
test: tools web ## everything: Go with the race detector, web unit tests, real servers, real Chromium
	$(MAKE) --no-print-directory --keep-going -j2 test-race check test-web
	$(MAKE) --no-print-directory --keep-going test-plain test-apart test-long

test-race:
	CI=true $(RACE) -timeout 30m ./e2e ./... # e2e first: it waits longest

test-web:
	cd hmi/web && npm test

test-plain:
	$(PLAIN) ./models/train ./models/detect ./simulator ./simulator/machine ./simulator/production

test-apart:
	$(PLAIN) -run '$(APART)' ./historian/export ./historian/notify ./historian/notify/text ./collector ./simulator/server

test-long:
	$(PLAIN) -parallel 6 -run '$(LONG)' ./collector

bench: bench-line bench-users bench-collector bench-mill bench-delivery ## every figure

bench-line: tools build ## the figures of the whole line, about 8 minutes: FIGURE lines
	./e2e/cold.sh
	MILLWRIGHT_FIGURES=1 MILLWRIGHT_BINARY=$(CURDIR)/millwright go test -count=1 -timeout 20m -v -run TestFigure ./e2e | grep -E '^(FIGURE|---|FAIL|ok)|lost|seen'
	MILLWRIGHT_FIGURES=1 go test -count=1 -timeout 20m -run '^$$' -bench 'Bulk/writers=1$$' -benchtime 500x ./historian/store | grep -oE '(FIGURE|FAIL|ok).*'

FIGURES := MILLWRIGHT_FIGURES=1 go test -count=1 -timeout 40m
SHOW := grep -E '^(FIGURE|PEER|---|FAIL|ok)|lost|handed|cancelled'

bench-users: tools build ## the figures of alerts, InfluxDB, export, training and roll-out, about 20 minutes: FIGURE lines
	MILLWRIGHT_BINARY=$(CURDIR)/millwright $(FIGURES) -v -run TestFigureAlerts ./e2e | $(SHOW)
	MILLWRIGHT_KILLS=100 MILLWRIGHT_BINARY=$(CURDIR)/millwright $(FIGURES) -v -run TestAlertsSurviveKills ./e2e | $(SHOW)
	$(FIGURES) -v -run '^$$' -bench 'Append$$' ./historian/store/influx | $(SHOW)
	$(FIGURES) -v -run 'Figure|SwapMissesNothing' ./historian/export ./models/autoencoder ./models/detect | $(SHOW)
	$(FIGURES) -v -run Figure ./models/train | $(SHOW)

# The log of a collector speaks of lost connections.
TELL := grep -E '^(FIGURE|PEER|--- |FAIL|ok|ours |gopcua )'

bench-collector: tools ## the figures of the collector, about 10 minutes: FIGURE lines
	@mkdir -p $(RESULTS)
	$(FIGURES) -v -run 'TestFigure(Sustained|RTT|Peer|Alarms|Discover|Identity)' ./collector | $(TELL)
	$(DISTURB) $(FIGURES) -v -run 'TestDisturbances' ./collector | $(TELL)
	$(DISTURB) $(FIGURES) -v -run 'TestFigureDisturbances$$' ./collector | $(TELL)

bench-mill: build ## the figures of the simulated mill, about 3 minutes: FIGURE lines
	MILLWRIGHT_BINARY=$(CURDIR)/millwright $(FIGURES) -v -run 'TestFigureMill$$' . | grep -E '^(FIGURE|--- |FAIL|ok)| assets,| tags,'

TELEGRAF := github.com/influxdata/telegraf@v1.37.2

# The peer of bench-delivery: a module of its own, which ours knows nothing of.
.ci/bin/telegraf: testdata/foreign/telegraf/main.go
	rm -rf .ci/telegraf; mkdir -p .ci/telegraf .ci/bin
	cp $< .ci/telegraf/
	cd .ci/telegraf && go mod init peer && go get $(TELEGRAF) && go mod tidy && go build -trimpath -ldflags "-s -w" -o ../bin/telegraf .

bench-delivery: build ## the figures of delivery, beside Telegraf where it can be built, about 12 minutes: FIGURE and PEER lines
	-@$(MAKE) --no-print-directory .ci/bin/telegraf
	MILLWRIGHT_TELEGRAF=$(CURDIR)/.ci/bin/telegraf MILLWRIGHT_BINARY=$(CURDIR)/millwright $(FIGURES) -v -run 'TestFigureDelivery' ./e2e | $(TELL)
	$(FIGURES) -v -run 'TestFigure' ./historian/ingest ./edge/queue | $(TELL)

RESULTS := results
KILLS ?= 20
DISTURB = MILLWRIGHT_DISTURBANCES=20 MILLWRIGHT_SOAK=$(CURDIR)/$(RESULTS)/collector.txt

soak-line: build ## 100 kills of edge and plant in slices of 20, appended to results/line.txt; stop and go on at will
	@mkdir -p $(RESULTS); touch $(RESULTS)/line.txt
	@while [ "$$(awk '{ n += $$2 } END { print n + 0 }' $(RESULTS)/line.txt)" -lt 100 ]; do \
	  MILLWRIGHT_KILLS=$(KILLS) MILLWRIGHT_BINARY=$(CURDIR)/millwright go test -count=1 -timeout 60m -v -run 'TestKill$$' ./e2e > $(RESULTS)/slice.txt \
	    || { cat $(RESULTS)/slice.txt; exit 1; }; \
	  echo "$$(date -u +%FT%TZ) $(KILLS) kills of each: $$(grep -o '|L|.*' $(RESULTS)/slice.txt)" | tee -a $(RESULTS)/line.txt; \
	done
	@awk '{ n += $$2 } END { print n " kills of each process in all" }' $(RESULTS)/line.txt

CLUSTER ?= 5

soak-cluster: build ## each of three nats-servers and their leaf killed 5 times while values flow, appended to results/cluster.txt
	@mkdir -p $(RESULTS)
	MILLWRIGHT_CLUSTER=$(CLUSTER) MILLWRIGHT_BINARY=$(CURDIR)/millwright go test -count=1 -timeout 60m -v -run 'TestCluster$$' ./e2e | tee $(RESULTS)/slice.txt
	@echo "$$(date -u +%FT%TZ) $(CLUSTER) kills of each of four: $$(grep -o '|L|.*' $(RESULTS)/slice.txt)" | tee -a $(RESULTS)/cluster.txt

DELIVERED := MILLWRIGHT_SOAK=$(CURDIR)/$(RESULTS)/delivery.txt MILLWRIGHT_BINARY=$(CURDIR)/millwright \
	MILLWRIGHT_BEFORE=$(CURDIR)/.ci/bin/millwright-before MILLWRIGHT_STEPPED=$(CURDIR)/.ci/bin/millwright-stepped
LINES ?= 3
ROUNDS ?= 20
FAULTS := TestR01BrokerAway TestR01BrokerDiskLost TestR02HistorianAway TestR04PowerCut TestHistorianDiskFull TestEdgeDiskFull \
	TestR08SlowDisk TestR09RoughLink TestR09Namespace TestR10Flapping TestR11HalfOpen TestR16Stamps TestR18Clock TestR23Memory \
	TestR24Burst TestR25Twins TestR27Versions TestR29PageGone TestPowerBackIn1970 TestSwap

# The program of the release before, for fault R27: the last one with queue format 2.
BEFORE := c12b03a
.ci/bin/millwright-before:
	rm -rf .ci/before; mkdir -p .ci/before/hmi/web .ci/bin
	git archive $(BEFORE) | tar -x -C .ci/before
	cp -r hmi/web/dist .ci/before/hmi/web/
	cd .ci/before && CGO_ENABLED=0 go build -trimpath -o ../bin/millwright-before .
	rm -rf .ci/before

.ci/bin/millwright-stepped: build e2e/stepped.sh
	e2e/stepped.sh $@

# What passed before is not run again: its output says so.
ONCE = { grep -q '^ok' $(RESULTS)/$(1) 2>/dev/null && echo "passed before, see $(RESULTS)/$(1)"; }

soak-delivery: build tools ## every fault of delivery, with 1,000 kills of each process, appended to results/delivery.txt; stop and go on at will
	-@$(MAKE) --no-print-directory .ci/bin/millwright-before
	-@$(MAKE) --no-print-directory .ci/bin/millwright-stepped
	@mkdir -p $(RESULTS); touch $(RESULTS)/delivery.txt
	@while [ "$$(awk '$$2 ~ /^TestKill/ { n += $$3 } END { print n + 0 }' $(RESULTS)/delivery.txt)" -lt 1000 ]; do \
	  MILLWRIGHT_LINES=$(LINES) MILLWRIGHT_KILLS=34 $(DELIVERED) go test -count=1 -timeout 60m -v -run 'TestKill$$' ./e2e > $(RESULTS)/slice.txt \
	    || { cat $(RESULTS)/slice.txt; exit 1; }; \
	  tail -n $(LINES) $(RESULTS)/delivery.txt; \
	done
	@for t in $(FAULTS); do \
	  while [ "$$(awk -v t="$$t" '{ sub("/.*", "", $$2) } $$2 == t { n += $$3 } END { print n + 0 }' $(RESULTS)/delivery.txt)" -lt $(ROUNDS) ]; do \
	    MILLWRIGHT_AWAY=5 MILLWRIGHT_FAULTS=10 $(DELIVERED) go test -count=1 -timeout 120m -v -run "$$t\$$" ./e2e > $(RESULTS)/slice.txt || { cat $(RESULTS)/slice.txt; exit 1; }; \
	    if grep -q -e '--- SKIP' $(RESULTS)/slice.txt; then grep -A1 -e '--- SKIP' $(RESULTS)/slice.txt; break; fi; \
	    tail -n 1 $(RESULTS)/delivery.txt; \
	  done; \
	done
	@$(call ONCE,queue.txt) || MILLWRIGHT_QUEUE_FAULTS=1000 go test -count=1 -timeout 120m -v -run 'PowerCut|EIO|DiskFull|SlowDisk|Damage|Flip|Bit|Model|Kill|Salvage|Crash' ./edge/queue | tee $(RESULTS)/queue.txt
	@$(call ONCE,histories.txt) || MILLWRIGHT_HISTORIES=1000000 go test -count=1 -timeout 120m -v -run 'Model|Histories' ./historian/ingest | tee $(RESULTS)/histories.txt
	@$(MAKE) --no-print-directory soak-delivery-outage
	@$(MAKE) --no-print-directory soak-delivery-sparkplug
	@$(MAKE) --no-print-directory soak-cluster CLUSTER=10
	@$(MAKE) --no-print-directory soak-delivery-sum

soak-delivery-outage: ## 72 hours of 5,000 samples a second, queued as fast as it goes and drained
	@mkdir -p $(RESULTS)
	@$(call ONCE,outage.txt) || MILLWRIGHT_OUTAGE_HOURS=72 $(FIGURES) -timeout 120m -v -run 'TestFigureOutage$$' ./edge/queue | tee $(RESULTS)/outage.txt

soak-delivery-sum: ## what results/delivery.txt adds up to
	@awk '{ sub("/.*", "", $$2); n[$$2] += $$3; o[$$2] += $$6; d[$$2] += $$8; u[$$2] += $$10; s[$$2] += $$12; x[$$2] += $$14; if ($$17 > b[$$2]) b[$$2] = $$17 } \
	  END { for (k in n) printf "%-24s %6d times, offered %10d, declared %6d, undeclared %d, surplus %d, differing %d, back after at most %.1f s\n", k, n[k], o[k], d[k], u[k], s[k], x[k], b[k] }' $(RESULTS)/delivery.txt | sort

soak-users: soak-users-kills soak-users-influx ## 1,000 kills of the plant under an alarm load, then ten minutes without InfluxDB; stop and go on at will

soak-users-kills: build ## 1,000 kills of the plant under an alarm load in slices of 100, appended to results/users.txt
	@mkdir -p $(RESULTS); touch $(RESULTS)/users.txt
	@while [ "$$(awk '{ n += $$2 } END { print n + 0 }' $(RESULTS)/users.txt)" -lt 1000 ]; do \
	  MILLWRIGHT_KILLS=100 MILLWRIGHT_BINARY=$(CURDIR)/millwright go test -count=1 -timeout 60m -v -run 'TestAlertsSurviveKills$$' ./e2e > $(RESULTS)/slice.txt \
	    || { cat $(RESULTS)/slice.txt; exit 1; }; \
	  echo "$$(date -u +%FT%TZ) $$(grep -o '[0-9]* kills, .*' $(RESULTS)/slice.txt)" | tee -a $(RESULTS)/users.txt; \
	done
	@awk '{ n += $$2 } END { print n " kills of the plant in all" }' $(RESULTS)/users.txt

ABSENCE ?= 10m

soak-users-influx: .ci/bin/influxd ## InfluxDB killed for ten minutes under load, once, appended to results/influx.txt
	@mkdir -p $(RESULTS); touch $(RESULTS)/influx.txt
	@if grep "$(ABSENCE) without InfluxDB" $(RESULTS)/influx.txt; then exit; fi; \
	CI=true MILLWRIGHT_ABSENCE=$(ABSENCE) go test -count=1 -timeout 90m -v -run 'TestServer/^line$$' ./historian/store/influx > $(RESULTS)/slice.txt \
	  || { tail -n 100 $(RESULTS)/slice.txt; exit 1; }; \
	echo "$$(date -u +%FT%TZ) $(ABSENCE) without InfluxDB: $$(grep -o '[0-9]* samples sent, .*' $(RESULTS)/slice.txt)" | tee -a $(RESULTS)/influx.txt

soak-train: ## models trained on two weeks of the simulated mill and tried on a third and on every fault, appended to results/train.txt
	@mkdir -p $(RESULTS)
	MILLWRIGHT_SOAK=1 go test -count=1 -timeout 90m -v -run 'TestWeeks$$' ./models/train > $(RESULTS)/slice.txt || { cat $(RESULTS)/slice.txt; exit 1; }
	@sed -n "s/^ *mill_test.go:[0-9]*: /$$(date -u +%FT%TZ) /p" $(RESULTS)/slice.txt | tee -a $(RESULTS)/train.txt

soak-collector: tools ## every test of the collector, then 240 disturbances in slices of 60, appended to results/collector.txt; stop and go on at will
	@mkdir -p $(RESULTS); touch $(RESULTS)/collector.txt
	go test -timeout 30m ./collector
	@while [ "$$(wc -l < $(RESULTS)/collector.txt)" -lt 240 ]; do \
	  $(DISTURB) go test -count=1 -timeout 60m -v -run 'TestDisturbances' ./collector > $(RESULTS)/slice.txt \
	    || { cat $(RESULTS)/slice.txt; exit 1; }; \
	  echo "$$(date -u +%FT%TZ) $$(wc -l < $(RESULTS)/collector.txt) disturbances"; \
	done
	@$(DISTURB) go test -count=1 -v -run 'TestFigureDisturbances$$' ./collector | grep -vE '^(=== |---|PASS)'

soak-collector-hour: ## an hour of the collector with a disturbance a minute: memory, goroutines, files, appended to results/collector_hour.txt
	@mkdir -p $(RESULTS)
	MILLWRIGHT_SOAK_MINUTES=60 go test -count=1 -timeout 90m -v -run 'TestFigureHour$$' ./collector | tee -a $(RESULTS)/collector_hour.txt

soak-delivery-sparkplug: tools ## the assertions of Sparkplug with a test of their tests, and 20,000 payloads in each direction through two foreign codecs
	MILLWRIGHT_SPARKPLUG_SOAK=1 CI=true go test -count=1 -timeout 60m -v ./e2e/conform | grep -vE '^=== |^    |level='

# Debian's emulator of the other processor. Only this proof needs it.
.ci/qemu.done:
	@if ! command -v qemu-aarch64 >/dev/null; then \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends qemu-user >/dev/null; \
	fi
	@mkdir -p .ci && touch $@

MILL_STORY ?= simulator/testdata/two-hours.toml
MILL_RUN = sim --offline --scenario $(MILL_STORY)

soak-mill: soak-mill-arm64 soak-mill-null ## the simulated mill: its values on arm64, then 90 healthy days; appended to results/mill.txt, stop and go on at will

soak-mill-arm64: build .ci/qemu.done ## the simulated mill on amd64 and, emulated, on arm64: the same values and bursts within 1e-9
	@mkdir -p $(RESULTS); rm -rf $(RESULTS)/mill; mkdir $(RESULTS)/mill; touch $(RESULTS)/mill.txt
	@if grep -q "$(MILL_STORY), arm64" $(RESULTS)/mill.txt; then echo "compared before, see $(RESULTS)/mill.txt"; else $(MAKE) --no-print-directory soak-mill-compare; fi

soak-mill-compare:
	GOARCH=arm64 CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o $(RESULTS)/mill/millwright-arm64 .
	GOARCH=amd64 CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o $(RESULTS)/mill/millwright-amd64 .
	$(RESULTS)/mill/millwright-amd64 $(MILL_RUN) --ledger $(RESULTS)/mill/amd64.jsonl --samples $(RESULTS)/mill/amd64.log
	qemu-aarch64 $(RESULTS)/mill/millwright-arm64 $(MILL_RUN) --ledger $(RESULTS)/mill/arm64.jsonl --samples $(RESULTS)/mill/arm64.log
	cmp $(RESULTS)/mill/amd64.jsonl $(RESULTS)/mill/arm64.jsonl
	@same=$$(./millwright ledger $(RESULTS)/mill/amd64.log --compare $(RESULTS)/mill/arm64.log) || exit 1; \
	  echo "$$(date -u +%FT%TZ) $(MILL_STORY), arm64: $$same" | tee -a $(RESULTS)/mill.txt

NULL_DAYS ?= 90
NULL_SLICE ?= 15
NULL_JOBS ?= 2

# Each slice is a process of its own, behind a learning week of its own. A slice that failed
# leaves no line and is run again.
soak-mill-null: ## 90 healthy days in slices of 15, two at a time: a plain threshold fires, no limit is crossed
	@mkdir -p $(RESULTS); touch $(RESULTS)/mill.txt
	@go test -c -o $(RESULTS)/simulator.test ./simulator
	@for from in $$(seq 0 $(NULL_SLICE) $$(($(NULL_DAYS) - 1))); do \
	  grep -q "healthy: $(NULL_SLICE) days from day $$from," $(RESULTS)/mill.txt || echo $$from; \
	done | xargs -P $(NULL_JOBS) -I@ sh -c '\
	  (cd simulator && MILLWRIGHT_NULL_DAYS=$(NULL_SLICE) MILLWRIGHT_NULL_FROM=@ $(CURDIR)/$(RESULTS)/simulator.test -test.v -test.run "TestHealthyNull$$" 2>&1) \
	    | tee $(RESULTS)/null-@.txt | sed -un "s/^ *proof_test.go:[0-9]*: day /healthy days from day @: day /p"; \
	  if grep -q "^--- PASS" $(RESULTS)/null-@.txt; \
	  then echo "$$(date -u +%FT%TZ) $$(grep -o "healthy: .*" $(RESULTS)/null-@.txt)" | tee -a $(RESULTS)/mill.txt; \
	  else cat $(RESULTS)/null-@.txt; exit 255; fi'
	@grep -c "healthy: $(NULL_SLICE) days from" $(RESULTS)/mill.txt | sed 's/$$/ slices of $(NULL_SLICE) healthy days in all/'

dist: build ## one archive per architecture, with units, examples and checksums
	./firmware-configs/package.sh $(VERSION)

clean: ## remove what was built
	rm -rf millwright dist hmi/web/dist/*

.PHONY: help run build web tools check test test-race test-web test-plain test-apart test-long bench bench-line bench-users bench-collector bench-mill soak-line soak-cluster soak-users soak-users-kills soak-users-influx soak-train soak-collector soak-collector-hour soak-mill soak-mill-arm64 soak-mill-compare soak-mill-null bench-delivery soak-delivery soak-delivery-outage soak-delivery-sum soak-delivery-sparkplug dist clean
