"""From a trained model to a new, small map: 5C, capture, pseudo-bulk or shallow Hi-C of another cell type."""

from .tuning import Options, Tuned, transfer

__all__ = ["Options", "Tuned", "transfer"]
