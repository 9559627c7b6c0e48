# Each target is a command of run.py, which makes .venv first. Another Python: make report PY=python3.12
PY ?= python3
ARGS ?=

.PHONY: report setup test processors lint lock ranges notebooks sample

report: ; @$(PY) run.py report $(ARGS)
setup: ; @$(PY) run.py setup $(ARGS)
test: ; @$(PY) run.py test $(ARGS)
processors: ; @$(PY) run.py processors $(ARGS)
lint: ; @$(PY) run.py lint $(ARGS)
lock: ; @$(PY) run.py lock $(ARGS)
ranges: ; @$(PY) run.py ranges $(ARGS)
notebooks: ; @$(PY) run.py notebooks $(ARGS)
sample: ; @$(PY) run.py sample $(ARGS)
