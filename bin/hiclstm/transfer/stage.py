"""The whole stage: a base model tuned on a new map, compared with what else could be done, and written."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from ..errors import InputError
from ..export import write_mcool
from ..genome import match_name
from ..metrics import MetricsTable
from ..perturbation.readings import Reader
from ..perturbation.scores import TRUE_MARGIN, TrueModel
from ..perturbation.variants import read_variants
from ..prediction import TrainedModel
from ..reconstruction.evaluate import label_of
from ..report.figures import save_figure, style
from ..simulation.data_set import Plan, simulate_cell_type
from . import figures
from .deletion import Agreement, agreement, change
from .ladder import Rung, climb, scores
from .part import on_bins
from .tuning import Options, transfer


@dataclass(frozen=True)
class Request:
    """What to compare with.

    Attributes
    ----------
    fractions : of the new map's contacts; none: the map as it is
    against : prepared maps to score against; ``truth``: a noiseless one. Where neither is given, each fraction is scored
        on the contacts it leaves out
    variants : deletions to foretell; ``after``: the prepared map of the cells that carry them
    true_genome : ``truth.json`` of a simulated data set, to score foretold deletions against
    scratch_steps : optimiser steps of a training from scratch
    """

    fractions: tuple[float, ...] = ()
    against: list[Path] = field(default_factory=list)
    truth: Path | None = None
    variants: list[Path] = field(default_factory=list)
    after: Path | None = None
    true_genome: Path | None = None
    scratch_steps: int = 3000
    options: Options = field(default_factory=Options)


class Stage:
    """One base model, one new map and a request; :meth:`run` writes everything into ``output``."""

    def __init__(self, base: Path, contacts: Path, request: Request, output: Path, command: str,
                 chromosomes: tuple[str, ...] | None = None):
        self.request, self.output, self.command = request, output, command
        self.base = TrainedModel.load(base, request.options.threads)
        given = ContactMap.load(contacts, chromosomes)
        self.id = str(given.facts.get("sample", contacts.stem))
        self.contacts = on_bins(given, self.base.bins, str(contacts))
        facts = given.facts
        self.metrics = MetricsTable(str(facts.get("cell_type", self.id)), str(facts.get("replicate", "")),
                                    self.base.bins.resolution, "transfer")
        if request.after and not request.variants:
            raise InputError("--after: is the map of cells with the variants of --variants, which are not given")
        for fraction in request.fractions:
            if not 0 < fraction < 1:
                raise InputError(f"--fractions {fraction:g}: expected shares of the contacts between 0 and 1")

    def run(self) -> None:
        """Do everything that was asked for."""
        style()
        self.output.mkdir(parents=True, exist_ok=True)
        request = self.request
        compared = request.fractions or request.against or request.truth or request.variants
        if compared:
            rungs = climb(self.base, self.contacts, request.fractions or (1.0,), request.options, request.scratch_steps)
        else:
            tuned = transfer(self.base, self.contacts, request.options)
            rungs = [Rung(1.0, self.contacts, None, tuned, {"transfer": tuned.model, "none": self.base})]
        for rung in rungs:
            self._tuning(rung)
        if not request.fractions:
            self._write_model(rungs[-1].tuned.model)
        if request.fractions or request.against or request.truth:
            self._scores(rungs)
        if request.variants:
            self._deletions(rungs[-1])
        self.metrics.write(self.output / f"{self.id}.transfer.metrics.tsv")

    def _save(self, figure, name: str, order: int, title: str, caption: str, alt: str, table: pd.DataFrame) -> None:
        save_figure(figure, self.output / f"{self.id}.{name}", title=title, caption=caption, alt=alt, stage="transfer",
                    sample=self.id, order=order, command=self.command, table=table)

    def _tuning(self, rung: Rung) -> None:
        stratum, tuned = f"{rung.fraction:g}", rung.tuned
        for metric, value in (("contacts", rung.contacts.counts.sum(dtype=np.float64)), ("strength", tuned.strength),
                              ("steps", tuned.steps), ("scale", tuned.scale)):
            self.metrics.add("transfer", metric, float(value), stratum=stratum)
        if tuned.tried:
            self.metrics.add("transfer", "held_out_loss", tuned.tried[tuned.strength][1], stratum=stratum)
            self.metrics.add("none", "held_out_loss", tuned.base_loss, stratum=stratum)

    def _write_model(self, model: TrainedModel) -> None:
        path = self.output / f"{self.id}.transfer"
        model.save(f"{path}.model.pt")
        width = model.facts.get("max_distance")
        write_mcool(f"{path}.mcool", model.bins, lambda name: model.expected_band(name, width), model.usable, model.facts)

    def _load(self, path: Path) -> ContactMap:
        """A map to compare with, on the base's bins, of those chromosomes that the base has."""
        found = ContactMap.load(path)
        shared = [name for name in found.bins.chromosomes if match_name(name, self.contacts.bins.chromosomes)]
        if not shared:
            raise InputError(f"{path}: has none of the chromosomes of the new map "
                             f"({', '.join(self.contacts.bins.chromosomes)})")
        return on_bins(ContactMap.load(path, shared), self.base.bins, str(path))

    def _scores(self, rungs: list[Rung]) -> None:
        targets: dict[str, ContactMap | None] = {}
        for path in self.request.against:
            other = self._load(path)
            targets[label_of(self.contacts, other)] = other
        if self.request.truth:
            targets["truth"] = self._load(self.request.truth)
        width = self.contacts.width(self.request.options.max_distance or self.base.facts.get("max_distance"))
        for label, target in (targets or {"rest": None}).items():
            table = scores(rungs, self.contacts, target, width, self.request.options.seed)
            for row in table.itertuples():
                stratum = f"{row.fraction:g}" + ("" if row.band == "all" else f" {row.band}")
                self.metrics.add(row.method, row.metric, row.value, against=label, stratum=stratum, low=row.low,
                                 high=row.high, n=row.n)
            what = {"truth": "the noiseless truth", "rest": "the contacts left out"}.get(label, f"replicate {label}")
            told = table[(table["metric"] == "pearson_lin") & (table["band"] == "all")]
            least = told[told["fraction"] == told["fraction"].min()].set_index("method")["value"]
            base = self.base.facts.get("sample", "the base")
            self._save(
                figures.ladder_figure(table), f"transfer.{label}", 800, "What a small map is worth",
                f"Pearson r with {what} of balanced contacts, mean over distances of a band, by share of the reads: the "
                f"model of {base} tuned on them, the same structure trained on them alone ({self.request.scratch_steps:,} "
                f"steps), {base} as it is, and the small map itself. The same pairs are scored for all. Shaded: 95 %.",
                f"Curves of r against the share of reads; with the least, {least['transfer']:.2f} tuned and "
                f"{least['scratch']:.2f} from scratch.", table)

    def _deletions(self, rung: Rung) -> None:
        request, model = self.request, rung.models["transfer"]
        after = self._load(request.after) if request.after else None
        true_reader = self._true_reader()
        for path in request.variants:
            found = read_variants(path, model.bins, None)
            for one in found.skipped:
                print(f"{path}: skipped {one.name} ({one.place}): {one.reason}", file=sys.stderr)
            if not found.variants:
                raise InputError(f"{path}: none of its {found.number_skipped:,} variants can be read on the chromosomes of "
                                 f"the new map ({', '.join(model.bins.chromosomes)})")
            for at, variant in enumerate(found.variants):
                self._deletion(variant, rung, after, true_reader, at)

    def _deletion(self, variant, rung: Rung, after, true_reader, at: int) -> None:
        found = change(variant, rung.models, self.contacts, after, true_reader)
        if not found.known:
            raise InputError(f"{variant.name}: neither --after nor --true-genome says what the deletion does")
        found.predicted["across_alone"] = found.across.astype(np.float64)
        agreements: dict[tuple[str, str], Agreement] = {}
        seed = self.request.options.seed
        for what in found.known:
            for method in found.predicted:
                one = agreements[method, what] = agreement(found, method, what, seed)
                add = dict(against=what, stratum=variant.name)
                self.metrics.add(method, "pearson_delta", one.pearson, low=one.low, high=one.high, n=one.pairs, **add)
                self.metrics.add(method, "sign_delta", one.sign, n=one.pairs, **add)
                self.metrics.add(method, "pearson_delta_p", one.p, n=one.pairs, **add)
                if method != "across_alone":
                    inner = agreement(found.only_across(), method, what, seed)
                    self.metrics.add(method, "pearson_delta", inner.pearson, low=inner.low, high=inner.high, n=inner.pairs,
                                     against=what, stratum=f"{variant.name}, across")
        table = pd.DataFrame({"bin1": found.bin1, "bin2": found.bin2, "distance": found.distance, "across": found.across,
                              **{f"predicted_{method}": values for method, values in found.predicted.items()},
                              **found.known})
        best = agreements["transfer", next(iter(found.known))]
        self._save(
            figures.deletion_figure(variant, found, agreements, self.contacts, rung.models["transfer"]),
            f"{variant.name}.deletion", 810 + at, f"{variant.name}: a deletion foretold from the wild type",
            "Left: the region before, measured and by the tuned model. Middle: change of contacts beyond what distance "
            "alone changes, predicted against measured, of all measured pairs of the region. Right: r with 95 % (squares of "
            "pairs resampled); grey: r when measured changes change places among pairs at one distance. One change for "
            "all pairs across the deletion is the simplest guess.",
            f"Predicted against measured changes correlate with r {best.pearson:.2f} ({best.low:.2f} to {best.high:.2f}), "
            f"{best.sign:.0%} of the signs are right.", table)

    def _true_reader(self) -> Reader | None:
        """The simulated truth of the new map's cell type, by the labels that its random numbers hang on."""
        if self.request.true_genome is None:
            return None
        path = self.request.true_genome
        try:
            facts = json.loads(path.read_text())
            plan = Plan(facts["chromosomes"], facts["bins"], facts["resolution"], facts["seed"], kind=facts["kind"],
                        reads_per_bin=facts["reads_per_bin"])
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise InputError(f"{path}: is no truth.json of simulate_contacts.py ({problem!r})") from None
        if plan.resolution != self.base.bins.resolution:
            return None
        chromosomes = simulate_cell_type(plan, str(self.contacts.facts.get("cell_type", "")))
        bins = self.base.bins.subset(self.contacts.bins.chromosomes)
        return Reader(TrueModel({name: chromosomes[name] for name in bins.chromosomes}, bins, plan.kind), TRUE_MARGIN)

