"""How long to train, in what portions, and how fast to learn: scaled to the map at hand and printed."""

import itertools
import math
from dataclasses import asdict, dataclass

FRAMES_PER_STEP = 2000  # the paper's batch, for large maps
LEAST_FRAMES = 384  # with fewer in a step, gradients are too noisy
FIRST_STAGE_TIMES = 4  # so many times as many in a step of the first stage, which is quick and needs steadier gradients
STEPS_OF_A_PASS = {"step": 8, "cosine": 40}  # so many where a map is large enough; the paper's has few and large ones
# Of Adam. A bin is in few tiles of a step, and its gradients shrink as training goes on: steps scaled by the last twenty
# gradients instead of the last thousand reach the same loss in half as many. The paper's text leaves it at Adam's own.
SQUARE_DECAY = {"step": 0.999, "cosine": 0.95}
ROWS_PER_TILE = 16
LEAST_STEPS = 3000  # ten epochs of the paper's batch on one small chromosome are 90 steps and train nothing
WARM_UP_STEPS = 50
FIRST_STAGE = 0.4  # share of the steps that train path, pair term and distance, before the LSTM's stage
CORNER_STAGE = 0.1  # share of the steps, the last of those, in which corners are trained beside barriers held fast


@dataclass(frozen=True)
class Schedule:
    """Optimiser steps of one training.

    Attributes
    ----------
    epochs : checkpoints are written, and the paper's learning rate drops, by epochs
    passes : passes over the map in one epoch, raised above one until there are enough steps
    tiles_per_step : tiles (16 rows x 150 distances) in one optimiser step
    steps_per_pass : optimiser steps in one pass
    learning_rate : at the start
    shape : ``step`` falls to a tenth after half the epochs, as the paper has it; ``cosine`` falls smoothly to zero,
        once in each stage
    stages : 2 where the LSTM is trained after the rest, 3 where corners are trained between the two
    """

    epochs: int
    passes: int
    tiles_per_step: int
    steps_per_pass: int
    learning_rate: float
    shape: str
    stages: int = 1

    @classmethod
    def scaled(cls, tiles_per_chromosome: list[int], epochs: int, shape: str, learning_rate: float = 0.01,
               stages: int = 1, least_steps: int | None = None) -> "Schedule":
        """Fit the schedule to maps with so many tiles: steps of 384 frames, on large maps up to the paper's 2,000; at
        least ``least_steps`` in all (None: 3,000)."""
        tiles_per_step = math.ceil(sum(tiles_per_chromosome) / STEPS_OF_A_PASS[shape])
        tiles_per_step = max(LEAST_FRAMES // ROWS_PER_TILE, min(FRAMES_PER_STEP // ROWS_PER_TILE, tiles_per_step))
        steps = sum(max(1, round(tiles / tiles_per_step)) for tiles in tiles_per_chromosome if tiles)
        passes = max(1, math.ceil((least_steps or LEAST_STEPS) / (steps * epochs)))
        return cls(epochs, passes, tiles_per_step, steps, learning_rate, shape, stages)

    @property
    def square_decay(self) -> float:
        """Share of the mean square gradient that Adam keeps at each step."""
        return SQUARE_DECAY[self.shape]

    @property
    def steps_per_epoch(self) -> int:
        return self.passes * self.steps_per_pass

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    @property
    def second_stage(self) -> int:
        """The optimiser step the LSTM's stage begins with; ``steps`` where there is one stage."""
        return round(FIRST_STAGE * self.steps) if self.stages > 1 else self.steps

    @property
    def corner_stage(self) -> int:
        """The optimiser step the corners' stage begins with; ``second_stage`` where there is none."""
        return round((FIRST_STAGE - CORNER_STAGE) * self.steps) if self.stages == 3 else self.second_stage

    def times_larger(self, step: int) -> int:
        """How many times as many tiles as ``tiles_per_step`` optimiser step ``step`` (from 0) takes."""
        if self.stages == 1 or step >= self.second_stage:
            return 1
        return max(1, min(FIRST_STAGE_TIMES, FRAMES_PER_STEP // ROWS_PER_TILE // self.tiles_per_step))

    def rate(self, step: int) -> float:
        """Learning rate of optimiser step ``step`` (from 0)."""
        if self.shape == "step":
            return self.learning_rate * (1.0 if step < self.steps / 2 else 0.1)
        turns = (0, self.corner_stage, self.second_stage, self.steps)
        begins, ends = next((begins, ends) for begins, ends in itertools.pairwise(turns) if begins <= step < ends)
        warm = min(1.0, (step - begins + 1) / WARM_UP_STEPS)
        return self.learning_rate * warm * (0.5 * (1 + math.cos(math.pi * (step - begins) / (ends - begins))) + 0.002)

    def as_dict(self) -> dict:
        return asdict(self)

    def __str__(self):
        return (f"{self.epochs} epochs of {self.passes} passes, {self.steps_per_pass} steps a pass, "
                f"{self.steps:,} steps of {self.tiles_per_step * ROWS_PER_TILE:,} frames")
