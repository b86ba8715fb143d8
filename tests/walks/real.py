"""A stack of the real engine, and the comparison of its cloud with a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.walks.cloud import Documents, differences, key_of
from tests.walks.model import deployed
from tests.walks.options import PROTECTED
from tests.walks.programs import VARIABLES, to_source
from tests.walks.walking import unexpected
from tools.engine.engine import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from tests.support.project import Project
    from tests.walks.by_hand import Client
    from tests.walks.model import Stage
    from tests.walks.programs import Program

KINDS = {prefix: kind for kind, prefix in VARIABLES.items()}
FRESH = {"create", "replace"}


class RealStack:
    """A stack of the real engine.

    Attributes:
        project: Its project.
        made: The steps of the last `up`, by kind and name, without resources that are unchanged.
    """

    def __init__(self, project: Project, client: Client, documents: Callable[[], Documents]) -> None:
        """Create a stack without resources.

        Args:
            project: Its project.
            client: Another client of its cloud.
            documents: Returns the objects of the cloud, after all notifications between its services.
        """
        self.project = project
        self.made: Mapping[str, str] = {}
        self._client = client
        self._documents = documents
        self._unmanaged = documents()
        self._before: Program = ()
        """What the stack has."""
        self._state: Mapping[str, Mapping[str, Any]] = {}
        """The state after the last operation; to export it takes as long as a tenth of an `up`."""

    @property
    def cascades(self) -> bool:
        """Whether the engine replaces a resource together with the one that it is deleted with."""
        return version_of(self.project.run("version")) >= (3, 260)

    def apply(self, stage: Stage, *refresh: str) -> Iterator[str]:
        """Apply a stage, and yield its problems.

        Args:
            stage: The stage.
            refresh: `--refresh`, if the preview after the `up` has to refresh the state.
        """
        if stage.by_hand:
            self._client.apply(stage.by_hand, self._before, self._ids())
        self.project.program.write_text(to_source(stage.program))
        if stage.refusal:
            refused = self.project.preview(fails=True)
            if stage.refusal not in refused.text:
                yield f"the error does not say {stage.refusal!r}: {refused.text}"
            self.made = {}
            yield from self.differences()
            return
        if stage.by_hand:
            yield from self.pending_changes(stage.targets)
            # The preview shows the step of a resource that the refresh deleted after that of the refresh.
            shown = self.project.preview("--refresh").changes
            yield from unexpected(self._before, stage.by_hand, shown)
        before = dict(self._state)
        if stage.by_hand and stage.by_hand.action == "delete":
            # Nothing retains what another client deletes.
            before = {name: each for name, each in before.items() if name.partition(" ")[2] != stage.by_hand.name}
        result = self.project.up(*self._options(stage.targets), *(["--refresh"] if stage.by_hand else []))
        self._retain(before)
        self.made = result.changes
        fresh = {title.partition(" ")[2] for title, step in result.changes.items() if step in FRESH}
        self._before = deployed(self._before, stage, fresh)
        yield from self.differences()
        targets = set(stage.targets) & {each.name for each in stage.program}
        if targets or not stage.targets:
            yield from self.pending_changes(targets, *refresh)

    def destroy(self) -> Iterator[str]:
        """Delete all resources, and yield the problems."""
        if any(each.protect for each in self._before):
            refused = self.project.run("destroy", "--preview-only", fails=True)
            if PROTECTED not in refused:
                yield f"the error does not name the protection: {refused}"
            yield from self.differences()
            self.project.run("state", "unprotect", "--all", "--yes")
        before = self._state
        self.project.destroy()
        self._before = ()
        self._retain(before)
        yield from self.differences()

    def differences(self) -> list[str]:
        """Return the differences between the cloud and what the stack has."""
        return list(differences(self._before, self._ids(), self._unmanaged, self._documents()))

    def pending_changes(self, targets: Collection[str], *arguments: str) -> list[str]:
        """Return the changes that a preview shows."""
        changes = self.project.preview(*self._options(targets), *arguments).changes
        return [f"{step} of {name}" for name, step in changes.items()]

    def _ids(self) -> dict[str, str]:
        return {name.partition(" ")[2]: each["id"] for name, each in self._state.items()}

    def _options(self, targets: Collection[str]) -> list[str]:
        stack = self.project.stack_urn
        kinds = {name: KINDS[name.rstrip("0123456789")] for name in targets}
        return [f"--target={stack}::pulumi-python:dynamic/ecs:{kind}::{name}" for name, kind in kinds.items()]

    def _retain(self, before: Mapping[str, Mapping[str, Any]]) -> None:
        """Read the state, and treat the objects that it has no longer because of `retain_on_delete` as unmanaged."""
        self._state = self.project.state()
        kept = {each["id"] for each in self._state.values()}
        retained = {
            key_of(title.partition(" ")[0], str(each["id"]))
            for title, each in before.items()
            if each.get("retainOnDelete") and each["id"] not in kept
        }
        if retained:
            remote = self._documents()
            groups = {id_ for kind, id_ in retained if kind == "security_group"}
            retained |= {key for key, item in remote.items() if item.get("security_group_id") in groups}
            self._unmanaged = {**self._unmanaged, **{key: remote.get(key, {}) for key in retained}}
