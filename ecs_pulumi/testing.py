"""A pytest plugin for tests of Pulumi programs: the fixture `ecs_emulator` starts an emulated cloud for one test.

It is available if `ecs-pulumi[emulator]` is installed. The emulator is only imported when a test uses the fixture.

```python
def test_program_creates_a_server(ecs_emulator):
    ...  # run the program with `ecs_emulator.settings`, then check the result with any client
    with openstack.connect() as cloud:
        assert [server.status for server in cloud.compute.servers()] == ["ACTIVE"]
```

`@pytest.mark.ecs_emulator(dialect="openstack", speed=1)` sets the arguments of `ecs_pulumi.emulator.Emulator` for a
test, a class or a module: `dialect`, `rules`, `speed`, `token_lifetime`, `clock`, `stale`, `faults`, `state`, `host`
and `port`. Their defaults are those of the class, except for `speed`, which is 200.

docs/how-to/testing.md shows a program with such tests.
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
    """Start an emulated cloud for the test, on a free port, and stop it afterwards.

    While the test runs, the `OS_*` variables select this cloud. All other `OS_*` variables are removed, so that neither
    the test nor a command that it starts can use another cloud.

    What it yields has:

    - `settings`: the settings of a stack for this cloud, without the prefix `ecs:`.
    - `settings_of(user)`: those for another user, such as `admin`.
    - `environment`: the `OS_*` variables; `auth_url`: the URL of Keystone.
    - `fault(...)`: makes requests or operations fail; the arguments are those of `ecs_pulumi.emulator.Fault`.
      `clear_faults()` removes all faults.
    - `set_quota(instances=2)`: changes the limits of the project; -1 is no limit.
    - `expire_tokens()`: invalidates all tokens.
    - `set_stale(5)`: lets reads show the state of 5 seconds ago.
    - `requests`: the log of the requests.
    - `state()`: a transaction in which the objects can be read and changed.

    The test fails if the extra `ecs-pulumi[emulator]` is not installed.
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
