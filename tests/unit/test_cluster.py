"""Scenarios worked on by a dask cluster: the same bits, batches that are worth sending, and faults in words."""

from __future__ import annotations

import json
import pickle
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from revplan.cli import main
from revplan.funnel.year import Known, plan_year
from revplan.ground.errors import DataError, Fault, PlanError, ReportError
from revplan.plan.file import read_plan
from revplan.simulation import cluster
from revplan.simulation.cluster import on_cluster
from revplan.simulation.draws import Rates
from revplan.simulation.scenarios import compare
from revplan.simulation.simulate import simulate, sweep

distributed = pytest.importorskip("distributed", reason="needs the extra dask")
dask = pytest.importorskip("dask")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

PLAN = """\
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {new_arr: 1_000_000, next_year_growth: 0}
stages: [{id: lead}, {id: sql}, {id: won}]
segments: {all: {acv: {mean: 20_000, sd: 8_000}}}
sources: {web: {cost_per_entry: 85}}
transitions:
  - {from: lead, to: sql, rate: 0.3, evidence: 400, lag: {months: 0}}
  - {from: sql, to: won, rate: 0.2, evidence: 100, lag: {median_days: 40, p90_days: 100}}
scenarios:
  weak: {changes: [{from: sql, to: won, rate: 0.16}]}
  large: {acv: {all: 25_000}}
  more: {volume: 1.2}
"""


def local(workers: int) -> Any:
    """A scheduler on loopback without a dashboard, and workers of one thread in processes of their own."""
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two workers; they stop at the end."""
    with local(2) as made:
        yield made.scheduler_address


@pytest.fixture(scope="module")
def plan_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cluster") / "plan.yaml"
    path.write_text(PLAN, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def simulation(plan_path: Path) -> Any:
    return simulate(plan_year(read_plan(plan_path), Known()), 2000)


def said(error: pytest.ExceptionInfo) -> str:
    (fault,) = error.value.faults
    return str(fault)


# --- the same bits -------------------------------------------------------------------------------------------


def test_a_sweep_is_the_same_to_the_bit(address: str, simulation: Any) -> None:
    rng = np.random.default_rng(1)
    view = simulation.view
    views = [
        replace(view, rates=Rates(np.clip(view.rates.mean * rng.uniform(0.8, 1.2, 2), 0, 1), view.rates.evidence))
        for _ in range(60)
    ]
    told: list[tuple[int, int]] = []
    with on_cluster(address, least=0.02) as spread:
        there = sweep(views, 2000, 3, lambda done, total, what: told.append((done, total)), spread)
    assert there == sweep(views, 2000, 3)
    assert told == [(done, 60) for done in range(1, 61)]


def test_scenarios_are_the_same_to_the_bit(address: str, simulation: Any) -> None:
    with on_cluster(address) as spread:
        there = compare(simulation, None, spread)
    here = compare(simulation)
    assert [each.name for each in there] == ["base", "weak", "large", "more"]
    for one, other in zip(here, there, strict=True):
        assert (one.outcome, one.signed, one.needed, one.spend) == (
            other.outcome,
            other.signed,
            other.needed,
            other.spend,
        )


def test_the_command_prints_the_same(address: str, plan_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", str(plan_path), "--trials", "500", "--json"]
    assert main(arguments) == 0
    here = capsys.readouterr()
    assert main([*arguments, "--cluster", address]) == 0
    there = capsys.readouterr()
    assert there.out == here.out
    assert there.err == ""
    assert json.loads(there.out)["scenarios"][1]["scenario"] == "weak"


# --- batches -------------------------------------------------------------------------------------------------


def napping(seconds: float, item: int) -> int:
    time.sleep(seconds)
    return item


class Scheduler:
    """Stands in for a client: works at once, keeps the sizes of the batches."""

    def __init__(self, seconds: float) -> None:
        self.sizes: list[int] = []
        self.seconds = seconds

    def scatter(self, work: Any, **_: Any) -> Any:
        return work

    def nthreads(self) -> dict[str, int]:
        return {"tcp://a": 1, "tcp://b": 2}

    def submit(self, _: Any, work: Any, items: Any, **__: Any) -> Any:
        self.sizes.append(len(items))
        made = [work(item) for item in items]
        first = len(self.sizes) == 1  # a cold worker takes a second for its first item
        return type("Done", (), {"result": lambda self_: (made, 1.0 if first else self.seconds * len(items))})()


@pytest.mark.parametrize(
    ("seconds", "sizes"),
    [
        (0.3, [1, 1] + [1] * 198),  # each item is worth a batch
        (0.02, [1, 1, 6, *[6] * 32]),  # 6 of 20 ms are more than 100 ms
        (0.0, [1, 1, 101, 97]),  # nothing to measure: one hundred times as many
    ],
)
def test_batches_grow_until_they_are_worth_sending(seconds: float, sizes: list[int]) -> None:
    client = Scheduler(seconds)
    found = list(cluster._in_batches(client, lambda item: item * item, range(200), cluster.LEAST))
    assert found == [item * item for item in range(200)]
    assert client.sizes == sizes
    assert sum(sizes) == 200


# --- faults --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [PlanError, DataError, ReportError])
def test_an_error_travels_with_its_faults(error: type) -> None:
    sent = pickle.loads(pickle.dumps(error([Fault("here", "is wrong"), Fault("there", "too")])))
    assert type(sent) is error
    assert sent.faults == (Fault("here", "is wrong"), Fault("there", "too"))


def refusing(item: int) -> int:
    raise PlanError.at("transitions", f"no rate for {item}")


def test_what_is_wrong_with_a_scenario_is_said_as_here(address: str) -> None:
    with on_cluster(address) as spread, pytest.raises(PlanError) as error:
        list(spread(refusing, [7]))
    assert said(error) == "transitions: no rate for 7"


@pytest.mark.parametrize("written", ["", "127.0.0.1:8786", "tcp://", "http://x:1", "tcp://a:1; rm", "tcp://a:999999"])
def test_an_address_that_is_none(written: str, plan_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(plan_path), "--cluster", written]) == 2
    assert "write the scheduler's address as tcp://127.0.0.1:8786" in capsys.readouterr().err


def test_nobody_answers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ReportError) as error, on_cluster(nobody, answer=0.5):
        pass
    assert said(error).startswith(f"cluster {nobody}: no dask scheduler answered in 0.5 s; start one")


def test_a_scheduler_without_workers() -> None:
    with local(0) as made, pytest.raises(ReportError) as error, on_cluster(made.scheduler_address, answer=0.5):
        pass
    assert "has no worker after 0.5 s; start one: dask worker tcp://" in said(error)


def test_workers_of_another_version(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "9.9" if name == "revplan" else real(name))
    with pytest.raises(ReportError) as error, on_cluster(address):
        pass
    assert "2 of 2 workers have other versions" in said(error)
    assert f"revplan {real('revplan')} instead of 9.9" in said(error)


def test_the_extra_is_missing(
    plan_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["simulate", str(plan_path), "--cluster", "tcp://127.0.0.1:8786"]) == 1
    assert "pip install 'revplan[dask]'" in capsys.readouterr().err


def dying(item: int) -> int:
    import os

    os._exit(1)


def test_a_cluster_lost_at_work() -> None:
    at_once = dask.config.set({"distributed.scheduler.allowed-failures": 0})
    with at_once, local(1) as made, pytest.raises(ReportError) as error, on_cluster(made.scheduler_address) as spread:
        list(spread(dying, [1]))
    assert "was lost at work" in said(error)
