"""Plugin processes, one per test module: with Pulumi's host as installed, and with one that hides the bridge's data."""

from collections.abc import Iterator

import pytest

from tests.host.harness import RENAMED_HOST, Plugin


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    """A plugin process with Pulumi's host as installed."""
    with Plugin() as running:
        yield running


@pytest.fixture(scope="module")
def renamed() -> Iterator[Plugin]:
    """A plugin process with a host in which the bridge finds no request."""
    with Plugin(command=RENAMED_HOST) as running:
        yield running
