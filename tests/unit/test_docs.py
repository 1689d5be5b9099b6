"""What README and docs say exists: messages, parameters, profiles, functions, files."""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "assets").glob("*.md")])
WRITTEN = [page for page in PAGES if page.name != "api.md"]  # that one is made from the sources
# Options of other programs that the pages show.
FOREIGN = {
    "sbatch, sacct": "account cpus-per-task format gpus gres job-name mem output partition qos signal time",
    "apptainer, docker, podman": "network nv version",
    "uv": "generate-hashes",
    "torchrun": "no-python nproc-per-node standalone",
}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def flat(node: ast.AST) -> str:
    """A message's text with … for what is filled in when it is raised."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(flat, node.values))
    return "…"


@cache
def said() -> list[str]:
    """Every string of the scripts, and every line of the Nextflow files."""
    found = []
    for source in sorted((ROOT / "bin").rglob("*.py")):
        strings = (node for node in ast.walk(ast.parse(text_of(source))) if isinstance(node, (ast.Constant, ast.JoinedStr)))
        found += [flat(node) for node in strings]
    for source in [ROOT / "main.nf", ROOT / "nextflow_schema.json", *sorted((ROOT / "subworkflows").glob("*.nf"))]:
        found += text_of(source).splitlines()
    return found


def is_said(message: str) -> bool:
    """Whether one string of the sources holds the message's constant parts in their order."""
    pieces = [re.escape(piece) for piece in re.split(r"\s*…[\s:]*", message) if piece]
    form = re.compile(".*".join(pieces), re.DOTALL)
    return any(form.search(string) for string in said())


def messages(page: str) -> list[str]:
    return re.findall(r"^### `([^`]+)`$", text_of(ROOT / "docs" / page), re.MULTILINE)


def test_the_check_of_messages_can_fail():
    assert is_said("… is cut short: its index should begin at byte … and the file has … bytes")
    assert not is_said("… is cut short: its index should end at byte …")
    assert not is_said("… and the file has … bytes … is cut short: its index")


@pytest.mark.parametrize("message", messages("faq.md"))
def test_messages_of_the_faq_are_in_the_sources(message):
    assert len(re.sub(r"[^A-Za-z]", "", message)) > 9, "too little to be found by"
    assert is_said(message)


def test_the_faq_has_messages():
    assert len(messages("faq.md")) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"https?:|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", text_of(file), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name}: {target}"


@cache
def known_options() -> set[str]:
    groups = json.loads(text_of(ROOT / "nextflow_schema.json"))["$defs"].values()
    options = {name for group in groups for name in group["properties"]}
    for script in [*(ROOT / "bin").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        calls = (node for node in ast.walk(ast.parse(text_of(script))) if isinstance(node, ast.Call))
        options |= {argument.value.removeprefix("--") for call in calls if getattr(call.func, "attr", "") == "add_argument"
                    for argument in call.args if isinstance(argument, ast.Constant)}
    return options


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_parameters_exist(page):
    foreign = {option for options in FOREIGN.values() for option in options.split()}
    named = set(re.findall(r"(?<![\w-])--([A-Za-z][\w-]*)", text_of(page)))
    assert named <= known_options() | foreign


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_profiles_exist(page):
    config = text_of(ROOT / "nextflow.config")
    profiles = set(re.findall(r"^    (\w+) +\{ (?:includeConfig|process)", config, re.MULTILINE))
    assert {"standard", "slurm", "gpu", "apptainer"} <= profiles
    named = {name for names in re.findall(r"(?<![\w-])-profile ([a-z,]+)", text_of(page)) for name in names.split(",")}
    assert named <= profiles


def names_of(body: list[ast.stmt]) -> dict[str, ast.AST]:
    """What a module or class defines or imports: name to node."""
    found: dict[str, ast.AST] = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name.id: node for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: node for alias in node.names}
    return found


def exists(name: str) -> bool:
    """Whether `hiclstm.module.function`, `.Class.method` or `.CONSTANT` is in the sources; nothing is imported."""
    parts = name.split(".")
    at = len(parts)
    while at and not (found := [path for path in ((ROOT / "bin").joinpath(*parts[:at]).with_suffix(".py"),
                                                  (ROOT / "bin").joinpath(*parts[:at], "__init__.py")) if path.is_file()]):
        at -= 1
    if not at:
        return False
    body = ast.parse(text_of(found[0])).body
    for part in parts[at:]:
        node = names_of(body).get(part)
        if node is None:
            return False
        body = node.body if isinstance(node, ast.ClassDef) else []
    return True


def test_the_check_of_names_can_fail():
    assert exists("hiclstm.contacts.probability.contact_probability")
    assert exists("hiclstm.perturbation.segments.Rearranged.duplicate")
    assert not exists("hiclstm.contacts.probability.contact_odds")
    assert not exists("hiclstm.perturbation.segments.Rearranged.triplicate")
    assert not exists("hiclstm.nowhere")


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_functions_and_files_exist(page):
    text = text_of(page)
    for name in re.findall(r"`(hiclstm(?:\.\w+)+)", text):
        assert name.endswith((".sh", ".tar")) or exists(name), name
    for path in re.findall(r"(?<![\w/.-])((?:bin|conf|containers|assets|benchmarks|tools|docs)/[\w./-]*\w)", text):
        made = path.endswith(".sif")  # built by the user
        assert made or (ROOT / path).exists(), path


def test_every_function_of_the_method_page_is_found():
    named = set(re.findall(r"`(hiclstm(?:\.\w+)+)", text_of(ROOT / "docs/method.md")))
    assert len(named) > 60


def test_the_citation_has_the_version():
    citation = text_of(ROOT / "CITATION.cff")
    assert re.search(r'^version: "(.+)"$', citation, re.MULTILINE)[1] == text_of(ROOT / "VERSION").strip()
