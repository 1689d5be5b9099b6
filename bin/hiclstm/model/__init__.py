"""The model: vectors of bins, the layer-norm LSTM decoder and its variants, in plain PyTorch."""

from .config import FRAME, ModelConfig, whole_frames
from .network import HiCLSTM, Projections, distance_basis

__all__ = ["FRAME", "HiCLSTM", "ModelConfig", "Projections", "distance_basis",
           "whole_frames"]
