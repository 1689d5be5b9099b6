"""The same map with fewer contacts, balanced anew from what is left, and how well a model foretells the contacts left out.

What is set aside is an independent draw from the same contacts, so no other map is looked at. (Counts that are not Poisson,
such as counts that were scaled and rounded, break the independence.)
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..contacts import ContactMap
from ..contacts import balance as balancing
from ..contacts.fragments import measured_share
from ..errors import InputError

SET_ASIDE = 0.2  # of the contacts
LEAST_RATE = 1e-9  # expected contacts below this are taken as this before a logarithm
ROWS_AT_ONCE = 512


def drawn(contact_map: ContactMap, share: float, seed: int) -> tuple[ContactMap, ContactMap]:
    """Draw each contact with chance ``share``: the map of those drawn, and the map of the others.

    Both have the weights that balancing the drawn ones gives (the other map's scaled to its depth), never those of the
    whole map: given the totals of its rows, what is drawn and what is not are opposites, and a model that fits the drawn
    ones would be punished for it on the others. Balanced values of both are on the scale of the drawn map.
    """
    if not contact_map.facts.get("raw", True):
        raise InputError(f"{contact_map.facts.get('sample', 'the map')}: its values are balanced already, not counts: it "
                         "cannot be thinned, and nothing can be set aside from it")
    whole = np.round(contact_map.counts).astype(np.int64)
    taken = np.random.default_rng(seed).binomial(whole, share)
    kept = balanced_anew(with_counts(contact_map, taken))
    others = with_counts(contact_map, whole - taken)
    return kept, replace(others, weight=kept.weight * np.sqrt(share / (1 - share)) if share < 1 else kept.weight)


def with_counts(contact_map: ContactMap, counts: np.ndarray) -> ContactMap:
    """The map with other counts for its entries; entries that become zero are dropped."""
    seen = counts > 0
    so_far = np.concatenate([[0], np.cumsum(seen)])
    return replace(contact_map, starts=so_far[contact_map.starts].astype(np.int64), columns=contact_map.columns[seen],
                   counts=counts[seen].astype(np.float32))


def balanced_anew(contact_map: ContactMap) -> ContactMap:
    """The map with weights computed from its own counts, as PREPARE_CONTACTS computes them."""
    weight = np.full(len(contact_map.bins), np.nan)
    with tempfile.TemporaryDirectory(prefix="balancing-") as folder:
        for name in contact_map.bins.chromosomes:
            one = contact_map.of_chromosome(name)
            if len(one.counts) == 0:
                continue
            n = len(one.bins)
            rows = np.repeat(np.arange(n), np.diff(one.starts))
            counts = one.counts.astype(np.float64)
            if one.first_share is None:
                found = balancing.compute(rows, one.columns, counts, n, Path(folder), one.bins.resolution, "")
            else:
                found = balancing.of_fragments(rows, one.columns, counts, one.first_share, "")
            weight[contact_map.bins.span(name)] = found.weight
    return replace(contact_map, weight=weight)


def row_blocks(contact_map: ContactMap, chromosome: str, width: int):
    """Yield (rows, exposure, counts) of some rows at a time, bands [rows, width] of float64.

    Exposure is what expected balanced contacts are multiplied by to give expected counts; 0 where no pair was measured.
    """
    span = contact_map.bins.span(chromosome)
    weight, n = contact_map.weight[span], span.stop - span.start
    padded = np.concatenate([weight, np.full(width, np.nan)])
    share = None if contact_map.first_share is None else contact_map.first_share[span]
    partner_share = None if share is None else np.concatenate([share, np.full(width, np.nan)])
    for first in range(0, n, ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE, n)
        at = np.arange(first, last)[:, None] + np.arange(width)
        exposure = 1.0 / (weight[first:last, None] * padded[at])
        if share is not None:
            exposure *= measured_share(share[first:last, None], partner_share[at])
        edges = contact_map.starts[span.start + first:span.start + last + 1]
        rows = np.repeat(np.arange(last - first), np.diff(edges))
        apart = contact_map.columns[edges[0]:edges[-1]] - span.start - first - rows
        near = apart < width
        counts = np.zeros((last - first, width))
        counts[rows[near], apart[near]] = contact_map.counts[edges[0]:edges[-1]][near]
        yield slice(first, last), np.nan_to_num(exposure), counts


def held_out_losses(model, contact_map: ContactMap, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Poisson loss of a model on a map: exposure * rate - count * log(rate), summed over the measured pairs of each row.

    Returns
    -------
    loss of each row, and contacts of each row; rows of all chromosomes one after the other
    """
    losses, contacts = [], []
    for chromosome in contact_map.bins.chromosomes:
        band = model.expected_band(chromosome, width)
        for rows, exposure, counts in row_blocks(contact_map, chromosome, band.shape[1]):
            measured = exposure > 0
            rate = np.where(measured, np.maximum(band[rows].astype(np.float64), LEAST_RATE), 1.0)
            counts = np.where(measured, counts, 0.0)
            losses.append((exposure * rate * measured - counts * np.log(rate)).sum(1))
            contacts.append(counts.sum(1))
    return np.concatenate(losses), np.concatenate(contacts)


def held_out_loss(model, contact_map: ContactMap, width: int) -> float:
    """Poisson loss per contact of a model on a map. Lower is better."""
    losses, contacts = held_out_losses(model, contact_map, width)
    return float(losses.sum() / max(contacts.sum(), 1.0))
