"""Work spread over several machines by a dask scheduler that runs already; the extra `dask`.

Work goes out in batches: a task costs the scheduler some milliseconds, however little there is to do in
it. Results are those of this machine, to the bit: a worker runs the same functions on the same blocks of
random numbers, and one whose revplan, numpy or scipy is another version is refused.

A dask scheduler runs whatever it is sent, and what it sends back is unpickled here: use one you trust.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from revplan.ground.errors import PlanError, ReportError, RevplanError, shown
from revplan.simulation.simulate import Item, Result, Spread

LEAST = 0.1  # seconds that a batch takes at least, as the first ones are measured
ANSWER = 10.0  # seconds for which a scheduler and its workers may be silent
AHEAD = 2  # batches sent out for each thread of a worker
ADDRESS = re.compile(r"(tcp|tls)://[^\s/:]+:[0-9]{1,5}")


@contextmanager
def on_cluster(address: str, least: float = LEAST, answer: float = ANSWER) -> Iterator[Spread]:
    """A way to spread work over the workers of the dask scheduler at `address`.

    Parameters
    ----------
    address
        Such as tcp://127.0.0.1:8786.
    least
        Seconds of work a batch holds at least.
    answer
        Seconds waited for the scheduler and for a worker.

    Raises
    ------
    PlanError
        If `address` is none.
    ReportError
        If the extra is missing, nobody answers, no worker is there, or one has other versions.
    """
    if not ADDRESS.fullmatch(address):
        raise PlanError.at("cluster", f"got {shown(address)}; write the scheduler's address as tcp://127.0.0.1:8786")
    with _quiet(), _client(address, answer) as client:
        _check_workers(client, address, answer)

        def spread(work: Callable[[Item], Result], items: Sequence[Item], /) -> Iterator[Result]:
            return _answered(address, _in_batches(client, work, items, least))

        yield spread


@contextmanager
def _client(address: str, answer: float) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError:
        raise ReportError.at(
            "cluster", "the package distributed is not installed; pip install 'revplan[dask]' brings it"
        ) from None
    try:
        client: Any = Client(address, timeout=answer, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError):
        raise ReportError.at(
            f"cluster {address}",
            f"no dask scheduler answered in {answer:g} s; start one (dask scheduler), or leave --cluster out",
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=answer)


def _check_workers(client: Any, address: str, answer: float) -> None:
    """That there are workers, and that they give the same numbers as this machine."""
    place = f"cluster {address}"
    try:
        client.wait_for_workers(1, timeout=answer)
    except TimeoutError:
        raise ReportError.at(place, f"has no worker after {answer:g} s; start one: dask worker {address}") from None
    here, there = versions(), client.run(versions)
    others = {worker: found for worker, found in there.items() if found != here}
    if others:
        worker, found = next(iter(others.items()))
        differ = ", ".join(
            f"{name} {shown(found[name] or 'missing')} instead of {here[name]}"
            for name in here
            if found[name] != here[name]
        )
        raise ReportError.at(
            place,
            f"{len(others)} of {len(there)} workers have other versions ({shown(worker)}: {differ}); install the same ones",
        )


def versions() -> dict[str, str | None]:
    """What the numbers of a simulation rest on, by package; None for what is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {}
    for name in ("revplan", "numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _in_batches(client: Any, work: Callable[[Item], Result], items: Sequence[Item], least: float) -> Iterator[Result]:
    """One worker is measured, its first item left out, until a batch takes `least` seconds; then all get to work."""
    shared = client.scatter(work, broadcast=True, hash=False)
    threads = client.nthreads()
    measured, done, size, taken = min(threads), 0, 1, 0.0
    while done < len(items) and taken < least:
        batch = client.submit(_batch, shared, items[done : done + size], pure=False, workers=[measured])
        results, seconds = batch.result()
        yield from results
        taken = seconds if done else 0.0
        done += len(results)
        size = size if taken >= least or done == 1 else max(2 * size, int(size * least / max(taken, least / 100)) + 1)
    sent: deque[Any] = deque()
    for start in range(done, len(items), size):
        sent.append(client.submit(_batch, shared, items[start : start + size], pure=False))
        if len(sent) > AHEAD * sum(threads.values()):
            yield from sent.popleft().result()[0]
    while sent:
        yield from sent.popleft().result()[0]


def _batch(work: Callable[[Item], Result], items: Sequence[Item]) -> tuple[list[Result], float]:
    """What a worker does: results, and the seconds they took."""
    begun = time.perf_counter()
    return [work(item) for item in items], time.perf_counter() - begun


def _answered(address: str, results: Iterator[Result]) -> Iterator[Result]:
    """`results`, where the cluster stays; what goes wrong in the work itself is told as it is here."""
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield from results
    except RevplanError:
        raise
    except (CancelledError, KilledWorker, CommClosedError, OSError) as error:
        reason = shown(str(error) or type(error).__name__)
        raise ReportError.at(f"cluster {address}", f"was lost at work ({reason}); start it again") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the scheduler's own log, which tells of every connection it closes."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
