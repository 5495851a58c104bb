# Every command works on all modules of go.work.
FUZZTIME ?= 5s
SCALE ?= full
FROM ?= 1
SEEDS ?= 100
RACE = $(shell command -v "$$(go env CC)" >/dev/null && echo -race)

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST)

# Chains of steps that seldom use both cores run beside each other. The output of a chain comes whole, at its end.
BESIDE = $(MAKE) --no-print-directory -j3 $(if $(filter output-sync,$(.FEATURES)),-Otarget)
# The race detector makes a test up to ten times slower, and changes what a test counts. Without it run: the explorations, and
# the packages that read the source, of one goroutine each; the largest crowds and the longest times, whose smaller ones it
# watches in other tests of the same packages; and the counts of allocations.
EXPLORES = ^Test(Exploration|CostOfOneFault)
CROWDS = ^Test(G10_TenThousandIdleTenants|G10_TenantsThatComeAndGo|TenThousandIdleGrantsStayAlive|AnIdleGrantStaysAlive|WarningsOfTheEnd|WarningsAndRefreshes)$$|^TestT3_StormOfTheEngine$$/^10000
COUNTS = ^Test(T7_ThreeAllocations|T7_ElsewhereItCostsNothing|T7_ManySubjects|AllocationsOfAProof)
READERS = internal/(guarantees|house|mutate)$$

test: ## Check everything, fastest first: this is what CI runs
	@.ci/step "what the tests need" .ci/deps system
	@.ci/step "gofmt" .ci/empty gofmt -l .
	@.ci/step "tools" $(MAKE) -s tools
	@$(BESIDE) test-node test-vet test-lint
	@.ci/step "go test" .ci/gotest -timeout 20m $(RACE) -p 3 -skip '$(EXPLORES)|$(CROWDS)' $$(go list work | grep -vE '$(READERS)|internal/fleet') # many wait for a disk or a server
	@$(BESIDE) test-fleet test-fuzz
	@.ci/step "simulation, a minute of it" .ci/proof -run '^TestSeeds' ./internal/simulation -for 60s
	@$(BESIDE) test-alone test-release

test-node:
	@.ci/step "Node, and what it runs" .ci/deps node

test-vet:
	@.ci/step "go vet" go vet work
	@.ci/step "go vet, darwin" env GOOS=darwin go vet work
	@.ci/step "go vet, windows" env GOOS=windows go vet work
	@.ci/step "go fix" .ci/empty go fix -diff work

test-lint:
	@.ci/step "golangci-lint" $(MAKE) -s lint
	@.ci/step "exploration, half a minute of it" .ci/proof -run '$(EXPLORES)' ./tokensource/grant/internal/lease
	@.ci/step "crowds, and counts of allocations" .ci/proof -p 1 -run '$(CROWDS)|$(COUNTS)' ./tokensource/grant ./tokensource/jose ./tokensource/upkeep ./transport
	@.ci/step "the source and the pages" .ci/gotest $$(go list work | grep -E '$(READERS)')

test-fleet: # it waits for its processes more than it computes
	@.ci/step "fleets of processes" .ci/gotest -timeout 20m $(RACE) ./internal/fleet

test-fuzz:
	@.ci/step "fuzz, a look" .ci/fuzz 500x # the corpora are tests already

test-alone:
	@.ci/step "each module alone" .ci/alone

test-release:
	@.ci/step "known vulnerabilities" $(MAKE) -s vuln
	@.ci/step "release, installation, licences" sh -c 'cd .ci/tools && export GOWORK=off && go vet ./... && go test -count=1 ./...' # it reads the whole tree
	@.ci/step "bench" sh -c 'cd bench && go vet ./... && go test ./...'

lint: tools ## Run golangci-lint
	@.bin/golangci-lint run $$(go list -m -f '{{.Dir}}/...')
	@cd .ci/tools && GOWORK=off ../../.bin/golangci-lint run -c ../../.golangci.yml ./...

tidy: ## Bring go.mod and go.sum of every module up to date
	@.ci/tidy

fuzz: ## Run every fuzz target for FUZZTIME
	@.ci/fuzz $(FUZZTIME)

fleet: ## Run the fleets of processes at full scale: 10 minutes
	AUTHTRIP_FLEET=full go test -count=1 -v -timeout 30m ./internal/fleet

explore: ## Visit every state of the models: two and a half hours, up to 8 GiB
	@GOMEMLIMIT=8GiB AUTHTRIP_EXPLORE=all .ci/proof -timeout 6h -run '$(EXPLORES)' ./tokensource/grant/internal/lease

simulate: ## Simulate SEEDS seeds from FROM, each in all profiles
	@.ci/proof -timeout 24h -run '^TestSeeds' ./internal/simulation -from $(FROM) -seeds $(SEEDS)

mutate: ## Break each rule in turn, and report which proof notices; ONLY=expression, PROOF=simulation
	@go run ./internal/mutate -only '$(ONLY)' -proof '$(PROOF)'

bench: ## Measure authtrip beside its peers and print the tables with ratios; SCALE=quick for a short look
	cd bench && go run ./cmd/report -scale $(SCALE)

mcp: ## Let the conformance suite of the Model Context Protocol judge tokensource/mcp
	@.ci/deps
	@.ci/step "MCP conformance, one process and two" .ci/gotest -timeout 10m -run '^TestConformanceSuite' ./tokensource/mcp

quickstart: ## Run the quickstart against a fake of X: no account is needed
	go run github.com/authtrip/authtrip/examples/quickstart

vuln: .bin/govulncheck ## Ask the Go vulnerability database about the code that we reach; VULN=required
	@VULN='$(VULN)' .ci/vuln

sbom: .bin/cyclonedx-gomod ## List all modules with their licences in CycloneDX form: .bin/sbom
	@.ci/sbom

tools: .bin/golangci-lint ## Build the tools that every check needs into .bin

.bin/golangci-lint: TOOL = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
.bin/govulncheck: TOOL = golang.org/x/vuln/cmd/govulncheck
.bin/cyclonedx-gomod: TOOL = github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
.bin/golangci-lint .bin/govulncheck .bin/cyclonedx-gomod: .ci/tools/go.mod .ci/tools/go.sum
	@cd .ci/tools && GOWORK=off go build -o ../../.bin/ $(TOOL)

.PHONY: help test test-node test-vet test-lint test-fleet test-fuzz test-alone test-release lint tidy fuzz fleet explore simulate mutate bench mcp quickstart vuln sbom tools
