# Subject Studio. `make demo` and `make test` do their own set-up.
VIDEOS ?=
PYTEST = .venv/bin/python -m pytest

.PHONY: help demo test check bench experiments screenshots chaos format clean

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo:  ## curate VIDEOS=folder (or the sample world), write a report, open Studio
	@sh packaging/setup.sh gui
	@.venv/bin/studio-backend demo $(VIDEOS); code=$$?; \
	if [ $$code -eq 1 ]; then echo "Some inputs could not be used: they are listed above, the rest is done."; \
	elif [ $$code -ne 0 ]; then exit $$code; fi  # 3: nothing was curated

test: check  ## everything: checks, fast tests, types of tests, then slow tests side by side, browser and server tests alone
	.venv/bin/pyright --threads 2 tests
	$(PYTEST) -q -n 2 --dist loadfile -m "slow and not browser and not server and not gpu and not chaos" --durations=15
	$(PYTEST) -q -m "(browser or server) and not chaos" --durations=15

check:  ## ruff, pyright, import contracts, fast tests
	@sh packaging/setup.sh dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-logo
	.venv/bin/pyright --threads 2 studio backend training metrics bench
	$(PYTEST) -q -n auto --maxprocesses 4 --dist loadfile -m "not slow and not browser and not server and not gpu and not chaos" --durations=25

bench:  ## benchmarks: prints the table, writes bench/results
	@sh packaging/setup.sh dev
	.venv/bin/python -m bench

experiments:  ## experiments on a small sample world: trains, tests, writes docs/experiments.md
	@sh packaging/setup.sh dev
	.venv/bin/python -m bench.experiments

screenshots:  ## pictures of every page on the sample project, into docs/images: look at them before you commit
	@sh packaging/setup.sh dev
	QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1920x1200x24" .venv/bin/python -m bench.screenshots

chaos:  ## long fault tests
	@sh packaging/setup.sh dev
	$(PYTEST) -q tests/chaos -m chaos

format:  ## put the code in shape
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:  ## remove what was built here
	rm -rf .venv build dist .ruff_cache .import_linter_cache
