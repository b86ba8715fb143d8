"""The parts of a Markdown page, and the texts in the code that become one."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import sys
from pathlib import Path
from string import Template

DOCS = Path(__file__).parents[2] / "docs"
TEMPLATES = Path(__file__).with_name("templates")


def page(template: str, /, **values: str) -> str:
    """Return a page.

    Args:
        template: The name of its template.
        values: The values of the placeholders in the template.
    """
    return Template((TEMPLATES / f"{template}.md.template").read_text()).substitute(values)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in GitHub Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Return text as inline code."""
    return f"`{text}`"


def codes(texts: list[str]) -> str:
    """Return a list of inline code."""
    return ", ".join(map(code, texts))


def doc(item: object) -> str:
    """Return the docstring of an object."""
    return inspect.getdoc(item) or ""


def one_line(text: str) -> str:
    """Return text without line breaks."""
    return " ".join(text.split())


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and the site form it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def link(target: str) -> str:
    """Return a link from docs/reference to a page or to one of its headings, whose text it has.

    Args:
        target: The path, with the anchor of a heading.

    Raises:
        SystemExit: There is no such page or heading.
    """
    path, _, name = target.partition("#")
    if "/" not in path:  # a page of the reference
        text = code(name) if "_" in name else name.replace("-", " ").capitalize() or path.removesuffix(".md")
        return f"[{text}]({target})"
    found = next((each for each in _headings(DOCS / "reference" / path) if not name or anchor(each) == name), None)
    if found is None:
        raise SystemExit(f"tools/reference: {target}: there is no such heading")
    return f"[{found}]({target})"


@functools.cache
def _headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)


@functools.cache
def body_of(cls: type) -> list[ast.stmt]:
    """Return the statements in the body of a class."""
    tree = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    return next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__)


def attribute_docs(cls: type) -> dict[str, str]:
    """Return the docstring of each annotated attribute; empty if it has none."""
    body = body_of(cls)
    docs: dict[str, str] = {}
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            docs[statement.target.id] = one_line(str(text))
    return docs
