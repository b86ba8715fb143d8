"""Pulumi's engine in this process: it decides what to do and in which order as the real one does, one step at a time.

    stack = Stack(config, begin=world.connect)
    steps = stack.preview(program)
    assert stack.up(program) == steps
    stack.refresh()
    stack.destroy()

It follows `pkg/resource/deploy/step_generator.go` of pulumi/pulumi: check, diff, then create, update or replace; a
replacement that deletes first takes along the dependents that it would replace; everything else is deleted at the
end, dependents first. What goes to the provider passes the wire format, with the request where the bridge finds it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import grpc
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.runtime.proto import provider_pb2

from ecs_pulumi import stack as ecs_stack
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.dynamic.provider import Provider
from tests.support.steps import UNKNOWN, Failed, Refused, _dict, _struct
from tests.walks.programs import Declaration, Program, Ref, refs, resolved

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping, Sequence

PROJECT, STACK, BACKEND = "walks", "test", "file:///walks"
TIMEOUT = 600.0
NO_ID = ""
Seed = bytes


@dataclass
class Record:
    """What the engine keeps of a resource in its state.

    Attributes:
        urn: Its URN.
        id: The object's id.
        inputs: Its inputs when it was last written.
        outputs: Its outputs.
        needs: The URNs of the resources that it depends on.
        needs_of: Those by input.
        failures: Why the last operation failed.
        delete: Whether a replacement has been made, and it is still to be deleted.
        pending: Whether it was deleted, and the replacement is still to be made.
    """

    urn: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    needs: set[str] = field(default_factory=set)
    needs_of: dict[str, set[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    delete: bool = False
    pending: bool = False

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.urn.split("::")[2].rpartition(":")[2]

    @property
    def name(self) -> str:
        """Its name in the program."""
        return self.urn.rpartition("::")[2]

    @property
    def exported(self) -> dict[str, Any]:
        """As `pulumi stack export` writes it."""
        type_ = self.urn.split("::")[2]
        known = {"urn": self.urn, "type": type_, "id": self.id, "inputs": self.inputs, "outputs": self.outputs}
        return {**known, "delete": True} if self.delete else known

    @property
    def title(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name}"


def urn_of(kind: str, name: str) -> str:
    """The URN of a resource."""
    return f"urn:pulumi:{STACK}::{PROJECT}::pulumi-python:dynamic/ecs:{kind}::{name}"


class Plugin:
    """The provider's process of one run: the RPCs of the engine, with plain values."""

    def __init__(self, config: Mapping[str, str], known: Callable[[], Sequence[Record]]) -> None:
        """Start it.

        Args:
            config: The stack's settings.
            known: The state as it is written at the moment.
        """
        self._config = Config(raw_config=dict(config), project_name=PROJECT)
        self._providers: dict[str, Provider] = {}
        self._known = known
        self._context = mock.NonCallableMock(spec=grpc.ServicerContext)

    def check(self, urn: str, olds: Mapping[str, Any] | None, news: Mapping[str, Any], seed: Seed) -> dict[str, Any]:
        """The inputs in their normal form. Raises Refused."""
        request = provider_pb2.CheckRequest(
            urn=urn, olds=None if olds is None else _struct(olds), news=_struct(news), randomSeed=seed
        )
        before = {} if olds is None else _dict(request.olds, unknowns=True)
        result = self._serve(lambda it: it.check(before, _dict(request.news, unknowns=True)), request)
        if result.failures:
            name = urn.rpartition("::")[2]
            raise Refused({f"{name}.{failure.property}": failure.reason for failure in result.failures})
        return _dict(_struct(result.inputs), unknowns=True)

    def diff(self, old: Record, urn: str, news: Mapping[str, Any]) -> Any:
        """What has changed."""
        request = provider_pb2.DiffRequest(
            id=old.id,
            urn=urn,
            olds=_struct(old.outputs),
            news=_struct(news),
            old_inputs=_struct(old.inputs),
        )
        now = _dict(request.news, unknowns=True)
        return self._serve(lambda it: it.diff(old.id, _dict(request.olds, unknowns=True), now), request)

    def create(self, new: Record) -> None:
        """Create what `new` asks for, and fill in its id and outputs. Raises Failed."""
        request = provider_pb2.CreateRequest(urn=new.urn, properties=_struct(new.inputs), timeout=TIMEOUT)
        made = self._serve(lambda it: it.create(_dict(request.properties)), request, new)
        new.id, new.outputs = made.id, _dict(_struct(made.outs))

    def update(self, old: Record, new: Record) -> None:
        """Update what `old` is to what `new` asks for. Raises Failed."""
        new.id, new.outputs = old.id, old.outputs
        request = provider_pb2.UpdateRequest(
            id=old.id,
            urn=new.urn,
            olds=_struct(old.outputs),
            news=_struct(new.inputs),
            old_inputs=_struct(old.inputs),
            timeout=TIMEOUT,
        )
        made = self._serve(lambda it: it.update(old.id, _dict(request.olds), _dict(request.news)), request, new)
        new.outputs = _dict(_struct(made.outs))

    def delete(self, old: Record) -> None:
        """Delete. Raises Failed."""
        request = provider_pb2.DeleteRequest(id=old.id, urn=old.urn, properties=_struct(old.outputs), timeout=TIMEOUT)
        self._serve(lambda it: it.delete(old.id, _dict(request.properties)), request)

    def read(self, old: Record) -> bool:
        """Bring inputs and outputs up to date; whether it is still there. Raises Failed."""
        request = provider_pb2.ReadRequest(
            id=old.id, urn=old.urn, properties=_struct(old.outputs), inputs=_struct(old.inputs)
        )
        found = self._serve(lambda it: it.read(old.id, _dict(request.properties)), request)
        if found.id:
            old.outputs = _dict(_struct(found.outs))
            old.inputs = _dict(_struct(found.inputs)) if found.inputs else old.inputs
        return bool(found.id)

    def _provider(self, urn: str) -> Provider:
        kind = urn.split("::")[2].rpartition(":")[2]
        if kind not in self._providers:
            self._providers[kind] = Provider(kind)
            self._providers[kind].configure(ConfigureRequest(config=self._config))
        return self._providers[kind]

    def _serve(self, call: Callable[[Provider], Any], request: Any, new: Record | None = None) -> Any:
        """Call the provider as the rpc_bridge does, which has `request` and `context` in a frame of its own."""
        context = self._context
        context.reset_mock()
        begun = [new] if isinstance(request, provider_pb2.CreateRequest) and new else []
        exported = [record.exported for record in self._known()], [record.exported for record in begun]
        try:
            with (
                mock.patch.object(ecs_stack, "export", return_value=exported),
                mock.patch.dict(os.environ, PULUMI_BACKEND_URL=BACKEND),
                # A provider that looks for its engine finds one that runs `pulumi up`, one step at a time.
                mock.patch.object(run, "engine", return_value=(None, ["up", "--parallel=1"])),
            ):
                return call(self._provider(request.urn))
        except rpc_bridge.Failure as failure:
            if new is not None:
                _keep(new, context)
            raise Failed(str(failure)) from failure


def _keep(new: Record, context: mock.NonCallableMock) -> None:
    """Take what a failed operation left into the state."""
    for _, value in context.set_trailing_metadata.call_args.args[0]:
        for detail in status_pb2.Status.FromString(value).details:
            left = provider_pb2.ErrorResourceInitFailed()
            if detail.Unpack(left):
                new.id, new.inputs, new.outputs = left.id, _dict(left.inputs), _dict(left.properties)
                new.failures = list(left.reasons)


class Stack:
    """A stack and its state.

    Attributes:
        state: The records of its resources, in the order in which they were written.
    """

    def __init__(self, config: Mapping[str, str], chance: random.Random, begin: Callable[[], None]) -> None:
        """Begin without resources.

        Args:
            config: Its settings, by full key.
            chance: Where the random seeds come from.
            begin: Makes this process forget what one that was just started would not know.
        """
        self.state: list[Record] = []
        self._config = config
        self._chance = chance
        self._begin = begin

    def preview(self, program: Program) -> dict[str, str]:
        """What `up` would do to each resource: create, same, update, replace or delete. Raises Refused or Failed."""
        kept = self.kept()
        try:
            return self._deploy(program, preview=True)
        finally:
            self.state = kept

    def up(self, program: Program) -> dict[str, str]:
        """Do it. Raises Refused or Failed."""
        return self._deploy(program, preview=False)

    def refresh(self) -> list[str]:
        """Read every object; the titles of those that are gone. Raises Failed."""
        self._begin()
        plugin = Plugin(self._config, lambda: self.state)
        gone = [record for record in self.state if not plugin.read(record)]
        self.state = [record for record in self.state if record not in gone]
        return [record.title for record in gone]

    def destroy(self) -> None:
        """Delete everything. Raises Failed."""
        self._deploy((), preview=False)

    def kept(self) -> list[Record]:
        """The state as it is now, which no later operation changes."""
        return [replace(record) for record in self.state]

    @property
    def known(self) -> dict[str, Record]:
        """The records by name, without those that are still to be deleted."""
        return {record.name: record for record in self.state if not record.delete}

    def _deploy(self, program: Program, *, preview: bool) -> dict[str, str]:
        self._begin()
        deployment = Deployment(self.state, self._config, self._chance, preview=preview)
        with self._written(deployment):
            for declaration in program:
                deployment.register(declaration)
            deployment.delete_the_rest()
        return deployment.steps

    @contextmanager
    def _written(self, deployment: Deployment) -> Iterator[None]:
        """Write the state, however the deployment ends."""
        try:
            yield
        finally:
            self.state = deployment.state()


class Deployment:
    """One `up`, or its preview.

    Attributes:
        steps: What is done to each resource, by kind and name.
    """

    def __init__(
        self, before: Sequence[Record], config: Mapping[str, str], chance: random.Random, *, preview: bool
    ) -> None:
        self.steps: dict[str, str] = {}
        self._before = list(before)
        # A preview writes nothing.
        self._plugin = Plugin(config, lambda: before if preview else self.state())
        self._chance = chance
        self._preview = preview
        self._olds = {record.urn: record for record in before if not record.delete}
        self._new: list[Record] = []
        self._by_name: dict[str, Record] = {}
        self._done: list[Record] = []
        """Records of `_before` that are no longer in the state."""
        self._aliased: dict[str, str] = {}
        self._operated_on: set[str] = set()
        self._deleted: set[str] = set()
        """URNs that were deleted first, because of a replacement that deletes first."""

    def state(self) -> list[Record]:
        """The state as it is now: what this deployment has written, then what it has not come to."""
        left = [record for record in self._before if not any(record is done for done in self._done)]
        records = [*self._new, *left]
        for record in records:
            record.needs = {self._aliased.get(urn, urn) for urn in record.needs}
            record.needs_of = {
                name: {self._aliased.get(urn, urn) for urn in urns} for name, urns in record.needs_of.items()
            }
        return records

    def register(self, declaration: Declaration) -> None:
        """Decide what to do about a resource of the program, and do it."""
        urn = urn_of(declaration.kind, declaration.name)
        old = self._old(urn, declaration)
        recreating = urn in self._deleted
        goal = resolved(declaration.inputs, self._value)
        seed = self._chance.randbytes(32)
        olds = old.inputs if old and not recreating else None
        new = Record(urn, NO_ID, self._plugin.check(urn, olds, goal, seed), {})
        new.needs = {self._by_name[name].urn for name in declaration.refers_to()}
        new.needs_of = {
            name: {self._by_name[ref.name].urn for ref in refs(value)} for name, value in declaration.inputs.items()
        }
        if old is None:
            self._create(new, "create")
        elif recreating:
            self._deleted.discard(urn)
            self._create(new, "replace", old)
        else:
            self._compare(old, new, goal, seed)

    def delete_the_rest(self) -> None:
        """Delete what was replaced and what is no longer in the program, dependents first."""
        condemned = [
            record
            for record in self._before
            if not any(record is done for done in self._done)
            and (record.delete or self._aliased.get(record.urn, record.urn) not in self._operated_on)
        ]
        for record in condemned:
            if not record.delete:
                self.steps[record.title] = "delete"
        while condemned:
            free = [each for each in condemned if not any(each.urn in other.needs for other in condemned)]
            for record in free:
                if not record.pending:
                    self._delete(record)
                self._done.append(record)
                condemned.remove(record)

    def _old(self, urn: str, declaration: Declaration) -> Record | None:
        if urn in self._olds:
            return self._olds[urn]
        former = urn_of(declaration.kind, declaration.alias)
        if not declaration.alias or former not in self._olds:
            return None
        self._aliased[former] = urn
        return self._olds[former]

    def _value(self, ref: Ref) -> Any:
        """The value of another resource's output."""
        record = self._by_name[ref.name]
        if ref.output == "id":
            return record.id or UNKNOWN
        return record.outputs.get(ref.output, UNKNOWN if self._preview else None)

    def _compare(self, old: Record, new: Record, goal: Mapping[str, Any], seed: Seed) -> None:
        diff = self._plugin.diff(old, new.urn, new.inputs)
        if diff.replaces or old.pending:
            # What was chosen for the old object is chosen anew.
            new.inputs = self._plugin.check(new.urn, None, goal, seed)
            if diff.delete_before_replace:
                self._delete_dependents(old)
                if not old.pending:
                    self._delete(old)
                    old.pending = True
                self._create(new, "replace", old)
            else:
                self._create(new, "replace", old, keep=True)
        elif diff.changes or old.failures:
            self._update(old, new)
        else:
            new.id, new.outputs = old.id, old.outputs
            self._write(new, "same", old)

    def _delete_dependents(self, root: Record) -> None:
        """Delete, last dependent first, what depends on an object that is deleted first and would be replaced too."""
        replaced, condemned = {root.urn}, []
        reached = {root.urn}
        for record in self._before:
            impossible = record.urn in self._operated_on or record.urn in self._deleted
            if impossible or not record.needs & reached or record is root:
                continue
            reached.add(record.urn)
            lost = {name for name, urns in record.needs_of.items() if urns & replaced and name in record.inputs}
            if (
                lost
                and self._plugin.diff(record, record.urn, {**record.inputs, **dict.fromkeys(lost, UNKNOWN)}).replaces
            ):
                replaced.add(record.urn)
                condemned.append(record)
        for record in reversed(condemned):
            self._deleted.add(record.urn)
            if not record.pending:
                self._delete(record)
            if record.delete:
                self._done.append(record)
            record.pending = True

    def _create(self, new: Record, step: str, old: Record | None = None, *, keep: bool = False) -> None:
        """Create; what it takes the place of is gone, or with `keep` still to be deleted."""
        try:
            if self._preview:
                new.outputs = dict(new.inputs)
            else:
                self._plugin.create(new)
        finally:
            # Also where it failed and left something.
            if new.id or new.outputs:
                if old and keep:
                    old.delete = True
                self._write(new, step, None if keep else old)

    def _update(self, old: Record, new: Record) -> None:
        failed = False
        try:
            if self._preview:
                new.id, new.outputs = old.id, dict(new.inputs)
            else:
                self._plugin.update(old, new)
        except Failed:
            failed = True
            raise
        finally:
            if not failed or new.failures:
                self._write(new, "update", old)

    def _delete(self, record: Record) -> None:
        if not self._preview:
            self._plugin.delete(record)

    def _write(self, new: Record, step: str, old: Record | None) -> None:
        """Take a record into the state, in place of another."""
        if old is not None:
            self._done.append(old)
        self._new.append(new)
        self._operated_on.add(new.urn)
        self._by_name[new.name] = new
        self.steps[new.title] = step
