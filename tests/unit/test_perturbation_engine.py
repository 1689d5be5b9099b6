"""The engine of perturbation: segments, lift-over, collapse, against a model with a closed form."""

import numpy as np
import pytest
import torch
from perturbation_models import BarrierModel, two_chromosomes

from hiclstm.errors import InputError
from hiclstm.model import HiCLSTM, ModelConfig
from hiclstm.perturbation import Reader, Rearranged, Segment, Variant
from hiclstm.perturbation.edits import (
    KNOCKOUTS,
    Deletion,
    Derivative,
    Duplication,
    Insertion,
    Inversion,
    Replacement,
    knockout,
)
from hiclstm.prediction import TrainedModel

REACH = 60


@pytest.fixture
def reader():
    return Reader(BarrierModel(two_chromosomes()))


def read(reader, *edits, reach=REACH):
    return reader.read(Variant("v", edits), reach)


def direct(reader, chromosome: Rearranged) -> np.ndarray:
    """The model asked for the whole rearranged chromosome at once."""
    return reader.model.expected_band_of(chromosome.representations(reader.representations), None, chromosome.strand)


def test_segments_of_each_edit(reader):
    reference = Rearranged.reference(reader.bins, "chr1")
    assert reference.segments == [Segment(0, 400)]
    assert reference.is_reference
    assert reference.delete(100, 120).segments == [Segment(0, 100), Segment(120, 400)]
    assert reference.duplicate(100, 120).segments == [Segment(0, 120), Segment(100, 400)]
    assert reference.invert(100, 120).segments == [Segment(0, 100), Segment(100, 120, -1), Segment(120, 400)]
    inserted = reference.insert(300, 100, 120, -1)
    assert inserted.segments == [Segment(0, 300), Segment(100, 120, -1), Segment(300, 400)]
    assert inserted.positions_of(110).tolist() == [110, 309]
    assert reference.delete(100, 120).positions_of(110).size == 0
    assert inserted.order[309] == 110


@pytest.mark.parametrize("chromosome, start, end", [("chr1", 100, 120), ("chr1", 0, 30), ("chr1", 370, 400),
                                                     ("chr2", 400, 430), ("chr2", 770, 800)])
def test_deletion_then_insertion_of_the_same_segment_is_the_wild_type(reader, chromosome, start, end):
    inside = reader.bins.span(chromosome).start
    variant = Variant("v", (Deletion(start, end), Insertion(start, start, start, end, inside)))
    assert variant.apply(reader).is_reference
    assert variant.apply(reader).segments == Rearranged.reference(reader.bins, chromosome).segments
    reading = reader.read(variant, REACH)
    np.testing.assert_array_equal(reading.after, reading.before)
    assert not reading.crossing.any()


def test_inversion_twice_is_the_identity(reader):
    reading = read(reader, Inversion(100, 150), Inversion(100, 150))
    np.testing.assert_array_equal(reading.after, reading.before)


def test_a_replacement_by_the_same_vector_changes_nothing_and_is_computed(reader):
    calls = reader.model.calls
    reading = read(reader, Replacement(100, 101, reader.representations[100]))
    assert reader.model.calls > calls
    assert np.nanmax(np.abs(reading.log_change)) < 1e-5


@pytest.mark.parametrize("edits", [(Deletion(100, 130),), (Duplication(100, 130),), (Inversion(100, 130),),
                                   (Insertion(250, 250, 100, 130, 0, -1),), (Inversion(200, 201),),
                                   (knockout(200, 202, "zero"),), (Deletion(0, 25),), (Deletion(380, 400),),
                                   (Deletion(150, 160), Duplication(140, 170), Inversion(120, 130))])
def test_a_windowed_reading_equals_the_whole_rearranged_chromosome(reader, edits):
    reading = read(reader, *edits)
    whole = direct(reader, Variant("v", edits).apply(reader))
    n = len(reading.order)
    part = whole[reading.first:reading.first + n, :n].copy()
    part[np.arange(n)[:, None] + np.arange(n) >= n] = np.nan
    np.testing.assert_allclose(reading.after, part, rtol=2e-5)


def test_before_is_the_same_pair_of_loci(reader):
    reading = read(reader, Deletion(100, 150))
    wild_type = reader.model.expected_band("chr1")
    left, right = 45, 80  # window positions: 40 + 45 = bin 85, and 40 + 80 = position 120 = bin 170
    assert reading.order[left], reading.order[right] == (85, 170)
    assert reading.before[left, right - left] == wild_type[85, 85]
    whole = direct(reader, Rearranged.reference(reader.bins, "chr1").delete(100, 150))
    assert reading.after[left, right - left] == pytest.approx(whole[85, 35], rel=1e-5)


def test_nothing_changes_far_from_a_lifted_deletion(reader):
    reading = reader.read(Variant("v", (Deletion(150, 152),)), 240)
    left = np.flatnonzero(reading.order < 150)
    right = np.flatnonzero(reading.order >= 152)
    change = np.abs(reading.log_change)
    position = np.arange(len(reading.order))
    middle = len(left)
    beside = (position >= middle + 200)[:, None] & np.isfinite(change)  # both bins more than 2 Mb downstream
    near = (np.abs(position - middle) <= 20)[:, None] & np.isfinite(change) & reading.crossing
    assert np.median(change[near]) > 0
    assert np.median(change[beside]) < 0.05 * np.median(change[near])
    assert len(right) > 200


def test_change_beyond_distance_of_a_deletion_without_barriers_or_compartments_is_zero():
    model = BarrierModel(two_chromosomes(), barriers=0)
    model.representations[:] = 0
    reading = read(Reader(model), Deletion(100, 150))
    assert np.nanmax(reading.log_change) > 0.5
    assert np.nanmax(np.abs(reading.change_beyond_distance)) < 1e-4


def test_collapse_sums_four_and_two(reader):
    reading = read(reader, Duplication(100, 130))
    copies = reading.collapsed(np.where(np.isfinite(reading.after), 1.0, np.nan)).set_index(["bin1", "bin2"])["value"]
    assert copies[105, 120] == 4  # duplicated x duplicated
    assert copies[90, 120] == 2 and copies[120, 140] == 2  # duplicated x flank
    assert copies[90, 140] == 1  # flank x flank
    assert copies[105, 105] == 3  # a bin with itself: within each copy, and between the two
    total = np.nansum(reading.after, dtype=np.float64)
    assert reading.collapsed()["value"].sum() == pytest.approx(total, rel=1e-9)


def test_reference_pairs_include_what_was_deleted(reader):
    reading = read(reader, Deletion(100, 110))
    before = reader.before_on_reference(reading).set_index(["bin1", "bin2"])["value"]
    assert before[105, 107] == pytest.approx(float(reader.model.expected_band("chr1")[105, 2]))
    assert not reading.collapsed()["bin1"].isin(range(100, 110)).any()


def test_a_flip_changes_only_pairs_across_or_of_its_bin():
    model = BarrierModel(two_chromosomes(), barriers=0)
    model.representations[200, 1] = 1.0  # one forward site
    reading = read(Reader(model), Inversion(200, 201))
    site = int(np.flatnonzero(reading.order == 200)[0])
    change = reading.log_change
    assert change[site, 10] == pytest.approx(-1, abs=1e-5)  # the cost now lies between the site and what follows
    assert change[site - 10, 10] == pytest.approx(1, abs=1e-5)
    assert change[site - 10, 20] == pytest.approx(0, abs=1e-5)


def test_a_knocked_out_barrier_lets_contacts_pass_by_every_method():
    model = BarrierModel(two_chromosomes(), barriers=0)
    model.representations[:, 0] = 0
    model.representations[200, 1] = 1.0
    for method in KNOCKOUTS:
        reading = read(Reader(model), knockout(200, 201, method))
        change = reading.change_beyond_distance[reading.compared]
        distances = np.flatnonzero(reading.compared.any(0))
        assert distances.min() == (1 if method == "shift" else 2)  # pairs of the site itself are not counted
        expected = 1.0 if method != "padding" else 1 - model.representations[:, 1].mean()
        assert np.median(change) == pytest.approx(expected, abs=0.05), method  # the curve feels the barrier a little


def test_missing_bins_are_masked(reader):
    model = BarrierModel(two_chromosomes(), missing=(95, 110, 140))
    reading = read(Reader(model), Deletion(105, 120))
    there = np.flatnonzero(np.isin(reading.order, (95, 140)))
    assert len(there) == 2
    for band in (reading.before, reading.after):
        assert np.isnan(band[there]).all()
    assert not reading.compared[there].any()
    padded = read(Reader(model), knockout(200, 201, "padding"))
    assert np.isfinite(padded.after[padded.compared]).all()


def test_a_site_without_data_around_has_no_neighbourhood():
    model = BarrierModel(two_chromosomes(), missing=range(150, 250))
    with pytest.raises(InputError, match="another knockout method"):
        read(Reader(model), knockout(200, 201, "mean"))


def test_a_translocation_reads_two_chromosomes(reader):
    derivative = Derivative((Segment(0, 150), Segment(600, 800)))
    reading = read(reader, derivative)
    whole = direct(reader, Variant("v", (derivative,)).apply(reader))
    site = int(np.flatnonzero(reading.order == 149)[0])
    assert reading.order[site + 1] == 600
    assert np.isnan(reading.before[site, 1])
    assert reading.after[site, 1] == pytest.approx(whole[149, 1], rel=1e-5)
    inside = np.isfinite(reading.before)
    np.testing.assert_array_equal(reading.after[inside], reading.before[inside])


def test_what_cannot_be_read_is_said(reader):
    with pytest.raises(InputError, match="nothing is left"):
        read(reader, Deletion(0, 400))
    with pytest.raises(InputError, match="absent"):
        read(reader, Deletion(100, 120), Inversion(105, 110))
    with pytest.raises(InputError, match="scattered"):
        read(reader, Insertion(300, 300, 100, 120, 0), Inversion(100, 120))
    with pytest.raises(InputError, match="there are shift"):
        knockout(1, 2, "delete")


@pytest.mark.parametrize("config", [
    ModelConfig.named("paper"), ModelConfig.named("default"),
    ModelConfig("with strands", strands=True, pair_term=False),
    ModelConfig("with barriers", strands=True, pair_term=False, path_reach=120)])
def test_real_models_are_local_enough_to_be_read_in_windows(config):
    """A model's value of a pair may depend on the bins between the two and on few beyond: what MARGIN promises."""
    bins = two_chromosomes()
    model = TrainedModel(HiCLSTM(config, bins, seed=1), bins, np.ones(len(bins), bool))
    with torch.no_grad():
        for part in (*model.network.free, *(model.network.strands if config.strands else ())):
            part.mul_(8)  # far from the small vectors of the start, so that barriers and gates differ
    reader = Reader(model)
    for edits in ((Inversion(150, 190),), (Duplication(150, 190), Deletion(120, 125)), (knockout(200, 201, "mean"),)):
        reading = read(reader, *edits)
        whole = direct(reader, Variant("v", edits).apply(reader))
        n = len(reading.order)
        part = whole[reading.first:reading.first + n, :n]
        inside = np.arange(n)[:, None] + np.arange(n) < n
        np.testing.assert_allclose(reading.after[inside], part[inside], rtol=2e-3)
