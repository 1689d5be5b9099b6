"""What a model is made of, in one record that travels with its weights."""

from dataclasses import asdict, dataclass, fields

from ..errors import InputError

REACH = 3_000_000  # base pairs over which loop extrusion is followed; loops of mammals end below this
LEAST_REACH = 40  # bins: where the reach is shorter, the map is too coarse to hold barriers and the path is left out
CORNERS_FROM = 25_000  # base pairs: on coarser bins the dot at a loop's corner is lost in its bin
STRAND_SIZE = 3  # components of each strand part where there are barriers
FRAME = 150  # bins the LSTM walks before its states start afresh (the paper's 1.5 Mb at 10 kb)


def reach_in_bins(resolution: int) -> int:
    """Distances the path term covers at a resolution, in bins; 0 where the map is too coarse for it."""
    reach = REACH // resolution
    return reach if reach >= LEAST_REACH else 0


def whole_frames(width: int) -> int:
    """``width`` raised to whole frames: how many distances projections are made for."""
    return -(-width // FRAME) * FRAME


@dataclass(frozen=True)
class ModelConfig:
    """Structure of the network.

    Attributes
    ----------
    name : ``paper`` or ``default``: what results are labelled with
    representation_size : length of the vector of a bin (16 in the paper)
    hidden_size : hidden units of the LSTM: 8, 16 or 32 (the fast kernels know these)
    likelihood : ``probability`` trains on equation 1's contact probability by mean squared error, as the paper
        does; ``counts`` on raw counts by a Poisson likelihood with the balancing weights as offsets
    distance_term : whether distance enters the gates and the output, as learned curves
    pair_term : whether a bilinear form of the two vectors enters the output
    strands : whether a vector ends in a forward and a reverse part, which change places when a segment is read from the
        other strand; the map is then trained on and predicted from both strands and is symmetric by construction
    path_reach : distances, in bins, over which the barriers between two bins enter the output (see ``path.py``);
        0 for none; needs ``strands`` and ``distance_term``
    use_lstm : whether the LSTM's output is part of the score
    strand_size : components of the forward part of a vector, and of the reverse part; 0 without a path
    corners : whether the last component of each strand part is a corner strength (see ``path.py``); needs a path
    """

    name: str
    representation_size: int = 16
    hidden_size: int = 8
    likelihood: str = "counts"
    distance_term: bool = True
    pair_term: bool = True
    strands: bool = False
    path_reach: int = 0
    use_lstm: bool = True
    strand_size: int = STRAND_SIZE
    corners: bool = False

    def __post_init__(self):
        if self.likelihood not in ("probability", "counts"):
            raise ValueError(f"likelihood {self.likelihood!r} is neither 'probability' nor 'counts'")
        if self.free_size < 1:
            raise InputError(f"--representation-size {self.representation_size}: at least {2 * self.strand_size + 1} is "
                             f"needed, because {2 * self.strand_size} components belong to the two strands")
        if self.path_reach and not (self.strands and self.strand_size and self.distance_term):
            raise ValueError("a path term needs vectors with strand parts and a distance term")
        if self.corners and not (self.path_reach and self.strand_size > 1):
            raise ValueError("corner strengths need a path term and two or more components of a strand part")

    @classmethod
    def named(cls, name: str, representation_size: int = 16, resolution: int | None = None) -> "ModelConfig":
        """The configuration behind ``--model``: ``paper`` as the paper's text has it, or ``default``.

        ``resolution`` in base pairs decides over how many bins the default follows barriers, and whether it has corners.
        """
        if name == "paper":
            return cls("paper", representation_size, likelihood="probability", distance_term=False, pair_term=False)
        if name == "default":
            reach = reach_in_bins(resolution) if resolution else 0
            return cls("default", representation_size, hidden_size=16, strands=True, path_reach=reach,
                       strand_size=STRAND_SIZE if reach else 0,  # without a path all of a vector is free
                       corners=reach > 0 and resolution <= CORNERS_FROM)
        raise InputError(f"--model {name}: there are 'default' and 'paper'")

    @property
    def free_size(self) -> int:
        """Components of a vector that do not change with the strand: all but its two strand parts."""
        return self.representation_size - 2 * self.strand_size * self.strands

    def as_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "ModelConfig":
        known = {field.name for field in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise InputError(f"the model's configuration has fields this version does not know: {sorted(unknown)}")
        return cls(**values)
