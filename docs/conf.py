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
from pygments.lexers import find_lexer_class_for_filename
from sphinx import addnodes
from sphinx.search.en import SearchEnglish

if TYPE_CHECKING:
    from collections.abc import Iterator

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
html_search_scorer = str(Path(__file__).parent / "search.js")
html_theme_options = {"navigation_with_keys": True}
# A broken reference is an error (with `-W`).
nitpicky = True

# The target of a Markdown link or image to a file, without its anchor.
_LINK = re.compile(r"(?<=\]\()(?!\w+:)[^)#\s]+")
# A fence of a block that shows a file, with its language, the file, and whether the block is appended to it.
_FENCE = re.compile(r"^( *```)(\w+) title=(\S+)( append)?$", re.MULTILINE)
# The name of an input, an output, a setting or an option.
_NAME = re.compile(r"(--)?[A-Za-z][\w:-]*")

EXAMPLES = Path(__file__).parent.parent / "examples"
_LOCAL = re.compile(r"__pycache__|venv|\.pulumi|\..*_cache")
"""Files and folders that running an example leaves in its folder."""


class SearchWords(SearchEnglish):
    """The words of the search: the name of a setting, such as `ecs:region`, is one word."""

    _word_re = re.compile(r"ecs:\w+|\w+")
    js_splitter_code = r"var splitQuery = (query) => query.match(/ecs:[\p{L}\p{N}_]+|[\p{L}\p{N}_]+/gu) ?? [];"


def setup(app: Sphinx) -> None:
    """Connect the functions below to the build."""
    app.add_search_language(SearchWords)
    app.connect("source-read", add_captions)
    app.connect("doctree-read", index_rows)
    # Before Sphinx notes which files to copy.
    app.connect("doctree-read", link_examples, priority=100)
    app.connect("html-collect-pages", show_examples)
    app.connect("html-page-context", add_description)
    app.connect("build-finished", write_markdown)


def add_captions(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Show the name of the file above a block of a file."""
    source[0] = _FENCE.sub(
        lambda fence: (
            f'{fence[1]}{{code-block}} {fence[2]}\n{fence[1][:-3]}:caption: "`{fence[3]}`'
            f'{", continued" if fence[4] else ""}"\n'
        ),
        source[0],
    )


def example_files(folder: Path) -> list[Path]:
    """Return the files of an example, in their order."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(map(_LOCAL.fullmatch, file.relative_to(folder).parts))
    )


def link_examples(app: Sphinx, doctree: nodes.document) -> None:
    """Let a link to a file of an example lead to the page with all files of this example."""
    page = app.env.current_document.docname
    for link in list(doctree.findall(addnodes.download_reference)):
        file = Path(app.srcdir, page).parent.joinpath(link["reftarget"]).resolve()
        if file.is_relative_to(EXAMPLES):
            example = f"examples/{file.relative_to(EXAMPLES).parts[0]}"
            uri = app.builder.get_relative_uri(page, example)
            link.replace_self(nodes.reference("", link.astext(), refuri=uri, internal=True))


def show_examples(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Copy the examples to the site, and yield a page for each of them, with its files."""
    for folder in sorted(path for path in EXAMPLES.iterdir() if path.is_dir()):
        page = f"examples/{folder.name}"
        body = [f"<h1>{page}</h1>", "<p>All files of the example. Each heading is a link to the file.</p>"]
        for file in example_files(folder):
            name, text = file.relative_to(EXAMPLES).as_posix(), file.read_text()
            copy = Path(app.outdir) / "examples" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            lexer = find_lexer_class_for_filename(name)
            language = lexer.aliases[0] if lexer else "bash" if text.startswith("#!") else "text"
            body.append(f'<h2><a href="{name}">{name.partition("/")[2]}</a></h2>')
            body.append(app.builder.highlighter.highlight_block(text, language))  # type: ignore[attr-defined]
        yield page, {"title": page, "body": "\n".join(body)}, "page.html"


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
                # search.js reads the name; a colon would have a meaning in a selector.
                anchor = f"{section}--{name.replace(':', '__')}"
                row["ids"].append(anchor)
                row[0].insert(0, addnodes.index(entries=[("single", name, anchor, "main", None)]))


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
