"""Training a model on one map."""

from .loop import Options, train
from .schedule import Schedule

__all__ = ["Options", "Schedule", "train"]
