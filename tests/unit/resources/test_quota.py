"""When a quota is exceeded, and whose needs count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.dynamic.fields import CheckInputs
from ecs_pulumi.resources import quota
from ecs_pulumi.resources.quota import QuotaNeed, QuotaTracker

if TYPE_CHECKING:
    from ecs_pulumi.cloud.connection import Region
    from ecs_pulumi.resources.clients import Context

URN = "urn:pulumi:dev::shop::Router::it"


class Cloud:
    """A cloud with a quota of 3 routers, of which one is in use.

    Attributes:
        reads: The number of requests for the quotas.
        fails: Whether it reports no quotas.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads, self.fails = 0, False
        self.limits: dict[str, Any] = {"router": {"limit": 3, "used": 1}, "port": {"limit": -1, "used": 9}}
        self.region = cast("Region", Place())
        self.tracker = QuotaTracker(self.region)
        self.warnings: list[str] = []
        self.deletes_first = False
        request = rpc_bridge.RequestContext(urn=URN)
        monkeypatch.setattr(rpc_bridge, "current_request", lambda: request)
        monkeypatch.setattr(run, "deletes_first", lambda urn: self.deletes_first and urn == URN)
        monkeypatch.setattr(network, "get_quotas", self._read)
        monkeypatch.setattr(quota, "_tracker", lambda _: self.tracker)

    def _read(self, *_: object) -> dict[str, Any]:
        self.reads += 1
        if self.fails:
            raise errors.Forbidden(403, "no")
        return self.limits

    def reserve(self, resource: str, amount: int = 1, *, is_replacement: bool = False) -> list[str]:
        """Add what a resource needs."""
        return list(self.tracker.reserve(resource, "network", {"routers": amount}, is_replacement=is_replacement))

    def check(self, resource: str, inputs: dict[str, Any], *, replaces: bool = False, **prior: Any) -> list[str]:
        """Check a resource that needs two routers, and return the problems."""
        context = cast(
            "Context",
            SimpleNamespace(
                kind="Router",
                resource=resource,
                cloud=SimpleNamespace(region=self.region),
                warn=self.warnings.append,
            ),
        )
        checked = CheckInputs(inputs, prior, is_replacement=replaces)
        needs = [QuotaNeed("name", "network", {"routers": 2})]
        return [f"{each.property}: {each.reason}" for each in quota.check(context, checked, needs)]


class Place:
    """A region."""

    network = None
    project_id = "p"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud with quotas."""
    return Cloud(monkeypatch)


def test_needs_of_all_resources_are_added(cloud: Cloud) -> None:
    """Each resource counts once; the message says whether it is one or the whole program that needs too much."""
    assert cloud.reserve("a") == []
    assert cloud.reserve("a") == []
    assert cloud.reserve("b") == []
    assert cloud.reserve("c") == ["quota exceeded for routers: limit 3, in use 1, this program needs 3"]
    assert cloud.reads == 1


def test_single_resource_that_needs_too_much(cloud: Cloud) -> None:
    """It is named alone."""
    assert cloud.reserve("a", 3) == ["quota exceeded for routers: limit 3, in use 1, this resource needs 3"]


def test_nothing_is_read_for_no_need(cloud: Cloud) -> None:
    """A resource that adds nothing sends no request, even if the quota is exceeded already."""
    cloud.limits["router"]["used"] = 9
    assert (cloud.reserve("a", 0), cloud.reads) == ([], 0)
    assert cloud.reserve("b", -1) == []


def test_replacement_is_not_added(cloud: Cloud) -> None:
    """It is checked, but releases as much as it needs."""
    assert cloud.reserve("a", 2, is_replacement=True) == []
    assert cloud.reserve("b", 2) == []
    assert cloud.reserve("a", 1, is_replacement=True) == [
        "quota exceeded for routers: limit 3, in use 1, this program needs 3"
    ]


def test_quota_without_a_limit_or_that_is_not_known(cloud: Cloud) -> None:
    """Neither is ever exceeded."""
    assert list(cloud.tracker.reserve("a", "network", {"ports": 99, "unknown": 99})) == []
    assert cloud.tracker.known_use("network", "ports") == 9
    assert cloud.tracker.known_use("network", "unknown") is None
    assert cloud.tracker.known_use("compute", "ports") is None


def test_cloud_that_reports_no_quotas(cloud: Cloud) -> None:
    """The create request fails if one is exceeded; the request for the quotas is not repeated."""
    cloud.fails = True
    assert (cloud.reserve("a", 99), cloud.reserve("b", 99), cloud.reads) == ([], [], 1)


def test_check_of_a_new_resource(cloud: Cloud) -> None:
    """An exceeded quota is a problem of the input that needs it."""
    assert cloud.check("a", {"name": "a"}) == []
    assert cloud.check("b", {"name": "b"}) == [
        "name: quota exceeded for routers: limit 3, in use 1, this program needs 4"
    ]
    assert cloud.warnings == []


def test_check_of_a_replacement(cloud: Cloud) -> None:
    """It is a warning, unless the replaced object is deleted first; it leaves the quota to others."""
    cloud.limits["router"]["used"] = 2
    assert cloud.check("a", {"name": "a"}, replaces=True) == []
    (warning,) = cloud.warnings
    assert warning.startswith("name: quota exceeded for routers: limit 3, in use 2, this resource needs 2 beside the")
    cloud.deletes_first = True
    assert cloud.check("a", {"name": "a"}, replaces=True) == []
    assert len(cloud.warnings) == 1
    assert cloud.reserve("b") == []


@pytest.mark.parametrize(("adopt", "prior", "problems"), [("x", {}, 0), ("x", {"adopt": "x"}, 1), (None, {}, 1)])
def test_check_of_an_import(cloud: Cloud, adopt: str | None, prior: dict[str, Any], problems: int) -> None:
    """It adds nothing; an update of an imported object does."""
    cloud.limits["router"]["used"] = 2
    assert len(cloud.check("a", {"adopt": adopt} if adopt else {}, **prior)) == problems


def test_check_without_a_resource(cloud: Cloud) -> None:
    """Without its name, the needs of a resource could count twice."""
    cloud.limits["router"]["used"] = 9
    assert cloud.check("", {}) == []
