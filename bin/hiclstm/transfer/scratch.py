"""What transfer is compared with: the same model trained on the new map alone, its prior chosen with the same care."""

import sys
from dataclasses import replace

import numpy as np

from ..contacts import ContactMap
from ..model import ModelConfig
from ..prediction import TrainedModel
from ..training import Options as TrainingOptions
from ..training import train
from ..training.thinning import suggested
from .depth import drawn, held_out_loss
from .part import Part, on_bins
from .tuning import SET_ASIDE

STEP = 3.0  # candidates of the prior's strength are so many times as strong as the next
MOST_STEPS = 2  # from what the depth suggests; short trainings ask for too much if let


def from_scratch(base: TrainedModel, contact_map: ContactMap, width: int | None, steps: int, seed: int, threads: int = 1,
                 factor: float | None = None) -> tuple[TrainedModel, float]:
    """Train the structure of ``base``, and nothing of its weights, on a new map.

    Parameters
    ----------
    factor : strength of the prior, in units of what the map's depth suggests; None chooses it on contacts set aside, by
        trainings of half the length

    Returns
    -------
    the model on the base's bins of the new map's chromosomes, usable where the new map is; and the factor
    """
    whole = on_bins(contact_map, base.bins, str(contact_map.facts.get("sample", "the new map")))
    part = Part.of(base, whole)
    options = TrainingOptions(epochs=4, seed=seed, max_distance=part.contacts.width(width), least_steps=steps,
                              threads=threads, quiet=True)
    if base.config.likelihood != "counts":
        factor = 0.0
    if factor is None:
        factor = _chosen(part.contacts, replace(options, least_steps=max(1, steps // 2)))
    smoothness = factor * suggested(part.contacts)
    network, _, _ = train(part.contacts, base.config, replace(options, smoothness=smoothness))
    facts = {**base.facts, **whole.facts, "smoothness": smoothness, "max_distance": base.facts.get("max_distance")}
    model = part.put_back(base, network.requires_grad_(False), whole.usable, facts)
    return replace(model, usable=whole.usable), factor


def _chosen(contact_map: ContactMap, options: TrainingOptions) -> float:
    """The factor under which a one-stage network predicts contacts set aside best.

    As training.choose_smoothness, but judged under weights of the contacts kept (see :func:`drawn`), and from 1 to stronger
    priors until the loss rises, or else to weaker ones.
    """
    kept, aside = drawn(contact_map, 1 - SET_ASIDE, options.seed)
    losses: dict[float, float] = {}

    def improves(factor: float) -> bool:
        network, _, _ = train(kept, ModelConfig("counts"), replace(options, smoothness=factor * suggested(contact_map)))
        model = TrainedModel(network.requires_grad_(False), kept.bins, kept.usable, threads=options.threads)
        losses[factor] = held_out_loss(model, aside, options.max_distance)
        return losses[factor] == min(losses.values())

    improves(1.0)
    for step in (STEP, 1 / STEP):
        if len(losses) > 2:  # a stronger prior was better
            break
        for k in range(1, MOST_STEPS + 1):
            if not improves(step ** k):
                break
    chosen = min(losses, key=losses.get)
    print(f"from scratch: {chosen:.3g} times the usual smoothness, of {', '.join(f'{one:.3g}' for one in sorted(losses))} "
          f"times, chosen on contacts set aside ({int(np.sum(contact_map.counts)):,} contacts)", file=sys.stderr)
    return chosen
