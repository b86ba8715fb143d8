"""Which refusals of a new subnet are repeated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.cloud.differences import Differences
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.dynamic.handler import Provenance
from ecs_pulumi.resources.neutron import NeutronHandler
from ecs_pulumi.resources.subnet import HANDLER, SubnetInputs
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

REFUSED = errors.BadRequest(400, "An IPv6 subnet needs an IPv4 subnet.")


class Cloud:
    """A cloud that refuses a subnet some times.

    Attributes:
        errors: The refusals.
        others: The next lists of the other subnets of the network; the last one stays.
        sent: The number of create requests.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errors: list[errors.EcsError] = []
        self.others: list[list[dict[str, Any]]] = [[]]
        self.sent = 0
        self.lines: list[str] = []
        self.predecessor = ""
        clock = FakeClock()
        clients = SimpleNamespace(
            network=None,
            region=SimpleNamespace(differences=Differences(set)),
            connection=SimpleNamespace(clock=clock),
            deadline=Deadline(clock, 600),
        )
        self.context = cast(
            "Context",
            SimpleNamespace(cloud=clients, report_status=self.lines.append, provenance=self._provenance),
        )
        monkeypatch.setattr(network, "list_all", lambda *_, **__: self._list())
        monkeypatch.setattr(NeutronHandler, "create", lambda *_: self._create())

    def _provenance(self, id_: str, _name: str | None) -> Provenance:
        return Provenance.PREDECESSOR if id_ == self.predecessor else Provenance.FOREIGN

    def _list(self) -> list[dict[str, Any]]:
        return self.others.pop(0) if len(self.others) > 1 else self.others[0]

    def _create(self) -> dict[str, Any]:
        self.sent += 1
        if self.errors:
            raise self.errors.pop(0)
        return {"id": "new"}

    def create(self, **inputs: Any) -> dict[str, Any]:
        """Create a subnet."""
        return HANDLER.create(self.context, SubnetInputs(network_id="n", **inputs))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud."""
    return Cloud(monkeypatch)


FOUR = {"id": "four", "ip_version": 4, "cidr": "10.0.0.0/24"}


def test_ipv6_subnet_waits_for_the_ipv4_subnet(cloud: Cloud) -> None:
    """Where the cloud chooses the range, it may require one, which the program declares in the same run."""
    cloud.errors, cloud.others = [REFUSED] * 3, [[]]
    assert cloud.create(ip_version=6) == {"id": "new"}
    assert (cloud.sent, set(cloud.lines)) == (4, {"waiting for the IPv4 subnet of the network"})


def test_ipv4_subnet_that_was_created_after_the_refusal(cloud: Cloud) -> None:
    """The request is sent once more, at once; a second refusal is the error."""
    cloud.errors, cloud.others = [REFUSED], [[FOUR]]
    assert cloud.create(ip_version=6) == {"id": "new"}
    assert (cloud.sent, cloud.lines) == (2, [])
    cloud.errors, cloud.sent = [REFUSED] * 9, 0
    with pytest.raises(errors.BadRequest):
        cloud.create(ip_version=6)
    assert (cloud.sent, cloud.lines) == (2, [])


@pytest.mark.parametrize(
    "inputs", [{"ip_version": 4}, {"ip_version": 6, "cidr": "2001:db8::/64"}, {"ip_version": 6, "subnet_pool_id": "p"}]
)
def test_refusal_that_no_ipv4_subnet_ends(cloud: Cloud, inputs: dict[str, Any]) -> None:
    """A range of the program or of a pool needs none: the refusal is the error at once."""
    cloud.errors = [REFUSED] * 9
    with pytest.raises(errors.BadRequest):
        cloud.create(**inputs)
    assert (cloud.sent, cloud.lines) == (1, [])


def test_other_refusal_is_raised_at_once(cloud: Cloud) -> None:
    """Only a 400 may mean that an IPv4 subnet is missing."""
    cloud.errors = [errors.Conflict(409, "busy")]
    with pytest.raises(errors.Conflict):
        cloud.create(ip_version=6)
    assert cloud.sent == 1


def test_subnet_without_a_gateway(cloud: Cloud) -> None:
    """The error of a cloud that has none says what to remove."""
    cloud.errors = [errors.BadRequest(400, "gateway_ip must not be null")]
    with pytest.raises(errors.EcsError, match="Remove `no_gateway`: this cloud has no subnet without a gateway"):
        cloud.create(ip_version=4, cidr="10.0.0.0/24", no_gateway=True)
    cloud.errors = [errors.BadRequest(400, "gateway_ip must not be null")]
    with pytest.raises(errors.EcsError) as caught:
        cloud.create(ip_version=4, cidr="10.0.0.0/24")
    assert "no_gateway" not in str(caught.value)


@pytest.mark.parametrize(
    ("cidr", "predecessor", "is_explained"),
    [("10.0.0.0/16", "four", True), ("10.0.0.0/16", "", False), ("10.1.0.0/24", "four", False)],
)
def test_subnet_that_its_predecessor_excludes(cloud: Cloud, cidr: str, predecessor: str, *, is_explained: bool) -> None:
    """The error of a replacement whose range overlaps with the replaced subnet says what to do."""
    cloud.errors, cloud.others, cloud.predecessor = [errors.BadRequest(400, "no")], [[FOUR]], predecessor
    with pytest.raises(errors.EcsError) as caught:
        cloud.create(cidr=cidr)
    assert isinstance(caught.value, errors.OperationFailed) is is_explained
    assert ("delete_before_replace" in str(caught.value)) is is_explained
