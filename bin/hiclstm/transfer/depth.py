"""The scale on which a new map meets a base model."""

from dataclasses import replace

import numpy as np

from ..contacts import ContactMap
from ..errors import InputError
from ..training.thinning import row_blocks


def matching_factor(model, contact_map: ContactMap, width: int) -> float:
    """What balanced values of ``contact_map`` are multiplied by to be on the scale of ``model``, whose bins it has.

    The one factor under which the model expects as many contacts of the measured pairs as the map has (the Poisson
    likelihood's best): ``sum of exposure * rate / sum of counts``.
    """
    expected = observed = 0.0
    for chromosome in contact_map.bins.chromosomes:
        band = model.expected_band(chromosome, width)
        for rows, exposure, counts in row_blocks(contact_map, chromosome, band.shape[1]):
            measured = exposure > 0
            expected += float((exposure[measured] * band[rows][measured]).sum())
            observed += float(counts[measured].sum())
    if not observed or not expected:
        raise InputError(f"{contact_map.facts.get('sample', 'the map')}: has no contact between measured bins that the "
                         "base model knows")
    return expected / observed


def scaled(contact_map: ContactMap, factor: float) -> ContactMap:
    """The map with balanced values ``factor`` times as large; counts stay."""
    return replace(contact_map, weight=contact_map.weight * np.sqrt(factor))
