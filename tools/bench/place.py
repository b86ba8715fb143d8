"""The cloud that is measured, and what of it the programs use."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_pulumi.cloud import compute, image
from ecs_pulumi.cloud.connection import Connection, Settings
from ecs_pulumi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LATENCY = 0.03
"""Seconds that each request to the emulator takes at least, about as long as to a cloud in the same country."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A cloud.

    Attributes:
        title: What the tables call it.
        env: The variables that lead to it.
        settings: The same as settings of a connection.
        small: The smallest flavor.
        large: The next one.
        image: What boots on both.
        emulator: The emulator, where it is one.
    """

    title: str
    env: Mapping[str, str]
    settings: Settings
    small: Document
    large: Document
    image: Document
    emulator: Emulator | None = None

    def connect(self) -> Connection:
        """A connection of one's own."""
        return Connection(self.settings)


@contextlib.contextmanager
def emulated() -> Iterator[Place]:
    """An emulator at a real cloud's pace."""
    with Emulator(dialect="openstack") as cloud:
        cloud.set_quota(**dict.fromkeys(("instances", "cores", "ram", "port", "volumes", "gigabytes"), -1))
        cloud.fault(latency=LATENCY)
        names = {"authUrl": "auth_url", "projectName": "project_name", "userDomainName": "user_domain_name"}
        names |= {"projectDomainName": "project_domain_name"}
        settings = Settings(**{names.get(name, name): value for name, value in cloud.settings.items()})
        yield _found("the emulator", cloud.environment, settings, cloud)


@contextlib.contextmanager
def named(cloud: str) -> Iterator[Place]:
    """A cloud of clouds.yaml.

    Args:
        cloud: Its name there.
    """
    env = {name: value for name, value in os.environ.items() if name.startswith("OS_")} | {"OS_CLOUD": cloud}
    yield _found(f"the cloud {cloud}", env, Settings(cloud=cloud))


def _found(title: str, env: Mapping[str, str], settings: Settings, emulator: Emulator | None = None) -> Place:
    connection = Connection(settings)
    region = connection.region()
    images = image.list_images(region.image, status="active")
    boots = min(images, key=lambda each: (each["min_disk"], each["min_ram"], each["name"]))
    flavors = [each for each in compute.list_flavors(region.compute) if each["disk"] >= max(boots["min_disk"], 1)]
    small, *others = sorted(flavors, key=lambda each: (each["ram"], each["vcpus"], each["disk"]))
    large = next(each for each in others if each["ram"] > small["ram"] and each["disk"] >= small["disk"])
    connection.close()
    return Place(title, env, settings, small, large, boots, emulator)
