"""Which requests change the rules of a group, also after a refusal, a conflict or a lost response."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import errors, network
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.cloud.own_writes import OwnWrites
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.resources.security_group import RuleUpdate
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecs_pulumi.resources.clients import Context

Rule = dict[str, Any]

LOST = errors.ResponseLost("the connection broke")
BROKEN = errors.ServerError(500, "broken")
CONFLICT = errors.Conflict(409, "the rule exists")
INVALID = errors.BadRequest(400, "Invalid protocol.")
QUOTA = errors.QuotaExceeded(409, "Quota exceeded for security_group_rules.")


def rule(port: int, **more: Any) -> Rule:
    """Return a desired rule."""
    return {"direction": "ingress", "protocol": "tcp", "port_range_min": port, "port_range_max": port, **more}


class Cloud:
    """A cloud with the rules of one group.

    Attributes:
        sent: The requests that change something: ports of created rules, as a list if it was one request, and deletes.
        lists: The number of requests for the rules of the group.
        outcomes: The errors of the next creates, and whether the create took effect; None for a success.
        room: How many rules the group may have.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rules: list[Rule] = []
        self.sent: list[Any] = []
        self.lists = 0
        self.outcomes: list[tuple[errors.EcsError, bool] | None] = []
        self.room = 100
        self.facts: set[Fact] = set()
        self.lines: list[str] = []
        clock = FakeClock()
        clients = SimpleNamespace(
            network=None,
            region=SimpleNamespace(differences=self),
            connection=SimpleNamespace(clock=clock),
            deadline=Deadline(clock, 600),
            writes=OwnWrites(clock),
        )
        self.context = cast("Context", SimpleNamespace(cloud=clients, report_status=self.lines.append))
        monkeypatch.setattr(
            network, "create", lambda _api, _kind, body: self._create(body["port_range_min"], [body])[0]
        )
        monkeypatch.setattr(
            network,
            "create_several",
            lambda _api, _kind, bodies: self._create([body["port_range_min"] for body in bodies], bodies),
        )
        monkeypatch.setattr(network, "delete", self._delete)
        monkeypatch.setattr(network, "list_all", self._list)

    def knows(self, fact: Fact) -> bool:
        """Whether the difference was noted."""
        return fact in self.facts

    def note(self, fact: Fact) -> None:
        """Note a difference."""
        self.facts.add(fact)

    def have(self, *ports: int) -> list[Rule]:
        """Add rules for these ports to the group, and return them."""
        added = [{**rule(port), "id": f"r{port}", "security_group_id": "g", "description": ""} for port in ports]
        self.rules += added
        return added

    def update(self, *desired: Rule, is_new: bool = False) -> list[int]:
        """Give the group these rules, and return the ports of those that the update returns."""
        group = {"id": "g", "security_group_rules": list(self.rules)}
        return [each["port_range_min"] for each in RuleUpdate(self.context, group).run(list(desired), is_new=is_new)]

    def _create(self, ports: object, bodies: Sequence[Rule]) -> list[Rule]:
        self.sent.append(ports)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome and not outcome[1]:
            raise outcome[0]
        if len(self.rules) + len(bodies) > self.room:
            raise QUOTA
        created = [{**body, "id": f"r{body['port_range_min']}"} for body in bodies]
        self.rules += created
        if outcome:
            raise outcome[0]
        return created

    def _delete(self, _api: object, _kind: str, id_: str) -> None:
        self.sent.append(id_)
        if id_ not in [each["id"] for each in self.rules]:
            raise errors.NotFound(404, "no such rule")
        self.rules = [each for each in self.rules if each["id"] != id_]

    def _list(self, _api: object, _kind: str, *, security_group_id: str) -> list[Rule]:
        assert security_group_id == "g"
        self.lists += 1
        return list(self.rules)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud with a group without rules."""
    return Cloud(monkeypatch)


@pytest.mark.parametrize(
    ("present", "desired", "is_new", "sent"),
    [
        ([], [], False, []),
        ([1], [1], False, []),
        ([1], [], False, ["r1"]),
        ([], [1], False, [1]),
        ([], [1, 2], False, [[1, 2]]),
        ([1, 2], [2, 3], False, [3, "r1"]),
        ([1, 2], [2, 3], True, ["r1", 3]),
    ],
)
def test_requests_of_an_update(
    cloud: Cloud, present: list[int], desired: list[int], sent: list[Any], *, is_new: bool
) -> None:
    """Rules are added with one request before others are removed; a new group loses its default rules first."""
    cloud.have(*present)
    assert sorted(cloud.update(*map(rule, desired), is_new=is_new)) == desired
    assert (cloud.sent, cloud.lists) == (sent, 0)


def test_changed_description_replaces_a_rule(cloud: Cloud) -> None:
    """The API accepts no second rule that differs only in its description."""
    cloud.have(1, 2)
    assert cloud.update(rule(1), rule(2, description="mine")) == [1, 2]
    assert cloud.sent == ["r2", 2]


def test_cloud_that_takes_no_list_of_rules(cloud: Cloud) -> None:
    """Each rule gets its own request, and the next update sends no list."""
    cloud.outcomes = [(errors.BadRequest(400, "not a list"), False)]
    assert cloud.update(rule(1), rule(2)) == [1, 2]
    assert cloud.update(*map(rule, (1, 2, 3, 4))) == [1, 2, 3, 4]
    assert (cloud.sent, cloud.facts) == ([[1, 2], 1, 2, 3, 4], {Fact.NO_LIST_OF_RULES})


def test_single_rule_shows_nothing_about_lists(cloud: Cloud) -> None:
    """Only a list that was refused although its rules are accepted is a difference of the cloud."""
    cloud.update(rule(1))
    assert cloud.facts == set()


def test_invalid_rule_is_named(cloud: Cloud) -> None:
    """The request for the rule alone is the error; nothing is searched for, and the cloud is not blamed."""
    cloud.outcomes = [(INVALID, False), None, (INVALID, False)]
    with pytest.raises(errors.BadRequest, match=r"The rule is ingress tcp 2"):
        cloud.update(rule(1), rule(2))
    assert (cloud.sent, cloud.lists, cloud.facts) == ([[1, 2], 1, 2], 0, set())


@pytest.mark.parametrize("took_effect", [True, False])
@pytest.mark.parametrize("error", [LOST, errors.ServerError(504, "late")])
def test_lost_response(cloud: Cloud, error: errors.EcsError, *, took_effect: bool) -> None:
    """The rules are read again, and only what is missing is sent again."""
    cloud.outcomes = [(error, took_effect)]
    assert cloud.update(rule(1), rule(2)) == [1, 2]
    assert cloud.sent == [[1, 2]] * (1 if took_effect else 2)
    assert cloud.lists
    assert set(cloud.lines) == {"response lost; searching for the rules"}


def test_lost_requests_end(cloud: Cloud) -> None:
    """A request that is lost each time is the error after four attempts."""
    cloud.outcomes = [(LOST, False)] * 9
    with pytest.raises(errors.ResponseLost):
        cloud.update(rule(1))
    assert cloud.sent == [1] * 4


@pytest.mark.parametrize("took_effect", [True, False])
def test_internal_error(cloud: Cloud, *, took_effect: bool) -> None:
    """A 500 would come again: it is the error, unless the rules exist."""
    cloud.outcomes = [(BROKEN, took_effect)]
    if took_effect:
        assert cloud.update(rule(1)) == [1]
    else:
        with pytest.raises(errors.ServerError):
            cloud.update(rule(1))
    assert cloud.sent == [1]


def test_rule_that_another_client_has_created(cloud: Cloud) -> None:
    """After a conflict, the rules that the group has got meanwhile are not sent again, and no response is lost."""
    group = {"id": "g", "security_group_rules": []}
    cloud.have(1)
    cloud.outcomes = [(CONFLICT, False)]
    updated = RuleUpdate(cloud.context, group).run([rule(1), rule(2)], is_new=False)
    assert [each["port_range_min"] for each in updated] == [1, 2]
    assert (cloud.sent, cloud.lines) == ([[1, 2], 2], [])


def test_conflict_of_which_the_group_shows_no_reason(cloud: Cloud) -> None:
    """It is the error at once."""
    cloud.outcomes = [(CONFLICT, False)] * 9
    with pytest.raises(errors.Conflict):
        cloud.update(rule(1), rule(2))
    assert cloud.sent == [[1, 2]]


def test_quota_without_room_for_all_rules(cloud: Cloud) -> None:
    """Surplus rules are removed first, and the group gets at once as many rules as it had; what fails comes last."""
    cloud.have(1, 2)
    cloud.room = 3
    with pytest.raises(errors.QuotaExceeded):
        cloud.update(*map(rule, (3, 4, 5, 6)))
    assert cloud.sent == [[3, 4, 5, 6], "r1", "r2", [3, 4], [5, 6]]
    assert [each["port_range_min"] for each in cloud.rules] == [3, 4]


def test_quota_without_a_surplus_rule(cloud: Cloud) -> None:
    """Nothing could make room: nothing else is sent."""
    cloud.have(1)
    cloud.room = 1
    with pytest.raises(errors.QuotaExceeded):
        cloud.update(rule(1), rule(2))
    assert cloud.sent == [2]


def test_rule_that_is_deleted_already(cloud: Cloud) -> None:
    """A surplus rule that does not exist any more is removed."""
    group = {"id": "g", "security_group_rules": cloud.have(1)}
    cloud.rules.clear()
    assert RuleUpdate(cloud.context, group).run([], is_new=False) == []
    assert cloud.sent == ["r1"]
