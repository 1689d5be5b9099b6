"""Scores against the simulator: the truth scores itself perfectly, what knows nothing scores nothing."""

import json

import numpy as np
import pytest

from hiclstm.errors import InputError
from hiclstm.genome import Bins
from hiclstm.perturbation import Reader
from hiclstm.perturbation.duplication import block_errors, collapsed_baselines
from hiclstm.perturbation.edits import Duplication, Variant
from hiclstm.perturbation.scores import Agreement, TrueModel, area_under_curve, score_barriers, score_cases
from hiclstm.simulation import simulate_chromosome
from hiclstm.simulation.rendering import MARGIN


@pytest.fixture(scope="module")
def truth():
    bins = Bins(("chr1",), (400 * 10_000,), 10_000)
    return TrueModel({"chr1": simulate_chromosome(400, np.random.default_rng(1))}, bins, "extrusion")


class DistanceOnly:
    """Knows how contacts fall with distance, and nothing else."""

    def __init__(self, truth):
        self.bins, self.usable = truth.bins, truth.usable
        self.representations = truth.representations
        self.curve = np.nanmean(truth.expected_band("chr1"), 0)

    def expected_band(self, chromosome, width=None):
        return self.expected_band_of(self.representations, width)

    def expected_band_of(self, representations, width=None, strand=None):
        n = len(representations)
        width = n if width is None else min(width, n)
        band = np.tile(self.curve[:width], (n, 1)).astype(np.float32)
        band[np.arange(n)[:, None] + np.arange(width) >= n] = np.nan
        return band


def test_the_truth_scores_itself_perfectly(truth):
    found = score_cases(Reader(truth, MARGIN), truth, 2, seed=1)
    own = found[(found["method"] == "model") & found["stratum"].isin(["flip", "deletion", "duplication", "inversion"])]
    assert len(own) == 8
    assert own["pearson"].min() > 0.99
    assert own["skill"].min() > 0.97
    assert own["size"].to_numpy() == pytest.approx(1, abs=0.03)
    # knocking a bin out takes its compartment too, so the barrier's truth is met nearly, not exactly
    assert found.query("method == 'model' and stratum == 'barrier:mean'")["pearson"].min() > 0.9
    assert found.query("method == 'no_change'")["pearson"].eq(0).all()
    assert found.query("method == 'no_change'")["skill"].abs().max() < 1e-9
    elsewhere = found.query("method == 'random_locus'")["pearson"]
    assert abs(elsewhere.mean()) < 0.5
    collapsed = found[found["stratum"] == "duplication, collapsed"].set_index("method")["pearson"]
    assert collapsed["model"].min() > 0.999
    assert collapsed["model"].min() > collapsed["rearranged_pixels"].max()


def test_knowing_distance_alone_is_no_skill(truth):
    found = score_cases(Reader(DistanceOnly(truth)), truth, 1, seed=2)
    raw = found[(found["method"] == "model") & (found["stratum"] == "deletion, distance included")]
    beyond = found[(found["method"] == "model") & (found["stratum"] == "deletion")]
    assert raw["pearson"].iloc[0] > 0.7  # looks like success
    assert abs(beyond["pearson"].iloc[0]) < 0.2


def test_the_truth_tells_barriers_from_other_bins(truth):
    assert score_barriers(Reader(truth, MARGIN), truth, seed=1)["absolute"] > 0.95
    lame = score_barriers(Reader(DistanceOnly(truth)), truth, seed=1)
    assert lame["absolute"] == pytest.approx(0.5, abs=0.25)


def test_agreement_of_known_numbers():
    true = np.array([1.0, -1.0, 0.5, -0.5, 0.01])
    assert vars(Agreement.of(true, true)) == pytest.approx({"pearson": 1, "sign": 1, "skill": 1, "size": 1})
    assert vars(Agreement.of(-true, true)) == pytest.approx({"pearson": -1, "sign": 0, "skill": -3, "size": 1})
    assert Agreement.of(0 * true, true).pearson == 0
    assert Agreement.of(true / 2, true).size == pytest.approx(0.5)
    assert area_under_curve(np.array([2, 3]), np.array([1, 2])) == pytest.approx(7 / 8)


def test_baselines_of_a_duplication(truth):
    reader = Reader(truth, MARGIN)
    reading = reader.read(Variant("v", (Duplication(150, 180),)), 40)
    found = collapsed_baselines(reader, reading, 150, 180)
    pixels = reader.before_on_reference(reading).set_index(["bin1", "bin2"])["value"]
    value = {name: table.set_index(["bin1", "bin2"])["value"] for name, table in found.items()}
    flank, inside, mixed = (120, 140), (155, 170), (140, 160)
    assert {flank, inside, mixed} <= set(pixels.index)
    assert value["paper_baseline"][flank] == pytest.approx(pixels[flank])
    assert value["paper_baseline"][inside] != pytest.approx(pixels[inside], rel=1e-3)
    assert value["copies"][inside] == pytest.approx(4 * pixels[inside])
    assert value["copies"][mixed] == pytest.approx(2 * pixels[mixed])
    # two pairs within a copy keep their pixel, two pairs between copies have the mean of the new distances
    curve = np.nanmean(reader.wild_type("chr1", 100), 0)
    assert value["rearranged_pixels"][inside] == pytest.approx(2 * pixels[inside] + curve[45] + curve[15], rel=1e-3)
    true = reading.collapsed()
    assert max(block_errors(true, true, 150, 180).values()) == 0
    errors = block_errors(found["copies"], true, 150, 180, scale=1000)
    assert set(errors) == {"upstream x upstream", "upstream x duplicated", "upstream x downstream",
                           "duplicated x duplicated", "duplicated x downstream", "downstream x downstream"}


def test_truth_files_are_checked(tmp_path, truth):
    path = tmp_path / "truth.json"
    facts = {"chromosomes": 1, "bins": 200, "resolution": 10_000, "seed": 3, "kind": "insulation",
             "reads_per_bin": 100.0}
    path.write_text(json.dumps(facts))
    model = TrueModel.load(path, "GM12878", Bins(("chr1",), (2_000_000,), 10_000))
    assert model.kind == "insulation" and len(model.representations) == 200
    assert TrueModel.load(path, "GM12878", Bins(("chr1",), (2_000_000,), 50_000)) is None
    with pytest.raises(InputError, match="no chromosome chr9"):
        TrueModel.load(path, "GM12878", Bins(("chr9",), (2_000_000,), 10_000))
    path.write_text("{}")
    with pytest.raises(InputError, match=r"no truth\.json"):
        TrueModel.load(path, "GM12878", Bins(("chr1",), (2_000_000,), 10_000))
