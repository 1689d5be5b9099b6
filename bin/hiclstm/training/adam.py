"""Adam (Kingma and Ba 2015, algorithm 1) without weight decay.

PyTorch's own optimisers load its compiler when they are made, which takes a second: as long as a small map's training.
"""

import math

import torch

MEAN_DECAY = 0.9
EPSILON = 1e-8


class Adam:
    """Moves parameters against their gradients, in steps that each parameter's past gradients scale.

    A parameter without a gradient stays as it is and its moments with it; each counts its own steps.

    Parameters
    ----------
    square_decay : share of the mean square gradient that is kept at each step
    """

    def __init__(self, parameters, square_decay: float):
        self.parameters, self.square_decay = list(parameters), square_decay
        self.steps = [0] * len(self.parameters)
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]

    def clear_gradients(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One step for every parameter that has a gradient."""
        for k, (parameter, mean, square) in enumerate(zip(self.parameters, self.means, self.squares, strict=True)):
            gradient = parameter.grad
            if gradient is None:
                continue
            self.steps[k] += 1
            mean.lerp_(gradient, 1 - MEAN_DECAY)
            square.mul_(self.square_decay).addcmul_(gradient, gradient, value=1 - self.square_decay)
            rate = learning_rate / (1 - MEAN_DECAY ** self.steps[k])
            unbiased_root = square.sqrt().div_(math.sqrt(1 - self.square_decay ** self.steps[k])).add_(EPSILON)
            parameter.addcdiv_(mean, unbiased_root, value=-rate)

    def state(self) -> dict:
        """What a checkpoint keeps; parameters are known by their order."""
        return {"steps": list(self.steps), "means": self.means, "squares": self.squares}

    @torch.no_grad()
    def restore(self, state: dict) -> None:
        """Go on from :meth:`state` of an optimiser of equal parameters."""
        self.steps = list(state["steps"])
        for own, saved in zip(self.means + self.squares, state["means"] + state["squares"], strict=True):
            own.copy_(saved)
