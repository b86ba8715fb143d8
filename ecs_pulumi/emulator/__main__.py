"""`ecs-pulumi emulator`: run an ECS-compatible cloud for trying out programs."""

from __future__ import annotations

import argparse
import contextlib
import math
import random
import sys
from functools import partial

from ecs_pulumi.streams import print_error, run

from .dialects import Rules, changed_rules, rule_values
from .store import StateError

DESCRIPTION = (
    "Run an ECS-compatible cloud in one process: Keystone, Nova, Neutron, Cinder and Glance. All objects are"
    " simulated and cost nothing."
)
DEFAULT_SPEED = 4.0
_LAST_PORT = 65535


def main(argv: list[str] | None = None) -> int:
    """Run the emulator until it is interrupted."""
    parser = argparse.ArgumentParser(prog="ecs-pulumi emulator", description=DESCRIPTION)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=9876, help="port to listen on, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument("--state", metavar="FILE", help="store the state in this file (default: in memory)")
    parser.add_argument(
        "--speed",
        type=_speed,
        default=DEFAULT_SPEED,
        metavar="N",
        help="speed relative to a real cloud: at 1, building a server takes 8 seconds; at the default of"
        " %(default)g, it takes 2",
    )
    parser.add_argument(
        "--dialect",
        choices=("otc", "openstack"),
        default="otc",
        help="otc: what the Open Telekom Cloud documents; openstack: a current OpenStack release"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--stale",
        type=_age,
        default=0.0,
        metavar="SECONDS",
        help="let each GET of Nova, Neutron and Cinder show the state of up to this many seconds ago: new objects are"
        " missing, changed and deleted ones are as they were (default: the current state)",
    )
    parser.add_argument(
        "--rule",
        type=_rule,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a rule of the dialect that the documents leave open; can be repeated: "
        + "; ".join(f"{name}={'|'.join(values)}" for name, values in rule_values().items()),
    )
    options = parser.parse_args(argv)
    try:
        changed_rules(Rules(), dict(options.rule))
    except ValueError as error:
        parser.error(f"argument --rule: {error}")
    try:
        from . import Emulator
    except ImportError as error:
        print_error(error)
        return 2
    try:
        cloud = Emulator(
            host=options.host,
            port=options.port,
            state=options.state,
            speed=options.speed,
            dialect=options.dialect,
            rules=dict(options.rule),
            stale=partial(random.uniform, 0.0, options.stale) if options.stale else 0.0,
        )
    except StateError as error:
        print_error(error)
        return 1
    except OSError as error:
        print_error(
            f"cannot listen on {options.host}:{options.port}: {error.strerror}. Choose another port with --port,"
            " or a free one with --port 0."
        )
        return 1
    with cloud:
        print(f"Emulator ({options.dialect}) listening on {cloud.url}, Keystone at {cloud.auth_url}")  # noqa: T201
        print("Commands that configure it for a stack:")  # noqa: T201
        for key, value in cloud.settings.items():
            secret = " --secret" if key == "password" else ""
            print(f"  pulumi config set ecs:{key} {value}{secret}")  # noqa: T201
        print("Commands that configure it for a shell, without a stack and for other OpenStack clients:")  # noqa: T201
        for name, value in cloud.environment.items():
            print(f"  export {name}={value}")  # noqa: T201
        print(f"Watch it in a browser at {cloud.url}/. Ctrl-C stops it.", flush=True)  # noqa: T201
        try:
            cloud.wait()
        except KeyboardInterrupt:
            print()  # noqa: T201
    return 0


def _rule(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to {_LAST_PORT}")
    return int(text)


def _age(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (age := float(text)) < math.inf:
            return age
    raise argparse.ArgumentTypeError("must be a finite number, 0 or greater")


def _speed(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (speed := float(text)) < math.inf:
            return speed
    raise argparse.ArgumentTypeError("must be a finite number greater than 0")


if __name__ == "__main__":
    sys.exit(run(main))
