"""Contact maps from a stated one-dimensional truth, for the wild type and for rearranged chromosomes."""

from .cases import KINDS_OF_CASE, Case, random_cases, sites_and_controls
from .chromosome import Chromosome, rearranged, simulate_chromosome
from .rendering import KINDS, expected_contacts, sequence
from .truth import read_truth

__all__ = ["KINDS", "KINDS_OF_CASE", "Case", "Chromosome", "expected_contacts", "random_cases", "read_truth",
           "rearranged", "sequence", "simulate_chromosome", "sites_and_controls"]
