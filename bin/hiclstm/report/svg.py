"""SVG as matplotlib writes it, made small: the same picture in a half to two thirds of the bytes.

A report carries dozens of figures in one file. Text stays outlines, so that a figure looks the same wherever it is
opened; what goes is layout of the file itself, digits below a hundredth of a point, and colours nobody tells apart.
"""

import base64
import io
import re

import numpy as np
from PIL import Image

MOST_COLOURS = 300  # of a heatmap and its empty ground; a picture of more is a scatter with soft edges
SCATTER_COLOURS = 128
NUMBER = re.compile(rb"-?\d+\.\d+(?:e-?\d+)?")
PICTURE = re.compile(rb"(data:image/png;base64,)\s*([A-Za-z0-9+/=\s]+)")


def compact(svg: bytes) -> bytes:
    """A smaller SVG of the same look.

    Parameters
    ----------
    svg : what matplotlib wrote with ``svg.fonttype: path``, so that nothing in it is text to be kept as it is
    """
    svg = re.sub(rb"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", b"", svg, flags=re.DOTALL)
    svg = PICTURE.sub(_palette, svg)
    svg = re.sub(rb' d="([^"]*)"', _path, svg)
    svg = re.sub(rb' (x|y|transform)="((?:translate\()?[-\d. ]+\)?)"', _place, svg)
    svg = re.sub(rb'style="([^"]*)"', lambda found: b'style="' + re.sub(rb"([:;])\s+", rb"\1", found[1]) + b'"', svg)
    # A letter's place: matplotlib moves each by a transform, but a place says the same.
    svg = re.sub(rb'(<use [^<>]*)transform="translate\(([-\d.]+) ([-\d.]+)\)"', rb'\1x="\2" y="\3"', svg)
    svg = svg.replace(b"xlink:href=", b"href=").replace(b' y="0"/>', b"/>")
    svg = _short_names(svg)
    svg = re.sub(rb">\s+<", b"><", svg.strip())
    return re.sub(rb"<g><((?:use|path)\b[^<>]*)/></g>", rb"<\1/>", svg) + b"\n"


def _rounded(found: re.Match) -> bytes:
    text = (b"%.2f" % float(found[0])).rstrip(b"0").rstrip(b".")
    return b"0" if text == b"-0" else text


def _path(found: re.Match) -> bytes:
    told = re.sub(rb"\s*([A-Za-z])\s*", rb"\1", NUMBER.sub(_rounded, found[1]))
    return b' d="' + b" ".join(told.split()) + b'"'


def _place(found: re.Match) -> bytes:
    return b" " + found[1] + b'="' + NUMBER.sub(_rounded, found[2]) + b'"'


def _short_names(svg: bytes) -> bytes:
    """Names that something refers to become short, others go."""
    used = sorted(set(re.findall(rb'(?:href="#|url\(#)([^")]+)', svg)))
    short = {name: b"a%x" % k for k, name in enumerate(used)}
    svg = re.sub(rb' id="([^"]*)"', lambda found: b' id="%s"' % short[found[1]] if found[1] in short else b"", svg)
    return re.sub(rb'(href="#|url\(#)([^")]+)', lambda found: found[1] + short[found[2]], svg)


def _palette(found: re.Match) -> bytes:
    """An embedded PNG with a palette: a heatmap has the colours of its colour map, a scatter few that matter.

    Of a heatmap a few colours too many (the map's and the empty ground's) become their nearest neighbours.
    """
    image = Image.open(io.BytesIO(base64.b64decode(found[2]))).convert("RGBA")
    packed = np.ascontiguousarray(np.asarray(image)).view("<u4")[..., 0]
    colours, index, often = np.unique(packed, return_inverse=True, return_counts=True)
    held = io.BytesIO()
    if len(colours) > MOST_COLOURS:
        image.quantize(SCATTER_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            held, "png", optimize=True)
        return found[1] + base64.b64encode(held.getvalue())
    kept = np.sort(np.argsort(-often, kind="stable")[:256])
    parts = colours.view(np.uint8).reshape(-1, 4).astype(int)
    nearest = np.abs(parts[:, None] - parts[kept]).sum(axis=-1).argmin(axis=1)
    image = Image.fromarray(nearest[index].reshape(packed.shape).astype(np.uint8))
    image.putpalette(parts[kept, :3].astype(np.uint8).tobytes())
    image.save(held, "png", optimize=True, transparency=parts[kept, 3].astype(np.uint8).tobytes())
    return found[1] + base64.b64encode(held.getvalue())
