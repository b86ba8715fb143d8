"""The measured cloud, and the flavors and the image that the programs use."""

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
"""Minimum duration of a request to the emulator in seconds, similar to that of a cloud in the same country."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A cloud.

    Attributes:
        title: Its name in the tables.
        env: The `OS_*` variables that select it.
        settings: The same as settings of a connection.
        small: The smallest flavor.
        large: The next larger flavor.
        image: An image that boots with both flavors.
        emulator: The emulator; None for a real cloud.
    """

    title: str
    env: Mapping[str, str]
    settings: Settings
    small: Document
    large: Document
    image: Document
    emulator: Emulator | None = None

    def connect(self) -> Connection:
        """Open a new connection."""
        return Connection(self.settings)


@contextlib.contextmanager
def emulated() -> Iterator[Place]:
    """Start an emulator with the speed of a real cloud."""
    with Emulator(dialect="openstack") as cloud:
        cloud.set_quota(**dict.fromkeys(("instances", "cores", "ram", "port", "volumes", "gigabytes"), -1))
        cloud.fault(latency=LATENCY)
        names = {"authUrl": "auth_url", "projectName": "project_name", "userDomainName": "user_domain_name"}
        names |= {"projectDomainName": "project_domain_name"}
        settings = Settings(**{names.get(name, name): value for name, value in cloud.settings.items()})
        yield _place("the emulator", cloud.environment, settings, cloud)


@contextlib.contextmanager
def named(cloud: str) -> Iterator[Place]:
    """Use a cloud of clouds.yaml.

    Args:
        cloud: Its name in clouds.yaml.
    """
    env = {name: value for name, value in os.environ.items() if name.startswith("OS_")} | {"OS_CLOUD": cloud}
    yield _place(f"the cloud {cloud}", env, Settings(cloud=cloud))


def _place(title: str, env: Mapping[str, str], settings: Settings, emulator: Emulator | None = None) -> Place:
    connection = Connection(settings)
    region = connection.region()
    images = image.list_images(region.image, status="active")
    bootable = min(images, key=lambda each: (each["min_disk"], each["min_ram"], each["name"]))
    flavors = [each for each in compute.list_flavors(region.compute) if each["disk"] >= max(bootable["min_disk"], 1)]
    small, *others = sorted(flavors, key=lambda each: (each["ram"], each["vcpus"], each["disk"]))
    large = next(each for each in others if each["ram"] > small["ram"] and each["disk"] >= small["disk"])
    connection.close()
    return Place(title, env, settings, small, large, bootable, emulator)
