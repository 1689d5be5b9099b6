"""In-silico perturbation: any structural variant or knockout, read from a trained model, with a null."""

from .edits import Variant
from .readings import Reader, Reading
from .segments import Rearranged, Segment

__all__ = ["Reader", "Reading", "Rearranged", "Segment", "Variant"]
