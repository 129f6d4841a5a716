# What people type. Everything here does its own set-up; what cannot be brought along (Go, a C compiler, Node) is checked
# by hack/need, which says what to install. CI runs these same targets: .ci/run.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go
FUZZRUNS ?= 100000
FUZZ ?= .
TESTFLAGS ?=

# The operator's packages pull in Kubernetes; their suites talk to a real API server (hack/envtest).
OPERATOR := ./api/... ./hack/apidocs/... ./hack/chartgen/... ./hack/crdbound/... ./hack/dist/... \
	./hack/install/... ./hack/pack/... ./test/api/... ./test/install/...

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X main.version=$(VERSION)
TOOL := $(GO) tool -modfile=hack/tools/go.mod
STEP := hack/step

# The browser's client, which the demo serves itself: no page of ours loads anything from elsewhere.
VENDORED := hack/demo/static/vendor/signalr.min.js

##@ The two commands

.PHONY: run
run: need-go need-node bin/signalr-edge bin/signalr-demo ## start the edge, an app server and the chat page on loopback
	@bin/signalr-demo $(RUNFLAGS)

.PHONY: test
test: test-rules test-alloc test-race test-operator ## everything that can fail: rules, allocations, units with the race detector, conformance

##@ Building

.PHONY: build
build: need-go bin/signalr-edge bin/signalr-bench bin/signalr-demo bin/signalr-operator bin/kubectl-signalr ## build the programs into bin/

.PHONY: bin/signalr-edge bin/signalr-bench
bin/signalr-edge:
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./edge/cmd/edge

bin/signalr-bench:
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./test/load/cmd/signalr-bench

.PHONY: bin/signalr-operator bin/kubectl-signalr
bin/signalr-operator:
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./controllers/cmd/manager

bin/kubectl-signalr:
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./controllers/cmd/kubectl-signalr

.PHONY: image
image: need-go ## build the container image into bin/image.tar
	@hack/image

.PHONY: bin/signalr-demo
bin/signalr-demo: $(VENDORED)
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./hack/demo

# npm leaves a mark of its own behind; it is newer than the lock file when what is installed is what is locked.
%/node_modules/.package-lock.json: %/package-lock.json | need-node
	@echo "npm ci in $*"
	@npm ci --prefix $* --ignore-scripts --no-progress --loglevel=error
	@touch $@

$(VENDORED): hack/demo/node_modules/.package-lock.json
	@mkdir -p $(@D)
	@cp hack/demo/node_modules/@microsoft/signalr/dist/browser/signalr.min.js $@

.PHONY: install-yaml bundle
install-yaml: need-go ## write dist/install.yaml: all that kubectl apply needs
	@$(GO) run ./hack/dist -version '$(VERSION)' install

bundle: need-go ## write dist/bundle for the Operator Lifecycle Manager
	@$(GO) run ./hack/dist -version '$(VERSION)' bundle

##@ Testing

.PHONY: setup
setup: need-go need-cc need-node need-browser $(VENDORED) test/conformance/node_modules/.package-lock.json ## install what the tests need

.PHONY: test-rules
test-rules: need-go
	@$(STEP) "rules of the house" $(GO) test ./test ./test/pages

.PHONY: test-alloc
test-alloc: need-go
	@$(STEP) "allocations on the hot paths" hack/alloc-tests

.PHONY: test-race
test-race: setup
	@$(STEP) "units and conformance, race detector" $(GO) test -race -timeout 20m $(TESTFLAGS) ./edge/... ./test/appserver/... \
		./test/badinput/... ./test/conformance/... ./test/load/... ./hack/demo/... ./hack/docgen/...

.PHONY: envtest-assets
envtest-assets: need-go
	@$(STEP) "API server and etcd for tests" bash -c 'hack/envtest >/dev/null'

.PHONY: test-operator
test-operator: envtest-assets ## the operator against a real API server
	@$(STEP) "operator, race detector" $(GO) test -race -timeout 30m $(TESTFLAGS) ./controllers/...
	@$(STEP) "API and install" $(GO) test -timeout 30m $(TESTFLAGS) $(OPERATOR)

.PHONY: cluster
cluster: need-go ## a Kubernetes to try things in: yours, kind's, or built from source
	@hack/cluster up

.PHONY: cluster-down
cluster-down: ## stop that Kubernetes and remove every trace
	@hack/cluster down

.PHONY: e2e
e2e: need-go need-node ## the whole story in a real cluster, which is started and stopped
	@hack/e2e

.PHONY: fuzz
fuzz: need-go ## try FUZZRUNS (100000) inputs on each fuzz target, or on those that match FUZZ
	@$(STEP) "fuzz, $(FUZZRUNS) inputs each" hack/fuzz $(FUZZRUNS) '$(FUZZ)'

.PHONY: bench
bench: need-cc bin/signalr-edge bin/signalr-bench ## measure the bars (minutes, wants a quiet machine) and write docs/performance.md
	@bin/signalr-bench suite --start-edge bin/signalr-edge --docs docs/performance.md $(BENCHFLAGS)

.PHONY: bench-operator
bench-operator: envtest-assets ## a thousand instances under one operator: memory, requests, times (minutes, wants a quiet machine)
	@$(STEP) "a thousand instances" $(GO) test ./controllers -count=1 -run TestControllers -timeout 30m -v -ginkgo.no-color \
		-ginkgo.label-filter=scale

.PHONY: bench-quick
bench-quick: need-cc bin/signalr-edge bin/signalr-bench ## the same in small, to see that it works; its figures mean nothing
	@$(STEP) "bench, quick" bin/signalr-bench suite --start-edge bin/signalr-edge --quick $(BENCHFLAGS)

##@ Checking a change

.PHONY: check
check: verify lint test ## what a change must pass

.PHONY: lint
lint: need-go $(VENDORED) ## golangci-lint, zero warnings
	@$(STEP) "build the linter" $(TOOL) golangci-lint version
	@$(STEP) "lint" $(TOOL) golangci-lint run ./...

.PHONY: format
format: need-go ## format the Go code
	@$(TOOL) golangci-lint fmt ./...

.PHONY: generate
generate: need-go ## write docs/reference, the CRD, roles and the chart's generated parts from the code
	@$(STEP) "generate from the API" hack/apigen
	@$(TOOL) controller-gen rbac:roleName=signalr-operator paths=./controllers/... output:rbac:dir=config/rbac
	@$(GO) run ./hack/chartgen
	@$(STEP) "generate" $(GO) run ./hack/docgen

.PHONY: verify
verify: generate format ## fail when generate or format change anything, or a file is not committed
	@git diff --exit-code || { echo "verify: commit the changes above: make generate and make format made them, or you did" >&2; exit 1; }
	@untracked=$$(git ls-files --others --exclude-standard); \
	if [ -n "$$untracked" ]; then printf 'verify: not committed and not ignored:\n%s\n' "$$untracked" >&2; exit 1; fi

.PHONY: vulncheck
vulncheck: need-go ## look for known vulnerabilities (asks the Go vulnerability database)
	@$(TOOL) govulncheck ./...

##@ Other

.PHONY: clean
clean: ## remove what was built and installed
	rm -rf bin hack/demo/node_modules hack/demo/static/vendor test/conformance/node_modules test/conformance/artefacts

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: need-go need-cc need-node need-browser
need-go need-cc need-node need-browser: need-%:
	@hack/need $*
