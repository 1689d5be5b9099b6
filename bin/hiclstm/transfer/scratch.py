"""What transfer is compared with: the same model trained on the new map alone, its prior chosen with the same care."""

import sys
from dataclasses import replace

import numpy as np

from ..contacts import ContactMap
from ..model import ModelConfig
from ..prediction import TrainedModel
from ..training import Options as TrainingOptions
from ..training import train
from .depth import drawn, held_out_loss
from .part import Part, on_bins
from .tuning import SET_ASIDE

SMOOTHNESS = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)  # tried from the strongest on: small maps need strong priors


def from_scratch(base: TrainedModel, contact_map: ContactMap, width: int | None, steps: int, seed: int, threads: int = 1,
                 smoothness: float | None = None) -> tuple[TrainedModel, float]:
    """Train the structure of ``base``, and nothing of its weights, on a new map.

    Parameters
    ----------
    smoothness : strength of the prior; None chooses it on contacts set aside, by trainings of half the length

    Returns
    -------
    the model on the base's bins of the new map's chromosomes, usable where the new map is; and the smoothness
    """
    whole = on_bins(contact_map, base.bins, str(contact_map.facts.get("sample", "the new map")))
    part = Part.of(base, whole)
    options = TrainingOptions(epochs=4, seed=seed, max_distance=part.contacts.width(width), least_steps=steps,
                              threads=threads, quiet=True)
    if base.config.likelihood != "counts":
        smoothness = 0.0
    if smoothness is None:
        smoothness = _chosen(part.contacts, replace(options, least_steps=max(1, steps // 2)))
    network, _, _ = train(part.contacts, base.config, replace(options, smoothness=smoothness))
    facts = {**base.facts, **whole.facts, "smoothness": smoothness, "max_distance": base.facts.get("max_distance")}
    model = part.put_back(base, network.requires_grad_(False), whole.usable, facts)
    return replace(model, usable=whole.usable), smoothness


def _chosen(contact_map: ContactMap, options: TrainingOptions) -> float:
    """The smoothness under which a one-stage network predicts contacts set aside best (cf. training.choose_smoothness,
    which keeps the whole map's weights: at low depth that favours strong priors)."""
    kept, aside = drawn(contact_map, 1 - SET_ASIDE, options.seed)
    losses: dict[float, float] = {}
    for smoothness in SMOOTHNESS:
        network, _, _ = train(kept, ModelConfig("counts"), replace(options, smoothness=smoothness))
        model = TrainedModel(network.requires_grad_(False), kept.bins, kept.usable, threads=options.threads)
        losses[smoothness] = held_out_loss(model, aside, options.max_distance)
        if losses[smoothness] > min(losses.values()):
            break
    chosen = min(losses, key=losses.get)
    print(f"from scratch: smoothness {chosen:g} of {', '.join(f'{one:g}' for one in losses)} chosen on contacts set aside "
          f"({int(np.sum(contact_map.counts)):,} contacts)", file=sys.stderr)
    return chosen
