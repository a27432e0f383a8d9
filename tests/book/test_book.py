"""The book: its sources are complete and portable, and its built pages work offline, on a desk and on a phone.

The first half reads the sources. The second opens every page of _build/html in Chromium; it is skipped, with the
reason, where the book is not built (`make book`) or no Chromium is installed.
"""

import functools
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
REPOSITORY, BRANCH = CONFIG["repository"]["url"], CONFIG["repository"]["branch"]
OWNER, NAME = REPOSITORY.removeprefix("https://github.com/").split("/")
COLAB = f"https://colab.research.google.com/github/{OWNER}/{NAME}/blob/{BRANCH}/"
LARGEST_NOTEBOOK = 8_000_000  # bytes; GitHub shows no picture of much larger ones, and a reader has to clone them


def toc_entries(node) -> list[str]:
    if isinstance(node, list):
        return sum(map(toc_entries, node), [])
    own = [node[key] for key in ("root", "file") if key in node]
    return own + sum((toc_entries(node[key]) for key in ("parts", "chapters", "sections") if key in node), [])


def source(entry: str) -> Path:
    """The file behind an entry of the table of contents, which may leave the ending out."""
    return next((p for p in (ROOT / entry, ROOT / f"{entry}.ipynb", ROOT / f"{entry}.md") if p.is_file()), ROOT / entry)


def built(entry: str) -> str:
    return Path(entry).with_suffix(".html").as_posix()


TOC = toc_entries(yaml.safe_load((ROOT / "_toc.yml").read_text()))
CHAPTERS = [entry for entry in TOC if source(entry).suffix == ".ipynb"]


# Sources -------------------------------------------------------------------------------------------------------------


@functools.cache
def notebook(entry: str):
    return nbformat.read(source(entry), as_version=4)


def markdown_outside_code(entry: str) -> str:
    text = "\n\n".join(cell.source for cell in notebook(entry).cells if cell.cell_type == "markdown")
    text = re.sub(r"^( *)(`{3,}|~{3,})(?![`~]| *\{).*?^\1\2[`~]* *$", "", text, flags=re.M | re.S)
    return re.sub(r"(?<![`}])(`+)(?!`).+?(?<!`)\1(?!`)", "", text)


def output_texts(entry: str) -> list[str]:
    """What the code cells printed, and the text and HTML they showed."""
    outputs = [o for cell in notebook(entry).cells if cell.cell_type == "code" for o in cell.outputs]
    return [o.get("text", "") for o in outputs] + [
        t for o in outputs for kind, t in o.get("data", {}).items() if kind.startswith("text/")
    ]


@pytest.mark.parametrize("entry", TOC)
def test_every_page_of_the_table_of_contents_exists(entry):
    assert source(entry).is_file()


def test_every_chapter_is_in_the_table_of_contents():
    there = {p.relative_to(ROOT).with_suffix("").as_posix() for p in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert there == {entry for entry in CHAPTERS if Path(entry).parent.name == "notebooks"}


@pytest.mark.parametrize("entry", CHAPTERS)
def test_chapter_was_run_from_top_to_bottom_without_errors(entry):
    code = [cell for cell in notebook(entry).cells if cell.cell_type == "code"]
    assert [o for cell in code for o in cell.outputs if o.output_type == "error"] == []
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run all cells in a new kernel"
    assert any(cell.outputs for cell in code)
    nbformat.validate(notebook(entry))
    assert notebook(entry).metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("entry", CHAPTERS)
def test_chapter_is_small_and_names_no_folder_of_the_machine_it_ran_on(entry):
    assert source(entry).stat().st_size <= LARGEST_NOTEBOOK
    folders = [m for t in output_texts(entry) for m in re.findall(r"(?:/home/|/root/|/Users/|[A-Z]:\\Users\\)\S*", t)]
    assert folders == []
    assert not any(str(ROOT) in text for text in output_texts(entry))


NOT_PORTABLE = {
    "a MyST directive": r"^ *(?:```+|~~~+|:::+) *\{",
    "a MyST colon fence": r"^:::",
    "a MyST role": r"\{[a-zA-Z][\w:+-]*\}`",
    "a MyST label": r"^\([\w-]+\)= *$",
    "a MyST substitution": r"\{\{.*?\}\}",
    r"\( or \[ for mathematics, use $ or $$": r"\\[(\[]",
    "an environment outside $$": r"^\\begin\{",
}


@pytest.mark.parametrize("entry", CHAPTERS)
def test_chapter_reads_the_same_on_colab_and_github(entry):
    text = re.sub(r"\$\$.*?\$\$", "", markdown_outside_code(entry), flags=re.S)
    text = re.sub(r"\$[^$\n]+\$", "", text)
    found = {what: m.group() for what, pattern in NOT_PORTABLE.items() if (m := re.search(pattern, text, re.M))}
    assert found == {}


@pytest.mark.parametrize("entry", CHAPTERS)
def test_chapter_opens_itself_on_colab(entry):
    assert COLAB + source(entry).relative_to(ROOT).as_posix() in notebook(entry).cells[0].source


ADDRESSED = ["README.md", "CITATION.cff", "pyproject.toml", *sorted(
    p.relative_to(ROOT).as_posix() for folder, kind in (("notebooks", "*.ipynb"), ("book", "*.md"))
    for p in (ROOT / folder).rglob(kind) if ".ipynb_checkpoints" not in p.parts
)]  # fmt: skip


@pytest.mark.parametrize("path", ADDRESSED)
def test_links_to_the_repository_use_the_address_in_config(path):
    """`repository.url` in _config.yml is the one place that holds the address; what needs a copy must agree with it."""
    text = (ROOT / path).read_text()
    hosts = r"(?:github\.com[/:]|colab\.research\.google\.com/github/|raw\.githubusercontent\.com/)"
    for owner, name in re.findall(hosts + r"([\w-]+)/([\w-]+)", text):
        if re.sub("[-_]", "", name.lower()) == NAME.replace("-", ""):
            assert (owner, name) == (OWNER, NAME), f"links to {owner}/{name}, _config.yml says {REPOSITORY}"
    for link in re.findall(r"https://colab\.research\.google\.com/[^\s)\"'\\<>]+", text):
        assert link.startswith(COLAB), f"{link} does not start with {COLAB}"
    within = rf"{REPOSITORY}/(?:blob|tree|raw)/([\w.-]+)/([^\s)\"'\\<>#]+)|{re.escape(COLAB)}()([^\s)\"'\\<>#]+)"
    for branch, file, _, notebook_file in re.findall(within, text):
        assert branch in ("", BRANCH)
        assert (ROOT / (file or notebook_file)).exists(), f"links to {file or notebook_file}, which does not exist"


# Built pages ---------------------------------------------------------------------------------------------------------

HTML = ROOT / "_build" / "html"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAGES = sorted(p.relative_to(HTML).as_posix() for p in HTML.rglob("*.html") if "_static" not in p.parts)
DESK, PHONE = 1280, 400
PATIENCE = 180_000  # milliseconds; other tests run beside these

if not PAGES:
    MISSING = "the book is not built; `make book` builds it"
elif CHROMIUM is None:
    MISSING = "no Chromium is installed (looked for chromium, chromium-browser, google-chrome)"
else:
    MISSING = ""
needs_pages = pytest.mark.skipif(bool(MISSING), reason=MISSING)
every_page = pytest.mark.parametrize("page", [p for p in PAGES if p != "index.html"] or ["(none)"])
every_width = pytest.mark.parametrize("width", [DESK, PHONE])


@dataclass(frozen=True)
class View:
    """What a browser of some width made of a page."""

    requests: list[str]
    errors: list[str]
    text: str
    unset_equations: int
    equations: int
    wrong_equations: list[str]
    images: list[dict]
    too_wide: list[str]
    overflow: int


LOOK = r"""
async () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  if (window.MathJax?.startup) await MathJax.startup.promise;
  await Promise.all([...document.images].map(image => image.decode().catch(() => {})));

  const text = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if (!walker.currentNode.parentElement.closest("code, pre, script, style, noscript, mjx-container"))
      text.push(walker.currentNode.textContent);

  const width = document.documentElement.clientWidth, article = document.querySelector(".bd-article");
  const scrolls = e => ["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(e).overflowX);
  const tooWide = [...(article?.querySelectorAll("*") ?? [])].filter(e => {
    if (e.getBoundingClientRect().right <= width + 1 || e.closest("mjx-assistive-mml")) return false;
    for (let a = e.parentElement; a && a !== article; a = a.parentElement) if (scrolls(a)) return false;
    return true;
  });
  const math = [...document.querySelectorAll(".math")];
  const wrong = ["[data-mjx-error]", "[data-mml-node='merror']", "mjx-assistive-mml mtext[mathcolor='red']"]
    .map(what => `mjx-container ${what}`).join(", ");
  return {
    text: text.join(" "),
    equations: math.length,
    unset_equations: math.filter(e => !e.querySelector("mjx-container")).length,
    wrong_equations: [...document.querySelectorAll(wrong)].map(e => e.outerHTML.slice(0, 200)),
    images: [...document.images].map(i => ({src: i.src.slice(0, 80), alt: i.alt, width: i.naturalWidth})),
    too_wide: tooWide.map(e => e.outerHTML.slice(0, 120)),
    overflow: document.documentElement.scrollWidth - width,
  };
}
"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def view(browser):
    """A function that opens a page at a width; each only once."""

    @functools.cache
    def look(page: str, width: int) -> View:
        requests, errors = [], []
        with browser.new_context(viewport={"width": width, "height": 900}) as context:
            tab = context.new_page()
            tab.on("request", lambda request: requests.append(request.url))
            tab.on("requestfailed", lambda request: errors.append(f"failed: {request.url[:200]}"))
            tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            tab.on("pageerror", lambda error: errors.append(str(error)))
            tab.goto((HTML / page).as_uri(), wait_until="load", timeout=PATIENCE)
            seen = tab.evaluate(LOOK)
            return View(requests=requests, errors=errors, **seen)

    return look


@needs_pages
def test_the_build_holds_the_whole_table_of_contents():
    assert set(map(built, TOC)) <= set(PAGES)


@needs_pages
def test_the_front_door_leads_to_the_first_page(browser):
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto((HTML / "index.html").as_uri(), timeout=PATIENCE)
        tab.wait_for_url((HTML / built(TOC[0])).as_uri(), timeout=PATIENCE)


@needs_pages
@every_page
@every_width
def test_page_loads_nothing_from_outside(view, page, width):
    outside = [url for url in view(page, width).requests if not url.startswith(("file:", "data:", "blob:"))]
    assert outside == []


@needs_pages
@every_page
@every_width
def test_page_has_no_errors(view, page, width):
    assert view(page, width).errors == []


@needs_pages
@every_page
@every_width
def test_equations_are_set(view, page, width):
    seen = view(page, width)
    assert seen.unset_equations == 0, "MathJax did not run"
    assert seen.wrong_equations == [], "MathJax could not read these"
    raw = re.findall(r"\$\$|\\[()\[\]]|\\[A-Za-z]{2,}|(?<![\w$])\$[^$\s][^$]{0,40}\$", seen.text)
    assert raw == [], "mathematics left as text"


@needs_pages
@pytest.mark.parametrize("entry", TOC)
def test_page_has_equations_where_its_source_does(view, entry):
    text = markdown_outside_code(entry) if entry in CHAPTERS else source(entry).read_text()
    if re.search(r"\$[^$`]+\$|^```\{math\}", text, re.M):
        assert view(built(entry), DESK).equations > 0


@needs_pages
@every_page
@every_width
def test_images_are_there_and_described(view, page, width):
    images = view(page, width).images
    assert [i["src"] for i in images if i["width"] == 0] == [], "broken"
    assert [i["src"] for i in images if not i["alt"].strip()] == [], "without alternative text"


@needs_pages
@every_page
@every_width
def test_page_fits_its_window(view, page, width):
    seen = view(page, width)
    assert seen.too_wide == []
    assert seen.overflow <= 0


SWEPT = [entry for entry in CHAPTERS if "srvp-sweep" in source(entry).read_text()]


@needs_pages
@pytest.mark.parametrize("entry", SWEPT)
def test_sliders_move_on_the_still_page(browser, entry):
    with browser.new_context(viewport={"width": 400, "height": 900}) as context:
        tab = context.new_page()
        tab.goto((HTML / built(entry)).as_uri(), wait_until="load", timeout=PATIENCE)
        sweeps = tab.locator("figure.srvp-sweep")
        assert sweeps.count() >= 1
        for sweep in sweeps.all():
            slider, images = sweep.locator("input[type=range]"), sweep.locator("img")
            for position in (images.count() - 1, 0):
                slider.fill(str(position))
                shown = [image.get_attribute("data-value") for image in images.all() if image.is_visible()]
                assert shown == [images.nth(position).get_attribute("data-value")]
                assert sweep.locator("output").inner_text() == shown[0]


@needs_pages
def test_search_finds_a_word_offline(browser):
    with browser.new_context() as context:
        tab, errors = context.new_page(), []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto((HTML / "search.html").as_uri() + "?q=residual", timeout=PATIENCE)
        tab.wait_for_selector("#search-results li a", timeout=PATIENCE)
        assert errors == []
