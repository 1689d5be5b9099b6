"""Before a run starts: help, wrong parameters and sheets refused with every problem at once, profiles, one version."""

import json
import re
import subprocess
import tomllib

import pytest
from conftest import ROOT, nextflow

import hiclstm

pytestmark = pytest.mark.pipeline


def schema() -> dict[str, dict]:
    groups = json.loads((ROOT / "nextflow_schema.json").read_text())["$defs"].values()
    return {name: rule for group in groups for name, rule in group["properties"].items()}


def settings(folder, profile: str = "standard") -> dict[str, str]:
    """`nextflow config`, flattened: name to value as it is written there."""
    run = nextflow(folder, "-profile", profile, "-flat", command="config")
    assert run.status == 0, run.output
    pairs = (line.partition(" = ") for line in run.output.splitlines())
    return {name: value.strip("'") for name, equals, value in pairs if equals}


def test_help_names_every_parameter_and_starts_nothing(tmp_path):
    run = nextflow(tmp_path, "--help")
    assert run.status == 0, run.output
    assert set(re.findall(r"^  --(\w+)", run.output, re.MULTILINE)) == set(schema())
    assert "[default: 10000,100000]" in run.output
    assert not run.started and not run.results.exists()


def test_defaults_are_those_of_the_schema(tmp_path):
    given = settings(tmp_path)
    found = {name.removeprefix("params."): value for name, value in given.items() if name.startswith("params.")}
    expected = {name: json.dumps(rule.get("default")).strip('"') for name, rule in schema().items()}
    assert found == expected


def test_one_version_number(tmp_path):
    version = (ROOT / "VERSION").read_text().strip()
    assert settings(tmp_path)["manifest.version"] == version
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == version
    assert hiclstm.__version__ == version


def test_wrong_parameters_are_refused_together(tmp_path):
    run = nextflow(tmp_path, "--epohs", 3, "--max-distance", "1000", "--epochs", 0, "--model", "big",
                   "--resolutions", "10k", "--seed", "1.5", "--annotations", "nowhere.csv",
                   "--regions", "chr1:1,000-2,000", "--chromosomes", "chr1;rm", "--representation_size", 5000,
                   "--gpu_options", "--balance")
    assert run.status != 0
    for words in ["13 problems; nothing was started",
                  "--epohs: there is no such parameter; did you mean --epochs?",
                  "--max-distance: there is no such parameter; did you mean --max_distance?",
                  "--epochs 0: expected at least 1",
                  "--model big: expected one of default, paper",
                  "--resolutions 10k: expected whole numbers",
                  "--seed 1.5: expected a whole number",
                  "--annotations nowhere.csv: no such file",
                  "--regions chr1:1,000-2,000: expected chromosome:start-end",
                  "--chromosomes chr1;rm: expected names",
                  "--representation_size 5000: expected at most 1024",
                  "--balance: a value is missing",
                  "--gpu_options: a value is missing (one that begins with - is written --gpu_options='-...')",
                  "--input: a samplesheet is needed"]:
        assert words in run.output
    assert "maxDistance" not in run.output
    assert not run.started


def test_wrong_lines_of_the_sheets_are_refused_together(tmp_path):
    for name in ("a.cool", "b.cool", "$HOME.cool", "a${IFS}b.fa", "costs 5$.cool"):
        (tmp_path / name).touch()
    (tmp_path / "sheet.csv").write_text(
        "cell_type,replicate,contacts,resolutions,truth,assembly\n"       # 1
        "GM12878,1,a.cool,50000,,\n"
        "GM12878,1,b.cool,100000,,\n"                                     # 3: differs from line 2
        "H1/hESC,1,nowhere.cool,,,\n"
        '"it\'s $(id)",one two,http://example.org/c.mcool,50k,,\n'
        "\n"
        "-rf,1,./a.cool,,t.{resolution}.cool,\n"                          # 7: the file of line 2 again
        "K562,1,b.cool::/resolutions/$HOME,,,hg19\n"
        'K562,2,"b.cool,,,\n'
        "K562,3,b.cool\n"
        "pipeline_info,1,.,,,hg 19\n"
        "K562,4,$HOME.cool,,,\nK562,5,costs 5$.cool,,,\n")               # 12, 13
    (tmp_path / "annotations.csv").write_text(
        "cell_type,element,file,threshold\n*,genes,a.cool,\nHeLa,tss,c.bed,high\n")
    run = nextflow(tmp_path, "--input", "sheet.csv", "--annotations", "annotations.csv", "--resolutions", "10000,20000",
                   "--fasta", "a${IFS}b.fa")
    assert run.status != 0
    for words in ["sheet.csv lines 2, 3: libraries of one map (GM12878 replicate 1) differ in resolutions",
                  "sheet.csv line 4: cell_type 'H1/hESC': expected letters, digits",
                  "sheet.csv line 4: contacts 'nowhere.cool': no such file",
                  "sheet.csv line 5: cell_type 'it's $(id)': expected",
                  "sheet.csv line 5: replicate 'one two': expected letters and digits",
                  "sheet.csv line 5: resolutions '50k': expected whole numbers",
                  "sheet.csv line 7: cell_type '-rf': expected",
                  "sheet.csv line 7: truth 't.10000.cool': no such file",
                  "sheet.csv line 7: truth 't.20000.cool': no such file",
                  "sheet.csv lines 2, 7: the same contacts 'a.cool' more than once",
                  "sheet.csv line 8: contacts: '::/resolutions/$HOME': expected a place in the file",
                  "sheet.csv line 9: the quotes do not match",
                  "sheet.csv line 10: 3 fields, but 6 columns",
                  "sheet.csv line 11: cell_type 'pipeline_info': this name is taken",
                  "sheet.csv line 11: contacts '.': is not a file",
                  "sheet.csv line 11: assembly 'hg 19': expected",
                  "sheet.csv line 12: contacts '$HOME.cool': a name with $ before a letter would be taken for a variable",
                  "--fasta a${IFS}b.fa: a name with $ before a letter",
                  "annotations.csv line 3: cell_type 'HeLa': the samplesheet has",
                  "annotations.csv line 3: file 'c.bed': no such file",
                  "annotations.csv line 3: threshold 'high': expected a number"]:
        assert words in run.output
    assert "line 6" not in run.output and "line 2:" not in run.output and "line 13" not in run.output
    assert "http://example.org" not in run.output.split("sheet.csv", 1)[1].replace("lines", "")
    assert not run.started


def test_wrong_lines_of_the_transfer_sheet_are_refused_together(tmp_path):
    (tmp_path / "a.cool").touch()
    (tmp_path / "v.vcf").touch()
    (tmp_path / "sheet.csv").write_text("cell_type,replicate,contacts,resolutions\nA,1,a.cool,10000\nB,1,a.cool::x,20000\n")
    (tmp_path / "transfer.csv").write_text(
        "cell_type,replicate,contacts,base,resolutions,variants,after,fractions\n"    # 1
        "C,1,a.cool,K562_1,,,,\n"
        "A,1,a.cool,B_1,,,,\n"
        "C,2,,A_1,,,,\n"
        "C,3,a.cool,A_1,20000,v.vcf,,1.5\n"
        "C,4,$(id).cool,A_1,10k,,a.cool::$HOME,0\n"
        "B,1,,A_1,,,,0.1\n"
        "C,4,a.cool,A_1,,nowhere.vcf,a.cool,0.1;0.5\n")
    run = nextflow(tmp_path, "--input", "sheet.csv", "--transfer", "transfer.csv")
    assert run.status != 0
    for words in ["transfer.csv line 2: base 'K562_1': the samplesheet has no such sample; it has A_1, B_1",
                  "transfer.csv line 3: A replicate 1 is a sample of the samplesheet: leave contacts empty",
                  "transfer.csv line 4: contacts is empty, and the samplesheet has no C replicate 2",
                  "transfer.csv line 5: base: no map of A replicate 1 is made at 20000 bp",
                  "transfer.csv line 5: variants without after",
                  "transfer.csv line 5: fractions '1.5': expected shares",
                  "transfer.csv line 6: contacts '$(id).cool': no such file",
                  "transfer.csv line 6: resolutions '10k': expected whole numbers",
                  "transfer.csv line 6: after without variants",
                  "transfer.csv line 6: after: '::$HOME': expected a place in the file",
                  "transfer.csv line 6: fractions '0': expected shares",
                  "transfer.csv line 7: contacts: no map of B replicate 1 is made at 10000 bp",
                  "transfer.csv line 8: variants 'nowhere.vcf': no such file",
                  "transfer.csv lines 6, 8: C replicate 4 more than once"]:
        assert words in run.output, run.output
    assert not run.started


@pytest.mark.parametrize(("text", "words"), [
    ("", ["sheet.csv: the sheet is empty"]),
    ("cell_type,replicate,contacts\n\n", ["sheet.csv: there is no line below the header"]),
    ("cell_type;replicate;contacts\nA;1;a.cool\n", ["column replicate is missing; found cell_type;replicate;contacts"]),
    ("cell_type,contacts,colour,colour\nA,a.cool,red,red\n", ["line 1: the column replicate is missing",
                                                             "unknown column 'colour'", "colour stands there twice"]),
])
def test_a_sheet_of_the_wrong_form_is_refused(tmp_path, text, words):
    (tmp_path / "sheet.csv").write_text(text)
    run = nextflow(tmp_path, "--input", "sheet.csv")
    assert run.status != 0
    for word in words:
        assert word in run.output
    assert not run.started


@pytest.mark.parametrize(("profile", "expected"), [
    ("slurm,gpu,apptainer", {"process.executor": "slurm", "apptainer.enabled": "true", "env.NUMBA_CACHE_DIR": ".numba",
                             "process.'withLabel:gpu'.maxForks": "16", "process.'withLabel:gpu'.accelerator": "1",
                             "process.resourceLimits": "[cpus:64, memory:'256.GB', time:'240.h']"}),
    ("gpu,podman", {"podman.enabled": "true", "process.container": "localhost/hiclstm:0.1.0",
                    "process.'withLabel:gpu'.maxForks": "1"}),
    ("docker", {"docker.enabled": "true", "process.container": "hiclstm:0.1.0"}),
    # The machine's /tmp, which these share, is no place for what is compiled and run.
    ("singularity", {"singularity.enabled": "true", "singularity.envWhitelist": "CUDA_VISIBLE_DEVICES",
                     "env.NUMBA_CACHE_DIR": ".numba", "env.TRITON_CACHE_DIR": ".triton"}),
])
def test_profiles(tmp_path, profile, expected):
    found = settings(tmp_path, profile)
    assert {name: found.get(name) for name in expected} == expected
    # The GPU label adds to the size label and does not replace it.
    assert found["process.'withLabel:heavy'.cpus"] == "4"
    assert not [name for name in found if "withLabel:gpu" in name and name.endswith(("cpus", "memory", "time"))]


def test_the_lint_refuses_what_newer_nextflow_refuses(tmp_path):
    loose = tmp_path / "loose.nf"
    loose.write_text("import groovy.json.JsonSlurper\n\nworkflow {\n    for (name in ['a']) { println name }\n}\n")
    done = subprocess.run([ROOT / "tools/nextflow-lint", loose], text=True, capture_output=True)
    assert done.returncode == 1
    assert f"{loose}:1:1:" in done.stdout
