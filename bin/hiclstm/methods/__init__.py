"""The methods Hi-C-LSTM is compared with: other representations, other decoders, and the comparison."""

import numpy as np

from ..contacts import ContactMap
from ..errors import InputError

REPRESENTATIONS = {
    "hiclstm": "vectors of a trained Hi-C-LSTM",
    "sniper_intra": "latent layer of SNIPER's autoencoder over intrachromosomal rows",
    "sniper_inter": "latent layer of SNIPER's autoencoders over interchromosomal rows",
    "sci": "SCI's embedding of the contact graph, first- and second-order proximity",
    "pca": "principal components of the observed/expected map",
    "sbcid": "subcompartment, one-hot (an oracle)",
}


def representations(method: str, contact_map: ContactMap, size: int, seed: int, **files) -> np.ndarray:
    """Vectors of every bin by one of the compared methods.

    Parameters
    ----------
    method : one of :data:`REPRESENTATIONS`
    contact_map : what they are learned from
    size : length of a vector (``hiclstm`` and ``sbcid`` have their own)
    files : ``model`` (hiclstm: model file), ``contacts`` (sniper_inter: the map's `.cool`), ``subcompartments``
        (sbcid: BED)

    Returns
    -------
    float32 [N, size], zeros for missing bins; the same for the same seed

    Raises
    ------
    InputError : unknown method, a file it needs is not given, or one that does not fit the map
    """
    if method == "pca":
        from .components import principal_components

        return principal_components(contact_map, size, seed)
    if method == "sci":
        from .sci import graph_embedding

        return graph_embedding(contact_map, size, seed)
    if method == "sniper_intra":
        from .sniper import SniperIntra

        return SniperIntra.fit(contact_map, size, seed).vectors
    if method == "sniper_inter":
        from .sniper import sniper_inter

        return sniper_inter(contact_map, size, seed, _needed(files, "contacts", method))
    if method == "sbcid":
        from .components import subcompartments

        return subcompartments(contact_map, _needed(files, "subcompartments", method))
    if method == "hiclstm":
        from ..prediction import TrainedModel

        return vectors_for(TrainedModel.load(_needed(files, "model", method)), contact_map)
    raise InputError(f"representation {method!r} is unknown; there are {', '.join(REPRESENTATIONS)}")


def vectors_for(model, contact_map: ContactMap) -> np.ndarray:
    """Vectors of a trained model for the bins of a map of the same bins: float32 [N, size], zeros where missing."""
    same = (model.bins.resolution == contact_map.bins.resolution
            and model.bins.chromosomes == contact_map.bins.chromosomes and model.bins.sizes == contact_map.bins.sizes)
    if not same:
        raise InputError(f"the model has {len(model.bins):,} bins of {model.bins.resolution:,} bp on "
                         f"{', '.join(model.bins.chromosomes)}, the map {len(contact_map.bins):,} bins of "
                         f"{contact_map.bins.resolution:,} bp on {', '.join(contact_map.bins.chromosomes)}: they must "
                         "be the same")
    vectors = model.representations.astype(np.float32, copy=True)
    vectors[~(contact_map.usable & model.usable)] = 0
    return vectors


def _needed(files: dict, name: str, method: str):
    if not files.get(name):
        raise InputError(f"representation {method} needs the file {name!r}, which was not given")
    return files[name]
