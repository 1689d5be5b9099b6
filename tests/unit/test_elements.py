"""Elements: files of every format, labels by their rules, folds that leak nothing, scores with known answers, bad input."""

import gzip
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hiclstm.contacts import ContactMap, write_cool
from hiclstm.elements import classifiers, scores, splits
from hiclstm.elements.annotations import Line, read_annotation, read_genes, read_sheet
from hiclstm.elements.labels import boundaries_of, is_from_hic, matched_random_bins, task_of
from hiclstm.elements.representations import coverage, load, position
from hiclstm.elements.stage import across_samples, tasks_of
from hiclstm.errors import InputError
from hiclstm.genome import Bins

BIN = Path(__file__).parents[2] / "bin"
DATA = Path(__file__).parents[2].parent / "shared/data"
STEP = 10_000


def a_map(n=100, chromosomes=("chr1",), missing=(), assembly="hg19", resolution=STEP) -> ContactMap:
    """Chromosomes of n bins, a contact of each bin with itself and its neighbour."""
    bins = Bins(tuple(chromosomes), (n * resolution,) * len(chromosomes), resolution)
    rows = np.arange(len(bins))
    last = np.isin(rows, bins.offsets[1:] - 1)
    columns = np.concatenate([[r] if end else [r, r + 1] for r, end in zip(rows, last, strict=True)])
    starts = np.concatenate([[0], np.cumsum(np.where(last, 1, 2))])
    weight = np.ones(len(bins))
    weight[list(missing)] = np.nan
    return ContactMap(bins, starts.astype(np.int64), columns.astype(np.int32), np.ones(len(columns), np.float32),
                      weight, {"cell_type": "X", "replicate": "1", "sample": f"X_1.{resolution}", "assembly": assembly,
                               "raw": True})


def put(path: Path, *rows, header="", separator="\t") -> Path:
    text = header + "".join(separator.join(map(str, row)) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def whole_bins(*numbers, chromosome="chr1"):
    return [(chromosome, k * STEP, (k + 1) * STEP) for k in numbers]


def labels_of(task, n=100) -> np.ndarray:
    found = np.full(n, -1)
    found[task.index] = task.labels
    return found


def task(tmp_path, element, path, column="", threshold=None, contact_map=None, genes=None):
    contact_map = contact_map or a_map()
    return task_of(Line(element, path, column, threshold), contact_map, contact_map.usable, genes)


# The sheet

def test_sheet_takes_own_lines_before_those_for_every_cell_type(tmp_path):
    sheet = put(tmp_path / "s.csv", ("*", "genes", "g.bed", "", ""), ("*", "TSS", "all.bed", "", ""),
                ("X", "TSS", "own.bed", "value", "0.5"), ("Y", "TSS", "other.bed", "", ""),
                header="cell_type,element,file,column,threshold\n", separator=",")
    lines = {line.element: line for line in read_sheet(sheet, "X")}
    assert lines["TSS"] == Line("TSS", tmp_path / "own.bed", "value", 0.5)
    assert lines["genes"].path == tmp_path / "g.bed" and lines["genes"].threshold is None
    assert read_sheet(sheet, "Z")[1].path == tmp_path / "all.bed"


@pytest.mark.parametrize("text, words", [
    ("cell_type,file\nX,a.bed\n", "element missing"), ("cell_type,element,file\nX,a,f\nX,a,g\n", "given twice"),
    ("cell_type,element,file,threshold\nX,a,f,high\n", "'high', expected a number")])
def test_sheet_errors_name_what_is_wrong(tmp_path, text, words):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        read_sheet(tmp_path / "s.csv", "X")


# Formats

@pytest.mark.parametrize("name, rows", [
    ("a.bed", [("chr1", 5000, 5100), ("chr1", 25000, 25100)]), ("a.bed.gz", [("chr1", 5000, 5100), ("chr1", 25000, 25100)]),
    ("a.narrowPeak", [("1", 5000, 5100, ".", 0, ".", 7.5, -1, -1, 50), ("1", 25000, 25100, ".", 0, ".", 3, -1, -1, 50)]),
    ("a.gff", [("chr1", "x", "y", 5001, 5100, ".", "+", ".", "id"), ("chr1", "x", "y", 25001, 25100, ".", "+", ".", "id")]),
    ("a.csv", [("chrom", "start", "end"), ("chr1", 5000, 5100), ("chr1", 25000, 25100)]),
    ("a.txt", [("chr1", "x1", "x2", "chr2", "y1", "y2"), ("1", 5000, 5100, "1", 5000, 5100),
               ("1", 25000, 25100, "1", 25000, 25100)])])
def test_every_text_format_gives_the_same_intervals(tmp_path, name, rows):
    path = put(tmp_path / name, *rows, separator="," if name.endswith(".csv") else "\t")
    found = read_annotation(Line("peaks", path), a_map())
    assert not found.pairs and found.on_map == 1
    assert found.table[["chrom", "start", "end"]].values.tolist() == [["chr1", 5000, 5100], ["chr1", 25000, 25100]]


def test_comment_header_names_columns_and_lines_are_counted_as_in_the_file(tmp_path):
    path = put(tmp_path / "a.tsv", ("chr1", 0, 10, 3), ("chr1", 20, "x", 4),
               header="# made by hand\n#chrom\tstart\tend\tlevel\n")
    with pytest.raises(InputError, match="a.tsv, line 4: end is 'x'"):
        read_annotation(Line("peaks", path), a_map())


def test_bigwig_and_bedgraph_give_the_same_labels(tmp_path):
    import pyBigWig

    levels = np.random.default_rng(0).normal(size=50)
    rows = [(*place, level) for place, level in zip(whole_bins(*range(50)), levels, strict=True)]
    text = task(tmp_path, "timing", put(tmp_path / "a.bedGraph", *rows), "value", 0.0)
    with pyBigWig.open(str(tmp_path / "a.bw"), "w") as file:
        file.addHeader([("1", 100 * STEP)])
        file.addEntries(["1"] * 50, [row[1] for row in rows], ends=[row[2] for row in rows], values=levels.tolist())
    binary = task(tmp_path, "timing", tmp_path / "a.bw", threshold=0.0)
    assert (text.index == np.arange(50)).all() and (text.labels == (levels > 0)).all()
    assert (binary.index == text.index).all() and (binary.labels == text.labels).all()


# Labels

def test_short_intervals_by_overlap_long_ones_by_majority(tmp_path):
    short = task(tmp_path, "peaks", put(tmp_path / "a.bed", *[("chr1", k * STEP - 1, k * STEP + 1) for k in range(1, 20)]))
    assert (np.flatnonzero(labels_of(short) == 1) == np.arange(20)).all()
    long = task(tmp_path, "TADs", put(tmp_path / "b.bed", ("chr1", 4_000, 156_000), ("chr1", 300_000, 405_000)))
    assert (np.flatnonzero(labels_of(long) == 1) == [*range(16), *range(30, 41)]).all()
    assert long.from_hic and not short.from_hic and "half" in long.rule


def test_missing_bins_have_no_label(tmp_path):
    contact_map = a_map(missing=(3, 7))
    found = task(tmp_path, "peaks", put(tmp_path / "a.bed", *whole_bins(*range(1, 30))), contact_map=contact_map)
    assert not np.isin([3, 7], found.index).any() and len(found.index) == 98
    assert found.on_data == pytest.approx(27 / 29)


def test_mean_over_threshold_weighs_by_overlap(tmp_path):
    rows = [("chr1", k * STEP, k * STEP + 2_500, 1.0) for k in range(40)]
    rows += [("chr1", k * STEP + 2_500, (k + 1) * STEP, 0.0 if k % 2 else 0.4) for k in range(40)]
    found = task(tmp_path, "FIRE", put(tmp_path / "a.bed", *rows), "4", 0.5)  # means 0.25 and 0.55
    assert (found.labels == (np.arange(40) % 2 == 0)).all() and found.from_hic


def test_subcompartments_go_to_the_name_that_covers_most(tmp_path):
    rows = [("chr1", 0, 153_000, "A1"), ("chr1", 153_000, 300_000, "B1"), ("chr1", 300_000, 400_000, "NA"),
            ("chr1", 400_000, 430_000, "B4")]
    found = task(tmp_path, "subcompartments", put(tmp_path / "a.bed", *rows), "name")
    assert found.classes == ("A1", "B1") and "B4" in found.rule  # three bins are too few for a class
    assert (found.index == np.arange(30)).all() and (found.labels == (np.arange(30) >= 15)).all()


def test_expression_is_placed_by_the_gene_table_and_logged(tmp_path):
    genes = put(tmp_path / "genes.tsv", *[("chr1", k * STEP + 100, k * STEP + 200, "+", f"ENSG{k:03}", f"G{k}")
                                          for k in range(60)])
    level = np.where(np.arange(60) % 3 == 0, np.e ** 0.6, np.e ** 0.4)
    level[5] = 0
    rpkm = put(tmp_path / "rpkm.gz", ("gene_id", "E000", "E116"), *[(f"ENSG{k:03}.7", 9, level[k]) for k in range(60)])
    table = read_genes(Line("genes", genes))
    found = task(tmp_path, "expression", rpkm, "E116", 0.5, genes=table)
    assert (found.index == np.arange(60)).all() and (found.labels == (np.arange(60) % 3 == 0)).all()
    assert "natural log of E116 > 0.5" in found.rule
    with pytest.raises(InputError, match="needs a line of the sheet with element 'genes'"):
        task(tmp_path, "expression", rpkm, "E116", 0.5)
    with pytest.raises(InputError, match="no column 'E117'; it has gene_id, E000, E116"):
        task(tmp_path, "expression", rpkm, "E117", 0.5, genes=table)


def test_promoter_enhancer_pairs_with_given_and_with_drawn_negatives(tmp_path):
    rows = [(f"X|chr1:{k * STEP}-{k * STEP + 50}", f"X|chr1:{(k + 9) * STEP}-{(k + 9) * STEP + 50}", k % 2)
            for k in range(40)]
    given = task(tmp_path, "PEI", put(tmp_path / "p.csv", ("enhancer", "promoter", "label"), *rows, separator=","), "label")
    assert given.kind == "pairs" and (given.index[:, 1] - given.index[:, 0] == 9).all() and given.labels.sum() == 20
    bedpe = [("chr1", k * STEP, k * STEP + 9, "chr1", (k + 9) * STEP, (k + 9) * STEP + 9) for k in range(40)]
    drawn = task(tmp_path, "promoter_enhancer", put(tmp_path / "p.bedpe", *bedpe))
    assert drawn.labels.mean() == 0.5 and (drawn.index[:, 1] - drawn.index[:, 0] == 9).all()
    assert not set(map(tuple, drawn.index[drawn.labels == 0])) & set(map(tuple, drawn.index[drawn.labels == 1]))
    loops = task(tmp_path, "loops", tmp_path / "p.bedpe")
    assert loops.kind == "binary" and (np.flatnonzero(labels_of(loops) == 1) == np.arange(49)).all()


def test_boundaries_are_the_bins_on_both_sides_of_an_edge(tmp_path):
    contact_map = a_map()
    domains = task(tmp_path, "TADs", put(tmp_path / "d.bed", *[("chr1", k * STEP, (k + 9) * STEP) for k in (5, 20, 40, 60)]))
    found = boundaries_of(domains, contact_map.bins, contact_map.usable)
    edges = np.array([5, 14, 20, 29, 40, 49, 60, 69])
    assert set(np.flatnonzero(labels_of(found) == 1)) == set(edges) | set(edges - 1)


def test_matched_random_bins_stay_on_their_chromosome_and_off_the_positives(tmp_path):
    contact_map = a_map(chromosomes=("chr1", "chr2"), missing=(50, 51))
    rows = [*whole_bins(*range(20)), *whole_bins(*range(30, 35), chromosome="chr2")]
    found = task(tmp_path, "peaks", put(tmp_path / "a.bed", *rows), contact_map=contact_map)
    random = matched_random_bins(found, contact_map.bins, contact_map.usable, seed=3)
    assert (random == matched_random_bins(found, contact_map.bins, contact_map.usable, seed=3)).all()
    assert not np.isin(random, found.index[found.labels == 1]).any() and contact_map.usable[random].all()
    assert 12 <= (random < 100).sum() <= 20 and 3 <= (random >= 100).sum() <= 5


# What cannot be used

@pytest.mark.parametrize("rows, words", [
    ([], "is empty"), ([("chr9", 0, 10)], r"0 % of it lies on the map: the file has chr9, the map chr1 \(hg19\)"),
    ([("chr1", 5, 10), ("chr1", 1_000_000, 1_000_500)], "line 2: chr1:1,000,000-1,000,500 lies past the chromosome's end"),
    ([("chr1", 0, 100 * STEP)], "all 100 labelled bins are positive"), (whole_bins(1, 2, 3), "only 3 positive bins of 100"),
    ([("chr1", 30, 20)], "line 1: 30-20 is no interval"), ([("chr1", 5, 9), ("chr1", 5)], "line 2: 2 fields")])
def test_bad_files_say_what_is_wrong(tmp_path, rows, words):
    with pytest.raises(InputError, match=words):
        task(tmp_path, "peaks", put(tmp_path / "a.bed", *rows))


def test_an_interval_rounded_past_the_end_is_cut(tmp_path):
    found = read_annotation(Line("x", put(tmp_path / "a.bed", ("chr1", 980_000, 1_100_000))), a_map())
    assert found.table["end"].tolist() == [1_000_000]


def test_one_bad_task_leaves_the_others(tmp_path, capsys):
    good = put(tmp_path / "good.bed", *whole_bins(*range(30)))
    lines = [Line("good", good), Line("empty", put(tmp_path / "empty.bed")), Line("absent", tmp_path / "absent.bed"),
             Line("scored", good, "fire_score", 0.5)]
    contact_map = a_map()
    found = tasks_of(lines, contact_map, contact_map.usable, [], 1)
    assert [one.element for one in found.found] == ["good"]
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in told] == ["empty", "absent", "scored"]
    assert "no column 'fire_score'; it has chrom, start, end" in told[2]
    assert tasks_of(lines, contact_map, contact_map.usable, ["goood"], 1).found == []
    assert "no element 'goood' for this cell type; it has absent, empty, good, scored" in capsys.readouterr().err


def test_elements_called_from_hic_are_known():
    assert all(map(is_from_hic, ("TADs", "sub-compartments", "boundaries", "loop_domains", "FIRE")))
    assert not any(map(is_from_hic, ("expression", "enhancers", "CTCF", "TSS")))


# Folds

def test_chromosome_folds_hold_whole_chromosomes():
    contact_map = a_map(chromosomes=[f"chr{k}" for k in range(1, 8)])
    folds = splits.folds_of(contact_map.bins, contact_map.usable)
    assert folds.number == 5
    for name in contact_map.bins.chromosomes:
        assert len(set(folds.test[contact_map.bins.span(name)])) == 1
    assert not (folds.training(0) & (folds.test == 0)).any()


def test_block_folds_leave_a_gap():
    contact_map = a_map(n=600, resolution=100_000)  # 60 Mb: 12 blocks
    folds = splits.folds_of(contact_map.bins, contact_map.usable)
    assert folds.number == 5 and (folds.test >= 0).all()
    for fold in range(5):
        tested, learned = np.flatnonzero(folds.test == fold), np.flatnonzero(folds.training(fold))
        assert np.abs(tested[:, None] - learned[None, :]).min() > 10  # 1 Mb
        runs = np.split(tested, np.flatnonzero(np.diff(tested) > 1) + 1)
        assert min(map(len, runs)) >= 50  # 5 Mb
        fit, watch = folds.validation(fold)
        assert not (fit & watch).any() and not ((fit | watch) & (folds.test == fold)).any()


def test_random_folds_are_the_papers():
    contact_map = a_map()
    folds = splits.folds_of(contact_map.bins, contact_map.usable, "random")
    assert folds.number == 5 and not folds.near.any() and (np.bincount(folds.test) == 20).all()


# Scores

def test_scores_match_scikit_learn_with_ties_and_weights():
    from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

    random = np.random.default_rng(0)
    labels, guess = random.integers(0, 2, 300), random.integers(0, 20, 300) / 20
    weights = random.integers(0, 4, 300).astype(float)
    for weight in (None, weights):
        assert scores.average_precision(labels, guess, weight) == pytest.approx(
            average_precision_score(labels, guess, sample_weight=weight))
        assert scores.auroc(labels, guess, weight) == pytest.approx(roc_auc_score(labels, guess, sample_weight=weight))
        assert scores.f_score(labels, guess > 0.5, weight) == pytest.approx(
            f1_score(labels, guess > 0.5, sample_weight=weight))
        assert scores.accuracy(labels, guess > 0.5, weight) == pytest.approx(
            accuracy_score(labels, guess > 0.5, sample_weight=weight))


def test_known_average_precision():
    assert scores.average_precision([1, 0, 1, 0], [4, 3, 2, 1]) == pytest.approx((1 + 2 / 3) / 2)
    assert scores.average_precision([1, 0, 0, 0], [1, 1, 1, 1]) == pytest.approx(0.25)  # ties score the prevalence
    assert scores.auroc([1, 0], [1, 1]) == 0.5


def test_bootstrap_resamples_groups():
    random = np.random.default_rng(1)
    labels = np.repeat(random.integers(0, 2, 20), 50)  # a label for each stretch
    guess = np.clip(labels * 0.3 + random.random(1000) * 0.7, 0, 1)
    stretches = scores.with_intervals(labels, guess, np.repeat(np.arange(20), 50), 200, 1)["auroc"]
    single = scores.with_intervals(labels, guess, np.arange(1000), 200, 1)["auroc"]
    assert stretches.low <= stretches.value <= stretches.high
    assert stretches.value == pytest.approx(single.value)
    wrong = np.repeat(np.arange(20) % 4 == 0, 50)  # whole stretches are wrong together
    guess = np.where((labels == 1) ^ wrong, 0.9, 0.1)
    accuracy = {kind: scores.with_intervals(labels, guess, groups, 200, 1)["accuracy"] for kind, groups in
                (("stretches", np.repeat(np.arange(20), 50)), ("bins", np.arange(1000)))}
    assert accuracy["stretches"].value == 0.75
    width = {kind: one.high - one.low for kind, one in accuracy.items()}
    assert width["stretches"] > 2 * width["bins"]


# Classifiers

def learnable(tmp_path, seed=0):
    """A map of 600 bins, vectors whose first component tells a label, and one that tells nothing."""
    contact_map = a_map(n=600, resolution=100_000)
    random = np.random.default_rng(seed)
    positive = random.random(600) < 0.3
    vectors = random.normal(size=(600, 6)).astype(np.float32)
    vectors[:, 0] += 3 * positive
    rows = [("chr1", k * 100_000, k * 100_000 + 100) for k in np.flatnonzero(positive)]
    known = task_of(Line("known", put(tmp_path / "known.bed", *rows)), contact_map, contact_map.usable)
    other = [("chr1", k * 100_000, k * 100_000 + 100) for k in np.flatnonzero(random.random(600) < 0.3)]
    noise = task_of(Line("noise", put(tmp_path / "noise.bed", *other)), contact_map, contact_map.usable)
    return contact_map, vectors, known, noise


def test_classifiers_find_what_is_there_and_nothing_else(tmp_path):
    contact_map, vectors, known, noise = learnable(tmp_path)
    folds = splits.folds_of(contact_map.bins, contact_map.usable)
    found = dict(zip(("known", "noise"), classifiers.linear([known, noise], vectors, folds), strict=True))
    trees = {one.element: classifiers.boosted(one, vectors, folds, classifiers.TREES["xgboost"], 1)
             for one in (known, noise)}
    for probability in (found, trees):
        assert scores.auroc(known.labels, probability["known"]) > 0.95
        assert 0.4 < scores.auroc(noise.labels, probability["noise"]) < 0.6


def test_linear_layer_is_logistic_regression(tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    contact_map, vectors, known, noise = learnable(tmp_path)
    folds = splits.folds_of(contact_map.bins, contact_map.usable)
    probability = classifiers.linear([noise, known], vectors, folds)[1]
    learned, tested = folds.training(0)[known.index], folds.test[known.index] == 0
    scale = StandardScaler().fit(vectors[known.index][learned].astype(float))
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=500)
    model.fit(scale.transform(vectors[known.index][learned]), known.labels[learned])
    expected = model.predict_proba(scale.transform(vectors[known.index][tested]))[:, 1]
    assert np.abs(probability[tested] - expected).max() < 0.01


def test_a_tested_fold_is_never_learned_from(tmp_path):
    contact_map, vectors, known, _ = learnable(tmp_path)
    folds = splits.folds_of(contact_map.bins, contact_map.usable)
    own = folds.test[known.index]
    labels = known.labels.copy()
    labels[own == 0] = 1 - labels[own == 0]
    for run in (lambda t: classifiers.linear([t], vectors, folds)[0],
                lambda t: classifiers.boosted(t, vectors, folds, classifiers.TREES["xgboost"], 1)):
        before, after = run(known), run(replace(known, labels=labels))
        assert np.array_equal(before[own == 0], after[own == 0]) and not np.array_equal(before[own == 1], after[own == 1])


def test_a_chromosome_with_turned_signs_is_learned_from_its_own_blocks(tmp_path):
    contact_map = a_map(n=150, chromosomes=("chr1", "chr2"), resolution=100_000)
    side = np.arange(300) // 10 % 2
    vectors = np.random.default_rng(4).normal(size=(300, 3)) + np.array([3, 0, 0]) * (2 * side - 1)[:, None]
    vectors[150:] *= -1  # the other chromosome's A is this one's B
    rows = [(f"chr{k // 150 + 1}", k % 150 * 100_000, (k % 150 + 1) * 100_000, "BA"[side[k]]) for k in range(300)]
    found = task_of(Line("compartments", put(tmp_path / "a.bed", *rows), "name"), contact_map, contact_map.usable)
    folds = splits.folds_of(contact_map.bins, contact_map.usable)
    assert folds.within
    plain, own = (classifiers.linear([found], offered, folds)[0] for offered in
                  (vectors, classifiers.by_chromosome(vectors, contact_map.bins)))
    assert scores.class_scores(found.labels, plain)["accuracy"] < 0.7
    assert scores.class_scores(found.labels, own)["accuracy"] > 0.95


def test_several_classes(tmp_path):
    contact_map = a_map(n=600, resolution=100_000)
    random = np.random.default_rng(2)
    kind = random.integers(0, 3, 600)
    vectors = random.normal(size=(600, 4)) + 3 * np.eye(4)[kind]
    rows = [("chr1", k * 100_000, (k + 1) * 100_000, "ABC"[kind[k]]) for k in range(600)]
    found = task_of(Line("subcompartments", put(tmp_path / "a.bed", *rows), "name"), contact_map, contact_map.usable)
    folds = splits.folds_of(contact_map.bins, contact_map.usable)
    for probability in (classifiers.linear([found], vectors, folds)[0],
                        classifiers.boosted(found, vectors, folds, classifiers.TREES["xgboost"], 1)):
        values = scores.class_scores(found.labels, probability)
        assert values["accuracy"] > 0.9 and values["map"] > 0.9 and found.prevalence == pytest.approx(1 / 3)


# Controls and the command

def test_controls_hold_place_and_coverage_only():
    contact_map = a_map(n=50, chromosomes=("chr1", "chr2"))
    place = position(contact_map)
    assert (place[:50, :3] == place[50:, :3]).all() and place[0, 0] == pytest.approx(0.005)
    seen = coverage(contact_map)
    assert seen[1, 0] == pytest.approx(np.log1p(3)) and seen[0, 0] == pytest.approx(np.log1p(2))
    with pytest.raises(InputError, match="--representations nothing: expected a .parquet file"):
        load("nothing", contact_map, 4, 1)


def test_command_end_to_end(tmp_path):
    contact_map, vectors, *_ = learnable(tmp_path)
    rows = np.repeat(np.arange(600), np.diff(contact_map.starts))
    pixels = pd.DataFrame({"bin1_id": rows, "bin2_id": contact_map.columns, "count": contact_map.counts.astype(int)})
    write_cool(tmp_path / "X_1.cool", contact_map.bins, contact_map.weight, pixels, contact_map.facts)
    table = contact_map.bins.table.assign(usable=True, **{f"r{k}": vectors[:, k] for k in range(6)})
    table.to_parquet(tmp_path / "v.parquet", index=False)
    put(tmp_path / "s.csv", ("X", "known", "known.bed"), ("*", "noise", "noise.bed"), ("X", "wrong", "nowhere.bed"),
        header="cell_type,element,file\n", separator=",")
    done = subprocess.run([sys.executable, BIN / "classify_elements.py", "--contacts", "X_1.cool", "--annotations", "s.csv",
                           "--representations", "v.parquet", "position", "--classifiers", "linear", "--bootstrap", "20",
                           "--output", "out"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not computable: wrong: nowhere.bed: there is no such file" in done.stderr
    metrics = pd.read_csv(tmp_path / "out/X_1.100000.classify.metrics.tsv", sep="\t")
    value = metrics.set_index(["method", "stratum", "metric"])["value"]
    assert value["hiclstm-linear", "known", "auroc"] > 0.95 > 0.6 > value["position-linear", "known", "auroc"]
    assert set(metrics["metric"]) >= {"map", "auroc", "accuracy", "f_score", "prevalence"}
    assert value["hiclstm-linear", "known", "map_shuffled"] < value["hiclstm-linear", "known", "prevalence"] + 0.15
    tasks = pd.read_csv(tmp_path / "out/X_1.100000.classify.tasks.tsv", sep="\t").set_index("element")
    assert tasks.loc["wrong", "status"] == "not computable" and tasks.loc["known", "status"] == "computed"
    assert (tmp_path / "out/X_1.100000.classify.map.linear.figure.json").exists()
    across_samples([tmp_path / "out/X_1.100000.classify.metrics.tsv"], tmp_path / "out", "classify_elements.py")
    assert (tmp_path / "out/classify.samples.svg").exists()


@pytest.mark.real
def test_real_annotations_become_tasks():
    """Every kind of the public GM12878 annotations on a map of chr22 at 50 kb."""
    folder, genes = DATA / "annotations-gm12878-hg19", DATA / "annotations-genes-expression-hg19"
    if not folder.exists():
        pytest.skip("shared/data/annotations-gm12878-hg19 not found")
    size = 51_304_566
    bins = Bins(("22",), (size,), 50_000)
    contact_map = ContactMap(bins, np.zeros(len(bins) + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32),
                             np.where(np.arange(len(bins)) > 330, 1.0, np.nan), {"assembly": "hg19"})
    lines = [Line("genes", genes / "gencode_v10_genes.tsv.gz"),
             Line("expression", genes / "57epigenomes.RPKM.pc.gz", "E116", 0.5),
             Line("loops", folder / "GSE63525_GM12878_primary+replicate_HiCCUPS_looplist.txt.gz"),
             Line("TADs", folder / "GSE63525_GM12878_primary+replicate_Arrowhead_domainlist.txt.gz"),
             Line("subcompartments", folder / "GSE63525_GM12878_subcompartments.bed.gz", "name"),
             Line("PEI", folder / "targetfinder_pairs_ep_labels.csv.gz", "label", 0.5),
             Line("TSS", folder / "targetfinder_tss.bed.gz")]
    found = {one.element: one for one in tasks_of(lines, contact_map, contact_map.usable, [], 1).found}
    assert set(found) == {"expression", "loops", "TADs", "subcompartments", "PEI", "TSS", "TADs_boundaries"}
    assert found["PEI"].kind == "pairs" and found["subcompartments"].classes[0] == "A1"
    assert 0.3 < found["expression"].prevalence < 0.9
    fewer = 40 < found["loops"].labels.sum() < found["TSS"].labels.sum()
    assert fewer and found["TADs"].from_hic
