"""The report in headless Chromium: nothing missing, nothing fetched, usable by keyboard, on a phone, in print."""

import io
import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from PIL import Image

from hiclstm.genome import Bins
from hiclstm.metrics import MetricsTable
from hiclstm.perturbation.edits import Deletion, Duplication, Variant
from hiclstm.perturbation.viewer import write_viewer
from hiclstm.report.collect import collect
from hiclstm.report.comparison import comparison_figures
from hiclstm.report.figures import LARGEST_SVG, draw_triangle, save_figure, style
from hiclstm.report.page import Run, write_pages
from hiclstm.report.svg import compact

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run"]
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is not installed (apt-get install chromium): "
                                "the report was NOT looked at in a browser")
BAD = '$(<script>window.ran=1</script><img src="https://example.invalid/x.png" onerror="window.ran=1">'
SAMPLES = [("GM12878", "1", 50000), ("GM12878", "2", 50000), ("H1-hESC", "1", 50000), ("HFF-hTERT", "1", 10000),
           (BAD, "1", 50000)]
FIGURES = 5  # of each sample: a loss, a map, a wide one and two of one kind; one more of the first lacks its picture
VIEWED, FAILED = "GM12878_1.50000", "WTC11_1.2000"


def save_figures(folder: Path) -> None:
    """The figures of the first sample, and the same pictures of the others."""
    words = dict(sample=VIEWED, command=f"train_model.py --contacts '{VIEWED}'", caption="Caption of GM12878.")
    band = np.random.default_rng(0).poisson(20, (60, 60)).astype(np.float32)
    figure, axes = pyplot.subplots()
    axes.plot([3, 2, 1])
    save_figure(figure, folder / "s0.loss", title="Training loss", alt="A falling line.", stage="train", order=210,
                table=pd.DataFrame({"step": [1, 2, 3]}), **words)
    figure, axes = pyplot.subplots()
    draw_triangle(axes, band, 0, 50_000, mirrored=band, chromosome="chr22")
    save_figure(figure, folder / "s0.map", title="Map", alt="A triangle.", stage="reconstruct", order=310, **words)
    for name, title, order in (("one", "First of a kind", 400), ("two", "Second of a kind", 401), ("wide", "Wide", 410)):
        figure, axes = pyplot.subplots(figsize=(12, 3) if name == "wide" else (5, 3))
        axes.plot([1, 2, 1])
        save_figure(figure, folder / f"s0.{name}", title=title, alt="A line.", stage="classify", order=order, **words)
    for said in sorted(folder.glob("s0.*.figure.json")):
        for k, (cell_type, replicate, resolution) in enumerate(SAMPLES[1:], 1):
            own = {"sample": f"{cell_type}_{replicate}.{resolution}", "caption": f"Caption of {cell_type}."}
            (folder / said.name.replace("s0", f"s{k}")).write_text(json.dumps(json.loads(said.read_text()) | own))


def save_maps(folder: Path) -> None:
    """Two variants of 40 bins of 10 kb: expected contacts 100 / (1 + bins apart); a duplication doubles bins 10 to 20."""
    bins = Bins(("chr1",), (400_000,), 10_000)
    i, j = np.triu_indices(40)
    before = 100 / (1.0 + j - i)
    deleted = ((i >= 5) & (i < 8)) | ((j >= 5) & (j < 8))
    copies = np.where((i >= 10) & (i < 20), 2, 1) * np.where((j >= 10) & (j < 20), 2, 1)
    for variant, after in ((Variant("copied", (Duplication(10, 20),), "chr1:100,000"), before * copies),
                           (Variant("lost", (Deletion(5, 8),), "chr1:50,000"), np.where(deleted, np.nan, before))):
        table = pd.DataFrame({"bin1": i, "bin2": j, "value_before": before, "value_after": after})
        write_viewer(folder / f"{VIEWED}.{variant.name}.viewer.json", bins, variant, table,
                     {"sample": VIEWED, "command": "perturb_genome.py --variants v.vcf"})


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report of six samples, one of them named to do harm, one failed, one figure without its picture."""
    folder = tmp_path_factory.mktemp("report")
    for k, (cell_type, replicate, resolution) in enumerate(SAMPLES):
        table = MetricsTable(cell_type, replicate, resolution, "reconstruct")
        for method, value in {"default": 0.9 - k / 50, "blur": 0.84, "ceiling": 0.95}.items():
            for stratum in ("all", "0-500000", "500000-2000000"):
                for metric in ("pearson_lin", "scc_h0", "r2_cp"):
                    table.add(method, metric, value, against="2" if replicate == "1" else "1", stratum=stratum)
        table.write(folder / f"s{k}.reconstruct.metrics.tsv")
    save_figures(folder)
    save_maps(folder)
    quality = {"verdict": "shallow", "contacts": {"cis": 2e7},
               "chromosomes": {"chr22": {"bins": 704, "balancing": {"name": "KR"}}}}
    (folder / f"{VIEWED}.qc.json").write_text(json.dumps(quality))
    (folder / "failures.json").write_text(json.dumps({FAILED: "fewer than 20 usable bins"}))
    words = json.loads((folder / "s0.map.figure.json").read_text()) | {"svg": "gone.svg"}
    (folder / "gone.figure.json").write_text(json.dumps(words))
    found = collect([folder])
    (folder / "report").mkdir()
    found.figures += collect(comparison_figures(found.metrics, folder / "report", command="make_report.py")).figures
    found.metrics.to_csv(folder / "metrics.tsv", sep="\t", index=False)
    return write_pages(found, folder, Run(parameters={"seed": 1, "input": BAD}))[0]


@pytest.fixture(scope="module")
def crowded(tmp_path_factory) -> list[Path]:
    """The pages of a sample with 60 variants, each with a figure and maps as large as they may be."""
    folder = tmp_path_factory.mktemp("crowded")
    save_maps(folder)
    maps = json.loads((folder / f"{VIEWED}.copied.viewer.json").read_text())
    figure, axes = pyplot.subplots()
    axes.plot([1, 2, 1])
    save_figure(figure, folder / f"{VIEWED}.copied.variant", title="copied: DUP", alt="A line.", caption="A change.",
                stage="perturb", order=750, sample=VIEWED, command="perturb_genome.py --variants v.vcf")
    svg = folder / f"{VIEWED}.copied.variant.svg"
    svg.write_bytes(svg.read_bytes() + b"<!--" + b"x" * (LARGEST_SVG - svg.stat().st_size - 8) + b"-->\n")
    words = json.loads((folder / f"{VIEWED}.copied.variant.figure.json").read_text())
    for k in range(58):
        name = f"{VIEWED}.more{k}"
        (folder / f"{name}.viewer.json").write_text(json.dumps(maps | {"variant": f"more{k}", "filling": "x" * 60_000}))
        (folder / f"{name}.variant.figure.json").write_text(json.dumps(words | {"title": f"more{k}: DUP"}))
    (folder / "report").mkdir()
    return write_pages(collect([folder]), folder, Run())[1:]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, report):
    """Open a page in a window of some size and colour scheme; complaints and requests are kept with the page."""
    contexts = []

    def opened(sample: str | Path = "", width=1280, height=900, scheme="light", **more):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        path = report.parent / "report" / f"{sample}.html" if sample else report
        page.goto((sample if isinstance(sample, Path) else path).as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()


def until(page, condition: str) -> None:
    """Wait till a condition holds; the page's policy forbids Playwright's own way, which evaluates text in the page."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{condition} never held")


def pages(report: Path) -> list[Path]:
    return [report, *sorted((report.parent / "report").glob("*.html"))]


# every page

def test_every_figure_is_seen_every_link_leads_somewhere_and_nothing_is_fetched(visit, report):
    assert len(pages(report)) == 1 + len(SAMPLES) + 1
    for path in pages(report):
        page = visit(path.stem if path != report else "")
        page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
        until(page, "[...document.images].every(image => image.complete)")
        seen = page.eval_on_selector_all("figure > img", "all => all.map(i => [i.naturalWidth > 0 && i.checkVisibility(), "
                                         "i.alt.length > 0])")
        assert seen == [[True, True]] * {"report": 1, FAILED: 0}.get(path.stem, FIGURES)
        parts = "[f.querySelector('h3'), f.querySelector('figcaption p'), f.querySelector('.command code')]"
        said = page.eval_on_selector_all("figure", f"all => all.map(f => {parts}.map(e => Boolean(e?.textContent.trim())))")
        assert all(all(one) for one in said), "a title, a sentence and a command each"
        check_links(page, path)
        assert page.complaints == []
        assert [url for url in page.requests if not url.startswith("data:")] == [path.as_uri()]


def check_links(page, path: Path) -> None:
    """Files that are there, places on this page, and, but for a sample that failed, tables."""
    addresses = page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
    ids = set(page.eval_on_selector_all("[id]", "all => all.map(element => element.id)"))
    for address in addresses:
        parts = urlsplit(address)
        assert not parts.scheme and not parts.netloc
        if parts.path:
            assert (path.parent / unquote(parts.path)).exists(), address
        else:
            assert unquote(parts.fragment) in ids, address
    assert any(address.endswith(".tsv") for address in addresses) or path.stem == FAILED


def test_pages_are_small(report):
    assert report.stat().st_size < 2_000_000
    assert all(path.stat().st_size < 5_000_000 for path in pages(report))


def test_a_name_does_not_run(visit, report):
    (bad,) = [path for path in pages(report) if "script" in path.name]
    for page in (visit(), visit(bad.stem)):
        assert page.get_by_text(BAD).count() >= 1, "the name is shown as it is written"
        # Even markup that got past escaping would be stopped by the page's policy.
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
        page.wait_for_timeout(100)
        assert page.evaluate("window.ran") is None


@pytest.mark.parametrize("sample", ["", VIEWED, FAILED])
def test_no_width_overflows(visit, sample):
    page = visit(sample)
    page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    for width in (1280, 800, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_sixty_variants_are_spread_over_pages_that_stay_small(visit, crowded):
    assert len(crowded) > 1 and all(path.stat().st_size < 5_000_000 for path in crowded)
    shown, listed = [], []
    for path in crowded:
        page = visit(path)
        page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
        until(page, "[...document.images].every(image => image.complete && (image.naturalWidth > 0 || !image.src))")
        options = page.locator("select option").all_inner_texts()
        titles = page.locator("figure > h3").all_inner_texts()
        assert len(options) == len(page.locator("figure > img").all()) + ("lost (DEL)" in options)
        assert all(f"{option.partition(' ')[0]}: DUP" in titles for option in options if option != "lost (DEL)")
        shown += options
        links = page.locator(".pages a")
        listed.append([link.get_attribute("href") for link in links.all()])
        assert Viewer(page).press("+").startswith("chr1:") and page.complaints == []
    assert len(shown) == len(set(shown)) == 60, "each variant is on one page"
    names = [path.name for path in crowded]
    assert listed == [[name for name in names if name != path.name] for path in crowded], "each page leads to the others"
    page.get_by_role("link", name=f"Page 1 of {len(names)}").click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("GM12878, replicate 1, 50 kb")


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sample, selectors", [
    ("", ["body", "header p", "nav a", "small", "small.beaten", ".verdict.failed", ".verdict.shallow", "figcaption",
          ".command summary", ".terms dd", ".paper td", ".stages td"]),
    (VIEWED, ["body", "header p", "nav a", "caption", ".glance dt", ".quiet", ".more > summary", "output", "canvas",
              ".scale", ".terms dd", ".tools label", ".tools select", ".tools button", ".takeaway button", "pre"])])
def test_text_stands_out_in_light_and_dark(visit, sample, selectors, scheme):
    page = visit(sample, scheme=scheme)
    ground = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (ground > 0.5) == (scheme == "light")
    for selector in selectors:
        text = luminance(page.locator(selector).first.evaluate("element => getComputedStyle(element).color"))
        contrast = (max(text, ground) + 0.05) / (min(text, ground) + 0.05)
        assert contrast >= 4.5, f"{selector}: {contrast:.1f}"


@pytest.mark.parametrize("sample", ["", VIEWED, FAILED])
def test_headings_descend_and_regions_have_names(visit, sample):
    page = visit(sample)
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(heading => Number(heading.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    names = page.eval_on_selector_all("[role=region], [role=application], nav, dialog",
                                      "all => all.map(e => e.getAttribute('aria-label'))")
    assert all(names)
    ids = page.eval_on_selector_all("[id]", "all => all.map(element => element.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("sample", ["", VIEWED])
def test_print_shows_every_figure_and_no_controls(visit, sample):
    page = visit(sample)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert not page.locator("nav").first.is_visible() and not page.locator(".takeaway").first.is_visible()
    assert all(figure.is_visible() for figure in page.locator("figure").all())
    assert len(page.pdf(format="A4")) > 10_000
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.more[open]").count() == 0


# the index

def test_index_names_samples_failures_and_stages(visit):
    page = visit()
    assert page.get_by_role("heading", name="1 of 6 samples failed").is_visible()
    assert page.locator(".failures").inner_text() == "WTC11, replicate 1, 2 kb: fewer than 20 usable bins"
    rows = page.eval_on_selector_all(".stages tbody tr", "rows => rows.map(r => [...r.cells].map(c => c.innerText))")
    assert [row[2] for row in rows] == ["not run", "5 of 6", "5 of 6", "not run", "5 of 6", "not run", "not run", "not run"]
    page.locator(".summary").get_by_role("link", name=re.compile("H1-hESC")).click()
    assert page.get_by_role("heading", level=1).inner_text() == "H1-hESC, replicate 1, 50 kb"
    page.get_by_role("link", name="HFF-hTERT, replicate 1, 10 kb →").click()
    page.get_by_role("link", name="All samples").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Hi-C-LSTM report"


def test_columns_sort_by_value(visit):
    page = visit()
    heads = page.locator("table.summary thead th")

    def column(at):
        return page.eval_on_selector_all("table.summary tbody tr", f"rows => rows.map(r => r.cells[{at}].innerText)")

    button = heads.nth(5).get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    values = [text.split()[0] for text in column(5) if text.strip()]
    assert values == sorted(values) and len(values) == len(SAMPLES) and column(5)[-1].strip() == ""
    assert heads.nth(5).get_attribute("aria-sort") == "ascending"
    button.click()
    assert [text.split()[0] for text in column(5) if text.strip()] == values[::-1] and column(5)[-1].strip() == ""
    heads.nth(2).get_by_role("button").click()
    assert column(2)[0] == "2 kb" and column(2)[1] == "10 kb" and heads.nth(5).get_attribute("aria-sort") is None


# a sample's page

def test_keyboard_reaches_the_sections_and_unfolds_a_series(visit):
    page = visit(VIEWED)

    def focused():
        return page.evaluate("document.activeElement.textContent.trim()")

    page.keyboard.press("Tab")
    assert focused() == "Skip to the content"
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(focused())
    assert reached[:6] == ["All samples", "At a glance", "Training", "Reconstruction", "Elements", "What if"]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus is visible"
    second = page.get_by_role("heading", name="Second of a kind")
    assert not second.is_visible(), "figures of one kind start folded"
    page.locator("summary", has_text="1 more: Second of a kind").focus()
    page.keyboard.press("Enter")
    assert second.is_visible()


def test_a_missing_picture_is_said(visit):
    assert visit(VIEWED).get_by_text("The picture of this figure is missing from the results.").count() == 1
    assert visit().get_by_text("gone.figure.json: its picture gone.svg is missing").count() == 1


def test_a_figure_is_enlarged_and_its_files_are_linked(visit, report):
    page = visit(VIEWED)
    page.get_by_role("button", name="Enlarge Training loss").click()
    shown = page.locator("dialog img")
    assert shown.is_visible() and shown.get_attribute("alt") == "A falling line."
    page.keyboard.press("Escape")
    assert not shown.is_visible()
    numbers = page.get_by_role("link", name="Numbers of Training loss").get_attribute("href")
    assert (report.parent / "report" / numbers).read_text() == "step\n1\n2\n3\n"
    picture = page.get_by_role("link", name="Picture of Training loss").get_attribute("href")
    assert b"<svg" in (report.parent / "report" / picture).read_bytes()


def test_a_wide_figure_has_the_width_of_the_page(visit):
    page = visit(VIEWED)
    widths = {title: page.locator("figure", has=page.get_by_role("heading", name=title, exact=True)).locator(
        "img").bounding_box()["width"] for title in ("Wide", "First of a kind")}
    assert widths["Wide"] > 900 > 500 > widths["First of a kind"]


def test_compact_pictures_look_the_same(browser, tmp_path):
    style()
    figure, (left, right) = pyplot.subplots(1, 2)
    left.plot(np.linspace(0, 1, 50) ** 2, label="$x^2$ & <more>")
    left.legend()
    right.pcolormesh(np.arange(12.0).reshape(3, 4), rasterized=True)
    figure.savefig(tmp_path / "before.svg")
    pyplot.close(figure)
    (tmp_path / "after.svg").write_bytes(compact((tmp_path / "before.svg").read_bytes()))
    page = browser.new_page(viewport={"width": 720, "height": 360})
    seen = []
    for name in ("before", "after"):
        page.goto((tmp_path / f"{name}.svg").as_uri())
        seen.append(np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int))
    page.close()
    different = np.abs(seen[0] - seen[1]).sum(axis=-1) > 60
    assert different.mean() < 0.001
    assert (tmp_path / "after.svg").stat().st_size < 0.7 * (tmp_path / "before.svg").stat().st_size


def test_without_scripts_all_but_the_viewer_is_there(visit):
    page = visit(VIEWED, java_script_enabled=False)
    assert page.locator("figure > img").first.is_visible() and not page.locator("canvas").is_visible()
    assert page.get_by_text("The viewer needs scripts to be allowed").is_visible()


# the map viewer

MARGIN, TOP = 58, 8  # of the canvas, in CSS pixels


class Viewer:
    """The viewer on a page: where a pair of bins lies while the whole map is shown, and what it says."""

    def __init__(self, page):
        self.page, self.canvas = page, page.locator("canvas")
        self.canvas.scroll_into_view_if_needed()
        until(page, "document.querySelector('canvas').width > 300")

    def at(self, row, column, across=40, top=0, left=0) -> tuple[float, float]:
        box = self.canvas.bounding_box()
        size = (box["width"] - MARGIN - 8) / across
        return box["x"] + MARGIN + (column - left + 0.5) * size, box["y"] + TOP + (row - top + 0.5) * size

    def point(self, row, column) -> str:
        self.page.mouse.move(*self.at(row, column))
        return self.said()

    def said(self) -> str:
        return self.page.locator("output").inner_text()

    def press(self, *keys) -> str:
        self.canvas.focus()
        for key in keys:
            self.page.keyboard.press(key)
        return self.said()

    def colour(self, row, column) -> list[int]:
        """Red, green and blue in the middle of a pair, off the crossing lines."""
        x, y = self.at(row, column)
        box = self.canvas.bounding_box()
        return self.canvas.evaluate("(canvas, [x, y]) => [...canvas.getContext('2d').getImageData(x * devicePixelRatio, "
                                    "y * devicePixelRatio, 1, 1).data].slice(0, 3)", [x - box["x"], y - box["y"]])


def span(text: str) -> tuple[int, int]:
    """The starts of the two bins that a reading names."""
    return tuple(int(start.replace(",", "")) for start in re.findall(r"chr1:([\d,]+)–", text))


def test_the_pointer_reads_the_map(visit):
    viewer = Viewer(visit(VIEWED))
    said = viewer.point(2, 4)
    assert said.startswith("chr1:20,000–30,000 and chr1:40,000–50,000, 20 kb apart: WT 3")
    assert viewer.point(4, 2) == said, "the map is symmetric"
    for row, column, wild, variant, change in ((2, 4, 100 / 3, 100 / 3, 0), (12, 12, 100, 400, 2), (12, 30, 5.26, 10.5, 1)):
        told = re.search(r"WT (\S+), ALT (\S+), Δ \+(\S+)$", viewer.point(row, column))
        assert [float(text) for text in told.groups()] == [pytest.approx(wild, rel=0.06), pytest.approx(variant, rel=0.06),
                                                           pytest.approx(change, abs=0.02)]
    assert viewer.page.complaints == []


def test_layers_are_chosen_by_key_and_by_button(visit):
    page = visit(VIEWED)
    viewer = Viewer(page)
    page.mouse.move(0, 0)
    wild, unchanged = viewer.colour(12, 18), viewer.colour(2, 4)
    viewer.press("2", "0")
    assert page.get_by_role("radio", name="ALT").is_checked()
    assert viewer.colour(12, 18) != wild and viewer.colour(2, 4) == unchanged
    viewer.press("3")
    red, green, blue = viewer.colour(12, 18)
    assert red > 80 and green < 60 and blue < 60, "more contacts are red"
    assert min(viewer.colour(2, 4)) > 240, "no change is white"
    assert "×" in page.locator(".scale").inner_text()
    page.get_by_role("radio", name="WT").check()
    assert viewer.colour(12, 18) == wild


def test_the_keyboard_zooms_and_pans(visit):
    viewer = Viewer(visit(VIEWED))
    assert span(viewer.press("0")) == (200_000, 200_000), "the middle of the whole"
    viewer.press("+", "+")
    assert span(viewer.press("ArrowRight")) == (200_000, 210_000)
    assert span(viewer.press("ArrowUp")) == (180_000, 210_000)
    right = viewer.press(*["ArrowRight"] * 30)
    assert viewer.press("ArrowRight") == right, "the map ends there"
    assert span(viewer.press("-", "-", "-")) == (200_000, 200_000), "zoomed out it is the whole"
    before = viewer.page.evaluate("scrollY")
    viewer.press("ArrowDown", "ArrowDown")
    assert viewer.page.evaluate("scrollY") == before, "the page stays where it is"
    viewer.page.keyboard.press("Tab")
    assert viewer.page.evaluate("document.activeElement.tagName") != "CANVAS", "the keyboard can leave"


def test_the_pointer_drags_and_the_wheel_zooms(visit):
    page = visit(VIEWED)
    viewer = Viewer(page)
    page.mouse.move(*viewer.at(20, 20))
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 60)
    until(page, f"scrollY !== {before}")
    assert viewer.point(2, 4).startswith("chr1:20,000"), "until the map is chosen the wheel scrolls the page"
    page.mouse.click(*viewer.at(10, 10))
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, -278)  # e^(278/400) = 2
    page.wait_for_timeout(100)
    assert page.evaluate("scrollY") == before
    # What was under the pointer stays there: (10.5, 10.5) of 40 bins; 20 are shown from 5.25 on.
    x, y = viewer.at(24, 16, across=20, top=5.25, left=5.25)
    page.mouse.move(x, y)
    assert span(viewer.said()) == (160_000, 240_000)
    page.mouse.down()
    page.mouse.move(*viewer.at(20, 13, across=20, top=5.25, left=5.25), steps=5)
    page.mouse.up()
    assert span(viewer.said()) == (160_000, 240_000), "what was taken hold of moves along"
    page.get_by_role("button", name="Whole").click()
    assert viewer.point(2, 4).startswith("chr1:20,000–30,000 and chr1:40,000–50,000")


def test_another_variant_and_its_deleted_pairs(visit):
    page = visit(VIEWED)
    viewer = Viewer(page)
    page.locator("select").select_option("lost (DEL)")
    viewer.press("2")
    assert re.search(r"WT 6\.\d, ALT none$", viewer.point(6, 20))
    page.mouse.move(0, 0)
    assert viewer.colour(6, 20) == [220, 220, 220]
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(100)
    assert viewer.colour(6, 20) == [74, 80, 88], "missing is dark on a dark page"
    files = page.locator(".files a")
    assert [link.get_attribute("href").rsplit(".", 2)[1] for link in files.all()] == ["viewer", "viewer"]


def test_fingers_pinch_and_drag(visit):
    page = visit(VIEWED, width=390, height=800, has_touch=True)
    viewer = Viewer(page)
    page.touchscreen.tap(*viewer.at(20, 20))  # chosen: from now on fingers move the map, not the page
    session = page.context.new_cdp_session(page)
    places = [viewer.at(18, 18), viewer.at(22, 22)], [viewer.at(16, 16), viewer.at(24, 24)]

    def touch(kind, points):
        session.send("Input.dispatchTouchEvent",
                     {"type": kind, "touchPoints": [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]})

    touch("touchStart", places[0])
    for share in (0.5, 1.0):
        touch("touchMove", [tuple(a + (b - a) * share for a, b in zip(*pair, strict=True))
                            for pair in zip(*places, strict=True)])
    touch("touchEnd", [])
    assert span(viewer.press("ArrowUp")) == (180_000, 200_000), "twice as large: a tenth of the view is two bins"
    assert page.complaints == []
