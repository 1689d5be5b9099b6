"""The ablation benchmark: its plain decoder against the reference network and against what a frame can know; the command."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hiclstm.genome import Bins
from hiclstm.model import FRAME, HiCLSTM, ModelConfig
from hiclstm.model.network import KNOTS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import ablations  # noqa: E402
from plain_decoder import PlainDecoder, Structure  # noqa: E402

CONFIG = ModelConfig("default", hidden_size=8, strands=True, strand_size=0)
BINS = Bins(("chr1",), (400 * 100_000,), 100_000)


def decoder(**structure) -> PlainDecoder:
    """One of which every parameter has an effect."""
    model = PlainDecoder(CONFIG, BINS, Structure(hidden=8, **structure), seed=2).double().eval()
    random = torch.Generator().manual_seed(3)
    for parameter in model.requires_grad_(False).parameters():
        parameter += 0.2 * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
    return model


def with_its_lstm(network: HiCLSTM, model: PlainDecoder) -> PlainDecoder:
    """A plain decoder that is given the LSTM of a reference network, which has the vectors and all else already."""
    cell, = model.readings[0]
    cell.input.weight.copy_(torch.cat([network.input_row, network.input_column, network.distance_gates.T], 1))
    for ours, theirs in ((cell.input.bias, network.input_bias), (cell.recurrent.weight, network.recurrent),
                         (cell.input_norm.weight, network.input_gain), (cell.input_norm.bias, network.gate_bias),
                         (cell.recurrent_norm.weight, network.recurrent_gain), (cell.cell_norm.weight, network.cell_gain),
                         (cell.cell_norm.bias, network.cell_bias), (model.outputs[0].weight[0], network.output_weight)):
        ours.copy_(theirs)
    return model


def test_the_plain_decoder_with_a_networks_weights_is_that_network():
    model = decoder()
    with_its_lstm(model, model)
    vectors, rows = model.vectors(0), torch.tensor([0, 7, 120, 399])
    score = model.score_rows(vectors, rows)
    for first in (0, FRAME, 2 * FRAME):
        frames = model.score_frames(vectors, rows, torch.full((4,), first))
        inside = rows[:, None] + first + torch.arange(FRAME) < 400
        assert torch.allclose(score[:, first:first + FRAME][inside], frames[inside], atol=1e-10)


def test_without_layer_norm_a_step_is_the_equations_of_an_lstm():
    model = decoder(layer_norm=False)
    cell, = model.readings[0]
    inputs = torch.randn(1, 4, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    h = c = torch.zeros(8, dtype=torch.float64)
    for step, output in enumerate(cell(inputs)[0]):
        q = inputs[0, step] + cell.recurrent.weight @ h
        enter, forget, leave = (1 / (1 + torch.exp(-q[k:k + 8])) for k in (0, 8, 16))
        c = forget * c + enter * q[24:] / (1 + q[24:].abs())
        h = leave * c / (1 + c.abs())
        assert torch.allclose(output, h, atol=1e-12)


@pytest.mark.parametrize("structure, first, last", [
    ({}, 200, 299),  # from the changed bin to the end of its frame
    ({"layers": 2}, 200, 299),
    ({"direction": "inward"}, 150, 200),
    ({"direction": "both"}, 150, 299),
    ({"frame": None}, 200, 399),
    ({"warm_up": 30}, 200, 299),
])
def test_a_bin_changes_what_the_states_carry_of_it(structure, first, last):
    model = decoder(**structure)
    vectors = model.vectors(0).clone()
    before = model.score_rows(vectors, torch.tensor([0]))[0, :400]
    vectors[200] += 1
    changed = torch.nonzero(model.score_rows(vectors, torch.tensor([0]))[0, :400] != before)[:, 0]
    assert (changed.min(), changed.max()) == (first, last)


def test_a_warm_up_brings_the_end_of_the_frame_before_into_the_states():
    model = decoder(warm_up=30)
    vectors = model.vectors(0).clone()
    before = model.score_rows(vectors, torch.tensor([0]))[0, :400]
    vectors[280] += 1  # among the last 30 of the second frame: read once more before the third
    changed = torch.nonzero(model.score_rows(vectors, torch.tensor([0]))[0, :400] != before)[:, 0]
    assert (changed.min(), changed.max()) == (280, 399)


def test_the_command_writes_a_row_for_each_variant(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ablations, "SIMULATED", replace(ablations.SIMULATED, chromosomes=2, bins=150))
    output = tmp_path / "ablations.tsv"
    ablations.main(["--simulated", "--steps", "5", "--plain-steps", "5", "--seeds", "1", "--output", str(output)])
    table = pd.read_csv(output, sep="\t")
    assert list(table) == ablations.COLUMNS
    assert len(table) == len(ablations.KERNEL_VARIANTS) + len(ablations.PLAIN_VARIANTS) + 6
    assert np.isfinite(table["held_out_loss"]).all()
    without_lstm = table.set_index("variant").loc["LSTM", "parameters"]
    assert without_lstm == 150 * 16 + 16 * 16 + 16 + KNOTS + 1  # vectors, bilinear form and its row, curve, level: no gate
    assert "decoder of the odd ones" in capsys.readouterr().out
