"""Pictures of one training: how the loss fell, and what the bins' vectors look like beside the map's compartments."""

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from .figures import DIFFERENCE_COLOURS, PALETTE, save_figure, style

MOST_BINS = 700  # side of the square a chromosome's eigenvector is computed on; finer maps are pooled to it
MOST_POINTS = 5000  # bins drawn in a scatter


def training_figures(contact_map: ContactMap, representations, training: pd.DataFrame, output, *, sample: str,
                     command: str, loss_name: str = "loss") -> None:
    """Save the loss curve (order 210) and the picture of the vectors (order 220) of one training.

    Parameters
    ----------
    contact_map : the map that was trained on
    representations : float [N, size], a vector a bin, in the map's numbering
    training : the log, columns ``epoch step loss pairs_per_second seconds`` (seconds since the start)
    output : folder; the files are ``<sample>.loss.*`` and ``<sample>.vectors.*``
    command : the command line that trained
    loss_name : what the loss is, in words, for the axis
    """
    loss_figure(training, output, sample=sample, command=command, loss_name=loss_name)
    representation_figure(contact_map, representations, output, sample=sample, command=command)


def loss_figure(training: pd.DataFrame, output, *, sample: str, command: str, loss_name: str = "loss") -> None:
    """Save the loss over the steps, epochs marked, as ``<sample>.loss.*``."""
    from matplotlib import pyplot

    style()
    steps, loss = training["step"].to_numpy(), training["loss"].to_numpy(float)
    figure, axes = pyplot.subplots(figsize=(7.0, 3.0))
    axes.plot(steps, loss, color=PALETTE["blue"], marker="o" if len(steps) < 40 else None, markersize=3)
    if np.all(loss > 0) and loss.max() > 20 * loss.min():
        axes.set_yscale("log")
    ends = training.groupby("epoch")["step"].max().to_numpy()[:-1]
    if len(ends) <= 60:
        for end in ends:
            axes.axvline(end, color="#E4E4E4", linewidth=0.8, zorder=0)
    axes.set_xlabel("optimiser step" + (" (grey lines: ends of epochs)" if 0 < len(ends) <= 60 else ""))
    axes.set_ylabel(loss_name)
    last = training.iloc[-1]
    said = (f"{int(last['step']):,} steps in {training['epoch'].nunique()} epochs and {_duration(last['seconds'])}; "
            f"the loss went from {loss[0]:.4g} to {loss[-1]:.4g}")
    save_figure(figure, f"{output}/{sample}.loss", title="Training loss", stage="train", sample=sample, order=210,
                command=command, table=training, alt=f"Line of the training loss: {said}.",
                caption=f"{said}, at a median of {training['pairs_per_second'].median() / 1e6:.2g} million pairs a "
                        "second. A curve that still falls steeply at its right end asks for more steps.")


def representation_figure(contact_map: ContactMap, representations, output, *, sample: str, command: str) -> None:
    """Save the vectors' first two principal components as ``<sample>.vectors.*``.

    One point a usable bin: on the left coloured by the first eigenvector of observed/expected of its chromosome, which
    follows A and B compartments, on the right by its position along the chromosome.
    """
    from matplotlib import pyplot

    style()
    bins, usable = contact_map.bins, contact_map.usable
    points, share = principal_components(np.asarray(representations, np.float64), usable)
    eigenvector = np.concatenate([first_eigenvector(contact_map, name) for name in bins.chromosomes])
    table = bins.table.assign(pc1=points[:, 0], pc2=points[:, 1], eigenvector=eigenvector)[usable]
    agreement = [_agreement(table, name) for name in ("pc1", "pc2")]
    shown = table.iloc[::max(1, -(-len(table) // MOST_POINTS))]

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(7.4, 3.6), sharex=True, sharey=True)
    size = 12 if len(shown) < 800 else 5
    unknown = shown["eigenvector"].isna()
    left.scatter(shown["pc1"][unknown], shown["pc2"][unknown], s=size, color="#D0D0D0", linewidths=0)
    limit = np.nanpercentile(np.abs(eigenvector[usable]), 95) if not table["eigenvector"].isna().all() else 1.0
    drawn = left.scatter(shown["pc1"][~unknown], shown["pc2"][~unknown], c=shown["eigenvector"][~unknown], s=size,
                         cmap=DIFFERENCE_COLOURS, vmin=-limit, vmax=limit, linewidths=0.25, edgecolors="#888888")
    figure.colorbar(drawn, ax=left, label="compartment eigenvector", shrink=0.9)
    drawn = right.scatter(shown["pc1"], shown["pc2"], c=shown["start"] / 1e6, s=size, cmap="viridis", linewidths=0)
    figure.colorbar(drawn, ax=right, label="position on the chromosome (Mb)", shrink=0.9)
    for axes in (left, right):
        axes.set_xlabel(f"component 1 ({share[0]:.0%} of variance)")
    left.set_ylabel(f"component 2 ({share[1]:.0%})")

    where = bins.chromosomes[0] if len(bins.chromosomes) == 1 else f"{len(bins.chromosomes)} chromosomes"
    save_figure(
        figure, f"{output}/{sample}.vectors", title="The bins' vectors", stage="train", sample=sample, order=220,
        command=command, table=shown,
        caption=f"The {len(table):,} usable bins of {where}, placed by the first two principal components of their "
                "vectors. Left: colour is the first eigenvector of observed/expected, which separates the two "
                "compartments; its sign follows raw coverage, as no gene density is given, so red need not be A. Its "
                f"correlation with component 1 is {agreement[0]:.2f} and with component 2 {agreement[1]:.2f} (absolute "
                "r, mean over chromosomes). Right: colour is the position along the chromosome.",
        alt=f"Two scatter plots of {len(shown):,} bins in the plane of the vectors' first two principal components, "
            "coloured by compartment eigenvector and by position; the eigenvector's absolute correlation with the "
            f"components is {agreement[0]:.2f} and {agreement[1]:.2f}.")


def principal_components(vectors: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates [N, 2] on the usable rows' first two principal components (others NaN), and the two variance shares.

    Each component's sign is set so that its largest loading is positive.
    """
    kept = vectors[usable]
    centred = kept - kept.mean(axis=0)
    _, scale, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    points = np.full((len(vectors), 2), np.nan)
    points[usable] = centred @ axes.T
    return points, scale[:2] ** 2 / (scale**2).sum()


def first_eigenvector(contact_map: ContactMap, chromosome: str) -> np.ndarray:
    """First eigenvector of observed/expected - 1 of one chromosome: float64 [n], standard deviation 1, NaN if missing.

    The map is pooled to at most ``MOST_BINS`` bins. The eigenvector is that of the largest absolute eigenvalue; its
    sign is set so that it rises with raw coverage (1 / weight), which open chromatin tends to have more of, and is
    arbitrary where the map came already balanced.
    """
    one = contact_map.of_chromosome(chromosome)
    weight, n = one.weight, len(one.weight)
    pool = -(-n // MOST_BINS)
    m = -(-n // pool)
    rows = np.repeat(np.arange(n, dtype=np.int32), np.diff(one.starts))
    balanced = np.nan_to_num(one.counts * weight[rows] * weight[one.columns])
    observed = np.bincount(rows // pool * m + one.columns // pool, balanced, minlength=m * m).reshape(m, m)
    observed = observed + np.triu(observed, 1).T
    found = np.bincount(np.arange(n) // pool, np.isfinite(weight), minlength=m)
    pairs = np.outer(found, found)
    keep = found >= np.bincount(np.arange(n) // pool) / 2
    ratio = np.zeros((m, m))
    for distance in range(2, m):  # the nearest pairs carry distance decay and pooling's edges, not compartments
        i = np.arange(m - distance)
        j = i + distance
        both = keep[i] & keep[j]
        total = observed[i, j][both].sum()
        if total > 0:
            mean = total / pairs[i, j][both].sum()
            ratio[i, j] = np.where(both, observed[i, j] / np.maximum(pairs[i, j], 1) / mean - 1, 0.0)
    ratio += ratio.T
    result = np.full(n, np.nan)
    if keep.sum() < 10:
        return result
    kept = ratio[np.ix_(keep, keep)]
    kept = np.clip(kept, -1, np.percentile(kept, 99.9))
    values, vectors = np.linalg.eigh(kept)
    pooled = np.full(m, np.nan)
    pooled[keep] = vectors[:, np.abs(values).argmax()]
    pooled /= np.nanstd(pooled) or 1.0
    fine = np.where(np.isfinite(weight), pooled[np.arange(n) // pool], np.nan)
    both = np.isfinite(fine)
    coverage = 1 / weight[both]
    if coverage.std() > 1e-9 * coverage.mean() and np.corrcoef(fine[both], coverage)[0, 1] < 0:
        fine = -fine
    return fine


def _agreement(table: pd.DataFrame, component: str) -> float:
    """Absolute correlation of a component with the eigenvector, mean over chromosomes."""
    found = [abs(own[component].corr(own["eigenvector"])) for _, own in table.groupby("chrom", sort=False)
             if own["eigenvector"].notna().sum() > 2]
    return float(np.mean(found)) if found else np.nan


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
