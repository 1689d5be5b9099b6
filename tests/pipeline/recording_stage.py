#!/usr/bin/env python3
"""Stands for every script of the pipeline: notes how it was called in called.json, writes results without content.

A contact file that begins with "broken" is refused, as the real scripts refuse one; one that begins with "killed" makes
the first attempt at training end as if the machine had killed it.
"""

import json
import os
import sys
from pathlib import Path

stage, arguments = Path(sys.argv[0]).stem, sys.argv[1:]
options, name = {}, None
for argument in arguments:
    if argument.startswith("--"):
        name = argument
        options[name] = []
    else:
        options[name].append(argument)
Path("called.json").write_text(json.dumps({"stage": stage, "options": options}))

if stage == "prepare_contacts":
    found = [Path(path.split("::")[0]).read_text() for path in options["--contacts"]]
    if any(text.startswith("broken") for text in found):
        print("error: contacts.txt: is broken, expected a contact map", file=sys.stderr)
        sys.exit(2)
    sample = f"{options['--cell-type'][0]}_{options['--replicate'][0]}.{options['--resolution'][0]}"
    Path(f"{sample}.cool").write_text("".join(found))
    Path(f"{sample}.qc.json").write_text("{}")
elif stage == "train_model":
    sample = options["--contacts"][0].removesuffix(".cool")
    if Path(options["--contacts"][0]).read_text().startswith("killed") and "--resume-from" not in options:
        os._exit(137)
    for suffix in ("model.pt", "representations.parquet", "representations.h5ad", "training.tsv"):
        Path(f"{sample}.{suffix}").touch()
elif stage == "reconstruct_map":
    sample = options["--contacts"][0].removesuffix(".cool")
    for suffix in ("predicted.mcool", "reconstruct.metrics.tsv", "map.svg", "map.figure.json"):
        Path(f"{sample}.{suffix}").touch()
elif stage == "compare_methods":
    Path(f"{options['--contacts'][0].removesuffix('.cool')}.compare.metrics.tsv").touch()
elif stage == "classify_elements":
    sample = options["--contacts"][0].removesuffix(".cool")
    Path(f"{sample}.classify.metrics.tsv").write_text(Path(options["--annotations"][0]).read_text())
    Path(f"{sample}.classify.predictions.parquet").touch()
elif stage == "attribute_positions":
    sample = options["--contacts"][0].removesuffix(".cool")
    for suffix in ("attribution.bw", "attribution.tsv", "attribution.bedGraph", "attribute.metrics.tsv"):
        Path(f"{sample}.{suffix}").touch()
elif stage == "perturb_genome":
    sample = options["--contacts"][0].removesuffix(".cool")
    Path(f"{sample}.variants.tsv").write_text(Path(options["--annotations"][0]).read_text())
    sys.exit(3)  # done, but some variants were skipped
elif stage == "transfer_model":
    sample = options["--contacts"][0].removesuffix(".cool")
    Path(f"{sample}.transfer.metrics.tsv").touch()
    if "--fractions" not in options:
        Path(f"{sample}.transfer.model.pt").touch()
elif stage == "make_report":
    failures = next(path for path in options["--results"] if path.endswith("failures.json"))
    Path("report.html").write_text(Path(failures).read_text() + Path("samples.csv").read_text())
    Path("report").mkdir()
    Path("report/sample.html").touch()
    Path("metrics.tsv").touch()
