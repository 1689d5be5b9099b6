"""Tuning a base model on a new map, with its strength and length chosen on contacts set aside."""

import math
import sys
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from .. import kernels
from ..contacts import ContactMap
from ..contacts.fragments import measured_share
from ..errors import InputError
from ..model import FRAME, HiCLSTM, whole_frames
from ..prediction import TrainedModel
from ..training.adam import Adam
from ..training.data import Reading, path_of_tiles, readings
from ..training.objective import pairs_loss
from ..training.schedule import Schedule
from ..training.thinning import SET_ASIDE, drawn, held_out_loss
from .depth import matching_factor, scaled
from .difference import Belief
from .part import Part, on_bins

TUNE = ("representations", "decoder", "both")
STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
CHECKS = 4  # times a training is judged on the contacts set aside
LEARNING_RATE = 0.3  # in units of what is believed of a difference
WARM_UP = 0.1  # share of the steps
STEPS = 600


@dataclass(frozen=True)
class Options:
    """How to tune.

    Attributes
    ----------
    tune : ``representations`` (the decoder is held), ``decoder`` (the vectors are held) or ``both``
    strength : of the belief in the base; None chooses it on contacts set aside
    max_distance : bins from the diagonal; None for what the base was trained on
    least_steps : optimiser steps of one training; a large map takes at least one pass
    """

    tune: str = "representations"
    strength: float | None = None
    max_distance: int | None = None
    least_steps: int = STEPS
    seed: int = 1
    threads: int = 1


@dataclass(eq=False)
class Tuned:
    """What tuning gives.

    Attributes
    ----------
    model : on the base's bins of the new map's chromosomes, with expected contacts on the new map's scale
    strength, steps : what the model was tuned with
    scale : what the new map's balanced values were multiplied by to meet the base's
    tried : strength → (steps, loss per contact set aside)
    base_loss : that of the base as it was; None where nothing was set aside
    """

    model: TrainedModel
    strength: float
    steps: int
    scale: float
    tried: dict[float, tuple[int, float]] = field(default_factory=dict)
    base_loss: float | None = None


def transfer(base: TrainedModel, contact_map: ContactMap, options: Options) -> Tuned:
    """Tune a base model on a new map.

    The strength of the belief in the base and the number of steps are those under which contacts set aside (a fifth,
    drawn binomially) are predicted best; strengths are tried from 1 upwards until one is worse than the one before. Then
    the model is tuned on all contacts.

    Raises
    ------
    InputError : an unknown ``tune``, other bins or another assembly than the base's, no contacts, or no counts
    """
    if options.tune not in TUNE:
        raise InputError(f"--tune {options.tune}: there are {', '.join(TUNE)}")
    name = str(contact_map.facts.get("sample", "the new map"))
    check_assembly(base, contact_map, name)
    whole = on_bins(contact_map, base.bins, name)
    part, belief = Part.of(base, whole), Belief.of(base.network)
    width = part.contacts.width(options.max_distance or base.facts.get("max_distance"))
    strength, steps, tried, base_loss = options.strength, None, {}, None
    if strength is None:
        tried, base_loss = _tried(part, belief, width, options)
        strength = min(tried, key=lambda one: tried[one][1])
        steps = tried[strength][0]
        said = ", ".join(f"{one:g}: {loss:.5f}" for one, (_, loss) in tried.items())
        print(f"{name}: strength {strength:g} and {steps} steps chosen on contacts set aside (loss per contact: base "
              f"{base_loss:.5f}; {said})", file=sys.stderr)
    scale = matching_factor(part.model, part.contacts, width)
    network, steps, _ = tune(part.model, scaled(part.contacts, scale), width, belief, strength, options, stop=steps)
    facts = {**base.facts, **whole.facts, "max_distance": base.facts.get("max_distance"), "seed": options.seed,
             "probability_scale": float(base.facts.get("probability_scale", 1.0)) * scale,
             "transfer": {"base": base.facts.get("sample", ""), "tuned": options.tune, "strength": strength,
                          "steps": steps, "scale": scale}}
    if base.config.likelihood == "counts":
        network.output_bias -= math.log(scale)
    return Tuned(part.put_back(base, network, whole.usable, facts), strength, steps, scale, tried, base_loss)


def check_assembly(base: TrainedModel, contact_map: ContactMap, name: str) -> None:
    """Refuse a map whose assembly is known to be another one than the base's."""
    here, there = (str(facts.get("assembly") or "") for facts in (contact_map.facts, base.facts))
    if here and there and here != there:
        raise InputError(f"{name}: is of assembly {here}, the base model of {there}: nothing is lifted over here; use a "
                         f"base of {here}, or lift the new map to {there} first")


def _tried(part: Part, belief: Belief, width: int, options: Options) -> tuple[dict[float, tuple[int, float]], float]:
    """Strength → (steps, loss per contact set aside), and the base's loss."""
    kept, aside = drawn(part.contacts, 1 - SET_ASIDE, options.seed)
    scale = matching_factor(part.model, kept, width)
    kept, aside = scaled(kept, scale), scaled(aside, scale)
    tried: dict[float, tuple[int, float]] = {}
    for strength in STRENGTHS:
        tried[strength] = tune(part.model, kept, width, belief, strength, options, aside=aside)[1:]
        if tried[strength][1] > min(loss for _, loss in tried.values()):
            break
    return tried, held_out_loss(part.model, aside, width)


def tune(model: TrainedModel, contact_map: ContactMap, width: int, belief: Belief, strength: float, options: Options, *,
         aside: ContactMap | None = None, stop: int | None = None) -> tuple[HiCLSTM, int, float]:
    """One training of what differs from ``model``, on a map with its bins and on its scale.

    Parameters
    ----------
    aside : contacts set aside: the training ends as if at the check at which they are predicted best
    stop : steps after which to end

    Returns
    -------
    the network, its number of steps, and its loss on ``aside`` (NaN without)
    """
    torch.set_num_threads(1)  # the kernels have threads of their own
    network = HiCLSTM(model.config, model.bins)
    network.load_state_dict(model.network.state_dict())
    of_vectors, of_decoder = belief.differences(network.requires_grad_(False), options.tune)
    every = [reading for reading in readings(contact_map, width, model.config.strands) if len(reading.tiles.row)]
    schedule = Schedule.scaled([len(reading.tiles.row) for reading in every], 1, "cosine", LEARNING_RATE,
                               least_steps=options.least_steps)
    shares = _contact_shares(contact_map)
    every_difference = [one for own in (*of_vectors, of_decoder) for one in own]
    optimiser = Adam([one.units for one in every_difference], schedule.square_decay)
    noise = 1.0 if model.config.likelihood == "counts" else 2 * _mean_loss(network, every, contact_map, options.threads)
    random = np.random.default_rng(options.seed)
    last, step, best = min(stop or schedule.steps, schedule.steps), 0, (math.inf, 0, None)
    while step < last:
        for reading, chosen in _steps_of_pass(every, schedule.tiles_per_step, random):
            tuned = [*of_vectors[reading.chromosome], *of_decoder]
            loss, valid = _loss(network, reading, chosen, contact_map, options.threads)
            if not valid:
                continue
            of_all = loss * (len(reading.tiles.row) / len(chosen) / noise)
            belief_in_base = sum(one.penalty() for one in of_vectors[reading.chromosome])
            belief_in_base = belief_in_base + shares[reading.chromosome] * sum(one.penalty() for one in of_decoder)
            (of_all + strength * belief_in_base).backward()
            for one in tuned:
                one.take_gradient()
            optimiser.step(_rate(step, last))
            optimiser.clear_gradients()
            for one in tuned:
                one.write()
            step += 1
            if aside is not None and (step == last or step % max(1, schedule.steps // CHECKS) == 0):
                found = held_out_loss(replace(model, network=network.requires_grad_(False)), aside, width)
                if found < best[0]:
                    best = found, step, {name: values.clone() for name, values in network.state_dict().items()}
                for one in every_difference:
                    one.tensor.requires_grad_()
            if step == last:
                break
    network.requires_grad_(False)
    if aside is None:
        return network, step, math.nan
    network.load_state_dict(best[2])
    return network, best[1], best[0]


def _rate(step: int, steps: int) -> float:
    """Rises over the first tenth of the steps, then falls as a cosine."""
    warm = min(1.0, (step + 1) / max(1.0, WARM_UP * steps))
    return LEARNING_RATE * warm * (0.5 * (1 + math.cos(math.pi * step / steps)) + 0.002)


def _steps_of_pass(every: list[Reading], tiles_per_step: int, random: np.random.Generator):
    """The steps of one pass in random order: (reading, indices of its tiles)."""
    steps = []
    for reading in every:
        shuffled = random.permutation(len(reading.tiles.row))
        steps += [(reading, np.sort(part)) for part in
                  np.array_split(shuffled, max(1, round(len(shuffled) / tiles_per_step)))]
    return [steps[k] for k in random.permutation(len(steps))]


def _contact_shares(contact_map: ContactMap) -> np.ndarray:
    """Share of the contacts that each chromosome has."""
    counts = np.array([contact_map.of_chromosome(name).counts.sum(dtype=np.float64)
                       for name in contact_map.bins.chromosomes])
    return counts / counts.sum()


def _loss(network: HiCLSTM, reading: Reading, chosen: np.ndarray, contact_map: ContactMap, threads: int):
    """Loss summed over the measured pairs of some tiles, and their number."""
    if contact_map.first_share is None:
        return pairs_loss(network, reading, chosen, use_lstm=network.config.use_lstm, threads=threads)
    share = contact_map.first_share[contact_map.bins.span(contact_map.bins.chromosomes[reading.chromosome])]
    share = (share[::-1] if reading.backwards else share)[reading.bins]
    return _loss_of_fragments(network, reading, chosen, share, threads)


def _loss_of_fragments(network: HiCLSTM, reading: Reading, chosen: np.ndarray, share: np.ndarray, threads: int):
    """The same where not all pairs were measured alike: exposures times the measured share."""
    vectors = reading.vectors(network)
    tiles = reading.tiles.choose(chosen)
    row = tiles.row[:, None, None] + np.arange(kernels.LANES)
    column = row + tiles.distance[:, None, None] + np.arange(FRAME)[:, None]
    padded = np.concatenate([share, np.full(int(column.max()) + 1, np.nan)])
    measured = torch.from_numpy(np.nan_to_num(measured_share(padded[row], padded[column])).astype(np.float32))
    target, exposure = (torch.from_numpy(values) for values in kernels.fill_tiles(
        reading.pairs, tiles, reading.width, network.config.likelihood, threads))
    offset = path_of_tiles(network, vectors, tiles) if network.config.path_reach else None
    score = kernels.scores(network.project(vectors, whole_frames(reading.width)), tiles,
                           use_lstm=network.config.use_lstm, offset=offset, threads=threads)
    valid = (exposure * measured) > 0
    score, target, exposure, measured = (values[valid] for values in (score, target, exposure, measured))
    if network.config.likelihood == "counts":
        return (exposure * measured * torch.exp(score.clamp(max=30)) - target * score).sum(), int(valid.sum())
    # equation 1 of v / measured is equation 1 of v to the power of what was measured
    return (torch.sigmoid(score) - target ** measured).square().sum(), int(valid.sum())


def _mean_loss(network: HiCLSTM, every: list[Reading], contact_map: ContactMap, threads: int) -> float:
    """Loss of a pair of the map under the network as it is."""
    with torch.no_grad():
        found = [_loss(network, reading, np.arange(len(reading.tiles.row)), contact_map, threads) for reading in every]
    return max(float(sum(loss for loss, _ in found)) / max(1, sum(valid for _, valid in found)), 1e-9)
