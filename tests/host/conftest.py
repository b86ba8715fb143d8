"""One plugin process for all tests of a module, for each way that the bridge can find its host."""

from collections.abc import Iterator

import pytest

from tests.host.harness import RENAMED_HOST, Plugin


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    """Pulumi's host as it is installed."""
    with Plugin() as running:
        yield running


@pytest.fixture(scope="module")
def renamed() -> Iterator[Plugin]:
    """A host where the bridge finds nothing."""
    with Plugin(command=RENAMED_HOST) as running:
        yield running
