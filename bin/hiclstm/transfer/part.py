"""The part of a base model that a new map concerns, cut out to be tuned and put back afterwards."""

from dataclasses import dataclass, replace

import numpy as np

from ..contacts import ContactMap
from ..errors import InputError
from ..genome import Bins, match_name
from ..model import HiCLSTM
from ..prediction import TrainedModel

MARGIN = 8  # bins beyond a pair's ends that a model's value of it may depend on


def on_bins(contact_map: ContactMap, bins: Bins, name: str) -> ContactMap:
    """The map on the bins of a base model: its own chromosomes, as long and spelled as there; bins it lacks are missing.

    Raises
    ------
    InputError : another resolution, a chromosome that the base does not have, or that is longer than there. ``name`` is
        what the message calls the map
    """
    own = contact_map.bins
    if own.resolution != bins.resolution:
        raise InputError(f"{name}: has bins of {own.resolution:,} bp, the base model has {bins.resolution:,} bp")
    absent = [chromosome for chromosome in own.chromosomes if match_name(chromosome, bins.chromosomes) is None]
    if absent:
        raise InputError(f"{name}: its chromosome {absent[0]} is not in the base model, which has "
                         f"{', '.join(bins.chromosomes)}")
    target = bins.subset(own.chromosomes)
    pieces = []
    for chromosome in target.chromosomes:
        one = contact_map.of_chromosome(chromosome)
        room = int(np.diff(target.offsets)[target.position(chromosome)]) - len(one.bins)
        if room < 0:
            raise InputError(f"{name}: {chromosome} has {len(one.bins):,} bins, in the base model it has "
                             f"{len(one.bins) + room:,}; are they of one assembly?")
        missing = np.full(room, np.nan)
        pieces.append(replace(one, starts=np.concatenate([one.starts, np.repeat(one.starts[-1:], room)]),
                              weight=np.concatenate([one.weight, missing]),
                              first_share=None if one.first_share is None
                              else np.concatenate([one.first_share, missing])))
    return joined(pieces, target, contact_map.facts)


def joined(pieces: list[ContactMap], bins: Bins, facts: dict) -> ContactMap:
    """Maps of single chromosomes as one, on ``bins``."""
    entries = np.cumsum([0] + [len(piece.columns) for piece in pieces])
    starts = [piece.starts[:-1] + offset for piece, offset in zip(pieces, entries[:-1], strict=True)]
    columns = [piece.columns + first for piece, first in zip(pieces, bins.offsets[:-1], strict=True)]
    shares = [piece.first_share for piece in pieces if piece.first_share is not None]
    return ContactMap(bins, np.concatenate([*starts, entries[-1:]]).astype(np.int64),
                      np.concatenate(columns).astype(np.int32), np.concatenate([piece.counts for piece in pieces]),
                      np.concatenate([piece.weight for piece in pieces]), facts,
                      np.concatenate(shares) if shares else None)


def cut(one: ContactMap, stretch: slice) -> ContactMap:
    """Some bins of a map of one chromosome, with the contacts among them."""
    rows = np.repeat(np.arange(len(one.bins)), np.diff(one.starts))
    inside = (rows >= stretch.start) & (one.columns < stretch.stop)
    counted = np.bincount(rows[inside] - stretch.start, minlength=stretch.stop - stretch.start)
    bins = Bins(one.bins.chromosomes, (int(stretch.stop - stretch.start) * one.bins.resolution,), one.bins.resolution)
    return ContactMap(bins, np.concatenate([[0], np.cumsum(counted)]).astype(np.int64),
                      (one.columns[inside] - stretch.start).astype(np.int32), one.counts[inside], one.weight[stretch],
                      one.facts, None if one.first_share is None else one.first_share[stretch])


def is_vector(name: str) -> bool:
    """Whether an entry of a network's state is a chromosome's vectors."""
    return name.startswith(("free.", "strands."))


@dataclass(eq=False)
class Part:
    """Of each chromosome of a new map, the bins from the first to the last measured one.

    Attributes
    ----------
    model, contacts : both on bins of their own, the stretches only
    stretches : chromosome → bins of the base's chromosome, counted from its start
    """

    model: TrainedModel
    contacts: ContactMap
    stretches: dict[str, slice]

    @classmethod
    def of(cls, base: TrainedModel, whole: ContactMap) -> "Part":
        """``whole``: the new map on the base's bins (:func:`on_bins`)."""
        stretches, pieces, usable = {}, [], []
        state = {name: values for name, values in base.network.state_dict().items() if not is_vector(name)}
        for at, chromosome in enumerate(whole.bins.chromosomes):
            one = whole.of_chromosome(chromosome)
            measured = np.flatnonzero(one.usable)
            if not len(measured):
                raise InputError(f"{whole.facts.get('sample', 'the new map')}: no bin of {chromosome} is usable")
            stretch = slice(max(0, int(measured[0]) - MARGIN), min(len(one.bins), int(measured[-1]) + MARGIN + 1))
            stretches[chromosome] = stretch
            pieces.append(cut(one, stretch))
            usable.append(base.usable[base.bins.span(chromosome)][stretch])
            there = base.bins.position(chromosome)
            state[f"free.{at}"] = base.network.free[there][stretch]
            if base.config.strands:
                state[f"strands.{at}"] = base.network.strands[there][stretch]
        bins = Bins(tuple(stretches), tuple(piece.bins.sizes[0] for piece in pieces), whole.bins.resolution)
        network = HiCLSTM(base.config, bins)
        network.load_state_dict(state)
        model = TrainedModel(network.requires_grad_(False), bins, np.concatenate(usable), base.facts, base.threads)
        # equation 1 is the base's, whatever the new map's own scale was
        facts = {**whole.facts, "probability_scale": base.facts.get("probability_scale", 1.0)}
        return cls(model, joined(pieces, bins, facts), stretches)

    def put_back(self, base: TrainedModel, network: HiCLSTM, measured: np.ndarray, facts: dict) -> TrainedModel:
        """A model on the base's bins of these chromosomes, with the decoder and the stretches' vectors of ``network``.

        Bins are usable where they are in the base or ``measured`` (bool, on those bins).
        """
        bins = base.bins.subset(self.stretches)
        state = {name: values for name, values in network.state_dict().items() if not is_vector(name)}
        for at, (chromosome, stretch) in enumerate(self.stretches.items()):
            there = base.bins.position(chromosome)
            for vectors in ("free", "strands") if base.config.strands else ("free",):
                values = getattr(base.network, vectors)[there].detach().clone()
                values[stretch] = getattr(network, vectors)[at].detach()
                state[f"{vectors}.{at}"] = values
        whole = HiCLSTM(base.config, bins)
        whole.load_state_dict(state)
        usable = np.concatenate([base.usable[base.bins.span(chromosome)] for chromosome in bins.chromosomes])
        return TrainedModel(whole.requires_grad_(False), bins, usable | measured, facts, base.threads)
