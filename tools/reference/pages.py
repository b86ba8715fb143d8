"""All pages of docs/reference."""

from __future__ import annotations

from ecs_pulumi.resources.registry import handlers
from tools.reference.commands import commands_page
from tools.reference.index import index_page
from tools.reference.kinds import kind_page
from tools.reference.lookups import lookups_page
from tools.reference.settings import settings_page
from tools.workspace import CHECKOUT

PAGES = CHECKOUT / "docs" / "reference"
_NOTE = "<!-- Generated from the code by `python -m tools.reference`; do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    found = {f"{handler.name}.md": kind_page(handler) for handler in handlers()} | {
        "README.md": index_page(),
        "commands.md": commands_page(),
        "lookups.md": lookups_page(),
        "settings.md": settings_page(),
    }
    return {name: _NOTE + text for name, text in found.items()}
