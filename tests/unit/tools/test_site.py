"""The site that `make docs` builds: complete, with a search that finds every name, and readable as Markdown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sphinx.search.en import SearchEnglish

from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.dynamic.fields import fields_of
from ecs_pulumi.resources.registry import handlers
from tools.workspace import CHECKOUT

if TYPE_CHECKING:
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


def test_search_finds_every_input_output_and_setting(site: Path) -> None:
    """The index of the search has a word for every input and output of every kind, and for every setting."""
    text = (site / "searchindex.js").read_text()
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    names = {name for each in handlers() for model in (each.inputs, each.outputs) for name in fields_of(model)}
    names |= {str(field.alias) for field in Settings.model_fields.values()}
    stem = SearchEnglish({}).stem
    assert {name for name in names if stem(name.lower()) not in index["terms"] | index["titleterms"]} == set()


def test_markdown_sources_are_beside_the_pages(site: Path) -> None:
    """Every page has its Markdown source beside its HTML, and each link and image in it leads to a file of the site."""
    for page in PAGES:
        for target in LINK.findall((site / page).read_text()):
            assert (site / page).parent.joinpath(target).resolve().is_relative_to(site), f"{page}: {target}"
            assert (site / page).parent.joinpath(target).is_file(), f"{page}: {target}"
    assert (site / "how-to" / "reach.md").is_file()


def test_llms_txt_lists_every_page(site: Path) -> None:
    """`llms.txt` has the title, a summary and sections, in which each page is listed once with a description."""
    lines = (site / "llms.txt").read_text().splitlines()
    assert lines[0] == "# ecs_pulumi"
    assert lines[2].startswith("> A Pulumi provider")
    assert sum(line.startswith("## ") for line in lines) > 2
    listed = re.findall(r"^- \[.+?\]\((.+?)\): \w.*", "\n".join(lines), re.MULTILINE)
    assert sorted(listed) == sorted(PAGES - {"index.md"})
