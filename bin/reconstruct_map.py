#!/usr/bin/env python3
"""Predict a sample's contact map from its trained model, score it against observed maps, draw both.

Scored are pairs usable in both maps, at least one bin apart and not zero in the map trained on, distance by distance,
for the model and beside it for the distance mean, a rank-16 SVD, a Gaussian blur, the training map itself and the
ceiling that sampling noise sets. A map of counts is also predicted in a second way, scored as `refined`: the model's
map corrected by the contacts seen near each pair.
"""

import argparse
import shlex
import sys
import tempfile
import time
from pathlib import Path

from hiclstm.errors import InputError, run

REFINED = "expected balanced contacts v, the model's corrected by the contacts seen near each pair; not probabilities"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", required=True, type=Path, metavar="ID.cool",
                        help="the map the model was trained on")
    parser.add_argument("--model", required=True, type=Path, metavar="ID.model.pt", help="model that TRAIN_MODEL wrote")
    parser.add_argument("--against", type=Path, nargs="+", default=[], metavar="OTHER.cool",
                        help="prepared maps to score against, for example another replicate (the map trained on "
                             "always is)")
    parser.add_argument("--truth", type=Path, metavar="TRUTH.cool", help="noiseless map of a simulated sample")
    parser.add_argument("--loops", type=Path, metavar="BEDPE", help="called loops, for aggregate peak analysis")
    parser.add_argument("--regions", nargs="+", default=[], metavar="CHROM:START-END",
                        help="regions to draw (default: the window with the most contacts)")
    parser.add_argument("--seed", type=int, default=1, help="of thinning, ceiling and intervals (default 1)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for the results (default: here)")
    return parser.parse_args()


def main() -> None:
    began = time.perf_counter()
    given = arguments()
    import numpy as np

    from hiclstm.contacts import ContactMap
    from hiclstm.export import write_mcool
    from hiclstm.genome import Region
    from hiclstm.metrics import MetricsTable
    from hiclstm.model.config import FRAME
    from hiclstm.prediction import TrainedModel
    from hiclstm.reconstruction import figures
    from hiclstm.reconstruction.evaluate import Against, check_matching, evaluate, label_of
    from hiclstm.reconstruction.loops import read_loops
    from hiclstm.reconstruction.refined import refine
    from hiclstm.report.figures import style

    contact_map = ContactMap.load(given.contacts)
    model = TrainedModel.load(given.model, threads=given.threads)
    bins, facts = contact_map.bins, contact_map.facts
    same = [getattr(bins, part) == getattr(model.bins, part) for part in ("chromosomes", "sizes", "resolution")]
    if not all(same):
        raise InputError(f"{given.model}: was trained on other bins than those of {given.contacts}")
    sample = facts.get("sample", given.contacts.stem)
    method = model.config.name
    width = model.facts.get("max_distance")
    loops = read_loops(given.loops, bins) if given.loops else None
    regions = [Region.parse(text) for text in given.regions] or [figures.default_region(contact_map)]
    for region in regions:
        bins.within(region)  # refuses what lies past a chromosome's end, before any work

    againsts = [Against(label_of(contact_map, contact_map), contact_map)]
    for path in given.against:
        other = ContactMap.load(path)
        check_matching(contact_map, other, str(path))
        label = label_of(contact_map, other)
        if any(against.label == label for against in againsts):
            raise InputError(f"{path}: --against has replicate {label!r} of this cell type twice, or it is the map "
                             "trained on, which is scored anyway")
        againsts.append(Against(label, other))
    if given.truth:
        truth = ContactMap.load(given.truth)
        check_matching(contact_map, truth, str(given.truth))
        againsts.append(Against("truth", truth, noiseless=True))

    given.output.mkdir(parents=True, exist_ok=True)
    base = str(given.output / sample)
    metrics = MetricsTable(str(facts.get("cell_type", sample)), str(facts.get("replicate", "")), bins.resolution,
                           "reconstruct")
    with tempfile.TemporaryDirectory(dir=given.output, prefix=".predicted-") as folder:
        for number, chromosome in enumerate(bins.chromosomes):
            np.save(f"{folder}/{number}.npy", model.expected_band(chromosome, width))

        def predicted_band(chromosome: str) -> np.ndarray:
            return np.load(f"{folder}/{bins.position(chromosome)}.npy", mmap_mode="r")

        write_mcool(f"{base}.predicted.mcool", bins, predicted_band, contact_map.usable, model.facts)
        refined_band = None
        if facts.get("raw", True):
            for number, chromosome in enumerate(bins.chromosomes):
                np.save(f"{folder}/{number}.refined.npy", refine(contact_map, chromosome, predicted_band(chromosome),
                                                                 given.seed))

            def refined_band(chromosome: str) -> np.ndarray:
                return np.load(f"{folder}/{bins.position(chromosome)}.refined.npy", mmap_mode="r")

            write_mcool(f"{base}.refined.mcool", bins, refined_band, contact_map.usable, {**model.facts, "values": REFINED})
        found = evaluate(contact_map, predicted_band, method, width, againsts, metrics, refined_band=refined_band,
                         called_loops=loops, frame=FRAME, seed=given.seed)
        style()
        command = shlex.join(["reconstruct_map.py", *sys.argv[1:]])
        path, words = f"{base}.reconstruct", {"sample": sample, "command": command}
        figures.draw_scores(found, path, **words)
        figures.draw_frames(found, FRAME, path, **words)
        for number, region in enumerate(regions):
            figures.draw_region(contact_map, predicted_band(region.chromosome), region, path, method=method,
                                frame=FRAME, order=310 + number, **words)
        figures.draw_insulation(found, regions[0], bins.resolution, path, **words)
    metrics.write(f"{base}.reconstruct.metrics.tsv")
    print(f"{sample}: reconstructed in {time.perf_counter() - began:.1f} s; blur chosen: {found.sigma:g} bins",
          file=sys.stderr)


if __name__ == "__main__":
    run(main)
