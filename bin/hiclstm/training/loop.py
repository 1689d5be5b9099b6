"""Training: tiles of the sparse map through the kernel, Adam, a checkpoint each epoch."""

import hashlib
import json
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ..contacts import ContactMap
from ..errors import InputError
from ..genome import Bins
from ..model import HiCLSTM, ModelConfig
from .adam import Adam
from .checkpoint import load_checkpoint, save_checkpoint
from .data import Reading, readings_of
from .decay import DistanceDecay, leave_half_to_path, start_from_distance_decay
from .objective import pairs_loss, priors
from .processes import ALONE, Processes
from .schedule import Schedule

CLIP = 10.0  # largest gradient norm
FIRST_RANK = 4  # components the pair term has in the first stage: enough for compartments, too few to draw every domain
LOGGED_PER_EPOCH = 20


@dataclass(frozen=True)
class Options:
    """How to train.

    Attributes
    ----------
    epochs, seed, threads, device, least_steps : see ``train_model.py --help``
    max_distance : bins from the diagonal that are trained on and predicted; None for all
    smoothness : strength of the prior that neighbouring bins have similar vectors (strand parts excepted), per contact
    first_smoothness : the same in the first stage of a model with a path: strong, so that what changes sharply from one
        bin to the next is left to the barriers
    sparseness : strength of the prior that few bins are barriers (models with a path), per contact
    checkpoints : folder they are written to each epoch, or None
    resume_from : folder whose newest checkpoint is continued, or None
    quiet : whether to keep schedule and progress from standard error
    """

    epochs: int = 10
    seed: int = 1
    max_distance: int | None = None
    smoothness: float = 0.3
    first_smoothness: float = 10.0
    sparseness: float = 0.005
    threads: int = 1
    device: str = "cpu"
    checkpoints: str | None = None
    resume_from: str | None = None
    least_steps: int | None = None
    quiet: bool = False


def _steps_of_pass(every: list[Reading], schedule: Schedule, random: np.random.Generator, first: int):
    """The steps of one pass in random order, of which the first is number ``first``: (reading, indices of its tiles).

    Every tile stands in one step; in the first of two stages in as many as its steps are larger.
    """
    steps = []
    for reading in (reading for reading in every if len(reading.tiles.row)):
        shuffled = random.permutation(len(reading.tiles.row))
        portions = max(1, round(len(shuffled) / schedule.tiles_per_step))
        edges = np.linspace(0, len(shuffled), portions + 1).round().astype(int)
        steps += [(reading, shuffled, begin, end) for begin, end in zip(edges[:-1], edges[1:], strict=True)]
    for number, k in enumerate(random.permutation(len(steps)), start=first):
        reading, shuffled, begin, end = steps[k]
        size = min((end - begin) * schedule.times_larger(number), len(shuffled))
        # inside a step the tiles stand in order of their rows, which keeps the kernel's reads close together
        yield reading, np.sort(np.take(shuffled, range(begin, begin + size), mode="wrap"))


def _read(contact_map: ContactMap, width: int, config: ModelConfig, processes: Processes):
    """One pass over the chromosomes: their readings, the map's decay with distance, and a digest of its contacts."""
    every, decay, digest = [], DistanceDecay(width), hashlib.sha256()
    for at, name in enumerate(contact_map.bins.chromosomes):
        one = contact_map.of_chromosome(name)
        every += readings_of(one, at, width, config.strands, processes)
        decay.add(one)
        for array in (one.starts, one.columns, one.counts, one.weight):
            digest.update(np.ascontiguousarray(array))
    return every, decay, digest.hexdigest()


def _fingerprint(contacts: str, bins: Bins, config: ModelConfig, schedule: Schedule, options: Options) -> str:
    said = json.dumps([contacts, config.as_dict(), schedule.as_dict(), options.seed, options.max_distance,
                       options.smoothness, options.first_smoothness, options.sparseness,
                       bins.chromosomes, bins.sizes, bins.resolution])
    return hashlib.sha256(said.encode()).hexdigest()


def train(contact_map: ContactMap, config: ModelConfig, options: Options,
          processes: Processes = ALONE) -> tuple[HiCLSTM, Schedule, pd.DataFrame]:
    """Train a model on one map.

    Where several ``processes`` train together each of them calls this, with equal arguments, and is given the model.

    Returns
    -------
    the model, the schedule it was trained by, and the log: ``epoch step loss pairs_per_second seconds``

    Raises
    ------
    InputError : a GPU was asked for where there is none
    """
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: PyTorch sees no GPU here (driver missing, or the container runs without "
                         "--nv / --gpus all); use --device cpu or give the task a GPU")
    torch.set_num_threads(1)  # the kernels have threads of their own; PyTorch's mostly wait for each other
    if not processes.first:
        options = replace(options, quiet=True, checkpoints=None)
    width = contact_map.width(options.max_distance)
    every, decay, contacts = _read(contact_map, width, config, processes)
    schedule = Schedule.scaled([len(reading.tiles.row) for reading in every], options.epochs,
                               "step" if config.name == "paper" else "cosine",
                               stages=1 + (config.path_reach > 0) + config.corners,
                               least_steps=options.least_steps)
    if not options.quiet:
        print(f"schedule: {schedule}", file=sys.stderr)

    model = HiCLSTM(config, contact_map.bins, options.seed)
    if config.distance_term and config.likelihood == "counts":
        start_from_distance_decay(model, decay)
        if config.path_reach:
            leave_half_to_path(model)
    model.to(options.device)
    level = decay.level if config.likelihood == "counts" else 1.0
    trainer = Trainer(model, contact_map.bins, schedule, options, level, processes)
    fingerprint = _fingerprint(contacts, contact_map.bins, config, schedule, options)
    log, first_epoch, seconds_before = [], 0, 0.0
    state = load_checkpoint(options.resume_from, fingerprint) if options.resume_from else None
    if state:
        trainer.begin_stage_of(state["epoch"] * schedule.steps_per_epoch - 1)
        model.load_state_dict(state["model"])
        trainer.optimiser.restore(state["optimiser"])
        log, first_epoch, seconds_before = state["log"], state["epoch"], state["seconds"]
        if processes.first:
            print(f"continuing after epoch {first_epoch} of {schedule.epochs}", file=sys.stderr)

    began = time.perf_counter()
    progress = tqdm(total=schedule.steps, initial=first_epoch * schedule.steps_per_epoch, unit="step",
                    mininterval=1 if sys.stderr.isatty() else 20, file=sys.stderr, desc="training",
                    disable=options.quiet)
    for epoch in range(first_epoch, schedule.epochs):
        random = np.random.default_rng([options.seed, epoch])
        step = epoch * schedule.steps_per_epoch
        logged_every = max(1, schedule.steps_per_epoch // LOGGED_PER_EPOCH)
        sum_loss, sum_pairs, since = 0.0, 0, time.perf_counter()
        for _ in range(schedule.passes):
            for reading, chosen in _steps_of_pass(every, schedule, random, step):
                loss, valid = trainer.step(step, reading, chosen)
                sum_loss, sum_pairs, step = sum_loss + loss, sum_pairs + valid, step + 1
                progress.update()
                if step % logged_every == 0 and sum_pairs:
                    now = time.perf_counter()
                    speed = sum_pairs / (now - since)
                    log.append([epoch + 1, step, sum_loss / sum_pairs, speed, seconds_before + now - began])
                    progress.set_postfix_str(f"loss {sum_loss / sum_pairs:.4g}, {speed / 1e6:.1f} M pairs/s", refresh=False)
                    sum_loss, sum_pairs, since = 0.0, 0, now
        if options.checkpoints:
            save_checkpoint(options.checkpoints, {
                "fingerprint": fingerprint, "epoch": epoch + 1, "model": model.state_dict(),
                "optimiser": trainer.optimiser.state(), "log": log,
                "seconds": seconds_before + time.perf_counter() - began})
    progress.close()
    columns = ["epoch", "step", "loss", "pairs_per_second", "seconds"]
    return model.cpu(), schedule, pd.DataFrame(log, columns=columns)


class Trainer:
    """One optimiser step after the other.

    A model with a path is trained in stages: path, a narrow pair term and distance first; then, with barriers held fast,
    corners; then strand parts, path and distance curve are held fast and everything else, the LSTM with it, starts anew
    beside them. Trained together, the LSTM takes a barrier's effect into the vectors of its flanks, and what a pair term
    learned first it cannot unlearn; corners trained together with barriers do part of the barriers' work.

    Parameters
    ----------
    level : mean balanced contacts of a pair: the loss is counted per contact, so that priors mean the same at any depth
    processes : those that take each step together
    """

    def __init__(self, model: HiCLSTM, bins: Bins, schedule: Schedule, options: Options, level: float,
                 processes: Processes = ALONE):
        self.model, self.bins, self.schedule, self.options, self.level = model, bins, schedule, options, level
        self.processes = processes
        self.later = torch.arange(model.config.free_size, device=model.output_bias.device) >= FIRST_RANK
        self.narrow = model.config.path_reach > 0 and model.config.pair_term
        if self.narrow:
            self._narrow(model.pair_matrix.data, model.pair_row.data)
        self.optimiser = Adam(model.parameters(), schedule.square_decay)

    def _narrow(self, matrix: torch.Tensor, row: torch.Tensor) -> None:
        """Take the components that the first stage goes without out of the pair term (or out of its gradient)."""
        matrix[self.later] = 0
        matrix[:, self.later] = 0
        row[self.later] = 0

    def _hold(self, held: list[torch.nn.Parameter]) -> None:
        """Train all parameters but these from here on, with a new optimiser."""
        kept = {id(parameter) for parameter in held}
        for parameter in self.model.parameters():
            parameter.requires_grad_(id(parameter) not in kept)
        self.optimiser = Adam((parameter for parameter in self.model.parameters() if parameter.requires_grad),
                              self.schedule.square_decay)

    def begin_stage_of(self, step: int) -> None:
        """Prepare the stage that optimiser step ``step`` belongs to, before parameters of that stage are restored."""
        if self.schedule.corner_stage <= step < self.schedule.second_stage:
            self.begin_corner_stage()
        elif self.schedule.second_stage <= step:
            self.begin_second_stage()

    def begin_corner_stage(self) -> None:
        """Hold the barriers; let corners begin, alike everywhere, and the path's curve make room for them."""
        path = self.model.path
        with torch.no_grad():
            path.corner_level.zero_()  # not lower: products of two small numbers have no gradient
            path.curve.sub_(torch.log1p(torch.nn.functional.softplus(path.corner_level).square()))
            for strands in self.model.strands:
                strands.unflatten(1, (2, -1))[..., -1] = 0
        self._hold([path.reading, path.level, path.anchor])

    def begin_second_stage(self) -> None:
        """Hold what the path is made of; start everything else anew."""
        model = self.model
        self._hold([*model.strands, *model.path.parameters(), model.distance_bias])
        anew = HiCLSTM(model.config, self.bins, self.options.seed + 1)
        with torch.no_grad():
            for own, fresh in zip(model.parameters(), anew.parameters(), strict=True):
                if own.requires_grad:
                    own.copy_(fresh)

    def step(self, step: int, reading: Reading, chosen: np.ndarray) -> tuple[float, int]:
        """Take optimiser step number ``step`` on some tiles of a reading: their summed loss, and number of pairs."""
        model, options = self.model, self.options
        has_path = model.config.path_reach > 0
        residual = has_path and step >= self.schedule.second_stage
        corners = self.schedule.corner_stage <= step < self.schedule.second_stage
        if step in (self.schedule.corner_stage, self.schedule.second_stage):
            self.begin_stage_of(step)
        use_lstm = model.config.use_lstm and (residual or not has_path)
        loss, valid = pairs_loss(model, reading, reading.own(chosen), use_lstm=use_lstm, threads=options.threads,
                                 path_held=residual)
        total, valid = self.processes.total(float(loss.detach()), valid)
        if not valid:
            return 0.0, 0
        objective = loss / (valid * self.level)
        if self.processes.first:  # gradients are summed: priors count once
            smoothness = options.first_smoothness if has_path and not residual else options.smoothness
            sparseness = 0.0 if residual else options.sparseness
            objective = objective + priors(model, reading.chromosome, smoothness, sparseness)
        self.optimiser.clear_gradients()
        objective.backward()
        self.processes.sum_gradients(model.parameters_of(reading.chromosome))
        if self.narrow and not residual:
            self._narrow(model.pair_matrix.grad, model.pair_row.grad)
        if corners and model.strands[reading.chromosome].grad is not None:
            model.strands[reading.chromosome].grad.unflatten(1, (2, -1))[..., :-1] = 0  # what barriers are read off
        torch.nn.utils.clip_grad_norm_(self.optimiser.parameters, CLIP)
        self.optimiser.step(self.schedule.rate(step))
        return total, int(valid)
