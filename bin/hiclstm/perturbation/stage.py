"""The whole stage: what was asked for is read, compared with chance and with the truth, and written."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from ..errors import InputError
from ..files import whole
from ..metrics import MetricsTable
from ..prediction import TrainedModel
from ..report.figures import save_figure, style
from . import figures
from .duplication import ObservedMap, block_errors, collapsed_baselines
from .edits import KNOCKOUTS, Duplication, Variant
from .experiments import (
    NEAR_DISTANCE,
    SiteSet,
    domain_sets,
    knockout_sets,
    orientation_sets,
    read_domains,
    read_set,
)
from .nulls import MatchedLoci
from .outputs import write_maps
from .readings import Reader
from .scores import TRUE_MARGIN, TrueModel, mean_interval, score_barriers, score_cases
from .sites import bound_bins, near, orientation_of_bins, read_loops, read_sites, scan_motif
from .table import variants_table
from .variants import Skipped, VariantSet, read_variants


@dataclass(frozen=True)
class Request:
    """What to perturb, and with what to compare; files that are None are not supplied.

    Attributes
    ----------
    variants : VCF, BED or BEDPE files
    knockout : method for BED files of sites and for sets of sites; None reads BED files as variants
    sites : name and file of sets of sites to knock out
    ctcf, cohesin : peaks; where both bind is a site (every cohesin file must have a peak)
    loops, domains, genes, motifs : annotations of this cell type (``motifs``: BED6, strands of CTCF motifs)
    fasta, matrix : the genome and a motif in JASPAR's format, scanned where ``motifs`` is None
    after : observed maps of variants by name, aligned to the reference
    truth : ``truth.json`` of a simulated data set
    reach : bp on both sides of an edit
    random_loci : matched random loci per variant or set
    most_sites : sites of a set beyond this are left out at random
    most_maps : variants that get maps and a figure, those with the largest effects
    cases : random cases of each kind scored against the truth
    """

    variants: list[Path] = field(default_factory=list)
    knockout: str | None = None
    sites: dict[str, Path] = field(default_factory=dict)
    ctcf: Path | None = None
    cohesin: list[Path] = field(default_factory=list)
    loops: Path | None = None
    domains: Path | None = None
    genes: Path | None = None
    motifs: Path | None = None
    fasta: Path | None = None
    matrix: Path | None = None
    after: dict[str, Path] = field(default_factory=dict)
    truth: Path | None = None
    reach: int = 1_000_000
    random_loci: int = 200
    most_sites: int = 300
    most_maps: int = 25
    cases: int = 20
    seed: int = 1


class Stage:
    """One model, its map and a request; :meth:`run` writes everything into ``output``."""

    def __init__(self, contacts: Path, model: Path, request: Request, output: Path, command: str, threads: int = 1):
        self.request, self.output, self.command = request, output, command
        self.contacts = ContactMap.load(contacts)
        self.model = TrainedModel.load(model, threads)
        self.reader = Reader(self.model)
        self.bins = self.model.bins
        if self.contacts.bins.resolution != self.bins.resolution:
            raise InputError(f"{contacts} has bins of {self.contacts.bins.resolution:,} bp, the model {model} of "
                             f"{self.bins.resolution:,} bp")
        self.id = contacts.name.removesuffix(".cool")
        facts = {**self.model.facts, **self.contacts.facts}
        self.cell_type = str(facts.get("cell_type", self.id.split("_")[0]))
        self.replicate = str(facts.get("replicate", ""))
        self.method = self.model.config.name
        self.scale = float(facts.get("probability_scale", 1.0))
        self.metrics = MetricsTable(self.cell_type, self.replicate, self.bins.resolution, "perturb")
        self.reach = max(2, request.reach // self.bins.resolution)
        self.loops = read_loops(request.loops, self.bins) if request.loops else None
        self.genes = read_sites(request.genes, self.bins) if request.genes else None
        self.truth = None
        if request.truth:
            self.truth = TrueModel.load(request.truth, self.cell_type, self.bins)
            if self.truth is None:
                print(f"{request.truth}: the truth has other bins than the model ({self.bins.resolution:,} bp): "
                      "nothing is scored against it", file=sys.stderr)

    def run(self) -> list[Skipped]:
        """Do everything that was asked for; returns the variants that could not be read."""
        style()
        self.output.mkdir(parents=True, exist_ok=True)
        skipped = self._variants() if self.request.variants else []
        self._sets()
        self._domains()
        if self.truth is not None:
            self._truth()
        self.metrics.write(self.output / f"{self.id}.perturb.metrics.tsv")
        return skipped

    def _save(self, figure, name: str, order: int, title: str, caption: str, alt: str, table=None) -> None:
        save_figure(figure, self.output / f"{self.id}.{name}", title=title, caption=caption, alt=alt, stage="perturb",
                    sample=self.id, order=order, command=self.command, table=table)

    def _variants(self) -> list[Skipped]:
        found = VariantSet()
        for path in self.request.variants:
            found.extend(read_variants(path, self.bins, self.request.knockout))
        null = MatchedLoci(self.reader, self.reach, [variant.span for variant in found.variants],
                           self.request.random_loci, self.request.seed, self.loops, self.scale)
        table = variants_table(self.reader, found, self.reach, null, self.request.seed, self.loops, self.scale)
        with whole(self.output / f"{self.id}.variants.tsv") as beside:
            table.to_csv(beside, sep="\t", index=False, float_format="%.6g")
        read = table[table["status"] == "read"]
        for row in read.itertuples():
            self.metrics.add(self.method, "mean_log_change_beyond_distance", row.mean_beyond_distance,
                             stratum=row.variant, low=row.low, high=row.high, n=int(row.pairs))
        asked = len(found.variants) + found.number_skipped
        for metric, value in (("variants_read", len(read)), ("variants_skipped", asked - len(read)),
                              ("variants_beyond_chance", int((read["q"] < 0.05).sum()))):
            self.metrics.add(self.method, metric, value, n=asked)
        by_name = {variant.name: variant for variant in found.variants}
        largest = read.sort_values("rms_beyond_distance", ascending=False)["variant"].head(self.request.most_maps)
        for row in read[read["variant"].isin(largest)].itertuples():
            self._one_variant(by_name[row.variant], row)
        if len(read) > len(largest):
            print(f"maps and figures are written of the {len(largest)} variants with the largest effects, of "
                  f"{len(read)} (--most-maps)", file=sys.stderr)
        return [Skipped(row.variant, row.place, row.note) for row in table[table["status"] == "skipped"].itertuples()]

    def _one_variant(self, variant: Variant, row) -> None:
        reading = self.reader.read(variant, self.reach)
        write_maps(self.output, f"{self.id}.{variant.name}", self.reader, variant, reading,
                   {"sample": self.id, "model": self.method, "probability_scale": self.scale, "command": self.command})
        figure, track = figures.variant_figure(reading, variant, self.genes, self.loops)
        chance = (f"p = {row.p:.2g} against {row.random_loci} matched random loci" if row.random_loci and np.isfinite(row.p)
                  else "There is no p-value: " + ("no pair can be compared" if row.random_loci else "no random loci"))
        rings = "; rings: loops" if self.loops is not None else ""
        self._save(figure, f"{variant.name}.variant", 710, f"{variant.name}: {variant.kind} at {variant.place}",
                   "Expected contacts of the same loci before and after, and the change beyond what the change of "
                   f"distance alone does{rings}. Below: the pieces of the reference, each with the place of its lower end, "
                   f"genes, and insulation, whose valleys are domain boundaries. {chance}.",
                   f"Contact triangles before and after the variant {variant.name}, their difference and the "
                   "insulation along the rearranged chromosome.", track)
        if len(variant.edits) == 1 and isinstance(variant.edits[0], Duplication):
            self._duplication(variant, reading)

    def _duplication(self, variant: Variant, reading) -> None:
        start, end = variant.span
        pixels = Reader(ObservedMap(self.contacts))
        tables = {self.method: reading.collapsed()}
        if self.contacts.bins.chromosomes == self.bins.chromosomes:
            baselines = collapsed_baselines(pixels, reading, start, end)
            tables |= {name: baselines[name] for name in ("paper_baseline", "rearranged_pixels")}
        known = self._observed_after(variant, reading)
        errors = pd.DataFrame(columns=["method", "block", "error"])
        if known is not None:
            name, table = known
            errors = pd.DataFrame([{"method": method, "block": block, "error": error}
                                   for method, predicted in tables.items()
                                   for block, error in block_errors(predicted, table, start, end, self.scale).items()])
            for one in errors.itertuples():
                self.metrics.add(one.method, "block_mse", one.error, against=name,
                                 stratum=f"{variant.name}: {one.block}")
            tables = {name: table, **tables}
        low, high = int(reading.order.min()), int(reading.order.max()) + 1
        figure = figures.duplication_figure(tables, errors, (low, high), (start, end), self.bins)
        self._save(figure, f"{variant.name}.collapsed", 720, f"{variant.name} as Hi-C on the reference sees it",
                   "Expected contacts with the reads of both copies summed, as they cannot be told apart: the model's, "
                   "the paper's baseline (wild-type pixels, mean of the distance within the duplicated region) and the "
                   "better baseline (pixels moved with their loci and summed over the copies).",
                   "Maps of the duplicated region on the reference by the model and by two baselines.", errors)

    def _observed_after(self, variant: Variant, reading) -> tuple[str, pd.DataFrame] | None:
        """What a duplication's map really is, on the reference and on the model's scale: observed, or simulated."""
        if variant.name in self.request.after:
            observed = Reader(ObservedMap(ContactMap.load(self.request.after[variant.name])))
            name, table = "observed", observed.before_on_reference(reading)
        elif self.truth is not None:
            true_reader = Reader(self.truth, TRUE_MARGIN)
            name, table = "truth", true_reader.read(variant, self.reach).collapsed()
        else:
            return None
        both = table.merge(reading.collapsed(), on=["bin1", "bin2"], suffixes=("", "_model"))
        return name, table.assign(value=table["value"] * both["value_model"].sum() / both["value"].sum())

    def _thinned(self, numbers: np.ndarray) -> np.ndarray:
        """At most ``most_sites`` of some bins with data that have room on both sides."""
        numbers = np.asarray(numbers, np.int64)
        numbers = numbers[self.reader.usable[numbers]]
        if len(numbers) <= self.request.most_sites:
            return numbers
        random = np.random.default_rng(self.request.seed)
        return np.sort(random.choice(numbers, self.request.most_sites, replace=False))

    def _sets(self) -> None:
        request, bins = self.request, self.bins
        method = request.knockout or "shift"
        by_all_methods: list[SiteSet] = []
        by_one: list[SiteSet] = []
        if request.ctcf and request.cohesin:
            bound = bound_bins(bins, [read_sites(path, bins) for path in (request.ctcf, *request.cohesin)])
            groups = {"CTCF+cohesin": bound}
            if self.loops is not None:
                anchors = np.union1d(self.loops.left, self.loops.right)
                at_loop = near(bound, anchors)
                groups = {"CTCF+cohesin at loops": bound[at_loop], "CTCF+cohesin elsewhere": bound[~at_loop]}
            for name, numbers in groups.items():
                by_all_methods += knockout_sets(name, self._thinned(numbers), KNOCKOUTS)
        for name, path in request.sites.items():
            numbers = np.unique(read_sites(path, bins)["middle"].to_numpy(np.int64))
            by_one += knockout_sets(name, self._thinned(numbers), (method,))
        oriented = self._orientation_sets()
        rows = []
        for name, order, title, sets in (
                ("knockouts", 730, "Knockout of CTCF and cohesin sites, four methods", by_all_methods),
                ("factors", 740, "Knockout of binding sites", by_one),
                ("orientation", 750, "CTCF orientation replaced at loop anchors", oriented)):
            effects = [self._read_set(sites) for sites in sets if sites.variants]
            effects = [effect for effect in effects if len(effect.profile)]
            if effects:
                rows += self._report_sets(name, order, title, effects)
        if rows:
            with whole(self.output / f"{self.id}.sites.tsv") as beside:
                pd.concat(rows, ignore_index=True).to_csv(beside, sep="\t", index=False, float_format="%.6g")

    def _orientation_sets(self) -> list[SiteSet]:
        request = self.request
        if self.loops is None or not (request.motifs or (request.fasta and request.matrix)):
            return []
        motifs = (read_sites(request.motifs, self.bins) if request.motifs
                  else scan_motif(request.fasta, request.matrix, self.bins))
        orientation = orientation_of_bins(self.bins, motifs)
        sets = orientation_sets(self.reader, orientation, self.loops)
        config = self.model.config
        if not (config.strands and config.strand_size):  # such a model does not see a bin's strand: nothing would change
            sets = [sites for sites in sets if sites.method != "flip"]
        kept = []
        for sites in sets:
            numbers = self._thinned(np.array([variant.span[0] for variant in sites.variants], np.int64))
            kept.append(SiteSet(sites.name, sites.method, [variant for variant in sites.variants
                                                           if variant.span[0] in set(numbers.tolist())]))
        return kept

    def _read_set(self, sites: SiteSet):
        null = MatchedLoci(self.reader, self.reach, [variant.span for variant in sites.variants],
                           self.request.random_loci, self.request.seed)
        return read_set(self.reader, sites, self.reach, null, self.request.seed, self.loops, self.scale)

    def _report_sets(self, name: str, order: int, title: str, effects: list) -> list[pd.DataFrame]:
        resolution = self.bins.resolution
        rows, words = [], []
        for effect in effects:
            sites, method = effect.sites.name, effect.sites.method
            found = effect.near_change(resolution, self.request.seed)
            stratum = f"{sites}: {method}"
            self.metrics.add(self.method, "change_within_200kb", found["change"], stratum=stratum, low=found["low"],
                             high=found["high"], n=found["sites"])
            self.metrics.add("random_locus", "change_within_200kb", found["random"], stratum=stratum,
                             low=found["random_low"], high=found["random_high"], n=len(effect.random_profile))
            self.metrics.add(self.method, "change_within_200kb_p", found["p"], stratum=stratum, n=found["sites"])
            own, elsewhere = (f"{100 * found[which]:+.1f} %" for which in ("change", "random"))
            words.append(f"{sites} ({method}) {own} (random loci {elsewhere})")
            rows.append(effect.effects.assign(sites=sites, method=method, random=False))
            rows.append(effect.random_effects.assign(sites=sites, method=method, random=True))
        near_words = f"Up to {NEAR_DISTANCE // 1000} kb apart: " + "; ".join(words) + "."
        figure, table = figures.sets_by_distance_figure(effects, resolution)
        self._save(figure, f"{name}.distance", order, f"{title}: change against distance",
                   "Mean change of contacts across the site, beyond distance; shaded: 95 % of equally many matched "
                   f"random loci under the same edit. {near_words}",
                   f"Curves of the mean change of contacts against distance for {len(effects)} sets of sites.", table)
        figure = figures.sets_in_window_figure(effects, resolution)
        self._save(figure, f"{name}.window", order + 1, f"{title}: average around the site",
                   "Mean log2 change beyond distance of all pairs around a site (top) and around matched random loci "
                   "under the same edit (bottom). Pairs on one side of the site cannot change.",
                   f"Average maps of change around {len(effects)} sets of sites and around random loci.",
                   f"{self.id}.sites.tsv")
        return rows

    def _domains(self) -> None:
        request = self.request
        if not (request.domains and request.ctcf):
            return
        ctcf = np.unique(read_sites(request.ctcf, self.bins)["middle"].to_numpy(np.int64))
        method = request.knockout or "shift"
        effects = [read_domains(self.reader, name, table.head(request.most_sites), method)
                   for name, table in domain_sets(read_sites(request.domains, self.bins), ctcf).items()]
        effects = [effect for effect in effects if len(effect.inside)]
        for effect in effects:
            for metric, values in (("change_inside_domains", effect.inside),
                                   ("change_across_boundaries", effect.outside)):
                value, low, high, n = mean_interval(values, request.seed)
                self.metrics.add(self.method, metric, np.expm1(value), stratum=f"{effect.name}: {method}",
                                 low=np.expm1(low), high=np.expm1(high), n=n)
        if effects:
            figure, table = figures.domains_figure(effects, self.bins.resolution)
            self._save(figure, "domains.knockout", 760, "Domain boundaries knocked out, with and without CTCF",
                       "Mean log2 change beyond distance after both boundary bins of each domain were knocked out "
                       f"({method}), domains scaled to ten cells.",
                       "Average maps of change over domains with and without CTCF at their boundaries.", table)

    def _truth(self) -> None:
        request = self.request
        cases = score_cases(self.reader, self.truth, request.cases, request.seed)
        with whole(self.output / f"{self.id}.perturb_cases.tsv") as beside:
            cases.to_csv(beside, sep="\t", index=False, float_format="%.6g")
        names = {"pearson": "pearson_delta", "sign": "sign_delta", "skill": "skill_delta", "size": "size_ratio_delta"}
        for (method, stratum), group in cases.groupby(["method", "stratum"], sort=False):
            for column, metric in names.items():
                value, low, high, n = mean_interval(group[column], request.seed)
                self.metrics.add(method, metric, value, against="truth", stratum=stratum, low=low, high=high, n=n)
        barriers = score_barriers(self.reader, self.truth, request.seed)
        for metric, which in (("auroc_barrier", "absolute"), ("auroc_barrier_signed", "signed")):
            self.metrics.add(self.method, metric, barriers[which], against="truth",
                             n=barriers["sites"] + barriers["controls"])
        figure = figures.truth_figure(cases, self.method)
        self._save(figure, "perturb_truth", 700, "Predicted against true changes, on simulated rearrangements",
                   "Each dot is one random rearrangement whose true map is known: correlation of predicted and true "
                   "change beyond what distance alone changes, on the same lifted pairs. Beside it, moving the true "
                   "wild-type pixels, and the model's change for the same edit elsewhere.",
                   "Dots of correlation by kind of rearrangement for the model and two baselines.", cases)
