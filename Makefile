# make demo   the whole story on this machine        make test   everything that must hold
# make bench  our figures beside what else you could use          make clean  away with .venv and caches
# make screenshots  every page of ours as a picture, into docs/screenshots
# make vendor what others made and our pages serve, anew: versions and hashes stand in integrator/web/vendor.toml

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test quick lint bench nightly vendor screenshots clean

demo: .venv/installed
	$(BIN)/integrator demo

test: .venv/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	tests/install_node_packages
	tests/install_browser
	$(BIN)/pytest -n 2 --dist loadfile -m "not browser"
	$(BIN)/pytest -n 2 --dist loadfile -m browser

quick: .venv/installed-test
	tests/install_node_packages
	$(BIN)/pytest -n 2 --dist loadfile -m "not kill and not acceptance and not browser"

lint: .venv/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

nightly: .venv/installed-test
	tests/install_node_packages
	tests/install_browser
	INTEGRATOR_KILLS=200 $(BIN)/pytest -n 2 --dist loadfile -m "not browser"
	$(BIN)/pytest -n 2 --dist loadfile -m browser

vendor: .venv/installed
	$(BIN)/python tests/vendor_assets.py

screenshots: .venv/installed-test
	tests/install_node_packages
	tests/install_browser
	INTEGRATOR_SCREENSHOTS=1 $(BIN)/pytest tests/browser/test_pages_in_a_browser.py
	INTEGRATOR_SCREENSHOTS=1 $(BIN)/pytest tests/browser/test_first_day.py tests/browser/test_consent_in_a_browser.py

bench: .venv/installed-test
	$(BIN)/python -m benchmarks

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build dist *.egg-info
