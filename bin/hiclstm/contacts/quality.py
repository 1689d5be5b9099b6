"""How good a map is: depth, sparsity, contact probabilities, decay with distance, and a verdict.

The record ``<id>.qc.json`` that :meth:`Quality.record` makes holds

``contacts``            cis (on the chromosomes kept), trans (between two of them; null where the file cannot say),
                        median and share of usable bins with at least 1,000 (each contact counts for both its bins)
``bins``                all, masked (missing), share_masked
``zero_share``          share of measured pairs of different usable bins that have no contact
``longest_distance_bp`` null, or the distance at which the file was cut: pairs beyond it were not measured
``distance_decay``      distance_bp, mean_balanced (contacts of a pair of usable bins, zeros counted), pairs; log-spaced
``probability``         scale; low (5th percentile), median, high (95th) of equation 1 over non-zero pairs, d >= 1 bin;
                        histogram: edges (0 to 1) and counts
``verdict``, ``rule``   ``deep enough``, ``shallow`` or ``too shallow``, and the rule in words
``chromosomes``         for each: bins, bins_usable, contacts_cis, pairs_nonzero (d >= 1), balancing (name, reading,
                        unevenness, why)
``sources``             for each file: file, format, resolution read, notes
"""

import numpy as np

from ..errors import InputError
from ..metrics import MetricsTable
from .balance import Balancing, row_sums
from .probability import STEEPNESS, contact_probability

RULE = ("deep enough: at least 80 % of usable bins have 1,000 or more cis contacts (Rao et al. 2014's definition of a "
        "map's resolution); shallow: the median usable bin has 100 or more; too shallow: fewer")
NARROWEST = 0.05  # 5th to 95th percentile of contact probability below which equation 1 saturates
DECIMALS = (-8.0, 10.0, 18_000)  # log10 of balanced values is counted in steps of 0.001: 0.2 % of the value
STEPS_PER_DECADE = 8


class Quality:
    """Collects what the record needs, one chromosome after the other, in memory that does not grow with contacts."""

    def __init__(self, resolution: int):
        self.resolution = resolution
        self.chromosomes: dict[str, dict] = {}
        self.values = np.zeros(DECIMALS[2], np.int64)
        self.decay_sum, self.decay_pairs = np.zeros(0), np.zeros(0)
        self.per_bin: list[np.ndarray] = []

    def add(self, name: str, bin1, bin2, counts, balancing: Balancing) -> None:
        """Take in one balanced chromosome."""
        weight = balancing.weight
        usable = np.isfinite(weight)
        n, distance = len(weight), bin2 - bin1
        both = usable[bin1] & usable[bin2]
        balanced = counts[both] * weight[bin1[both]] * weight[bin2[both]]
        distance = distance[both]
        off = distance > 0
        place = (np.log10(balanced[off]) - DECIMALS[0]) / (DECIMALS[1] - DECIMALS[0]) * DECIMALS[2]
        self.values += np.bincount(np.clip(place.astype(np.int64), 0, DECIMALS[2] - 1), minlength=DECIMALS[2])
        pairs = pairs_at_distance(usable)
        total = np.bincount(distance, balanced, minlength=n)
        self.decay_sum, self.decay_pairs = _longer_sum(self.decay_sum, total), _longer_sum(self.decay_pairs, pairs)
        self.per_bin.append(row_sums(bin1, bin2, counts, n)[usable])
        self.chromosomes[name] = {
            "bins": n, "bins_usable": int(usable.sum()), "contacts_cis": float(counts.sum()),
            "pairs_nonzero": int(off.sum()), "balancing": balancing.record(),
        }

    def quantile(self, share: float) -> float:
        """Quantile of the balanced values of non-zero pairs of different usable bins."""
        total = np.cumsum(self.values)
        wanted = share * total[-1]
        at = int(np.searchsorted(total, wanted))
        before = total[at - 1] if at else 0
        inside = (wanted - before) / max(self.values[at], 1)
        return float(10 ** (DECIMALS[0] + (at + inside) * (DECIMALS[1] - DECIMALS[0]) / DECIMALS[2]))

    def probability_scale(self, asked: str | float) -> float:
        """What balanced values are multiplied by before equation 1: 1, or so that the median probability is 0.5."""
        if asked == "coverage":
            return 1.0
        if asked == "depth_matched":
            return float(STEEPNESS / np.log(2) / self.quantile(0.5))
        return float(asked)

    def probability(self, scale: float) -> dict:
        """Distribution of contact probability over non-zero pairs of different usable bins."""
        edges = np.linspace(0, 1, 51)
        centres = 10 ** (DECIMALS[0] + (np.arange(DECIMALS[2]) + 0.5) * (DECIMALS[1] - DECIMALS[0]) / DECIMALS[2])
        counts, _ = np.histogram(contact_probability(centres * scale), edges, weights=self.values)
        low, median, high = (float(contact_probability(self.quantile(share) * scale)) for share in (0.05, 0.5, 0.95))
        return {"scale": scale, "low": low, "median": median, "high": high,
                "histogram": {"edges": edges.round(4).tolist(), "counts": counts.astype(int).tolist()}}

    def check_saturation(self, sample: str, scale: float) -> None:
        """Stop where equation 1 turns nearly all contacts into one probability."""
        if self.values.sum() == 0:
            raise InputError(f"{sample}: no pair of different usable bins has a contact")
        found = self.probability(scale)
        if found["high"] - found["low"] < NARROWEST:
            depth_matched = self.probability(self.probability_scale("depth_matched"))
            help_ = "--probability-scale depth_matched puts the median at 0.5" \
                if depth_matched["high"] - depth_matched["low"] >= NARROWEST else \
                "the non-zero values hardly differ, so no --probability-scale helps; use a coarser resolution"
            end = "0" if found["median"] < 0.5 else "1"
            raise InputError(f"{sample}: contact probability (equation 1) saturates at {end}: its 5th and 95th "
                             f"percentile over non-zero pairs are {found['low']:.4f} and {found['high']:.4f} (median "
                             f"balanced count {self.quantile(0.5):.3g}, scale {scale:.3g}); {help_}")

    def distance_decay(self) -> dict:
        """Mean balanced count of pairs of usable bins in log-spaced classes of distance."""
        distance = np.arange(1, len(self.decay_sum))
        group = np.floor(np.log10(np.maximum(distance, 1)) * STEPS_PER_DECADE).astype(int)
        pairs = np.bincount(group, self.decay_pairs[1:])
        kept = pairs > 0
        mean = np.bincount(group, self.decay_sum[1:])[kept] / pairs[kept]
        at = np.bincount(group, self.decay_pairs[1:] * distance)[kept] / pairs[kept]
        return {"distance_bp": (at * self.resolution).round().astype(int).tolist(), "mean_balanced": mean.tolist(),
                "pairs": pairs[kept].astype(int).tolist()}

    def longest_distance(self) -> int | None:
        """Distance in base pairs at which the file was cut, None if it was not.

        It was if there is no contact beyond, though at an eighth of the mean of the outer half of what is measured
        (decay is far gentler) more than 50 would lie in as long a stretch again.
        """
        last = int(np.flatnonzero(self.decay_sum)[-1])
        outer, beyond = slice(last // 2, last + 1), slice(last + 1, 2 * last + 1)
        mean = self.decay_sum[outer].sum() / max(self.decay_pairs[outer].sum(), 1)
        return last * self.resolution if mean / 8 * self.decay_pairs[beyond].sum() > 50 else None

    def verdict(self) -> str:
        per_bin = np.concatenate(self.per_bin)
        if np.mean(per_bin >= 1000) >= 0.8:
            return "deep enough"
        return "shallow" if np.median(per_bin) >= 100 else "too shallow"

    def record(self, scale: float, trans: float | None) -> dict:
        """The figures of the QC record (sample, sources and notes are added by the caller)."""
        per_bin = np.concatenate(self.per_bin)
        every = list(self.chromosomes.values())
        cut = self.longest_distance()
        measured = slice(1, None if cut is None else cut // self.resolution + 1)
        bins, usable = sum(c["bins"] for c in every), sum(c["bins_usable"] for c in every)
        return {
            "verdict": self.verdict(), "rule": RULE,
            "contacts": {"cis": sum(c["contacts_cis"] for c in every), "trans": trans,
                         "median_per_usable_bin": float(np.median(per_bin)),
                         "share_of_bins_with_1000": float(np.mean(per_bin >= 1000))},
            "bins": {"all": bins, "masked": bins - usable, "share_masked": (bins - usable) / bins},
            "zero_share": 1 - sum(c["pairs_nonzero"] for c in every) / self.decay_pairs[measured].sum(),
            "longest_distance_bp": cut,
            "probability": self.probability(scale), "distance_decay": self.distance_decay(),
            "chromosomes": self.chromosomes,
        }


def _longer_sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Sum of two lists that begin together, the shorter one continued with zeros."""
    total = np.zeros(max(len(one), len(other)))
    total[:len(one)] += one
    total[:len(other)] += other
    return total


def pairs_at_distance(usable: np.ndarray) -> np.ndarray:
    """How many pairs of usable bins lie d bins apart: float64 [n] for d = 0 … n - 1 (autocorrelation by FFT)."""
    n = len(usable)
    spectrum = np.fft.rfft(usable.astype(np.float64), 2 * n)
    return np.fft.irfft(np.abs(spectrum) ** 2, 2 * n)[:n].round()


def metrics(record: dict, cell_type: str, replicate: str, resolution: int) -> MetricsTable:
    """The record's main figures as rows of metrics.tsv."""
    table = MetricsTable(cell_type, replicate, resolution, "prepare")
    bins, contacts = record["bins"]["all"], record["contacts"]
    usable = bins - record["bins"]["masked"]
    table.add("", "contacts_cis", contacts["cis"], n=bins)
    if contacts["trans"] is not None:
        table.add("", "contacts_trans", contacts["trans"], n=bins)
    table.add("", "contacts_per_bin_median", contacts["median_per_usable_bin"], n=usable)
    table.add("", "share_of_bins_with_1000_contacts", contacts["share_of_bins_with_1000"], n=usable)
    table.add("", "share_of_bins_masked", record["bins"]["share_masked"], n=bins)
    table.add("", "share_of_zero_pairs", record["zero_share"])
    for name in ("low", "median", "high"):
        table.add("", f"contact_probability_{name}", record["probability"][name])
    for chromosome, found in record["chromosomes"].items():
        masked = 1 - found["bins_usable"] / found["bins"]
        table.add("", "contacts_cis", found["contacts_cis"], stratum=chromosome, n=found["bins"])
        table.add("", "share_of_bins_masked", masked, stratum=chromosome, n=found["bins"])
        table.add("", "unevenness_of_row_sums", found["balancing"]["unevenness"], stratum=chromosome,
                  n=found["bins_usable"])
    return table


def draw(record: dict):
    """Figure of the record: contacts against distance, and the distribution of contact probability."""
    import matplotlib.pyplot as plt

    from ..report.figures import style

    style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 3.0))
    decay = record["distance_decay"]
    mean = np.array(decay["mean_balanced"])
    left.loglog(np.array(decay["distance_bp"]) / 1e6, np.where(mean > 0, mean, np.nan), marker="o")
    left.set(xlabel="distance (Mb)", ylabel="mean balanced contacts", title="Decay with distance")
    edges = np.array(record["probability"]["histogram"]["edges"])
    right.stairs(record["probability"]["histogram"]["counts"], edges, fill=True)
    right.set(xlabel="contact probability (Eq. 1)", ylabel="non-zero pairs of bins", xlim=(0, 1),
              title="Contact probability")
    return figure
