"""Choosing the strength of a prior by held-out thinning of the map that is trained on.

Each contact is set aside with a fixed chance. A model trained on the rest is judged by the Poisson likelihood of what was
set aside: an independent draw from the same contacts, so no other map is looked at. (Counts that are not Poisson, such as
counts that were scaled and rounded, break the independence.)
"""

import dataclasses
import sys

import numpy as np

from .. import kernels
from ..contacts import ContactMap

SET_ASIDE = 0.2
FACTORS = (1 / 3, 1.0, 3.0)  # candidates, as factors of what the depth suggests
STEPS = 1000  # of each short training: with half of it, chance decides between candidates
LEAST_BINS = 300  # the shortest chromosome with so many usable bins stands for the map


def thinned(contact_map: ContactMap, share: float, seed: int) -> tuple[ContactMap, ContactMap]:
    """Split every count binomially: a map with ``share`` of the contacts, and the map of the others.

    Weights grow so that balanced values of both parts stay on the scale of the whole map.
    """
    random = np.random.default_rng(seed)
    taken = random.binomial(np.round(contact_map.counts).astype(np.int64), share).astype(np.float32)

    def part(counts, of_whole):
        return ContactMap(contact_map.bins, contact_map.starts, contact_map.columns, counts,
                          contact_map.weight / np.sqrt(of_whole), contact_map.facts)

    return part(taken, share), part(contact_map.counts - taken, 1 - share)


def poisson_loss(model, contact_map: ContactMap, width: int) -> float:
    """Poisson loss per contact of a trained model on a map: mean of exposure * rate - count * log(rate) over pairs, by the
    map's mean count. Lower is better."""
    total, contacts = 0.0, 0.0
    for at, name in enumerate(contact_map.bins.chromosomes):
        pairs = kernels.Pairs.of(contact_map, name)
        own = min(width, pairs.n)
        score = model.score_band_of(model.network.vectors(at).detach().numpy(), own)
        weight = np.concatenate([pairs.weight, np.zeros(own, np.float32)])
        rows = np.repeat(np.arange(pairs.n), np.diff(pairs.starts))
        for distance in range(own):
            product = pairs.weight[:pairs.n - distance] * weight[distance:pairs.n]
            usable = product > 0
            total += float(np.sum(np.exp(score[:pairs.n - distance, distance][usable], dtype=np.float64) / product[usable]))
        apart = pairs.columns - rows
        held = (apart < own) & (pairs.weight[rows] > 0) & (pairs.weight[pairs.columns] > 0)
        total -= float(np.sum(pairs.counts[held] * score[rows[held], apart[held]], dtype=np.float64))
        contacts += float(pairs.counts[held].sum(dtype=np.float64))
    return total / contacts


def suggested(contact_map: ContactMap) -> float:
    """The strength that the depth suggests: few contacts a bin want a strong prior.

    0.3 at 30,000 contacts a usable bin, growing with the power 0.6 of its inverse, which follows what held-out contacts
    chose on maps of 500 to 35,000.
    """
    per_bin = float(contact_map.counts.sum(dtype=np.float64)) / max(1, int(contact_map.usable.sum()))
    return 0.3 * (30_000 / max(per_bin, 1.0)) ** 0.6


def choose_smoothness(contact_map: ContactMap, options) -> tuple[float, dict[float, float]]:
    """The smoothness under which a short training predicts contacts that were set aside best.

    Trained is the one-stage network without a path, on the shortest chromosome of at least 300 usable bins (else the one
    with most). Three candidates lie around :func:`suggested`: chance moves the choice by one step at most.

    Returns
    -------
    the chosen strength, and the held-out loss per contact of each candidate tried
    """
    from ..model import ModelConfig
    from ..prediction import TrainedModel
    from .loop import train

    bins = contact_map.bins
    usable = {name: int(contact_map.usable[bins.span(name)].sum()) for name in bins.chromosomes}
    enough = [name for name in usable if usable[name] >= LEAST_BINS] or [max(usable, key=usable.get)]
    one = contact_map.of_chromosome(min(enough, key=usable.get))
    kept, aside = thinned(one, 1 - SET_ASIDE, options.seed)
    losses: dict[float, float] = {}
    for factor in FACTORS:
        strength = factor * suggested(one)
        short = dataclasses.replace(options, epochs=2, smoothness=strength, checkpoints=None, resume_from=None, quiet=True,
                                    least_steps=min(STEPS, options.least_steps or STEPS))
        network, schedule, _ = train(kept, ModelConfig("counts"), short)
        model = TrainedModel(network.requires_grad_(False), one.bins, one.usable, threads=options.threads)
        losses[strength] = poisson_loss(model, aside, one.width(options.max_distance))
    chosen = min(losses, key=losses.get)
    said = ", ".join(f"{strength:.3g}: {losses[strength]:.5f}" for strength in losses)
    print(f"smoothness {chosen:.3g} chosen on contacts set aside (loss per contact {said})", file=sys.stderr)
    return chosen, losses
