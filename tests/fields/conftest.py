"""The clouds that the table of fields runs on, each for the whole session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fields.ground import CloudFixtures, emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.landscape import Landscape
    from tests.support.steps import Resource


@pytest.fixture(scope="session")
def landscape(request: pytest.FixtureRequest) -> Iterator[Landscape]:
    """The cloud that a case runs on, one for all."""
    if request.param == "live":
        yield request.getfixturevalue("live_landscape")
        return
    with emulator("openstack") as found:
        yield found


@pytest.fixture(scope="session")
def ground(landscape: Landscape) -> Iterator[CloudFixtures]:
    """What the cases share in this cloud; deleted at the end."""
    with CloudFixtures(landscape) as made:
        yield made


@pytest.fixture(scope="session")
def guides_ground() -> Iterator[CloudFixtures]:
    """The same in a cloud like the guide's, which has what others lack."""
    with emulator("otc") as found, CloudFixtures(found) as made:
        yield made


@pytest.fixture
def new(ground: CloudFixtures) -> Iterator[Callable[..., Resource]]:
    """Give resources that nobody has made yet; what was made is destroyed, the last first."""
    made: list[Resource] = []

    def resource(kind: str, **options: Any) -> Resource:
        made.append(ground.resource(kind, **options))
        return made[-1]

    yield resource
    for each in reversed(made):
        each.destroy()
