#!/usr/bin/env python3
"""What each part of the model is worth: one thing changed at a time, judged by contacts that were set aside.

Every variant trains on 80 % of the contacts of GM12878 chr22, replicate 1, at 100 kb (``--simulated``: of a simulated
chromosome), all of a group for the same number of steps, and predicts the other 20 %. ``held_out_loss`` is its Poisson loss
per contact, by which structures are compared; ``gain_e4`` is how far that lies below the loss of the group's base, times
10,000, and ``spread`` its standard deviation over seeds. Beside them stand scores on replicate 2, which chooses nothing.
Seeds differ in the contacts set aside and in where training starts.

Three groups. What the kernels know is trained as train_model.py does it. What they do not (rows ``plain: ...``) is a
decoder in plain PyTorch, see plain_decoder.py. Whether a decoder serves chromosomes that it has not seen is asked of a
simulated map in any case, as it takes several (rows ``simulated: ...``): the decoder of the odd chromosomes is held and
vectors of the even ones learned with it, and the other way round.
Prints means over seeds and writes every run to benchmarks/ablations.tsv.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from plain_decoder import PlainDecoder, PlainModel, Structure, fit, train_plainly  # noqa: E402

from hiclstm.contacts import ContactMap  # noqa: E402
from hiclstm.contacts.library import Request  # noqa: E402
from hiclstm.contacts.prepare import Sample, prepare  # noqa: E402
from hiclstm.files import whole  # noqa: E402
from hiclstm.model import HiCLSTM, ModelConfig  # noqa: E402
from hiclstm.prediction import TrainedModel  # noqa: E402
from hiclstm.reconstruction.scores import Target, compare, summarise  # noqa: E402
from hiclstm.simulation.data_set import Plan, write_data_set  # noqa: E402
from hiclstm.training import Options, train  # noqa: E402
from hiclstm.training.data import readings  # noqa: E402
from hiclstm.training.decay import DistanceDecay, start_from_distance_decay  # noqa: E402
from hiclstm.training.objective import pairs_loss, priors  # noqa: E402
from hiclstm.training.thinning import SET_ASIDE, drawn, held_out_loss  # noqa: E402

REAL = ROOT.parent / "shared" / "data" / "gm12878-chr22-50kb-primary-replicate"
REPLICATES = [f"chr22.50kb.{name}.raw.juicer.tsv.gz::chr22" for name in ("primary", "replicate")]
RESOLUTION = 100_000
SIMULATED = Plan(chromosomes=4, bins=300, resolution=RESOLUTION, cell_types=("GM12878",), reads_per_bin=10_000)
BASE = ModelConfig.named("default", resolution=RESOLUTION)
SMOOTHNESS = Options.smoothness
METRICS = ["pearson_cp", "pearson_log", "pearson_lin", "scc_h0", "deviance"]
COLUMNS = ["variant", "value", "seed", "held_out_loss", *METRICS, "parameters", "processor_seconds"]

# variant, value, and what it changes in the group's base, which comes first
KERNEL_VARIANTS = [
    ("base", "default at 100 kb", {}),
    *(("representation size", size, {"representation_size": size}) for size in (4, 8, 16, 32, 64, 128)),
    *(("hidden size", hidden, {"hidden_size": hidden}) for hidden in (8, 16, 32)),
    ("LSTM", "none", {"use_lstm": False}),
    ("distance input", "none", {"distance_term": False}),
    ("bilinear term", "none", {"pair_term": False}),
    ("distance and bilinear", "none", {"distance_term": False, "pair_term": False}),
    ("symmetric output", "no: one strand", {"strands": False}),
]
PLAIN_VARIANTS = [
    ("plain: base", "hidden 16", {}),
    ("plain: hidden size", 64, {"hidden": 64}),
    ("plain: layers", 2, {"layers": 2}),
    ("plain: direction", "inward", {"direction": "inward"}),
    ("plain: direction", "both", {"direction": "both"}),
    ("plain: dropout", 0.2, {"dropout": 0.2}),
    ("plain: layer norm", "none", {"layer_norm": False}),
    ("plain: states", "carried along the row", {"frame": None}),
    ("plain: states", "warmed up for 30 bins", {"warm_up": 30}),
    ("plain: initial vectors", 0.01, {"initial": 0.01}),
    ("plain: initial vectors", 1, {"initial": 1.0}),
]


@dataclass(frozen=True, eq=False)
class Trial:
    """What variants are trained on and judged by.

    Attributes
    ----------
    kept, aside : 80 % of the contacts of a map, and the others
    targets : by chromosome, the pairs of the other replicate that are scored
    """

    kept: ContactMap
    aside: ContactMap
    targets: dict[str, Target]

    @classmethod
    def of(cls, one: ContactMap, other: ContactMap, seed: int) -> "Trial":
        targets = {name: Target.build(one.balanced_band(name), other.balanced_band(name),
                                      weight=other.weight[other.bins.span(name)], blocks=1) for name in one.bins.chromosomes}
        return cls(*drawn(one, 1 - SET_ASIDE, seed), targets)

    def judged(self, network: HiCLSTM) -> dict:
        """The figures of a trained network's row; its parameters are those that training moved."""
        moved = [parameter for parameter in network.parameters() if parameter.grad is not None and parameter.grad.any()]
        kind = PlainModel if isinstance(network, PlainDecoder) else TrainedModel
        model = kind(network.eval(), self.kept.bins, self.kept.usable, self.kept.facts)
        sums = [compare(model.expected_band(name), target, ranked=False) for name, target in self.targets.items()]
        found = summarise(sums, [target.centres for target in self.targets.values()], self.kept.bins.resolution, None)
        scores = {score.metric: score.value for score in found if score.stratum == "all"}
        return {"held_out_loss": held_out_loss(model, self.aside, self.aside.width()),
                **{metric: scores.get(metric, np.nan) for metric in METRICS},
                "parameters": sum(parameter.numel() for parameter in moved)}


def trained(contact_map: ContactMap, config: ModelConfig, steps: int, seed: int) -> HiCLSTM:
    """A network trained as train_model.py does, for so many steps."""
    options = Options(epochs=1, seed=seed, least_steps=steps, smoothness=SMOOTHNESS, quiet=True)
    return train(contact_map, config, options)[0]


def untrained(contact_map: ContactMap, seed: int) -> HiCLSTM:
    """A network as training finds it: random, but for the decay with distance."""
    network = HiCLSTM(BASE, contact_map.bins, seed)
    start_from_distance_decay(network, DistanceDecay.of(contact_map, contact_map.width()))
    return network


def with_vectors_learned(decoder: HiCLSTM, contact_map: ContactMap, steps: int, seed: int) -> HiCLSTM:
    """A decoder, held as it is, with vectors that are learned for a map it has not seen."""
    network = HiCLSTM(decoder.config, contact_map.bins, seed)
    network.load_state_dict({name: tensor for name, tensor in decoder.state_dict().items()
                             if not name.startswith(("free.", "strands."))}, strict=False)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith("free."))
    every = readings(contact_map, contact_map.width(), network.config.strands)
    level = DistanceDecay.of(contact_map, contact_map.width()).level
    random = np.random.default_rng(seed)

    def objective(step: int):
        reading = every[step % len(every)]
        tiles = random.permutation(len(reading.tiles.row))
        loss, valid = pairs_loss(network, reading, np.sort(tiles[:-(-len(tiles) // 2)]), use_lstm=True, threads=1)
        return loss / (valid * level) + priors(network, reading.chromosome, SMOOTHNESS, 0)

    return fit(network, steps, objective)


def prepared_maps(simulated: bool, folder: Path) -> tuple[list[Path], list[Path]]:
    """Files of both replicates as PREPARE_CONTACTS makes them: of the map of the first two groups, and of the simulated."""
    write_data_set(SIMULATED, folder)

    def prepared(sources, name: str, chromosomes=None) -> list[Path]:
        for replicate, source in enumerate(sources, start=1):
            prepare([str(source)], Sample(name, str(replicate), RESOLUTION), Request(RESOLUTION, chromosomes), str(folder))
        return [folder / f"{name}_{replicate}.{RESOLUTION}.cool" for replicate in (1, 2)]

    several = prepared([folder / "maps" / f"GM12878_{replicate}.mcool" for replicate in (1, 2)], "simulated")
    return (several if simulated else prepared([REAL / file for file in REPLICATES], "GM12878", ("chr22",))), several


def groups(one: list[Path], several: list[Path], steps: int, plain_steps: int, seed: int):
    """Every run of a seed: (group, variant, value, the trial, function that trains it)."""
    name = ContactMap.load(one[0]).bins.chromosomes[:1]
    trial = Trial.of(*(ContactMap.load(path, name) for path in one), seed)
    for hidden in (8, 16, 32):
        trained(trial.kept, replace(BASE, hidden_size=hidden), 1, seed)  # compiles what is timed later
    for variant, value, change in KERNEL_VARIANTS:
        yield "kernels", variant, value, trial, lambda change=change: trained(
            trial.kept, replace(BASE, **change), steps, seed)
    for variant, value, change in PLAIN_VARIANTS:
        yield "plain", variant, value, trial, lambda change=change: train_plainly(
            trial.kept, BASE, Structure(**change), SMOOTHNESS, plain_steps, seed)
    names = ContactMap.load(several[0]).bins.chromosomes
    odd, even = (Trial.of(*(ContactMap.load(path, some) for path in several), seed) for some in (names[::2], names[1::2]))
    for own, other, called, others in ((even, odd, "even", "odd"), (odd, even, "odd", "even")):
        variant = f"simulated: {called} chromosomes"
        yield called, variant, "decoder learned with them", own, lambda own=own: trained(own.kept, BASE, steps, seed)
        yield called, variant, f"decoder of the {others} ones", own, lambda own=own, other=other: with_vectors_learned(
            trained(other.kept, BASE, steps, seed), own.kept, steps, seed)
        yield called, variant, "untrained decoder", own, lambda own=own: with_vectors_learned(
            untrained(own.kept, seed), own.kept, steps, seed)


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, and how far each variant's loss lies below that of its group's first row."""
    base = runs.groupby(["group", "seed"])["held_out_loss"].transform("first")
    runs = runs.assign(gain_e4=(base - runs["held_out_loss"]) * 1e4)
    by_variant = runs.groupby(["group", "variant", "value"], sort=False)
    table = by_variant[["held_out_loss", "gain_e4", *METRICS, "parameters", "processor_seconds"]].mean()
    table.insert(2, "spread", by_variant["gain_e4"].std())
    return table.reset_index().drop(columns="group")


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000, help="of each training by the kernels (default 1000)")
    parser.add_argument("--plain-steps", type=int, default=300, help="of each training in plain PyTorch (default 300)")
    parser.add_argument("--seeds", default="1,2", help="separated by commas (default 1,2)")
    parser.add_argument("--simulated", action="store_true", help="a simulated chromosome instead of GM12878 chr22")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("ablations.tsv"))
    given = parser.parse_args(arguments)
    if not given.simulated and not REAL.is_dir():
        sys.exit(f"{REAL}: not found; --simulated does without the public data beside the project")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        one, several = prepared_maps(given.simulated, Path(folder))
        for seed in (int(text) for text in given.seeds.split(",")):
            for group, variant, value, trial, trains in groups(one, several, given.steps, given.plain_steps, seed):
                began = time.process_time()
                network = trains()
                seconds = time.process_time() - began
                rows.append({"group": group, "variant": variant, "value": str(value), "seed": seed,
                             **trial.judged(network), "processor_seconds": seconds})
                print(f"seed {seed}, {variant}, {value}: {rows[-1]['held_out_loss']:.5f}, {seconds:.1f} s", file=sys.stderr)
    runs = pd.DataFrame(rows)
    with whole(given.output) as beside:
        runs[COLUMNS].to_csv(beside, sep="\t", index=False, float_format="%.7g")
    print("GM12878 chr22" if not given.simulated else "simulated chromosome", "at 100 kb, 80 % of replicate 1;",
          f"{given.steps} steps, plain {given.plain_steps}; seeds {given.seeds}")
    decimals = {"held_out_loss": 5, "gain_e4": 1, "spread": 1, "deviance": 2, "parameters": 0, "processor_seconds": 1}
    print(summary(runs).round({**dict.fromkeys(METRICS, 3), **decimals}).to_string(index=False))


if __name__ == "__main__":
    main()
