"""Training a model on one map."""

from .loop import Options, train
from .schedule import Schedule
from .smoothness import choose_smoothness

__all__ = ["Options", "Schedule", "choose_smoothness", "train"]
