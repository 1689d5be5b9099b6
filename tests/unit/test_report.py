"""The report without a browser: figures as they are saved, what is collected, what the page says."""

import base64
import hashlib
import io
import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from PIL import Image

from hiclstm.contacts import ContactMap
from hiclstm.errors import InputError
from hiclstm.genome import Bins, natural
from hiclstm.metrics import MetricsTable
from hiclstm.report.collect import collect
from hiclstm.report.comparison import by_distance
from hiclstm.report.figures import LARGEST_SVG, MAP_LEVELS, draw_triangle, save_figure, style
from hiclstm.report.links import IN_FIGURES, OF_A_SAMPLE, Links, page_names, published
from hiclstm.report.page import Run, write_pages
from hiclstm.report.paging import parts
from hiclstm.report.paper import paper_figures
from hiclstm.report.quality import explain, facts
from hiclstm.report.samples import gather
from hiclstm.report.scores import answers
from hiclstm.report.sections import sections
from hiclstm.report.supplied import not_supplied
from hiclstm.report.svg import compact
from hiclstm.report.vectors import first_eigenvector, principal_components, training_figures
from hiclstm.report.words import distance_band

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bin/make_report.py"
WORDS = dict(caption="What it shows.", alt="A line.", command="prepare_contacts.py --resolution 50000")


def save(folder, name="GM12878_1.50000.decay", sample="GM12878_1.50000", order=110, stage="prepare", title="Decay",
         **more):
    figure, axes = pyplot.subplots()
    axes.plot([1, 2, 3], [3, 1, 2])
    save_figure(figure, Path(folder) / name, sample=sample, order=order, stage=stage, title=title, **(WORDS | more))


def scores(folder, cell_type="GM12878", replicate="1", resolution=50000, against=("1", "2"), model=0.85):
    table = MetricsTable(cell_type, replicate, resolution, "reconstruct")
    for target in against:
        for method, value in {"default": model, "svd16": 0.82, "blur": 0.84, "ceiling": 0.87}.items():
            if method == "ceiling" and target == replicate:
                continue
            for metric in ("pearson_lin", "scc_h0", "r2_cp"):
                for stratum in ("all", "0-500000", "10000000-"):
                    table.add(method, metric, value + 0.1 * (target == replicate), against=target, stratum=stratum, n=9)
    table.write(Path(folder) / f"{cell_type}_{replicate}.{resolution}.reconstruct.metrics.tsv")


def build(folder, *more) -> str:
    """Run make_report.py as a user does; the index as text."""
    argv, sys.argv = sys.argv, [str(SCRIPT), "--results", str(folder), "--output", str(folder / "out"), *more]
    try:
        runpy.run_path(str(SCRIPT), run_name="make_report")["main"]()
    finally:
        sys.argv = argv
    return (folder / "out/report.html").read_text()


def page_of(folder, sample="GM12878_1.50000") -> str:
    """The page of a sample that :func:`build` wrote."""
    return (folder / f"out/report/{sample}.html").read_text()


# figures

def test_a_figure_gives_the_same_bytes_twice_and_its_words_name_its_files(tmp_path):
    table = pd.DataFrame({"distance": [1, 2], "mean": [0.5, 0.25]})
    for folder in ("a", "b"):
        save(tmp_path / folder, table=table)
    for suffix in (".svg", ".tsv", ".figure.json"):
        name = f"GM12878_1.50000.decay{suffix}"
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    words = json.loads((tmp_path / "a/GM12878_1.50000.decay.figure.json").read_text())
    assert words == {"title": "Decay", **WORDS, "stage": "prepare", "sample": "GM12878_1.50000", "order": 110,
                     "svg": "GM12878_1.50000.decay.svg", "tsv": "GM12878_1.50000.decay.tsv"}
    assert not pyplot.get_fignums(), "the figure is closed"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [f"GM12878_1.50000.decay{suffix}" for suffix in
                                                                        (".figure.json", ".svg", ".tsv")]


def test_a_noisy_heatmap_stays_small(tmp_path):
    style()
    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.pcolormesh(np.random.default_rng(0).random((400, 400)))
    save_figure(figure, tmp_path / "noise", title="", stage="reconstruct", sample="", order=300, **WORDS)
    written = (tmp_path / "noise.svg").read_bytes()
    assert len(written) < LARGEST_SVG
    found = re.search(rb'<image [^>]*href="data:image/png;base64,([^"]+)"', written)[1]
    with Image.open(io.BytesIO(base64.b64decode(found))) as image:
        assert len(image.convert("RGBA").getcolors()) <= MAP_LEVELS + 1


def test_a_figure_may_name_the_result_that_holds_its_numbers(tmp_path):
    save(tmp_path, table="GM12878_1.50000.predicted.mcool")
    found = collect([tmp_path])
    assert found.figures[0].table == Path("GM12878_1.50000.predicted.mcool") and not found.problems
    assert not list(tmp_path.glob("*.tsv"))


def test_compact_keeps_the_drawing_and_drops_the_rest():
    svg = b"""<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "a" "b">
<svg width="10pt" height="5pt" viewBox="0 0 10 5">
 <metadata><x/></metadata>
 <g id="figure_1">
  <!-- 0.5 -->
  <g id="line2d_1">
   <path d="M 0.123456 -0.004
L 10.50 2e0
z
" clip-path="url(#p123)" style="fill: none; stroke: #000000"/>
  </g>
  <g transform="translate(1.23456 2) scale(0.1 -0.1)"><use xlink:href="#Glyph-31" transform="translate(63.623047 0)"/></g>
 </g>
 <defs><path id="Glyph-31" d="M 19 0 Q 1 2 3 4" transform="scale(0.015625)"/><clipPath id="p123"/></defs>
</svg>"""
    assert compact(svg) == (
        b'<svg width="10pt" height="5pt" viewBox="0 0 10 5"><g>'
        b'<path d="M0.12 0L10.5 2e0z" clip-path="url(#a1)" style="fill:none;stroke:#000000"/>'
        b'<g transform="translate(1.23456 2) scale(0.1 -0.1)"><use href="#a0" x="63.62"/></g></g>'
        b'<defs><path id="a0" d="M19 0Q1 2 3 4" transform="scale(0.015625)"/><clipPath id="a1"/></defs></svg>\n')


def test_triangle_puts_each_pair_at_its_middle_and_distance():
    n, resolution, start = 20, 1000, 5000
    band = np.full((n, n), np.nan, np.float32)
    for d in range(n):
        band[:n - d, d] = 1 + np.arange(n - d) * n + d
    mirrored = band * 2
    figure, axes = pyplot.subplots()
    image = draw_triangle(axes, band, start, resolution, mirrored=mirrored, max_distance=10_000)
    drawn, (left, right, bottom, top) = image.get_array(), image.get_extent()
    assert (left, right, bottom, top) == (start, start + n * resolution, -10_000, 10_000)
    height, width = drawn.shape

    def at(x, y):
        return drawn[int((top - y) / (top - bottom) * height), int((x - left) / (right - left) * width)]

    for i, d in ((0, 0), (3, 4), (10, 9), (15, 1)):
        middle = start + (i + d / 2 + 0.5) * resolution
        assert at(middle, d * resolution + 1) == max(band[i, d], image.norm.vmin)
        assert at(middle, -d * resolution - 1) == max(mirrored[i, d], image.norm.vmin)
    assert drawn.mask[5, 0], "off the map nothing is drawn"
    assert axes.get_xlabel() == "kb" and axes.get_ylabel() == "distance (kb)"
    pyplot.close(figure)


def compartments(n=400, seed=0, pieces=20):
    """A noiseless-truth map with two compartments, sampled, one bin missing; and the truth."""
    random = np.random.default_rng(seed)
    side = np.repeat(random.permutation([1.0, -1.0] * (pieces // 2)), n // pieces)
    first, second = np.triu_indices(n)
    expected = 3000 / (1 + second - first) * (1 + 0.4 * side[first] * side[second])
    counts = random.poisson(expected * (1 + 0.1 * (side[first] + side[second]))).astype(np.float32)
    keep = (counts > 0) & (first != 7) & (second != 7)
    weight = np.where(np.arange(n) == 7, np.nan, 1 / (1 + 0.1 * side))
    starts = np.searchsorted(first[keep], np.arange(n + 1))
    bins = Bins(("chr1",), (n * 1000,), 1000)
    return ContactMap(bins, starts, second[keep].astype(np.int32), counts[keep], weight), side


def test_first_eigenvector_finds_the_compartments_and_their_sign():
    contact_map, side = compartments()
    found = first_eigenvector(contact_map, "chr1")
    assert np.isnan(found[7]) and np.isfinite(np.delete(found, 7)).all()
    assert np.corrcoef(np.delete(found, 7), np.delete(side, 7))[0, 1] > 0.95


def test_first_eigenvector_of_a_pooled_map(monkeypatch):
    monkeypatch.setattr("hiclstm.report.vectors.MOST_BINS", 150)
    contact_map, side = compartments()
    found = first_eigenvector(contact_map, "chr1")
    assert np.corrcoef(np.delete(found, 7), np.delete(side, 7))[0, 1] > 0.9


def test_principal_components_of_a_line():
    steps = np.linspace(-1, 1, 50)
    vectors = np.outer(steps, [3.0, 4.0, 0.0]) + 5
    usable = np.ones(50, bool)
    usable[3] = False
    vectors[3] = 1e6
    points, share = principal_components(vectors, usable)
    kept = steps[usable] - steps[usable].mean()
    np.testing.assert_allclose(points[usable, 0], 5 * kept, atol=1e-9)
    assert np.isnan(points[3]).all() and share[0] == pytest.approx(1)


def test_training_figures_are_saved(tmp_path):
    contact_map, side = compartments(n=200)
    vectors = np.random.default_rng(1).normal(size=(200, 4)) + np.outer(side, [5, 0, 0, 0])
    log = pd.DataFrame({"epoch": [1, 1, 2], "step": [10, 20, 30], "loss": [9.0, 5.0, 4.5],
                        "pairs_per_second": [1e6, 2e6, 2e6], "seconds": [1.0, 2.0, 3.0]})
    training_figures(contact_map, vectors, log, tmp_path, sample="A_1.1000", command="train_model.py")
    loss, picture = collect([tmp_path]).figures
    assert "30 steps in 2 epochs and 3.0 s; the loss went from 9 to 4.5" in loss.caption
    agreement = float(re.search(r"with component 1 is (\d\.\d\d)", picture.caption)[1])
    assert agreement > 0.9
    table = pd.read_csv(picture.table, sep="\t")
    assert len(table) == 199 and list(table.columns) == ["chrom", "start", "end", "pc1", "pc2", "eigenvector"]


# collecting

def test_metrics_are_merged_in_one_order_and_as_they_were_written(tmp_path):
    scores(tmp_path, resolution=100000)
    scores(tmp_path, resolution=20000)
    found = collect([tmp_path]).metrics
    assert list(found["resolution"].unique()) == ["20000", "100000"], "numbers sort as numbers"
    assert list(found["stratum"][:3]) == ["0-500000", "10000000-", "all"]
    again = collect([*reversed(sorted(tmp_path.iterdir())), tmp_path]).metrics
    pd.testing.assert_frame_equal(found, again)
    assert set(found["value"]) >= {"0.85", "0.95"}


def test_unusable_files_become_problems_and_nothing_stops(tmp_path):
    save(tmp_path)
    (tmp_path / "GM12878_1.50000.decay.svg").unlink()
    (tmp_path / "a.figure.json").write_text('{"title": "x"}')
    (tmp_path / "b.figure.json").write_text("{")
    (tmp_path / "c.figure.json").write_text("[]")
    (tmp_path / "d.metrics.tsv").write_text("nothing\n1\n")
    (tmp_path / "e.training.tsv").write_text("")
    (tmp_path / "f.qc.json").write_bytes(b"\xff\xfe")
    problems = "\n".join(collect([tmp_path]).problems)
    for name in ("a.figure.json could not be used: it lacks caption", "b.figure.json", "c.figure.json",
                 "d.metrics.tsv could not be used: it lacks the columns cell_type", "e.training.tsv", "f.qc.json",
                 "GM12878_1.50000.decay.figure.json: its picture GM12878_1.50000.decay.svg is missing"):
        assert name in problems


def test_a_figure_reaches_only_files_that_were_given(tmp_path):
    save(tmp_path / "given")
    (tmp_path / "secret.svg").write_text("<svg>secret</svg>")
    words = tmp_path / "given/GM12878_1.50000.decay.figure.json"
    words.write_text(json.dumps(json.loads(words.read_text()) | {"svg": "../secret.svg", "tsv": "../../etc/passwd"}))
    figure = collect([tmp_path / "given"]).figures[0]
    assert figure.picture is None and figure.table is None


def test_an_absent_path_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere: there is no such file"):
        collect([tmp_path / "nowhere"])


def test_natural_order():
    assert sorted(["chr10", "chr2", "chrX", "2-", "10-"], key=natural) == ["2-", "10-", "chr2", "chr10", "chrX"]


# the page

def test_summary_scores_on_the_other_replicate_and_says_when_a_yardstick_is_better(tmp_path):
    scores(tmp_path, model=0.85)
    scores(tmp_path, "H1-hESC", against=("1", "truth"), model=0.80)
    held_out, simulated = gather(collect([tmp_path]))
    assert held_out.against == "replicate 2" and simulated.against == "truth"
    score = held_out.scores["pearson_lin"]
    assert (score.value, score.yardstick, score.ceiling, score.beaten) == ("0.850", "blur 0.840", "0.870", False)
    assert simulated.scores["pearson_lin"].beaten
    assert [table["caption"] for table in held_out.tables] == ["Scored on: replicate 2", "Scored on: training map"]


def told(stage, *rows) -> pd.DataFrame:
    """Rows of metrics as they are collected: (method, metric, against, stratum, value)."""
    table = MetricsTable("GM12878", "1", 50000, stage)
    for method, metric, against, stratum, value in rows:
        table.add(method, metric, value, against=against, stratum=stratum)
    return table.frame().astype(str).replace({"nan": "", "<NA>": ""})


def test_summary_of_elements_is_a_mean_over_those_that_every_representation_has():
    rows = told("classify", ("hiclstm-xgboost", "map", "", "tss", 0.5), ("hiclstm-xgboost", "map", "", "loops", 0.7),
                ("pca-xgboost", "map", "", "tss", 0.8), ("pca-xgboost", "map", "", "loops", 0.6),
                ("coverage-xgboost", "map", "", "tss", 1.0), ("hiclstm-linear", "map", "", "tss", 0.9))
    found = answers(rows, "default")["elements"]
    assert (found.value, found.yardstick, found.beaten) == ("0.600", "PCA 0.700", True)


def test_summary_of_barriers_prefers_the_truth_and_of_changes_names_the_yardstick():
    rows = [told("attribute", ("default-barrier_cost", "auroc_matched", "", "ctcf", 0.8)),
            told("perturb", ("default", "variants_read", "", "all", 4), ("default", "variants_beyond_chance", "", "all", 1))]
    found = answers(pd.concat(rows), "default")
    assert (found["barriers"].value, found["barriers"].yardstick) == ("0.800", "CTCF peaks")
    assert (found["changes"].value, found["changes"].yardstick) == ("1 of 4", "variants beyond chance")
    rows += [told("attribute", ("default-barrier_cost", "auroc_barrier", "truth", "all", 0.9)),
             told("perturb", *[(method, "pearson_delta", "truth", stratum, value)
                               for method, value in (("default", 0.4), ("rearranged_pixels", 0.5))
                               for stratum in ("deletion", "inversion", "deletion, distance included")])]
    found = answers(pd.concat(rows), "default")
    assert (found["barriers"].value, found["barriers"].yardstick) == ("0.900", "true barriers")
    assert (found["changes"].value, found["changes"].yardstick, found["changes"].beaten) == (
        "0.400", "pixels moved 0.500", True)


def test_sections_follow_the_paper_and_fold_series(tmp_path):
    for k, (stage, order) in enumerate([("perturb", 750), ("perturb", 750), ("perturb", 700), ("train", 210),
                                        ("novel", 10), ("reconstruct", 301), ("reconstruct", 310), ("reconstruct", 300)]):
        save(tmp_path, name=f"GM12878_1.50000.{k}", stage=stage, order=order, title=f"{stage} {order} {k}")
    found = sections(collect([tmp_path]).figures, [], {"classify"})
    assert [section.stage for section in found] == ["train", "reconstruct", "classify", "perturb", "novel"]
    folded = {section.stage: [(series.first.title, [figure.title for figure in series.others])
                              for series in section.series] for section in found}
    assert folded["reconstruct"] == [("reconstruct 300 7", ["reconstruct 301 5"]), ("reconstruct 310 6", [])]
    assert folded["perturb"] == [("perturb 700 2", []), ("perturb 750 0", ["perturb 750 1"])]


def test_a_sample_too_large_for_a_page_is_split_with_each_variant_in_one_piece(tmp_path):
    for name, stage, order in (("loss", "train", 210), ("one", "reconstruct", 300), ("two", "reconstruct", 301),
                               ("map", "reconstruct", 310), ("a.variant", "perturb", 750), ("b.variant", "perturb", 750),
                               ("a.collapsed", "perturb", 790), ("truth", "perturb", 700)):
        save(tmp_path, name=f"GM12878_1.50000.{name}", stage=stage, order=order, title=name)
    for variant in "ab":
        words = dict.fromkeys(("kind", "place", "resolution", "runs", "edits", "low", "high", "limit", "wt", "alt", "delta"))
        (tmp_path / f"GM12878_1.50000.{variant}.viewer.json").write_text(json.dumps(
            words | {"sample": "GM12878_1.50000", "variant": variant, "wt": "x" * 30_000}))
    (sample,) = gather(collect([tmp_path]))
    one = 4 * max(len(figure.picture) for figure in sample.figures) // 3 + 4_000  # more than any figure takes on a page

    def held(room):
        return [([figure.title for figure in part.figures], [viewer.variant for viewer in part.viewers])
                for part in parts(sample, room)]

    everything = ["loss", "one", "two", "map", "truth", "a.variant", "b.variant", "a.collapsed"]
    assert held(10**9) == [(everything, ["a", "b"])]
    assert held(5 * one) == [(["loss", "one", "two", "map", "truth"], []),
                             (["a.variant", "a.collapsed"], ["a"]), (["b.variant"], ["b"])]
    firsts = held(4 * one)  # the first of each series before the others
    assert firsts[0] == (["loss", "one", "map", "truth"], []) and firsts[1][0][0] == "two"
    assert sorted(title for titles, _ in held(1) for title in titles) == sorted(everything), "nothing is lost"


def test_where_each_figure_of_the_paper_is(tmp_path):
    save(tmp_path, name="GM12878_1.50000.reconstruct.map.chr1", stage="reconstruct", order=310)
    save(tmp_path, name="H1-hESC_1.50000.reconstruct.map.chr1", sample="H1-hESC_1.50000", stage="reconstruct", order=310)
    save(tmp_path, name="comparison.distance", sample="", stage="compare", order=510)

    def told():
        found = collect([tmp_path])
        rows = paper_figures(gather(found), [figure for figure in found.figures if not figure.sample])
        return {one.row.number: one for one in rows}

    rows = told()
    assert [sample.cell_type for sample in rows["3g"].samples] == ["GM12878", "H1-hESC"]
    assert rows["3g"].stage == "reconstruct" and rows["3g"].absent == "" and rows["3e, f"].across
    assert rows["7"].absent == "not supplied: a duplication among the variants (--variants)"
    assert "two resolutions" in rows["5a–c"].absent and "ablations.py" in rows["S13"].absent
    save(tmp_path, name="GM12878_1.500000.reconstruct.map.chr1", sample="GM12878_1.500000", stage="reconstruct", order=310)
    assert told()["5a–c"].absent == ""


def test_the_summarys_target_is_the_figure_that_is_shown(tmp_path):
    scores(tmp_path)
    for k, target in enumerate(("1", "2", "truth")):
        save(tmp_path, name=f"GM12878_1.50000.reconstruct.scores.{target}", stage="reconstruct", order=300 + k, title=target)
    (sample,) = gather(collect([tmp_path]))
    assert sample.against == "replicate 2" and [figure.title for figure in sample.figures] == ["2", "1", "truth"]


def test_report_holds_every_figure_once_in_order_with_its_numbers(tmp_path):
    scores(tmp_path)
    scores(tmp_path, "H1-hESC")
    save(tmp_path, order=310, stage="reconstruct", title="Later", table=pd.DataFrame({"x": [1.5]}))
    save(tmp_path, name="GM12878_1.50000.loss", order=210, stage="train", title="Earlier")
    save(tmp_path, name="all", sample="", order=520, title="Everywhere")
    index = build(tmp_path)
    page = page_of(tmp_path)
    assert [index.count(f"<h3>{title}</h3>") for title in ("Everywhere", "Later", "Earlier")] == [1, 0, 0]
    assert [page.count(f"<h3>{title}</h3>") for title in ("Everywhere", "Later", "Earlier")] == [0, 1, 1]
    assert page.index("<h3>Earlier") < page.index("<h3>Later")
    assert 'href="../../GM12878_1.50000.decay.tsv"' in page and 'href="../../GM12878_1.50000.decay.svg"' in page
    assert 'href="report/GM12878_1.50000.html"' in index and 'href="../report.html"' in page
    assert 'href="H1-hESC_1.50000.html" rel="next"' in page
    assert page.count("data:image/svg+xml;base64,") == 2 and index.count("data:image/svg+xml;base64,") == 2
    for text in (index, page):
        assert not re.search(r'(src|href)="(https?:)?//', text), "nothing is loaded from elsewhere"
    merged = pd.read_csv(tmp_path / "out/metrics.tsv", sep="\t", dtype=str)
    assert len(merged) == 2 * 3 * 3 * 7
    assert build(tmp_path) == index and page_of(tmp_path) == page, "the same results give the same pages"


def test_files_are_linked_where_the_pipeline_publishes_them(tmp_path):
    config = (ROOT / "conf/publish.config").read_text()
    assert OF_A_SAMPLE.pattern in config and IN_FIGURES.pattern in config
    assert published("A_b_1.50000.qc.tsv") == "A_b/50000/A_b_1.50000.qc.tsv"
    assert published("A_b_1.50000.x.viewer.json") == "A_b/50000/figures/A_b_1.50000.x.viewer.json"
    assert published("metrics.tsv") == "metrics.tsv"
    scores(tmp_path)
    scores(tmp_path, "H1-hESC")
    save(tmp_path, stage="reconstruct", table="GM12878_1.50000.predicted.mcool")
    save(tmp_path, name="GM12878_1.50000.loss", stage="train", table=pd.DataFrame({"x": [1]}))
    index = build(tmp_path, "--published")
    page = page_of(tmp_path)
    for address in ("../GM12878/50000/GM12878_1.50000.predicted.mcool", "../GM12878/50000/GM12878_1.50000.loss.tsv",
                    "../GM12878/50000/figures/GM12878_1.50000.loss.svg"):
        assert f'href="{address}"' in page
    assert 'href="report/comparison.distance.tsv"' in index and (tmp_path / "out/report/comparison.distance.tsv").exists()
    assert 'href="pipeline_info/trace.tsv"' in index


def test_addresses_are_quoted_and_absent_files_are_not_linked(tmp_path):
    odd = tmp_path / 'a b#?%"<.tsv'
    odd.touch()
    links = Links(tmp_path, tmp_path / "report", as_published=False)
    assert links.to(odd) == "../a%20b%23%3F%25%22%3C.tsv"
    assert links.to(tmp_path / "gone.tsv") == "" and links.to(None) == ""


def test_page_names_are_harmless_and_differ():
    names = page_names(["A b", "A-b", "a-B", "../../etc/x", "..", "<script>", "ü" * 300, "K562_1.1000"])
    assert names["K562_1.1000"] == "K562_1.1000.html"
    assert len({name.lower() for name in names.values()}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.html", name) and len(name) < 120 for name in names.values())


def test_parameters_are_listed(tmp_path):
    save(tmp_path)
    (tmp_path / "given.json").write_text(json.dumps({"seed": 7, "input": "<b>.csv", "fasta": None, "help": False}))
    page = build(tmp_path, "--parameters", str(tmp_path / "given.json"))
    assert "<dt>seed</dt><dd>7</dd>" in page and "&lt;b&gt;.csv" in page and "<dt>fasta" not in page
    (tmp_path / "given.json").write_text("[1]")
    with pytest.raises(InputError, match="expected a JSON object"):
        build(tmp_path, "--parameters", str(tmp_path / "given.json"))


def test_missing_picture_is_said(tmp_path):
    save(tmp_path)
    (tmp_path / "GM12878_1.50000.decay.svg").unlink()
    index = build(tmp_path)
    assert "The picture of this figure is missing from the results." in page_of(tmp_path)
    assert "its picture GM12878_1.50000.decay.svg is missing" in index


def test_failed_and_unfinished_samples_are_shown(tmp_path):
    save(tmp_path)
    (tmp_path / "failures.json").write_text('{"WTC11_1.2000": "out of memory"}')
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("cell_type,replicate,contacts\nGM12878,1,a.hic\nHFF-hTERT,1,b.hic\nWTC11,1,c.hic\n")
    page = build(tmp_path, "--failed", "H1-hESC_1.50000=a=b <broken>", "--samplesheet", str(sheet))
    assert "3 of 4 samples failed" in page and "out of memory" in page and "a=b &lt;broken&gt;" in page
    assert "<b>Failed.</b> out of memory" in page_of(tmp_path, "WTC11_1.2000")
    assert "No result of this sample reached the report." in page_of(tmp_path, "HFF-hTERT_1")
    expected = [("HFF-hTERT", "1", None), ("WTC11", "1", 2000), ("GM12878", "1", 50000), ("GM12878", "1", 100000)]
    samples = {sample.label: sample.failure for sample in gather(collect([tmp_path]), expected)}
    nothing = "No result of this sample reached the report."
    assert samples == {"GM12878, replicate 1, 50 kb": "", "GM12878, replicate 1, 100 kb": nothing,
                       "HFF-hTERT, replicate 1": nothing, "WTC11, replicate 1, 2 kb": "out of memory"}


@pytest.mark.parametrize("more, message", [(["--failed", "nameless"], "expected ID=REASON"),
                                           (["--samplesheet", "absent.csv"], "cannot be read")])
def test_bad_arguments_are_refused(tmp_path, more, message):
    save(tmp_path)
    with pytest.raises(InputError, match=message):
        build(tmp_path, *more)
    assert not (tmp_path / "out").exists()


def test_nothing_to_report_is_refused(tmp_path):
    with pytest.raises(InputError, match="nothing to report"):
        build(tmp_path)


def test_names_are_escaped_and_the_policy_allows_only_our_script(tmp_path):
    bad = '<script>alert(1)</script>"\'_1.50000'
    save(tmp_path, sample=bad, title="<img src=x onerror=alert(2)>", caption="<b>c</b>", alt='" onload="alert(3)')
    index = build(tmp_path, "--title", "</title><script>")
    (sample,) = (tmp_path / "out/report").glob("*.html")
    for page in (index, sample.read_text()):
        assert page.count("<script") == 1 and "<img src=x" not in page and '" onload="' not in page
        script = re.search(r"<script>(.*?)</script>", page, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}'" in page


def test_a_viewer_that_cannot_be_drawn_is_a_problem(tmp_path):
    save(tmp_path)
    (tmp_path / "a.viewer.json").write_text('{"sample": "x"}')
    (tmp_path / "b.viewer.json").write_text('{"low": NaN}')
    problems = "\n".join(collect([tmp_path]).problems)
    assert "a.viewer.json could not be used: it lacks variant" in problems
    assert "b.viewer.json could not be used: it holds NaN" in problems


def test_comparison_takes_the_best_yardstick_at_each_distance(tmp_path):
    scores(tmp_path)
    scores(tmp_path, "H1-hESC", against=("1",))
    table = by_distance(collect([tmp_path]).metrics)
    assert list(table["cell_type"]) == ["GM12878"] * 2 + ["H1-hESC"] * 2
    assert list(table["yardstick"]) == [0.84, 0.84, 0.94, 0.94]
    assert list(table["ceiling"].isna()) == [False, False, True, True]
    page = build(tmp_path)
    assert "Reconstruction by distance, all samples" in page
    assert build(tmp_path).count("<h3>Reconstruction by distance, all samples</h3>") == 1, "a second run replaces it"


def test_what_was_not_supplied(tmp_path):
    scores(tmp_path, "H1-hESC", against=("1",))
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "perturb_genome.py").touch()
    missing = {item.what: item for item in not_supplied(collect([tmp_path]), scripts)}
    variants = next(item for what, item in missing.items() if "deletion" in what)
    assert variants.lacks == "No variants were given." and variants.option == "--variants FILE"
    elements = next(item for what, item in missing.items() if "elements" in what)
    assert elements.lacks == "Not in this version of the pipeline."
    assert any("ceiling (H1-hESC)" in what for what in missing)
    table = MetricsTable("H1-hESC", "1", 50000, "classify")
    table.add("default", "average_precision", 0.5, stratum="Enhancers")
    table.write(tmp_path / "H1-hESC_1.50000.classify.metrics.tsv")
    elements = [item.what for item in not_supplied(collect([tmp_path]), scripts) if item.what.startswith("Elements")]
    assert "FIRE" in elements[0] and "Segway" in elements[0] and "enhancer" not in elements[0]


def test_quality_in_words(tmp_path):
    record = {"verdict": "too shallow", "raw": True, "contacts": {"cis": 1234567.0, "trans": None},
              "bins": {"all": 100, "share_masked": 0.25}, "notes": ["chrY is left out"],
              "chromosomes": {"chr1": {"bins": 100, "bins_usable": 75, "contacts_cis": 1234567.0, "zero_share": 0.5,
                                       "balancing": {"name": "KR", "why": "in the file"}}}}
    assert {("Contacts within chromosomes", "1,234,567"), ("Bins masked as missing", "25.0%")} <= set(facts(record))
    assert "fewer than 100 contacts" in explain("too shallow") and explain("odd") == ""
    assert facts({"contacts": 3, "bins": None, "notes": None}) == []
    (tmp_path / "A_1.1000.qc.json").write_text(json.dumps(record))
    page = write_pages(collect([tmp_path]), tmp_path, Run())[1].read_text()
    assert "Half of the bins have fewer than 100 contacts" in page and "in the file" in page and "1.23 M" in page


def test_distance_bands_in_words():
    assert [distance_band(text) for text in ("0-500000", "500000-2000000", "10000000-", "all")] == [
        "< 0.5 Mb", "0.5–2 Mb", "> 10 Mb", "all"]


def test_style_is_readable():
    style()
    assert pyplot.rcParams["font.size"] >= 9
