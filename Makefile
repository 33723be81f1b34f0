# Subject Studio. `make demo` and `make test` do their own set-up.
VIDEOS ?=
PYTEST = .venv/bin/python -m pytest
unexport PYTHONDONTWRITEBYTECODE  # where it is set every process compiles our modules anew

.PHONY: help demo test check cluster bench experiments screenshots chaos thorough wheel package format clean

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo:  ## curate VIDEOS=folder (or the sample world), write a report, open Studio
	@sh packaging/setup.sh gui
	@.venv/bin/studio-backend demo $(VIDEOS); code=$$?; \
	if [ $$code -eq 1 ]; then echo "Some inputs could not be used: they are listed above, the rest is done."; \
	elif [ $$code -ne 0 ]; then exit $$code; fi  # 3: nothing was curated

test: check  ## everything: checks, fast tests, slow tests, then browser and server tests, types of tests beside them
	tests/part.sh -n 3 --dist loadfile -m "slow and not browser and not server and not gpu and not cluster" --durations=15 $$(grep -rl 'mark\.slow' tests --include='test_*.py')
	@.venv/bin/pyright --level error tests & types=$$!; \
	tests/part.sh -n 2 --dist loadfile -m "browser or server" --durations=15 $$(grep -rlE 'mark\.(browser|server)' tests --include='test_*.py'); code=$$?; \
	wait $$types || { echo "pyright has found faults in tests: above"; exit 1; }; exit $$code

check:  ## ruff, pyright, import contracts, fast tests
	@sh packaging/setup.sh dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-logo
	.venv/bin/pyright --threads 2 studio backend training metrics bench
	tests/part.sh -n auto --maxprocesses 4 --dist loadfile -m "not slow and not browser and not server and not gpu" --durations=25

cluster:  ## tests of the Ray engine, on a cluster of this machine; installs Ray
	@sh packaging/setup.sh dev,cluster
	$(PYTEST) -q -m cluster --durations=10

bench:  ## benchmarks: prints the table, writes bench/results
	@sh packaging/setup.sh dev
	.venv/bin/python -m bench

experiments:  ## experiments on a small sample world: trains, tests, writes docs/experiments.md
	@sh packaging/setup.sh dev
	.venv/bin/python -m bench.experiments

screenshots:  ## pictures of every page on the sample project, into docs/images: look at them before you commit
	@sh packaging/setup.sh dev
	QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1920x1200x24" .venv/bin/python -m bench.screenshots

chaos:  ## long fault tests: prints what was tried, survived and lost, and what could not be tried; writes docs/reliability.md
	@sh packaging/setup.sh dev
	$(PYTEST) -q -m promise --long; code=$$?; .venv/bin/python -m bench.reliability && exit $$code

thorough:  ## tests that `make test` leaves out for their time: the long versions of all that are no promise
	@sh packaging/setup.sh dev
	$(PYTEST) -q -m "thorough and not promise" --long --durations=15

wheel:  ## the wheel, built, installed in an environment of its own, tried and the tutorials followed there (docs/packaging.md)
	@sh packaging/setup.sh dev
	packaging/try_wheel.sh gui,train

package:  ## the Debian package and the folder that it holds, unpacked and tried under Xvfb (docs/packaging.md)
	packaging/build.sh deb
	packaging/try_deb.sh

format:  ## put the code in shape
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:  ## remove what was built here
	rm -rf .venv build dist .ruff_cache .import_linter_cache
