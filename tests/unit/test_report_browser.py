"""The report in headless Chromium: nothing missing, nothing fetched, usable by keyboard, on a phone, in print."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from hiclstm.metrics import MetricsTable
from hiclstm.report.collect import collect
from hiclstm.report.comparison import comparison_figures
from hiclstm.report.figures import draw_triangle, save_figure
from hiclstm.report.page import render

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run"]
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is not installed (apt-get install chromium): "
                                "the report was NOT looked at in a browser")
BAD = '$(<script>window.ran=1</script><img src="https://example.invalid/x.png" onerror="window.ran=1">'
SAMPLES = [("GM12878", "1", 50000), ("GM12878", "2", 50000), ("H1-hESC", "1", 50000), ("HFF-hTERT", "1", 10000),
           (BAD, "1", 50000)]
FIGURES = 2 * len(SAMPLES) + 1  # two a sample, and the comparison; one more lacks its picture


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report of five samples, one of them named to do harm, one failed, one figure without its picture."""
    folder = tmp_path_factory.mktemp("report")
    band = np.random.default_rng(0).poisson(20, (60, 60)).astype(np.float32)
    for k, (cell_type, replicate, resolution) in enumerate(SAMPLES):
        sample = f"{cell_type}_{replicate}.{resolution}"
        words = dict(sample=sample, command=f"train_model.py --contacts '{sample}'", caption=f"Caption of {cell_type}.")
        figure, axes = pyplot.subplots()
        axes.plot([3, 2, 1])
        save_figure(figure, folder / f"s{k}.loss", title="Training loss", alt="A falling line.", stage="train",
                    order=210, table=pd.DataFrame({"step": [1, 2, 3]}), **words)
        figure, axes = pyplot.subplots()
        draw_triangle(axes, band, 0, resolution, mirrored=band, chromosome="chr22")
        save_figure(figure, folder / f"s{k}.map", title="Map", alt="A triangle.", stage="reconstruct", order=310,
                    **words)
        table = MetricsTable(cell_type, replicate, resolution, "reconstruct")
        for method, value in {"default": 0.9 - k / 50, "blur": 0.84, "ceiling": 0.95}.items():
            for stratum in ("all", "0-500000", "500000-2000000"):
                for metric in ("pearson_lin", "scc_h0", "r2_cp"):
                    table.add(method, metric, value, against="2" if replicate == "1" else "1", stratum=stratum)
        table.write(folder / f"s{k}.reconstruct.metrics.tsv")
    quality = {"verdict": "shallow", "contacts": {"cis": 2e7},
               "chromosomes": {"chr22": {"bins": 704, "balancing": {"name": "KR"}}}}
    (folder / "GM12878_1.50000.qc.json").write_text(json.dumps(quality))
    (folder / "failures.json").write_text('{"WTC11_1.2000": "fewer than 20 usable bins"}')
    words = json.loads((folder / "s0.map.figure.json").read_text()) | {"svg": "gone.svg"}
    (folder / "gone.figure.json").write_text(json.dumps(words))
    found = collect([folder])
    found.figures += collect(comparison_figures(found.metrics, folder, command="make_report.py")).figures
    path = folder / "report.html"
    path.write_text(render(found))
    return path


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, report):
    """Open the report in a window of some size and colour scheme; complaints and requests are kept with the page."""
    contexts = []

    def opened(width=1280, height=900, scheme="light", anchor=""):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(report.as_uri() + anchor)
        return page

    yield opened
    for context in contexts:
        context.close()


def test_every_figure_is_seen_and_nothing_is_fetched(visit, report):
    page = visit()
    page.wait_for_function("[...document.images].every(image => image.complete)")
    seen = page.eval_on_selector_all("figure > img", "all => all.map(i => [i.naturalWidth > 0, i.alt.length > 0])")
    assert seen == [[True, True]] * FIGURES
    assert page.locator("figure").count() == FIGURES + 1
    assert page.get_by_text("The picture of this figure is missing from the results.").count() == 1
    assert page.get_by_text("gone.figure.json: its picture gone.svg is missing").count() == 1
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("data:")] == [report.as_uri()]


def test_a_name_does_not_run(visit):
    page = visit()
    assert page.evaluate("window.ran") is None
    assert page.get_by_text(BAD).count() >= 2, "the name is shown as it is written"
    # Even markup that got past escaping would be stopped by the page's policy.
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    page.wait_for_timeout(100)
    assert page.evaluate("window.ran") is None


def test_keyboard_reaches_the_sections_and_opens_one(visit):
    page = visit()

    def focused():
        return page.evaluate("document.activeElement.textContent.trim()")

    page.keyboard.press("Tab")
    assert focused() == "Skip to the content"
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(focused())
    assert reached[0] == "Summary" and {"replicate 1, 10 kb", "Not supplied"} <= set(reached)
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus is visible"
    link = page.get_by_role("link", name="replicate 1, 10 kb")
    section = page.locator("section", has=page.get_by_role("heading", name="HFF-hTERT, replicate 1, 10 kb"))
    assert not section.locator("figure").first.is_visible(), "many samples start folded"
    link.focus()
    page.keyboard.press("Enter")
    section.locator("figure").first.wait_for(state="visible")


def test_a_link_from_outside_opens_its_section(visit):
    page = visit(anchor="#sample-HFF-hTERT-1.10000")
    assert page.locator("section.sample", has_text="HFF-hTERT").locator("figure").first.is_visible()


def test_columns_sort_by_value(visit):
    page = visit()
    heads = page.locator("table.summary thead th")

    def column(at):
        return page.eval_on_selector_all("table.summary tbody tr", f"rows => rows.map(r => r.cells[{at}].innerText)")

    button = heads.nth(6).get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    values = [text.split()[0] for text in column(6) if text.strip()]
    assert values == sorted(values) and len(values) == len(SAMPLES) and column(6)[-1].strip() == ""
    assert heads.nth(6).get_attribute("aria-sort") == "ascending"
    button.click()
    assert [text.split()[0] for text in column(6) if text.strip()] == values[::-1] and column(6)[-1].strip() == ""
    heads.nth(2).get_by_role("button").click()
    assert column(2)[0] == "2 kb" and column(2)[1] == "10 kb" and heads.nth(6).get_attribute("aria-sort") is None


def test_a_figure_is_enlarged_and_saved(visit):
    page = visit()
    page.get_by_role("button", name="Enlarge Training loss").first.click()
    shown = page.locator("dialog img")
    assert shown.is_visible() and shown.get_attribute("alt") == "A falling line."
    page.keyboard.press("Escape")
    assert not shown.is_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save Training loss as SVG").first.click()
    assert re.fullmatch(r"s\d.loss.svg", saved.value.suggested_filename)
    assert b"<svg" in saved.value.path().read_bytes()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Numbers of Training loss").first.click()
    assert re.fullmatch(r"s\d.loss.tsv", saved.value.suggested_filename)
    assert saved.value.path().read_text() == "step\n1\n2\n3\n"


@pytest.mark.parametrize("width", [320, 390, 800, 1280])
def test_no_width_overflows(visit, width):
    page = visit(width=width)
    page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(visit, scheme):
    page = visit(scheme=scheme)
    ground = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (ground > 0.5) == (scheme == "light")
    for selector in ("body", "header p", "nav a", "caption", "small", "small.beaten", ".verdict.failed",
                     ".verdict.shallow", "figcaption", ".command summary"):
        text = luminance(page.locator(selector).first.evaluate("element => getComputedStyle(element).color"))
        contrast = (max(text, ground) + 0.05) / (min(text, ground) + 0.05)
        assert contrast >= 4.5, f"{selector}: {contrast:.1f}"


def test_headings_descend_and_regions_have_names(visit):
    page = visit()
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(heading => Number(heading.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    names = page.eval_on_selector_all("[role=region], nav, dialog", "all => all.map(e => e.getAttribute('aria-label'))")
    assert all(names)
    ids = page.eval_on_selector_all("[id]", "all => all.map(element => element.id)")
    assert len(ids) == len(set(ids))
    targets = page.eval_on_selector_all("nav a", "all => all.map(a => decodeURIComponent(a.hash.slice(1)))")
    assert set(targets) <= set(ids)


def test_print_shows_every_sample_and_no_controls(visit):
    page = visit()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert not page.locator("nav").is_visible() and not page.locator(".takeaway").first.is_visible()
    assert all(figure.is_visible() for figure in page.locator("figure").all())
    assert len(page.pdf(format="A4")) > 10_000
