"""Generate docs/reference from the code (`python -m tools.reference`); `--check` only compares."""

from __future__ import annotations

import argparse
import sys

from tools.reference.pages import PAGES, pages


def main() -> int:
    """Write the pages, or with `--check` list those that are out of date."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only list the pages that are out of date")
    check = parser.parse_args().check
    generated = pages()
    existing = {path.name: path.read_text() for path in PAGES.glob("*.md")} if PAGES.exists() else {}
    stale = sorted(name for name in {*generated, *existing} if generated.get(name) != existing.get(name))
    if check:
        if stale:
            print(f"out of date: {', '.join(stale)}; run python -m tools.reference")
        return len(stale)
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in generated:
            (PAGES / name).write_text(generated[name])
        else:
            (PAGES / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
