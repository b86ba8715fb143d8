"""A pytest plugin for those who test programs: the fixture `ecs_emulator`, an emulated cloud of the test's own.

It is there wherever `ecs-pulumi[emulator]` is installed, and costs nothing until a test asks for it.

```python
def test_a_server_is_made(ecs_emulator):
    ...  # run the program with `ecs_emulator.settings`, then look with any client
    with openstack.connect() as cloud:
        assert [server.status for server in cloud.compute.servers()] == ["ACTIVE"]
```

`@pytest.mark.ecs_emulator(dialect="openstack", speed=1)` gives the arguments of `ecs_pulumi.emulator.Emulator`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator import Emulator

SPEED = 200.0
"""How much faster than a real cloud: a server is there within a tick of whoever waits for it."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "ecs_emulator(**arguments): the cloud of `ecs_emulator`, as arguments of ecs_pulumi.emulator.Emulator",
    )


@pytest.fixture
def ecs_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulated cloud of the test's own; `.settings` and `.environment` lead to it, `.fault()` makes it fail.

    The test's `OS_*` variables lead to it as well, and to no other cloud that the shell may know.
    """
    try:
        from ecs_pulumi.emulator import Emulator
    except ImportError as error:
        pytest.fail(str(error), pytrace=False)
    marker = request.node.get_closest_marker("ecs_emulator")
    with Emulator(**{"speed": SPEED, **(marker.kwargs if marker else {})}) as cloud:
        for name in [name for name in os.environ if name.startswith("OS_")]:
            monkeypatch.delenv(name)
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        yield cloud
