"""Which bins a classifier is tested on, and which it may learn from then.

Neighbouring bins share contacts and labels, so folds are whole chromosomes or stretches of at least 5 Mb with a gap;
the paper's random folds are there under their name, to make its figures.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..genome import Bins

FOLDS = 5
BLOCK = 5_000_000  # base pairs
GAP = 1_000_000  # base pairs on both sides of a test block that are not learned from
KINDS = ("auto", "chromosome", "blocks", "random")


@dataclass(frozen=True, eq=False)
class Folds:
    """A partition of the bins.

    Attributes
    ----------
    test : int64 [N], the fold in which a bin is tested; -1 for none
    near : bool [folds, N], bins within the gap of a fold's tested bins
    group : int64 [N], stretches that are resampled together in the bootstrap
    words : what was done
    within : whether a tested bin's own chromosome is learned from as well
    """

    test: np.ndarray
    near: np.ndarray
    group: np.ndarray
    words: str
    within: bool

    @property
    def number(self) -> int:
        return len(self.near)

    def training(self, fold: int) -> np.ndarray:
        """bool [N]: bins that may be learned from when ``fold`` is tested."""
        return (self.test >= 0) & (self.test != fold) & ~self.near[fold]

    def validation(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """bool [N] twice: bins to fit on and bins to stop early by, both outside ``fold``."""
        allowed = self.training(fold)
        if self.number > 2:
            watched = (fold + 1) % self.number
            return allowed & (self.test != watched) & ~self.near[watched], allowed & (self.test == watched)
        at = np.flatnonzero(allowed)
        last = at[-max(1, len(at) // 5):]
        fit, watch = allowed.copy(), np.zeros_like(allowed)
        fit[last], watch[last] = False, True
        return fit, watch


def folds_of(bins: Bins, usable: np.ndarray, kind: str = "auto", seed: int = 1) -> Folds:
    """Folds of the usable bins.

    Parameters
    ----------
    kind : ``chromosome``: whole chromosomes; ``blocks``: stretches of 5 Mb or more dealt out in turn, 1 Mb around a
        tested one not learned from; ``random``: bins at random, as in the paper; ``auto``: chromosomes where five or
        more have data, else blocks: the two sides of a compartment look alike, so that which is A has to be learned on
        more than a chromosome or two
    """
    if kind not in KINDS:
        raise InputError(f"--folds {kind}: there are {', '.join(KINDS)}")
    held = [k for k, name in enumerate(bins.chromosomes) if usable[bins.span(name)].sum() >= 20]
    if kind == "auto":
        kind = "chromosome" if len(held) >= FOLDS else "blocks"
    group = _groups(bins, usable)
    if kind == "random":
        test = np.where(usable, np.random.default_rng(seed).permutation(len(bins)) % FOLDS, -1)
        return Folds(test, np.zeros((FOLDS, len(bins)), bool), group, f"{FOLDS} random folds of bins, as in the paper",
                     within=True)
    if kind == "chromosome":
        if len(held) < 2:
            raise InputError("--folds chromosome: the map has fewer than two chromosomes with data; use blocks")
        return _by_chromosome(bins, usable, held, group)
    return _by_block(bins, usable, group)


def _by_chromosome(bins: Bins, usable: np.ndarray, held: list[int], group: np.ndarray) -> Folds:
    number = min(FOLDS, len(held))
    sizes = [int(usable[bins.span(name)].sum()) for name in bins.chromosomes]
    load, test = np.zeros(number), np.full(len(bins), -1)
    for k in sorted(held, key=lambda k: -sizes[k]):  # the largest first, each to the emptiest fold
        fold = int(load.argmin())
        load[fold] += sizes[k]
        span = bins.span(bins.chromosomes[k])
        test[span] = np.where(usable[span], fold, -1)
    return Folds(test, np.zeros((number, len(bins)), bool), group,
                 f"{number} folds of whole chromosomes, {len(held)} in all", within=False)


def _by_block(bins: Bins, usable: np.ndarray, group: np.ndarray) -> Folds:
    parts = []
    for name in bins.chromosomes:
        span = bins.span(name)
        told = np.flatnonzero(usable[span]) + span.start
        if len(told):
            length = (told[-1] - told[0] + 1) * bins.resolution
            count = max(1, int(length / BLOCK + 0.05))  # missing bins at the ends may leave a little less than 5 Mb
            parts.append(np.array_split(np.arange(told[0], told[-1] + 1), count))
    blocks = [block for part in parts for block in part]
    words = f"blocks of {BLOCK / 1e6:g} Mb or more (less missing ends)"
    if len(blocks) == 1:  # shorter than two blocks: the best there is are its two halves
        blocks = np.array_split(blocks[0], 2)
        words = (f"blocks of {len(blocks[0]) * bins.resolution / 1e6:.2g} Mb, as the chromosome is too short for two "
                 "of 5 Mb")
    number = min(FOLDS, len(blocks))
    gap = min(GAP // bins.resolution, min(len(block) for block in blocks) // 5)
    test, near = np.full(len(bins), -1), np.zeros((number, len(bins)), bool)
    for k, block in enumerate(blocks):
        fold = k % number
        test[block] = np.where(usable[block], fold, -1)
        at = int(np.searchsorted(bins.offsets, block[0], "right")) - 1
        near[fold, max(block[0] - gap, bins.offsets[at]):min(block[-1] + 1 + gap, bins.offsets[at + 1])] = True
    return Folds(test, near, group, f"{number} folds of {words}, {gap * bins.resolution / 1e6:g} Mb around a tested "
                 "block not learned from", within=True)


def _groups(bins: Bins, usable: np.ndarray) -> np.ndarray:
    """Stretches of 5 Mb, shorter where the map would have fewer than twenty."""
    total = int(usable.sum()) * bins.resolution
    length = max(1, int(min(BLOCK, total / 20)) // bins.resolution)
    group, first = np.zeros(len(bins), np.int64), 0
    for name in bins.chromosomes:
        span = bins.span(name)
        group[span] = first + np.arange(span.stop - span.start) // length
        first = group[span.stop - 1] + 1
    return group
