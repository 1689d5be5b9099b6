"""Several processes that train one model, started by torchrun: each holds a share of the contacts, gradients are summed.

All processes hold the same weights and draw the same steps. Each computes the part of a step whose contacts it holds;
then the gradients are summed and every process moves its weights alike. How many there are changes sums by rounding only.
"""

import contextlib
import os
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from ..errors import InputError

LONGEST_WAIT = timedelta(hours=12)  # the others wait while the first chooses a prior or writes a file


@dataclass(frozen=True)
class Processes:
    """
    Attributes
    ----------
    rank : number of this process; only the first (0) writes files and says anything
    number : how many processes train together
    device : ``cpu`` or ``cuda``, where sums over all of them are made
    """

    rank: int = 0
    number: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, length: int) -> tuple[int, int]:
        """The part of ``length`` things in a row that this process takes: half-open."""
        return length * self.rank // self.number, length * (self.rank + 1) // self.number

    def total(self, *values: float) -> list[float]:
        """Each of some numbers, summed over all processes."""
        if self.number == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(sums)
        return sums.tolist()

    def sum_gradients(self, parameters) -> None:
        """Replace gradients by their sums over all processes; a parameter that has none in any of them keeps none."""
        if self.number == 1:
            return
        parameters = [parameter for parameter in parameters if parameter.requires_grad]
        sizes = [parameter.numel() for parameter in parameters]
        found = torch.tensor([parameter.grad is not None for parameter in parameters], dtype=torch.float32)
        parts = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]
        together = torch.cat([part.flatten() for part in parts] + [found.to(parts[0].device)])
        distributed.all_reduce(together)
        *sums, found = together.split([*sizes, len(sizes)])
        for parameter, part, held in zip(parameters, sums, found.tolist(), strict=True):
            parameter.grad = part.view_as(parameter) if held else None

    def of_first(self, make) -> float:
        """The number that ``make()`` gives in the first process; the others do not call it."""
        value = torch.tensor(float(make()) if self.first else 0.0, dtype=torch.float64, device=self.device)
        if self.number > 1:
            distributed.broadcast(value, 0)
        return float(value)


ALONE = Processes()


@contextlib.contextmanager
def started_by_torchrun(device: str):
    """The processes that torchrun started, joined for the length of a block; ``ALONE`` where it started none or one.

    Raises
    ------
    InputError : there are more processes than GPUs to give one to each
    """
    number = int(os.environ.get("WORLD_SIZE", "1"))
    if number == 1:
        yield ALONE
        return
    if device == "cuda":
        here, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if here >= there:
            raise InputError(f"torchrun started at least {here + 1} processes on this machine, where PyTorch sees {there} "
                             "GPUs; --nproc-per-node is the number of GPUs")
        torch.cuda.set_device(here)
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=LONGEST_WAIT)
    yield Processes(int(os.environ["RANK"]), number, device)
    distributed.destroy_process_group()  # after an error torchrun ends the others
