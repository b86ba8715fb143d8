"""A pytest plugin for tests of Pulumi programs: the fixture `ecs_emulator` starts an emulated cloud for one test.

It is available if `ecs-pulumi[emulator]` is installed. The emulator is only imported when a test uses the fixture.

```python
def test_program_creates_a_server(ecs_emulator):
    ...  # run the program with `ecs_emulator.settings`, then check the result with any client
    with openstack.connect() as cloud:
        assert [server.status for server in cloud.compute.servers()] == ["ACTIVE"]
```

`@pytest.mark.ecs_emulator(dialect="openstack", speed=1)` sets the arguments of `ecs_pulumi.emulator.Emulator`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator import Emulator

SPEED = 200.0
"""How much faster than a real cloud the emulator runs: a server is active within one polling interval."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "ecs_emulator(**arguments): arguments of ecs_pulumi.emulator.Emulator for the fixture `ecs_emulator`",
    )


@pytest.fixture
def ecs_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Start an emulated cloud for the test.

    `.settings` and `.environment` contain its credentials, `.fault()` injects faults. The fixture also sets the `OS_*`
    variables to this cloud and removes all others, so that the test cannot use another cloud.
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
