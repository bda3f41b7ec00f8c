.DEFAULT_GOAL := help

help: ## Say what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

run: ## Build quire with its pages and start it: ARGS="--listen 127.0.0.1:8080 --data data"
	@scripts/run $(ARGS)

test: ## Run every test: Rust, TypeScript, browsers against a real server
	@scripts/test

test-faults: ## Break each component of a production under load, ROUNDS=5 times
	@scripts/test-faults $(ROUNDS)

check: ## Form, lints, types, licences
	@scripts/check

.PHONY: help run test test-faults check
