#!/usr/bin/env python3
"""Train a model on one prepared map; write its weights, its vectors and its log.

Several GPUs, or several CPUs' worth of processes, train one model together, each on its share of every chromosome's
contacts: torchrun --standalone --nproc-per-node 4 --no-python train_model.py --device cuda --contacts ID.cool ...
"""

import argparse
import dataclasses
import sys
import time
from pathlib import Path

from hiclstm.errors import InputError, run


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--contacts", required=True, type=Path, metavar="ID.cool", help="map that PREPARE_CONTACTS wrote")
    parser.add_argument("--model", default="default", choices=["default", "paper"], help="structure and loss")
    parser.add_argument("--epochs", type=int, default=10, help="checkpoints and learning rate go by epochs; one epoch "
                        "makes as many passes over a small map as give it enough steps")
    parser.add_argument("--least-steps", type=int, metavar="N", help="epochs make passes over the map until there are "
                        "so many optimiser steps in all (default 3,000; fewer train a small map worse)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--representation-size", type=int, default=16, help="length of a bin's vector")
    parser.add_argument("--max-distance", default="auto", metavar="auto|whole|BP", help="train and predict pairs up to "
                        "this many base pairs apart; auto: whole chromosomes at 25 kb and coarser, 2,000 bins below")
    parser.add_argument("--smoothness", type=float, metavar="S", help="strength of the prior that neighbouring bins have "
                        "similar vectors; by default chosen on contacts set aside from the map (model paper: none)")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--resume-from", type=Path, help="folder with checkpoints of an interrupted run of this training")
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for the results and checkpoints")
    return parser.parse_args()


def band_width(text: str, resolution: int) -> int | None:
    """Bins from the diagonal that ``--max-distance`` means; None for whole chromosomes."""
    if text == "whole" or (text == "auto" and resolution >= 25_000):
        return None
    if text == "auto":
        return 2_000
    if not text.isdigit() or int(text) < resolution:
        raise InputError(f"--max-distance {text}: expected 'auto', 'whole' or a number of base pairs of at least one "
                         f"bin ({resolution})")
    return int(text) // resolution + 1


def options_of(given: argparse.Namespace, contact_map, processes):
    """How to train, and what the choice of the prior tried: held-out loss of each strength."""
    from hiclstm.training import Options, choose_smoothness

    options = Options(epochs=given.epochs, seed=given.seed, threads=given.threads, device=given.device,
                      max_distance=band_width(given.max_distance, contact_map.bins.resolution),
                      checkpoints=str(given.output), resume_from=str(given.resume_from or given.output),
                      least_steps=given.least_steps)
    if given.model == "paper":
        return dataclasses.replace(options, smoothness=0.0), {}
    if given.smoothness is not None:
        return dataclasses.replace(options, smoothness=given.smoothness), {}
    if not contact_map.facts.get("raw", True):
        return options, {}
    tried = {}

    def chosen() -> float:
        smoothness, losses = choose_smoothness(contact_map, options)
        tried.update(losses)
        return smoothness

    return dataclasses.replace(options, smoothness=processes.of_first(chosen)), tried


def write_results(given: argparse.Namespace, contact_map, network, schedule, log, facts: dict, began: float) -> None:
    """Weights, vectors, log, figures and metrics, in the output folder."""
    from hiclstm.export import write_representations
    from hiclstm.files import whole
    from hiclstm.metrics import MetricsTable
    from hiclstm.prediction import TrainedModel
    from hiclstm.report.vectors import training_figures

    sample = facts.get("sample", given.contacts.stem)
    model = TrainedModel(network, contact_map.bins, contact_map.usable, facts)
    base = str(given.output / sample)
    model.save(f"{base}.model.pt")
    with whole(f"{base}.training.tsv") as beside:
        log.to_csv(beside, sep="\t", index=False, float_format="%.6g")
    write_representations(model.bins, model.representations, model.usable, f"{base}.representations.parquet",
                          f"{base}.representations.h5ad", facts)
    command = (f"train_model.py --contacts {given.contacts.name} --model {given.model} --epochs {given.epochs} "
               f"--seed {given.seed}")
    training_figures(contact_map, model.representations, log, given.output, sample=sample, command=command)
    metrics = MetricsTable(str(facts.get("cell_type", sample)), str(facts.get("replicate", "")),
                           contact_map.bins.resolution, "train")
    metrics.add(given.model, "loss", log["loss"].iloc[-1])
    metrics.add(given.model, "steps", schedule.steps)
    metrics.add(given.model, "pairs_per_second", log["pairs_per_second"].median())
    metrics.add(given.model, "seconds", time.perf_counter() - began)
    metrics.write(f"{base}.train.metrics.tsv")
    print(f"{sample}: trained {given.model} in {time.perf_counter() - began:.1f} s", file=sys.stderr)


def main() -> None:
    began = time.perf_counter()
    given = arguments()
    from hiclstm.contacts import StoredMap
    from hiclstm.model import ModelConfig
    from hiclstm.training import train
    from hiclstm.training.processes import started_by_torchrun

    with started_by_torchrun(given.device) as processes:
        contact_map = StoredMap.load(given.contacts)
        options, tried = options_of(given, contact_map, processes)
        config = ModelConfig.named(given.model, given.representation_size, contact_map.bins.resolution)
        network, schedule, log = train(contact_map, config, options, processes)
        if processes.first:
            facts = {**contact_map.facts, "max_distance": options.max_distance or contact_map.reach, "seed": given.seed,
                     "schedule": schedule.as_dict(), "smoothness": options.smoothness,
                     "smoothness_tried": {str(strength): loss for strength, loss in tried.items()}}
            write_results(given, contact_map, network, schedule, log, facts, began)


if __name__ == "__main__":
    run(main)
