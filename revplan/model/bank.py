"""The bank of standard normals a simulation draws on: the same seed gives the same bits.

Trials come in blocks. Eight blocks make up one scrambled Sobol net (Matousek, 1998,
https://doi.org/10.1006/jcom.1998.0487); each further eight are the same net moved by a digital shift of
their own, an unbiased replicate (Owen, 1997, https://doi.org/10.1214/aos/1031594731). The scatter
between blocks gives the Monte-Carlo error of whatever is averaged over them, on the safe side: blocks
of one net make good each other's errors. A block depends on nothing but the seed, its number and its
size: not on how many are made at once, nor on who makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from revplan.errors import Fault, PlanError, shown

BLOCK, NUMBERS = 1024, 2**20  # most trials of a block, and most normals
REPLICATES = 8  # blocks that even a small number of trials is split into, and blocks of a net
MOST_TRIALS = 100_000_000
MOST_SEED = 2**63 - 1
WIDTH = 64  # nets are made for a multiple of this many drivers, so that one more keeps the others
NET_BITS, BITS = 30, 53
MOST_DRIVERS = 21_201  # for which directions of the net are known
KEPT_BLOCKS, KEPT_NUMBERS = 32, 2**17  # blocks kept for the next run, and the largest block kept


@dataclass(frozen=True)
class Bank:
    """`trials` trials of `drivers` independent standard normals each."""

    trials: int
    drivers: int
    seed: int

    def __post_init__(self) -> None:
        found = (_trials_fault(self.trials), _seed_fault(self.seed), _drivers_fault(self.drivers))
        faults = [fault for fault in found if fault]
        if faults:
            raise PlanError(faults)

    @property
    def size(self) -> int:
        """Trials of a whole block."""
        most = min(BLOCK, self.trials // REPLICATES, NUMBERS // max(self.drivers, 1))
        return 1 << max(most.bit_length() - 1, 0)

    @property
    def blocks(self) -> int:
        """Number of blocks; the last one may be cut short."""
        return -(-self.trials // self.size)

    def block(self, number: int) -> np.ndarray:
        """Standard normals of block `number`: shape (drivers, trials of the block)."""
        keep = number < KEPT_BLOCKS // 2 and self.drivers * self.size <= KEPT_NUMBERS
        normals = (_kept_block if keep else _made_block)(self.seed, self.drivers, self.size, number)
        return normals[:, : self.trials - number * self.size]

    def rounds(self, most: int) -> Iterator[range]:
        """Numbers of the blocks, in rounds of at most `most` trials."""
        step = max(most // self.size, 1)
        return (range(start, min(start + step, self.blocks)) for start in range(0, self.blocks, step))


def _trials_fault(trials: object) -> Fault | None:
    if isinstance(trials, int) and not isinstance(trials, bool) and 2 <= trials <= MOST_TRIALS:
        return None
    return Fault("trials", f"got {shown(trials)}; it must be a whole number from 2 to {MOST_TRIALS:,}, such as 8192")


def _seed_fault(seed: object) -> Fault | None:
    if isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed <= MOST_SEED:
        return None
    return Fault("seed", f"got {shown(seed)}; it must be a whole number from 0 to {MOST_SEED}, such as 1")


def _drivers_fault(drivers: int) -> Fault | None:
    if drivers <= MOST_DRIVERS:
        return None
    return Fault("transitions", f"{drivers:,} figures are uncertain; no more than {MOST_DRIVERS:,} can be simulated")


@lru_cache(maxsize=2)
def _net(seed: int, width: int, points: int) -> np.ndarray:
    """A scrambled Sobol net as whole numbers of 53 bits: shape (width, points)."""
    made = qmc.Sobol(width, scramble=True, bits=NET_BITS, rng=np.random.default_rng([seed, 0])).random(points)
    return (made.T * 2.0**NET_BITS).astype(np.uint64) << np.uint64(BITS - NET_BITS)


def _made_block(seed: int, drivers: int, size: int, number: int) -> np.ndarray:
    width = min(-(-drivers // WIDTH) * WIDTH, MOST_DRIVERS)
    replicate, part = divmod(number, REPLICATES)
    net = _net(seed, width, size * REPLICATES)
    shift = np.random.default_rng([seed, 1 + replicate]).integers(2**BITS, size=drivers, dtype=np.uint64)
    points = net[:drivers, part * size : (part + 1) * size] ^ shift[:, None]
    normals = ndtri((points.astype(float) + 0.5) * 2.0**-BITS)
    normals.flags.writeable = False
    return normals


_kept_block = lru_cache(maxsize=KEPT_BLOCKS)(_made_block)
