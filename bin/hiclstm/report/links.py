"""Where the files behind a figure lie, seen from a page: links are relative, so that results can be moved as a whole."""

import os
import re
from pathlib import Path
from urllib.parse import quote

PAGES = "report"  # folder of the samples' pages, beside report.html
# As in conf/publish.config: <cell type>_<replicate>.<resolution>.<what> goes to <cell type>/<resolution>.
OF_A_SAMPLE = re.compile(r"(.+?)_[A-Za-z0-9]+\.([0-9]+)\..+")
IN_FIGURES = re.compile(r".+\.(svg|figure\.json|viewer\.json)")


def published(name: str) -> str:
    """The path below the results' folder at which the pipeline publishes a file of this name."""
    sample = OF_A_SAMPLE.fullmatch(name)
    if not sample:
        return name
    return f"{sample[1]}/{sample[2]}/{'figures/' if IN_FIGURES.fullmatch(name) else ''}{name}"


class Links:
    """Addresses of files, relative to one page.

    Parameters
    ----------
    results : folder of ``report.html``
    page : folder of the page
    as_published : link to where the pipeline publishes files, not to where they are now
    """

    def __init__(self, results: Path, page: Path, as_published: bool):
        self.results, self.page, self.as_published = Path(results), Path(page), as_published

    def to(self, file: Path | None) -> str:
        """The address of a result's file; "" for none."""
        if file is None:
            return ""
        inside = self.results / PAGES
        if self.as_published and file.parent != inside:  # files across samples already lie among the pages
            return self.at(published(file.name))
        return _relative(file, self.page) if file.exists() else ""

    def at(self, path: str) -> str:
        """The address of a path below the folder of ``report.html``."""
        return _relative(self.results / path, self.page)


def _relative(file: Path, page: Path) -> str:
    return quote(Path(os.path.relpath(file, page)).as_posix())


def page_names(samples) -> dict[str, str]:
    """Sample id to the name of its page: one each, of letters, digits and ``. _ -``, whatever the id holds."""
    names, taken = {}, set()
    for sample in samples:
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", sample)[:100].lstrip(".") or "sample"
        while f"{stem}.html".lower() in taken:
            stem += "-"
        taken.add(f"{stem}.html".lower())
        names[sample] = f"{stem}.html"
    return names
