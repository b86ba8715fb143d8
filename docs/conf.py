"""The configuration of Sphinx, with which `make docs` builds a site of these pages.

Beside the HTML of each page the site has its Markdown source, and `llms.txt` lists these sources for language models
(https://llmstxt.org).
"""

from __future__ import annotations

import html
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "ecs_pulumi"
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "ecs_pulumi"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_theme_options = {"navigation_with_keys": True}
# A broken reference is an error (with `-W`).
nitpicky = True

# The target of a Markdown link or image to a file, without its anchor.
_LINK = re.compile(r"(?<=\]\()(?!\w+:)[^)#\s]+")


_NAME = re.compile(r"(--)?[A-Za-z][\w:-]*")
"""The name of an input, an output, a setting or an option."""


def setup(app: Sphinx) -> None:
    """Connect the functions below to the build."""
    app.connect("doctree-read", index_rows)
    app.connect("html-page-context", add_description)
    app.connect("build-finished", write_markdown)


def index_rows(app: Sphinx, doctree: nodes.document) -> None:
    """Add the rows of the reference to the index, so that the search leads to an input, a setting or an option."""
    page = app.env.current_document.docname
    # The lookups have the same arguments, and results with the same names as the inputs.
    if not page.startswith("reference/") or page == "reference/lookups":
        return
    for body in doctree.findall(nodes.tbody):
        section = body.parent.parent.parent["ids"][0]
        if section == "what-a-change-does":  # these rows are about the inputs of another table
            continue
        for row in body.findall(nodes.row):
            codes = [each.astext() for each in row[0].findall(nodes.literal)]
            # An option has a short form and a value besides.
            names = [each for each in codes if each.startswith("--")] or codes[:1]
            for name in filter(_NAME.fullmatch, names):
                anchor = _new_id(doctree, f"{section}-{name}")
                row["ids"].append(anchor)
                row[0].insert(0, addnodes.index(entries=[("single", name, anchor, "main", None)]))


def _new_id(doctree: nodes.document, text: str) -> str:
    """Return an id of the page that no other node has."""
    anchor = nodes.make_id(text)
    while anchor in doctree.ids:
        anchor += "-"
    doctree.ids[anchor] = None
    return anchor


def summary(document: nodes.document) -> str:
    """Return the first sentence of a page; empty if it has none."""
    first = next((" ".join(each.astext().split()) for each in document.findall(nodes.paragraph)), "")
    return re.split(r"(?<=[.:]) (?=[A-Z])", first)[0].rstrip(":")


def add_description(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], document: Any) -> None:
    """Add the first sentence of a page as its description, which search engines show."""
    if document:
        text = html.escape(summary(document))
        context["metatags"] = f'{context.get("metatags", "")}<meta name="description" content="{text}">\n'


def write_markdown(app: Sphinx, failure: Exception | None) -> None:
    """Write the Markdown sources, the files that they link to, and llms.txt."""
    if failure or app.builder.format != "html":
        return
    for page in app.env.found_docs:
        copy_source(Path(app.srcdir), Path(app.outdir), Path(app.env.doc2path(page, base=False)))
    (Path(app.outdir) / "llms.txt").write_text(index(app))


def copy_source(docs: Path, site: Path, page: Path) -> None:
    """Copy a page to the site.

    A file outside `docs` that it links to, such as an example, is copied as well, and the link leads to the copy.
    """

    def link(match: re.Match[str]) -> str:
        target = (docs / page.parent / match[0]).resolve()
        if not target.is_file() or (target.suffix == ".md" and target.is_relative_to(docs)):
            return match[0]
        copy = site / target.relative_to(docs if target.is_relative_to(docs) else docs.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(target, copy)
        return os.path.relpath(copy, (site / page).parent)

    (site / page).parent.mkdir(parents=True, exist_ok=True)
    (site / page).write_text(_LINK.sub(link, (docs / page).read_text()))


def index(app: Sphinx) -> str:
    """Return the text of llms.txt: the title and a summary of the site, and the pages of each section."""
    home = app.env.get_doctree(app.config.root_doc)
    lines = [f"# {project}", "", f"> {summary(home)}"]
    for section in home.findall(addnodes.toctree):
        lines += ["", f"## {section['caption'] or 'Tutorial'}", ""]
        for title, page in section["entries"]:
            source = app.env.doc2path(page, base=False)
            name = title or app.env.titles[page].astext()
            lines.append(f"- [{name}]({source}): {summary(app.env.get_doctree(page))}")
    return "\n".join(lines) + "\n"
