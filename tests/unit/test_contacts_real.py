"""Public maps beside the project, prepared as tests/real/samplesheet.csv names them."""

import csv
import json
from pathlib import Path

import bioframe
import cooler
import cooltools
import numpy as np
import pytest

from hiclstm.contacts import ContactMap
from hiclstm.contacts.formats import split_part
from hiclstm.contacts.library import Request
from hiclstm.contacts.prepare import Sample, prepare

SHEET = Path(__file__).parents[1] / "real/samplesheet.csv"
DATA = Path(__file__).parents[2].parent / "shared/data"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason=f"public data not found at {DATA}")]

# usable bins, cis contacts, how chromosomes were balanced, verdict
KNOWN = {
    "GM12878_1.50000": (651, 22_457_052, {"computed"}),
    "GM12878_2.50000": (651, 16_975_714, {"computed"}),
    "GM12878_2.100000": (329, 16_975_714, {"computed"}),
    "GM12878-MboI_1.10000": (3248, 2_433_581, {"weight"}),
    "HMEC_1.50000": (1410, 2_442_305 + 3_187_593, {"KR"}),
    "H1-hESC_1.1000000": (None, None, {"computed"}),
    "GM12878-KR_1.500000": (None, None, {"already balanced"}),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Prepare a map of the sheet once; return its folder."""
    folder = tmp_path_factory.mktemp("real")
    lines = list(csv.DictReader(SHEET.open()))

    def call(identifier):
        cell_type, rest = identifier.rsplit("_", 1)
        replicate, resolution = rest.split(".")
        own = [line for line in lines if (line["cell_type"], line["replicate"]) == (cell_type, replicate)]
        assert own and all(resolution in line["resolutions"].split(";") for line in own)
        if not (folder / f"{identifier}.cool").exists():
            prepare([str(SHEET.parent / line["contacts"]) for line in own],
                    Sample(cell_type, replicate, int(resolution)),
                    Request(int(resolution), None, own[0]["assembly"], own[0]["balance"] or "auto"), folder)
        return folder
    return call


def test_every_file_of_the_sheet_is_there():
    for line in csv.DictReader(SHEET.open()):
        assert split_part(SHEET.parent / line["contacts"])[0].is_file(), line


@pytest.mark.parametrize("identifier", KNOWN)
def test_known_figures(prepared, identifier):
    folder = prepared(identifier)
    record = json.loads((folder / f"{identifier}.qc.json").read_text())
    usable, contacts, balancing = KNOWN[identifier]
    assert {chromosome["balancing"]["name"] for chromosome in record["chromosomes"].values()} == balancing
    assert record["verdict"] == "deep enough"
    if usable is not None:
        assert record["bins"]["all"] - record["bins"]["masked"] == usable
        assert record["contacts"]["cis"] == contacts
    if identifier.startswith("HMEC"):
        assert record["longest_distance_bp"] == 2_000_000


def test_cooltools_opens_a_prepared_map(prepared):
    folder = prepared("GM12878-MboI_1.10000")
    file = cooler.Cooler(str(folder / "GM12878-MboI_1.10000.cool"))
    expected = cooltools.expected_cis(file, view_df=bioframe.make_viewframe(file.chromsizes), nproc=1)
    own = ContactMap.load(folder / "GM12878-MboI_1.10000.cool").balanced_band(file.chromnames[0], 60)
    mean = expected.set_index("dist")["balanced.avg"]
    for distance in (5, 20, 50):
        assert mean[distance] == pytest.approx(np.nanmean(own[:, distance], dtype=float), rel=1e-3)
