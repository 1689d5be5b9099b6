"""What transfer is compared with: the same model trained on the new map alone, its prior chosen with the same care."""

from dataclasses import replace

from ..contacts import ContactMap
from ..prediction import TrainedModel
from ..training import Options as TrainingOptions
from ..training import choose_smoothness, train
from ..training.smoothness import suggested
from .part import Part, on_bins


def from_scratch(base: TrainedModel, contact_map: ContactMap, width: int | None, steps: int, seed: int, threads: int = 1,
                 factor: float | None = None) -> tuple[TrainedModel, float]:
    """Train the structure of ``base``, and nothing of its weights, on a new map.

    Parameters
    ----------
    factor : strength of the prior, in units of what the map's depth suggests; None chooses it on contacts set aside

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
        factor = choose_smoothness(part.contacts, options)[0] / suggested(part.contacts)
    smoothness = factor * suggested(part.contacts)
    network, _, _ = train(part.contacts, base.config, replace(options, smoothness=smoothness))
    facts = {**base.facts, **whole.facts, "smoothness": smoothness, "max_distance": base.facts.get("max_distance")}
    model = part.put_back(base, network.requires_grad_(False), whole.usable, facts)
    return replace(model, usable=whole.usable), factor

