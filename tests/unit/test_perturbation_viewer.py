"""The report's small copy of a variant's maps: what is packed can be read back, within the width of a code."""

import base64
import json
import zlib

import numpy as np
import pandas as pd
import pytest

from hiclstm.genome import Bins
from hiclstm.perturbation.edits import Deletion, Inversion, Variant
from hiclstm.perturbation.viewer import write_viewer


def unpacked(path) -> tuple[dict, dict[str, np.ndarray]]:
    """The words of a viewer file, and its layers as squares of codes."""
    words = json.loads(path.read_text())
    n = sum(run["bins"] for run in words["runs"])
    squares = {}
    for layer in ("wt", "alt", "delta"):
        square = np.zeros((n, n), np.uint8)
        square[np.triu_indices(n)] = np.frombuffer(zlib.decompress(base64.b64decode(words.pop(layer))), np.uint8)
        squares[layer] = square
    return words, squares


def pairs_of(first, last, before, after) -> pd.DataFrame:
    """All pairs of bins ``first`` to ``last`` with values that are functions of their numbers."""
    i, j = (numbers + first for numbers in np.triu_indices(last - first))
    return pd.DataFrame({"bin1": i, "bin2": j, "value_before": before(i, j), "value_after": after(i, j)})


def test_layers_come_back_and_deleted_pairs_have_none(tmp_path):
    bins = Bins(("chr1", "chr2"), (500_000, 295_000), 10_000)
    deleted = Variant("d", (Deletion(60, 62),), "chr2:100,000")

    def kept(i, j):
        inside = ((i >= 60) & (i < 62)) | ((j >= 60) & (j < 62))
        return np.where(inside, np.nan, np.where((i < 60) & (j >= 62), 4.0, 1.0) * 100 / (1 + j - i))

    write_viewer(tmp_path / "v.viewer.json", bins, deleted, pairs_of(50, 80, lambda i, j: 100 / (1 + j - i), kept),
                 {"sample": "A_1.10000", "command": "perturb"})
    words, codes = unpacked(tmp_path / "v.viewer.json")
    assert words["runs"] == [{"chromosome": "chr2", "start": 0, "end": 295_000, "bins": 30}]
    assert words["edits"] == [{"chromosome": "chr2", "start": 100_000, "end": 120_000}]
    assert (words["sample"], words["command"], words["kind"], words["resolution"]) == ("A_1.10000", "perturb", "DEL", 10_000)
    width = (words["high"] - words["low"]) / 254
    value = 10 ** (words["low"] + (codes["wt"][3, 7].astype(float) - 1) * width)
    assert value == pytest.approx(100 / 5, rel=10 ** (width / 2) - 1 + 1e-3)
    assert not codes["alt"][10:12].any() and not codes["delta"][:, 10:12].any()
    assert codes["delta"][3, 7] == 128, "where nothing changes the code is that of zero"
    assert ((codes["delta"][3, 20] - 1.0) / 127 - 1) * words["limit"] == pytest.approx(2, abs=words["limit"] / 127)


def test_wide_windows_are_pooled_and_two_chromosomes_stay_apart(tmp_path):
    bins = Bins(("chr1", "chr2"), (400_000, 400_000), 1000)
    table = pd.concat([pairs_of(0, 400, lambda i, j: 1.0 + 0 * i, lambda i, j: 2.0 + 0 * i),
                       pairs_of(500, 601, lambda i, j: 1.0 + 0 * i, lambda i, j: 1.0 + 0 * i)])
    write_viewer(tmp_path / "v.viewer.json", bins, Variant("i", (Inversion(10, 20),)), table, {})
    words, codes = unpacked(tmp_path / "v.viewer.json")
    assert words["resolution"] == 2000
    assert words["runs"] == [{"chromosome": "chr1", "start": 0, "end": 400_000, "bins": 200},
                             {"chromosome": "chr2", "start": 100_000, "end": 201_000, "bins": 51}]
    assert (codes["wt"][:200, 200:] == 0).all() and codes["wt"][0, 199] and codes["wt"][200, 250]
    assert codes["delta"][5, 9] == 255 and codes["delta"][210, 220] == 128
    assert (tmp_path / "v.viewer.json").stat().st_size < 150_000


def test_a_variant_without_values_is_written_all_the_same(tmp_path):
    bins = Bins(("chr1",), (40_000,), 1000)
    table = pairs_of(0, 3, lambda i, j: np.nan * i, lambda i, j: np.nan * i)
    write_viewer(tmp_path / "v.viewer.json", bins, Variant("i", (Inversion(1, 2),)), table, {})
    words, codes = unpacked(tmp_path / "v.viewer.json")
    assert not codes["wt"].any() and words["low"] < words["high"]
