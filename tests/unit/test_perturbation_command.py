"""The command, from files to files, on a small simulated data set with an untrained model."""

import importlib.util
import json
import sys
from pathlib import Path

import cooler
import numpy as np
import pandas as pd
import pyBigWig
import pytest

from hiclstm.contacts import write_cool
from hiclstm.errors import run
from hiclstm.model import HiCLSTM, ModelConfig
from hiclstm.prediction import TrainedModel
from hiclstm.simulation.data_set import Plan, simulate_cell_type, write_data_set
from hiclstm.simulation.rendering import expected_contacts

SCRIPT = Path(__file__).parents[2] / "bin" / "perturb_genome.py"


@pytest.fixture(scope="module")
def supplied(tmp_path_factory):
    """A simulated map, its truth, and a model that was never trained."""
    folder = tmp_path_factory.mktemp("supplied")
    plan = Plan(chromosomes=1, bins=260, seed=5, cell_types=("GM12878",))
    write_data_set(plan, folder / "sim")
    band = expected_contacts(simulate_cell_type(plan, "GM12878")["chr1"]) * 300
    row, distance = np.nonzero(np.nan_to_num(band))
    pixels = pd.DataFrame({"bin1_id": row, "bin2_id": row + distance,
                           "count": np.random.default_rng(1).poisson(band[row, distance])})
    bins = plan.genome_bins
    weight = np.ones(len(bins))
    weight[[100, 101]] = np.nan
    write_cool(folder / "GM12878_1.10000.cool", bins, weight, pixels,
               {"cell_type": "GM12878", "replicate": "1", "sample": "GM12878_1", "probability_scale": 1.0})
    model = TrainedModel(HiCLSTM(ModelConfig.named("default"), bins, seed=1), bins, np.isfinite(weight),
                         {"cell_type": "GM12878", "replicate": "1", "probability_scale": 1.0})
    model.save(folder / "GM12878_1.10000.model.pt")
    return folder


@pytest.fixture
def command(supplied, monkeypatch, capsys):
    """Runs the script's main in this process: exit status and what it wrote to standard error."""
    script = importlib.util.spec_from_file_location("perturb_genome", SCRIPT)
    module = importlib.util.module_from_spec(script)
    script.loader.exec_module(module)

    def call(output, *arguments):
        monkeypatch.setattr(sys, "argv", [
            "perturb_genome.py", "--contacts", str(supplied / "GM12878_1.10000.cool"), "--model",
            str(supplied / "GM12878_1.10000.model.pt"), "--output", str(output), *map(str, arguments)])
        try:
            run(module.main)
            status = 0
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().err
    return call


def test_everything_at_once(supplied, command, tmp_path):
    variants = tmp_path / "own.bed"
    variants.write_text("chr1\t950000\t1150000\tDUP:twice\nchrUn\t1000\t90000\tDEL:nowhere\n"
                        "chr1\t5000\t6000\tINV:tiny\nchr1\t2400000\t2600000\tDEL:end\n")
    status, errors = command(tmp_path / "out", "--variants", variants, "--annotations",
                   supplied / "sim" / "annotations.csv", "--truth", supplied / "sim" / "truth" / "truth.json",
                   "--random-loci", 6, "--most-sites", 4, "--cases", 1, "--reach", 300000)
    assert status == 3, errors
    assert "nowhere" in errors and "chrUn is not in the model" in errors
    assert "tiny" in errors and "less than one bin of 10,000 bp" in errors
    out, stem = tmp_path / "out", "GM12878_1.10000"
    table = pd.read_csv(out / f"{stem}.variants.tsv", sep="\t").set_index("variant")
    assert table["status"].to_dict() == {"twice": "read", "end": "read", "nowhere": "skipped", "tiny": "skipped"}
    assert table.loc["twice", "missing_bins"] == 2

    maps = {name: cooler.Cooler(f"{out / stem}.twice.{name}.mcool::/resolutions/10000")
            for name in ("wt", "alt", "delta", "rearranged")}
    pixels = {name: maps[name].matrix(balance=False).fetch("chr1") for name in ("wt", "alt", "delta")}
    np.testing.assert_allclose(pixels["alt"] - pixels["wt"], pixels["delta"], atol=1e-3)
    assert maps["alt"].info["metadata"]["variant"] == "twice"
    assert maps["rearranged"].chromsizes["twice"] == (260 + 20) * 10_000
    track = pyBigWig.open(f"{out / stem}.twice.change.bw")
    assert track.stats("chr1", 1_000_000, 1_020_000) == [None]  # missing bins
    assert track.stats("chr1", 900_000, 950_000)[0] >= 0

    metrics = pd.read_csv(out / f"{stem}.perturb.metrics.tsv", sep="\t")
    assert set(metrics["stage"]) == {"perturb"}
    truth = metrics[(metrics["against"] == "truth") & (metrics["method"] == "default")]
    strata = set(truth.loc[truth["metric"] == "pearson_delta", "stratum"])
    assert {"deletion", "duplication"} <= strata
    assert truth.loc[truth["metric"] == "auroc_barrier", "value"].between(0, 1).all()
    assert {"paper_baseline", "rearranged_pixels"} <= set(metrics.loc[metrics["metric"] == "block_mse", "method"])
    figures = [json.loads(path.read_text()) for path in out.glob("*.figure.json")]
    assert len(figures) >= 6
    assert all(700 <= figure["order"] < 800 and (out / figure["svg"]).stat().st_size > 1000 for figure in figures)
    captions = {figure["title"]: figure["caption"] for figure in figures}
    assert "no pair can be compared" in captions["end: DEL at chr1:2,400,000-2,600,000"]
    assert not any(" nan" in caption for caption in captions.values())
    order = {figure["svg"].split(".")[-2]: figure["order"] for figure in figures if ".window" not in figure["svg"]}
    assert order["perturb_truth"] < order["variant"] < order["collapsed"] < order["distance"] < order["knockout"]
    assert not list(out.glob(".writing*"))


def test_all_read_is_exit_0_and_deterministic(command, tmp_path):
    sites = tmp_path / "sites.bed"
    sites.write_text("1\t1200100\t1200120\tone\n1\t1500100\t1500120\ttwo\n")
    for output in ("a", "b"):
        status, errors = command(tmp_path / output, "--variants", sites, "--knockout", "zero", "--random-loci", 5,
                       "--reach", 300000, "--most-maps", 1)
        assert status == 0, errors
    one, other = ((tmp_path / output / "GM12878_1.10000.variants.tsv").read_text() for output in ("a", "b"))
    assert one == other and one.count("\tread\t") == 2
    assert len(list((tmp_path / "a").glob("*.wt.mcool"))) == 1


@pytest.mark.parametrize("arguments, words", [
    (["--variants", "absent.vcf"], "no such file"), (["--truth", "absent.json"], r"truth.json"),
    (["--random-loci", "-1"], "--random-loci -1"), (["--annotations", "absent.csv"], "absent.csv: cannot be read")])
def test_wrong_input_is_one_line_and_exit_2(command, tmp_path, arguments, words):
    status, errors = command(tmp_path, *arguments)
    assert status == 2
    assert len(errors.strip().splitlines()) == 1 and words in errors
