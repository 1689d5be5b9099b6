"""Runs: the whole pipeline on a little simulated data, and its wiring with scripts that record how they were called."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
from conftest import Run, copy_pipeline, nextflow

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> tuple[Run, Path]:
    """The demo's stages on one simulated cell type with two replicates, for real, and the copy of the pipeline it ran."""
    folder = tmp_path_factory.mktemp("small")
    pipeline = copy_pipeline(folder / "pipeline", with_scripts=True)
    return nextflow(folder, "-profile", "test", pipeline=pipeline), pipeline


def test_every_stage_runs_on_simulated_data(small):
    small, _ = small
    assert small.status == 0, small.output
    assert set(small.statuses().values()) == {"COMPLETED"}
    for replicate in (1, 2):
        for suffix in ("cool", "qc.json", "model.pt", "training.tsv", "representations.parquet", "predicted.mcool"):
            assert (small.results / f"GM12878/10000/GM12878_{replicate}.10000.{suffix}").stat().st_size > 0
    assert list((small.results / "GM12878/10000/figures").glob("GM12878_1.10000.*.svg"))
    # The report is an index and a page for each sample, and every link leads to a published file.
    pages = sorted((small.results / "report").glob("*.html"))
    assert [page.name for page in pages] == ["GM12878_1.10000.html", "GM12878_2.10000.html", "HEK-293T_1.10000.html",
                                             "HEK-293T_1after.10000.html"]
    for page in [small.results / "report.html", *pages]:
        assert "<html" in page.read_text()[:1000].lower()
        for address in re.findall(r'<a [^>]*href="([^"#]+)', page.read_text()):
            assert (page.parent / unquote(address)).exists(), f"{page.name}: {address}"
    metrics = pd.read_csv(small.results / "metrics.tsv", sep="\t", dtype=str)
    stages = {"prepare", "train", "reconstruct", "compare", "classify", "attribute", "perturb", "transfer"}
    assert stages <= set(metrics["stage"])
    # Each replicate is scored on the other one, and on the truth.
    against = metrics[(metrics["stage"] == "reconstruct") & (metrics["replicate"] == "1")]["against"]
    assert {"2", "truth"} <= set(against)
    info = small.results / "pipeline_info"
    assert json.loads((info / "parameters.json").read_text())["simulate"] is True
    versions = dict(line.split("\t") for line in (info / "versions.tsv").read_text().splitlines())
    assert {"hiclstm", "Nextflow", "Python", "torch", "cooler"} <= set(versions)
    assert "flowchart" in (info / "stages.mmd").read_text()


def test_resume_computes_nothing_again(small):
    first, pipeline = small
    again = nextflow(first.folder, "-profile", "test", "-resume", pipeline=pipeline)
    assert again.status == 0, again.output
    assert set(again.statuses().values()) == {"CACHED"}
    assert len(again.tasks()) >= 9


def test_stub_run_reaches_the_report_and_code_is_part_of_the_key(tmp_path, recorded):
    arguments = ["-profile", "test", "-stub", "--resolutions", "10000,20000"]
    first = nextflow(tmp_path, *arguments, pipeline=recorded)
    assert first.status == 0, first.output
    assert len(first.tasks("RECONSTRUCT_MAP")) == 4
    assert (first.results / "report.html").exists()
    again = nextflow(tmp_path, *arguments, "-resume", pipeline=recorded)
    assert set(again.statuses().values()) == {"CACHED"}
    with open(recorded / "bin/train_model.py", "a") as script:
        script.write("\n# changed\n")
    changed = nextflow(tmp_path, *arguments, "-resume", pipeline=recorded)
    assert set(changed.statuses().values()) == {"COMPLETED"}


def test_libraries_names_failures_and_retries(tmp_path, recorded):
    """One run with everything that can go wrong with one sample and must not touch the others."""
    hostile = "it's $(touch hacked); \"b\" & c.txt"
    data = tmp_path / "data"
    for name, text in {"one/same.txt": "1 ", "two/same.txt": "2 ", hostile: "3 ", "second.txt": "fine ",
                       "gone.txt": "killed", "bad.txt": "broken", "hicpro.matrix": "matrix ", "hicpro_abs.bed": "bins",
                       "t.50000.cool": "", "t.100000.cool": "", "loops.bedpe": ""}.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(text)
    quoted = hostile.replace('"', '""')
    (data / "sheet.csv").write_text(
        "\ufeffcell_type,replicate,contacts,resolutions,truth,loops,balance\r\n"
        "A_b,1,one/same.txt::/resolutions/5000,50000;100000,t.{resolution}.cool,loops.bedpe,KR\r\n"
        "A_b,1,two/same.txt,50000;100000,t.{resolution}.cool,loops.bedpe,KR\r\n"
        f'A_b,1,"{quoted}",50000;100000,t.{{resolution}}.cool,loops.bedpe,KR\r\n'
        "A_b,2,second.txt,50000,,,\r\n"
        "K+562,1,gone.txt,50000,,,\r\n"
        "H1-hESC,1,hicpro.matrix,50000,,,\r\n"
        "Bad.cell,1,bad.txt,50000,,,\r\n")
    run = nextflow(tmp_path, "--input", "data/sheet.csv", "--regions", "chr1:0-10,chr2:5-20", "--epochs", 3,
                   pipeline=recorded)

    # The broken sample ends, the others go on, the report and the status say so.
    assert run.status != 0
    assert run.statuses()["PREPARE_CONTACTS (Bad.cell_1.50000)"] == "FAILED"
    finished = {row["tag"] for row in run.tasks("RECONSTRUCT_MAP") if row["status"] == "COMPLETED"}
    assert finished == {"A_b_1.50000", "A_b_1.100000", "A_b_2.50000", "K+562_1.50000", "H1-hESC_1.50000"}
    report = (run.results / "report.html").read_text()
    reason = "PREPARE_CONTACTS, exit status 2: contacts.txt: is broken, expected a contact map"
    assert json.loads(report.splitlines()[0]) == {"Bad.cell_1.50000": reason}
    assert "Bad.cell,1,50000" in report
    assert (run.results / "report/sample.html").exists()
    assert f"Bad.cell_1.50000 failed. {reason}" in run.output
    assert not (run.results / "Bad.cell").exists()

    def called(stage, sample):
        row = next(row for row in reversed(run.tasks(stage)) if row["tag"] == sample)
        return json.loads(open(f"{row['workdir']}/called.json").read())["options"]

    # Libraries of one base name, and one of shell letters, arrive apart, in order, each with its place in the file.
    prepare = called("PREPARE_CONTACTS", "A_b_1.50000")
    names = [path.split("/", 1)[1] for path in prepare["--contacts"]]
    assert names == ["same.txt::/resolutions/5000", "same.txt", hostile]
    assert (run.results / "A_b/50000/A_b_1.50000.cool").read_text() == "1 2 3 "
    assert prepare["--balance"] == ["KR"] and called("PREPARE_CONTACTS", "A_b_2.50000")["--balance"] == ["auto"]
    assert not list(tmp_path.rglob("hacked"))
    # HiC-Pro's bins come along with the matrix.
    matrix = called("PREPARE_CONTACTS", "H1-hESC_1.50000")["--contacts"]
    assert len(matrix) == 1 and matrix[0].endswith("/hicpro_abs.bed") and "hicpro.matrix::" in matrix[0]
    # A replicate is compared with the others at its resolution, with the truth and loops of its line.
    reconstruct = called("RECONSTRUCT_MAP", "A_b_1.50000")
    assert reconstruct["--against"] == ["A_b_2.50000.cool"]
    assert reconstruct["--truth"] == ["truth/t.50000.cool"] and reconstruct["--loops"] == ["loops/loops.bedpe"]
    assert reconstruct["--regions"] == ["chr1:0-10", "chr2:5-20"]
    assert not {"--against", "--truth"} & set(called("RECONSTRUCT_MAP", "H1-hESC_1.50000"))
    # Other methods are compared on the first replicate, decoders tested on the second.
    assert called("COMPARE_METHODS", "A_b_1.50000")["--against"] == ["A_b_2.50000.cool"]
    assert "A_b_2.50000" not in {row["tag"] for row in run.tasks("COMPARE_METHODS")}
    assert called("RECONSTRUCT_MAP", "A_b_1.100000")["--truth"] == ["truth/t.100000.cool"]
    # A killed training goes on from where the first attempt was.
    first, second = run.tasks("TRAIN_MODEL (K+562")
    assert (first["exit"], second["exit"]) == ("137", "0")
    assert called("TRAIN_MODEL", "K+562_1.50000")["--resume-from"] == [first["workdir"]]
    assert called("TRAIN_MODEL", "A_b_2.50000")["--epochs"] == ["3"]
    assert called("TRAIN_MODEL", "A_b_2.50000")["--device"] == ["cpu"]


def test_variants_and_annotations_reach_the_perturbation(tmp_path, recorded):
    """Each sample gets the lines of the annotation sheet for its cell type; skipped variants do not fail the run."""
    (tmp_path / "a.txt").write_text("map")
    (tmp_path / "v.vcf").write_text("")
    for name in ("ctcf.bed", "loops.bedpe", "other.bed"):
        (tmp_path / name).write_text("")
    (tmp_path / "sheet.csv").write_text("cell_type,replicate,contacts,resolutions\n"
                                        "GM12878,1,a.txt,10000\nK562,1,a.txt::x,10000\n")
    (tmp_path / "known.csv").write_text("cell_type,element,file,column,threshold\n*,ctcf,ctcf.bed,,\n"
                                        "GM12878,loops,loops.bedpe,,\nK562,ctcf,other.bed,5,0.5\n")
    run = nextflow(tmp_path, "--input", "sheet.csv", "--variants", "v.vcf", "--annotations", "known.csv", pipeline=recorded)
    assert run.status == 0, run.output
    sheet = (run.results / "GM12878/10000/GM12878_1.10000.variants.tsv").read_text().splitlines()
    assert [line.split(",")[:2] for line in sheet[1:]] == [["*", "ctcf"], ["GM12878", "loops"]]
    assert "ctcf.bed" in sheet[1] and "loops.bedpe" in sheet[2]
    row = next(row for row in run.tasks("PERTURB_GENOME") if row["tag"] == "K562_1.10000")
    options = json.loads(open(f"{row['workdir']}/called.json").read())["options"]
    assert options["--variants"] == ["variants/v.vcf"] and "--truth" not in options
    classified = (run.results / "K562/10000/K562_1.10000.classify.metrics.tsv").read_text().splitlines()
    assert [line.split(",")[3:] for line in classified[1:]] == [["", ""], ["5", "0.5"]]
    assert len(run.tasks("ATTRIBUTE_POSITIONS")) == len(run.tasks("COMPARE_METHODS")) == 2
    without = nextflow(tmp_path / "without", "--input", tmp_path / "sheet.csv", "--compare", "false", pipeline=recorded)
    assert without.status == 0 and len(without.tasks("ATTRIBUTE_POSITIONS")) == 2
    assert not any(without.tasks(stage) for stage in ("PERTURB_GENOME", "CLASSIFY_ELEMENTS", "COMPARE_METHODS"))


def test_small_maps_reach_the_transfer(tmp_path, recorded):
    """Models are tuned on a map of the samplesheet at part of its reads, and on one that only the transfer sheet names."""
    for name in ("a", "b", "c", "5c", "deleted"):
        (tmp_path / f"{name}.txt").write_text(name)
    (tmp_path / "bad.txt").write_text("broken")
    (tmp_path / "v.vcf").write_text("")
    (tmp_path / "t.50000.cool").write_text("")
    (tmp_path / "sheet.csv").write_text("cell_type,replicate,contacts,resolutions,truth\nA,1,a.txt,10000;50000,\n"
                                        "B,1,b.txt,50000,t.50000.cool\nB,2,c.txt,50000,\n")
    (tmp_path / "transfer.csv").write_text(
        "cell_type,replicate,contacts,assembly,base,resolutions,variants,after,fractions\n"
        "C,5C,5c.txt,hg19,A_1,10000,v.vcf,deleted.txt,\n"
        "B,1,,,A_1,50000,,,0.01;0.3\n"
        "D,1,bad.txt,,A_1,10000,,,\n")
    run = nextflow(tmp_path, "--input", "sheet.csv", "--transfer", "transfer.csv", "--compare", "false", pipeline=recorded)
    assert run.status != 0 and "D_1.10000 failed. PREPARE_CONTACTS" in run.output
    called = {row["tag"]: json.loads(open(f"{row['workdir']}/called.json").read())["options"]
              for row in run.tasks("TRANSFER_MODEL")}
    assert set(called) == {"C_5C.10000", "B_1.50000"}
    five_c, shallow = called["C_5C.10000"], called["B_1.50000"]
    assert five_c["--base"] == ["base/A_1.10000.model.pt"] and five_c["--contacts"] == ["C_5C.10000.cool"]
    assert five_c["--after"] == ["after/C_5Cafter.10000.cool"] and five_c["--variants"] == ["variants/v.vcf"]
    assert "--fractions" not in five_c and "--against" not in five_c
    assert shallow["--base"] == ["base/A_1.50000.model.pt"] and shallow["--fractions"] == ["0.01,0.3"]
    assert shallow["--against"] == ["against/B_2.50000.cool"] and shallow["--truth"] == ["noiseless/t.50000.cool"]
    assert (run.results / "C/10000/C_5C.10000.transfer.model.pt").exists()
    # What is prepared for a transfer alone is not trained on.
    assert {row["tag"] for row in run.tasks("TRAIN_MODEL")} == {"A_1.10000", "A_1.50000", "B_1.50000", "B_2.50000"}
    assert "C,5Cafter,10000" in (run.results / "report.html").read_text()
