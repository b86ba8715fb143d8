"""`make bench`: measure the cost of every operation; prints tables in Markdown."""

from __future__ import annotations

import argparse
import compileall
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bench import growth, startup, units
from tools.bench.bench import Bench
from tools.bench.page import rewrite
from tools.bench.place import emulated, named
from tools.workspace import CHECKOUT, end_in_order, engine, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Measured = tuple[str, str]  # name of the measurement, tables in Markdown

PARTS: dict[str, Callable[[Bench], Iterator[Measured]]] = {
    "units": units.measured,
    "growth": growth.measured,
    "startup": startup.measured,
}


def main() -> int:
    """Run the selected measurements."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--cloud", metavar="NAME", help="a cloud of clouds.yaml (default: an emulator)")
    parser.add_argument("--units", type=_numbers, default=(1, 10), metavar="N,N", help="units; default: 1,10")
    parser.add_argument(
        "--servers", type=_numbers, default=(1, 10, 100), metavar="N,N", help="servers; default: 1,10,100"
    )
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="rounds of units; the fastest counts")
    parser.add_argument("--peer", type=Path, metavar="DIR", help="a folder with tofu and its OpenStack provider")
    parser.add_argument("--details", action="store_true", help="add the requests by path")
    parser.add_argument("--page", type=Path, metavar="FILE", help="also write the tables into this page")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all that apply")
    options = parser.parse_args()
    # `growth` creates thousands of servers, which only the emulator can afford.
    parts = options.parts or (("units",) if options.cloud else tuple(PARTS))
    end_in_order()
    programs = engine()
    with ExitStack() as stack:
        place = stack.enter_context(named(options.cloud) if options.cloud else emulated())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecs-bench-")))

        env = environment(programs, folder, "bench") | dict(place.env)
        del env["PULUMI_STACK"], env["PULUMI_OPTION_CONFIG_FILE"]
        # Compile the package once, as pip does at installation, instead of in every process.
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        compileall.compile_dir(CHECKOUT / "ecs_pulumi", quiet=2)
        bench = Bench(
            place,
            env,
            folder,
            options.units,
            options.servers,
            options.rounds,
            options.peer,
            options.page,
            options.details,
        )
        for part in parts:
            for name, text in PARTS[part](bench):
                print(text, flush=True)
                if options.page:
                    rewrite(options.page, f"{name}, {'emulator' if place.emulator else 'cloud'}", text)
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
