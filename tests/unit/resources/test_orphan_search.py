"""Which lists a search for orphans requests, and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.resources import idempotent_create
from ecs_pulumi.resources.orphan_search import MarkedObjects

if TYPE_CHECKING:
    from collections.abc import Callable

RemoteObject = dict[str, Any]


class Search:
    """Searches for the orphans of several resources of one kind, and the lists that they request."""

    def __init__(self, narrow: list[RemoteObject] | None = None, everything: list[RemoteObject] | None = None) -> None:
        self.requests: list[str] = []
        self.error: errors.EcsError | None = None
        self.deleted: set[str] = set()
        self._objects = MarkedObjects()
        self._narrow, self._all = narrow or [], everything or []

    def run(self, *, is_short: bool = False, is_own: Callable[[RemoteObject], bool] = lambda _: True) -> list[str]:
        """Return the ids that a search finds."""
        found = self._objects.of(
            lambda: self._list("narrow", self._narrow),
            lambda: self._list("all", self._all),
            is_own,
            has_deleted=self.deleted.__contains__,
            is_short=is_short,
        )
        return [each["id"] for each in found]

    def _list(self, name: str, found: list[RemoteObject]) -> list[RemoteObject]:
        self.requests.append(name)
        if self.error:
            raise self.error
        return found


def test_first_search_requests_what_may_belong_to_the_resource() -> None:
    """The second search requests the whole list, which all further searches share."""
    search = Search([{"id": "a"}], [{"id": "a"}, {"id": "b"}])
    assert [search.run() for _ in range(4)] == [["a"], ["a", "b"], ["a", "b"], ["a", "b"]]
    assert search.requests == ["narrow", "all"]


def test_short_list_is_requested_at_once() -> None:
    """The list of few objects serves the first search as well."""
    search = Search([{"id": "a"}], [{"id": "b"}])
    assert [search.run(is_short=True), search.run(is_short=True), search.run()] == [["b"]] * 3
    assert search.requests == ["all"]


@pytest.mark.parametrize(
    "error", [errors.Forbidden(403, "no"), errors.NotFound(404, "no"), errors.ProxyNotFound(404, "no")]
)
def test_list_that_the_account_may_not_request(error: errors.EcsError) -> None:
    """An account that may not list objects may create them: it has no orphans, and the list is not requested again."""
    search = Search([{"id": "a"}], [{"id": "a"}])
    search.error = error
    assert [search.run(), search.run()] == [[], []]
    assert search.requests == ["narrow"]


def test_other_error_of_a_list_is_raised() -> None:
    """Without the list, a create could leave a second object."""
    search = Search([{"id": "a"}])
    search.error = errors.ServerError(500, "broken")
    with pytest.raises(errors.ServerError):
        search.run()


def test_orphans_are_own_objects_that_this_run_neither_created_nor_deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects that the cloud is deleting are none either."""
    monkeypatch.setattr(idempotent_create, "_created", {"created"})
    states: list[RemoteObject] = [
        {"id": "DELETED", "status": "DELETED"},
        {"id": "SOFT", "status": "SOFT_DELETED"},
        {"id": "deleting", "status": "deleting"},
        {"id": "task", "status": "ACTIVE", "OS-EXT-STS:task_state": "deleting"},
        {"id": "error", "status": "ERROR", "OS-EXT-STS:task_state": None},
    ]
    search = Search([*states, {"id": "created"}, {"id": "deleted"}, {"id": "foreign"}, {"id": "own"}])
    search.deleted = {"deleted"}
    assert search.run(is_own=lambda remote: remote["id"] != "foreign") == ["error", "own"]
