"""Figures in one house style, saved so that the report can collect them, and the maps' triangle pictures.

A stage calls :func:`style` once, draws with matplotlib, and hands each figure to :func:`save_figure`. Figures of
contact maps use :func:`draw_triangle`, those along a chromosome :func:`genome_axis`.
"""

import io
import json
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.image import AxesImage
from matplotlib.patches import Polygon
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..files import whole
from .svg import compact

# Okabe and Ito (2008): eight colours that colour-blind readers tell apart.
PALETTE = {"black": "#000000", "orange": "#E69F00", "sky": "#56B4E9", "green": "#009E73", "yellow": "#F0E442",
           "blue": "#0072B2", "vermilion": "#D55E00", "purple": "#CC79A7", "grey": "#7F7F7F"}

# One colour a method, in every figure. Yardsticks are quiet, models are strong.
METHOD_COLOURS = {"default": PALETTE["vermilion"], "paper": PALETTE["blue"], "refined": "#5C1A00",
                  "distance_mean": "#B0B0B0",
                  "svd16": PALETTE["sky"], "blur": PALETTE["green"], "replicate": PALETTE["purple"],
                  "ceiling": PALETTE["black"]}
METHOD_NAMES = {"default": "Hi-C-LSTM, default", "paper": "Hi-C-LSTM, as in the paper",
                "refined": "Hi-C-LSTM, refined",
                "distance_mean": "distance mean", "svd16": "rank-16 SVD", "blur": "Gaussian blur",
                "blur_best": "best blur for each distance",
                "replicate": "training map itself", "ceiling": "replicate ceiling"}
CELL_TYPE_COLOURS = {"GM12878": PALETTE["blue"], "H1-hESC": PALETTE["orange"], "HFF-hTERT": PALETTE["green"],
                     "WTC11": PALETTE["purple"]}
MAP_COLOURS = "YlOrRd"
DIFFERENCE_COLOURS = "RdBu_r"
MISSING_COLOUR = "#DCDCDC"

LARGEST_SVG = 100_000  # bytes; a sample's page holds about forty figures
MAP_LEVELS = 65  # colours of a map: no eye tells twice as many apart, and noise packs a third smaller. Odd: zero is one
RASTER_DPI = (150, 120, 100, 80, 65, 50)  # tried in turn until the file is small enough


def style() -> None:
    """Set matplotlib's defaults to the house style, for this process. Call it once before drawing."""
    mpl.rcParams.update({
        "figure.figsize": (7.0, 3.4), "figure.constrained_layout.use": True, "figure.facecolor": "white",
        "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 10,
        "axes.titlesize": 10, "axes.titlelocation": "left", "axes.labelsize": 10, "axes.linewidth": 0.8,
        "axes.spines.top": False, "axes.spines.right": False, "axes.prop_cycle": mpl.cycler(color=[
            PALETTE[name] for name in ("blue", "vermilion", "green", "orange", "purple", "sky", "black")]),
        "xtick.labelsize": 9, "ytick.labelsize": 9, "legend.fontsize": 9, "legend.frameon": False,
        "lines.linewidth": 1.6, "lines.markersize": 4, "image.cmap": MAP_COLOURS, "image.interpolation": "nearest",
    })


def colour_of(name: str, position: int = 0) -> str:
    """The fixed colour of a method or cell type; for any other name the ``position``-th of the categories' colours."""
    spare = ["sky", "vermilion", "grey", "black", "yellow", "green", "orange", "purple", "blue"]
    return METHOD_COLOURS.get(name) or CELL_TYPE_COLOURS.get(name) or PALETTE[spare[position % len(spare)]]


def save_figure(figure, path_without_suffix, *, title: str, caption: str, alt: str, stage: str, sample: str,
                order: int, command: str, table: pd.DataFrame | str | None = None) -> None:
    """Write a figure as ``<path>.svg``, the words to it as ``<path>.figure.json``, its numbers as ``<path>.tsv``.

    The same figure gives the same bytes. Meshes and large scatters are embedded as pictures, at the finest resolution
    that keeps the file below ``LARGEST_SVG``; all else stays lines and letters' outlines. The figure is closed.

    Parameters
    ----------
    figure : matplotlib Figure
    path_without_suffix : folder and name, for example ``out/GM12878_1.50000.qc.decay``
    title : a few words, for example "Contacts against distance"
    caption : one or two sentences that say what the figure shows and how to read it
    alt : what a reader who cannot see it needs to know, one sentence
    stage : one of :data:`hiclstm.metrics.STAGES`
    sample : the ``<id>`` it belongs to, or "" for a figure across samples
    order : place in the report, after the paper: 100s preparation, 200s training, 300s reconstruction (Fig. 3),
        400s elements (Fig. 4), 500s across cell types, 600s attribution, 700s perturbation, 800s transfer
    command : the command line that made it
    table : the numbers behind it, offered for download, or the name of the result that holds them (optional)
    """
    from matplotlib import pyplot

    path = Path(path_without_suffix)
    beside = {suffix: path.with_name(path.name + suffix) for suffix in (".svg", ".tsv", ".figure.json")}
    _rasterise(figure)
    _take_names_literally(figure)
    picture = b""
    with mpl.rc_context({"svg.hashsalt": "hiclstm", "svg.fonttype": "path", "svg.image_inline": True}):
        largest = RASTER_DPI[0]
        for dpi in RASTER_DPI:
            if dpi > largest:
                continue  # too large, by what the picture before it tells
            held = io.BytesIO()
            figure.savefig(held, format="svg", dpi=dpi, facecolor="white", metadata={"Date": None, "Creator": None})
            figure.set_layout_engine("none")  # laid out once: this takes longer than drawing, and stays the same
            picture = compact(held.getvalue())
            if len(picture) <= LARGEST_SVG:
                break
            embedded = sum(map(len, re.findall(rb"base64,[^\"]*", picture)))
            room = max(0, LARGEST_SVG - len(picture) + embedded)
            largest = max(RASTER_DPI[-1], dpi * (room / max(embedded, 1)) ** 0.5)
    pyplot.close(figure)
    with whole(beside[".svg"]) as target:
        target.write_bytes(picture)
    if isinstance(table, pd.DataFrame):
        with whole(beside[".tsv"]) as target:
            table.to_csv(target, sep="\t", index=False, float_format="%.6g")
    words = {"title": title, "caption": caption, "alt": alt, "stage": stage, "sample": sample, "order": int(order),
             "command": command, "svg": beside[".svg"].name,
             "tsv": beside[".tsv"].name if isinstance(table, pd.DataFrame) else table}
    # The words come last: whoever finds them finds the picture and the numbers too.
    with whole(beside[".figure.json"]) as target:
        target.write_text(json.dumps(words, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _rasterise(figure) -> None:
    """Have meshes and scatters of hundreds of points drawn as pictures; lines, axes and text stay vectors."""
    for artist in figure.findobj(QuadMesh):
        artist.set_rasterized(True)
    for artist in [*figure.findobj(QuadMesh), *figure.findobj(AxesImage)]:
        if artist.get_cmap().N > MAP_LEVELS:
            artist.set_cmap(artist.get_cmap().resampled(MAP_LEVELS))
    for artist in figure.findobj(PathCollection):
        if len(artist.get_offsets()) > 300:
            artist.set_rasterized(True)
    for artist in figure.findobj(PolyCollection):
        if len(artist.get_paths()) > 1500:  # hexbin
            artist.set_rasterized(True)


def _take_names_literally(figure) -> None:
    """Have a dollar in a name drawn as a dollar, not as the start of a formula: only numbers of log axes are formulas."""
    numbers = [label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) if axis.get_scale() == "log"
               for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()) for label in (tick.label1, tick.label2)]
    for text in set(figure.findobj(Text)) - set(numbers):
        text.set_parse_math(False)


def genome_axis(axes, chromosome: str = "", which: str = "x") -> None:
    """Label an axis that holds base pairs: ticks in Mb or kb, as the span asks, and the chromosome's name."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axes.get_xlim() if which == "x" else axes.get_ylim())
    unit, scale = ("Mb", 1e6) if high - low >= 1.5e6 else ("kb", 1e3)
    axis.set_major_locator(_WholeUnits(scale))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / scale:,.6g}"))
    axis.set_label_text(f"{chromosome} ({unit})" if chromosome else unit)


class _WholeUnits(MaxNLocator):
    """Ticks at round numbers of a unit (Mb, kb) rather than of base pairs."""

    def __init__(self, scale: float):
        super().__init__(nbins=7, steps=[1, 2, 2.5, 5, 10])
        self.scale = scale

    def tick_values(self, low, high):
        return np.asarray(super().tick_values(low / self.scale, high / self.scale)) * self.scale


def draw_triangle(axes, band, start: int, resolution: int, *, mirrored=None, chromosome: str = "", colours=None,
                  norm=None, max_distance: int | None = None, labels: tuple[str, str] | None = None):
    """Draw a contact map turned by 45°: position along the chromosome across, distance upward.

    Parameters
    ----------
    axes : matplotlib Axes
    band : float [n, width], the pairs of n consecutive bins by distance: ``band[i, d]`` is pair (i, i + d); NaN is
        missing (drawn grey). A region's band is the chromosome's ``band[first:last]``; pairs that reach past the
        last of these bins are not drawn
    start : base pair where the first bin starts
    resolution : width of a bin in bp
    mirrored : a second band of the same bins, drawn downward, for example the prediction under the observation
    norm : matplotlib norm; by default logarithmic from the 2nd to the 99.5th percentile of ``band``'s positive values.
        Under a logarithmic norm zeros take the lowest colour (a zero is data; only NaN is grey)
    max_distance : height in bp (default: the band's width or the region's length, whichever is less)
    labels : words written in the corners of the upper and lower half, for example ("observed", "predicted")

    Returns
    -------
    the image, to give to ``figure.colorbar``
    """
    band = np.asarray(band, np.float32)
    n, width = len(band), min(band.shape[1], len(band))
    height = width if max_distance is None else min(width, max(1, -(-max_distance // resolution)))
    if norm is None:
        seen = band[:, 1:height][np.isfinite(band[:, 1:height]) & (band[:, 1:height] > 0)]
        low, high = np.percentile(seen, [2, 99.5]) if len(seen) else (0.1, 1.0)
        norm = LogNorm(low, max(high, low * 1.001))
    across = int(np.clip(4 * n, 400, 1600))  # four samples a bin, as a bin's half-width is two diamonds' edges
    up = max(2, int(np.ceil(across * height / n / 2)))
    x = (np.arange(across) + 0.5) / across * n
    y = (np.arange(up) + 0.5) / up * height
    image = _turned(band[:, :width], x, y)[::-1]  # the top row of a picture is the largest distance
    if mirrored is not None:
        image = np.concatenate([image, _turned(np.asarray(mirrored, np.float32)[:, :n], x, y)])
    if isinstance(norm, LogNorm):
        image = np.maximum(image, norm.vmin)
    end, top = start + n * resolution, height * resolution
    bottom = 0 if mirrored is None else -top
    outline = [(start, 0), (start + top / 2, top), (end - top / 2, top), (end, 0)]
    if mirrored is not None:
        outline += [(end - top / 2, -top), (start + top / 2, -top)]
    axes.add_patch(Polygon(outline, closed=True, facecolor=MISSING_COLOUR, edgecolor="none", zorder=0))
    drawn = axes.imshow(np.ma.masked_invalid(image), extent=(start, end, bottom, top), origin="upper", aspect="auto",
                        cmap=colours or MAP_COLOURS, norm=norm, interpolation="nearest", zorder=1)
    axes.set_xlim(start, end)
    axes.set_ylim(bottom, top)
    genome_axis(axes, chromosome)
    genome_axis(axes, which="y")
    unit = axes.get_ylabel()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _, scale=1e6 if unit == "Mb" else 1e3:
                                                 f"{abs(value) / scale:,.6g}"))
    axes.set_ylabel(f"distance ({unit})")
    for words, corner, align in zip(labels or (), (0.97, 0.03), ("top", "bottom"), strict=False):
        axes.text(0.005, corner, words, transform=axes.transAxes, va=align, ha="left", fontsize=9)
    return drawn


def _turned(band: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values of ``band`` at positions ``x`` and distances ``y`` (in bins): float32 [len(y), len(x)], NaN off it."""
    first = np.floor(x[None, :] - y[:, None] / 2).astype(np.int64)
    second = np.floor(x[None, :] + y[:, None] / 2).astype(np.int64)
    distance = second - first
    inside = (first >= 0) & (second < len(band)) & (distance < band.shape[1])
    values = np.full(first.shape, np.nan, np.float32)
    values[inside] = band[first[inside], distance[inside]]
    return values


def difference_norm(values, percentile: float = 99.5) -> Normalize:
    """A norm symmetric about zero over ``percentile`` percent of the finite ``values``, for ``DIFFERENCE_COLOURS``."""
    finite = np.abs(np.asarray(values)[np.isfinite(values)])
    limit = float(np.percentile(finite, percentile)) if finite.size else 1.0
    return Normalize(-(limit or 1.0), limit or 1.0)
