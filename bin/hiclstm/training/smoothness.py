"""Choosing the strength of the prior that neighbouring bins have similar vectors, on contacts set aside."""

import dataclasses
import sys

import numpy as np

from ..contacts import ContactMap
from .schedule import LEAST_STEPS
from .thinning import SET_ASIDE, drawn, held_out_losses

STEP = 3.0  # candidates are so many times as strong as the next
MOST_STEPS = 2  # from what the depth suggests
STEPS = 600  # of each short training
LEAST_BINS = 300  # the shortest chromosome with so many usable bins stands for the map


def suggested(contact_map: ContactMap) -> float:
    """The strength that the depth suggests: few contacts a bin want a strong prior.

    0.3 at 30,000 contacts a usable bin, growing with the power 0.6 of its inverse, which follows what held-out contacts
    chose on maps of 500 to 35,000.
    """
    per_bin = float(contact_map.counts.sum(dtype=np.float64)) / max(1, int(contact_map.usable.sum()))
    return 0.3 * (30_000 / max(per_bin, 1.0)) ** 0.6


def choose_smoothness(contact_map: ContactMap, options) -> tuple[float, dict[float, float]]:
    """The smoothness for a training: found by short ones, on contacts set aside, and made larger by how much longer it is.

    Found is the strongest under which a short training predicts the contacts set aside no worse than the best: by at most
    one standard error of the difference over rows (Breiman et al. 1984). Trained are pair term and distance alone, on the
    shortest chromosome of at least 300 usable bins (else the one with most): without the LSTM a training is several times
    quicker and less left to chance. Candidates lead from :func:`suggested` to stronger ones as long as these are no worse,
    or else to weaker ones as long as these are better.

    The longer a training, the more of the noise it fits, and the stronger a prior it needs: with 600 steps instead of 300
    the short trainings choose three times the strength or more, on maps of 0.2 to 22 M contacts. So what they choose is
    made larger in proportion to the steps.

    Returns
    -------
    the strength to train with, and the held-out loss per contact of each candidate of the short trainings
    """
    from ..model import ModelConfig
    from ..prediction import TrainedModel
    from .loop import train

    bins = contact_map.bins
    usable = {name: int(contact_map.usable[bins.span(name)].sum()) for name in bins.chromosomes}
    enough = [name for name in usable if usable[name] >= LEAST_BINS] or [max(usable, key=usable.get)]
    one = contact_map.of_chromosome(min(enough, key=usable.get))
    steps = options.least_steps or LEAST_STEPS
    short_steps = min(STEPS, steps)
    kept, aside = drawn(one, 1 - SET_ASIDE, options.seed)
    losses: dict[float, np.ndarray] = {}  # of each row
    contacts = 0.0

    def excess(strength: float) -> tuple[float, float]:
        """By how much a candidate is worse than the best, and the standard error of that: both summed over rows."""
        difference = losses[strength] - min(losses.values(), key=np.sum)
        return float(difference.sum()), float(difference.std() * np.sqrt(len(difference)))

    def tried(strength: float) -> tuple[float, float]:
        nonlocal contacts
        short = dataclasses.replace(options, epochs=2, smoothness=strength, checkpoints=None, resume_from=None, quiet=True,
                                    least_steps=short_steps)
        network, _, _ = train(kept, ModelConfig("counts", use_lstm=False), short)
        model = TrainedModel(network.requires_grad_(False), kept.bins, kept.usable, threads=options.threads)
        losses[strength], rows = held_out_losses(model, aside, one.width(options.max_distance))
        contacts = max(float(rows.sum()), 1.0)
        return excess(strength)

    first = suggested(one)
    tried(first)
    for k in range(1, MOST_STEPS + 1):
        worse, error = tried(first * STEP ** k)
        if worse > error:
            break
    if len(losses) == 2:  # the first stronger one was worse
        for k in range(1, MOST_STEPS + 1):
            if tried(first / STEP ** k)[0] > 0:
                break
    chosen = max(strength for strength in losses if excess(strength)[0] <= excess(strength)[1])
    losses = {strength: float(rows.sum() / contacts) for strength, rows in losses.items()}
    said = ", ".join(f"{strength:.3g}: {losses[strength]:.5f}" for strength in sorted(losses))
    longer = steps / short_steps
    print(f"smoothness {longer * chosen:.3g}: {longer:.3g} times the {chosen:.3g} that short trainings chose on contacts "
          f"set aside (loss per contact {said}; {int(np.sum(one.counts)):,} contacts)", file=sys.stderr)
    return longer * chosen, losses
