"""One resource driven as Pulumi's engine drives it, in this process: a step costs its API calls and no more.

    disk = Resource("Volume", {"ecs:cloud": "demo"})
    disk.up(size=1)
    assert disk.preview(size=2) == Step("update", {"size"})
    disk.up(size=2)
    disk.refresh()
    disk.destroy()

What goes to the provider and what comes back passes the wire format, and the request in flight can be found from
the provider's frames, as under Pulumi's own host.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import grpc
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import PROVIDER_KEY
from pulumi.output import Unknown
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from ecs_pulumi.cloud.connection import Connection, Settings
from ecs_pulumi.dynamic import provider, rpc_bridge, state
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.dynamic.provider import Provider
from ecs_pulumi.dynamic.state import StackState
from ecs_pulumi.resources import catalog, common, quota

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.struct_pb2 import Struct

    from ecs_pulumi.cloud.clock import Clock

PROJECT, STACK = "fields", "test"
TIMEOUT = 300.0
UNKNOWN = Unknown()  # type: ignore[no-untyped-call]
"""A value that is not known in a preview."""


@dataclass(frozen=True)
class Step:
    """What an `up` does, or would do, to the resource.

    Attributes:
        op: `create`, `same`, `update` or `replace`.
        inputs: The inputs that the display names: those that changed, or those that make the replacement.
        delete_first: Whether a replacement deletes the old object before it creates the new one.
    """

    op: str
    inputs: frozenset[str] = frozenset()
    delete_first: bool = False


SAME = Step("same")


def updates(*inputs: str) -> Step:
    """An update for the sake of these inputs."""
    return Step("update", frozenset(inputs))


@dataclass
class State:
    """What the engine keeps of a resource."""

    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    failures: list[str] = field(default_factory=list)
    """Why the last operation did not end; the next `up` then updates even what has not changed."""


class Refused(Exception):  # noqa: N818  (it is the program that asks for what cannot be)
    """The check found something; the reasons by property."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
        self.reasons = dict(reasons)


class Failed(Exception):  # noqa: N818  (what a failed operation is to the engine)
    """An operation failed with this line for the user."""


class _Serving(threading.local):
    """The resource that the calling thread serves."""

    resource: Resource | None = None


_serving = _Serving()
_read, _backend_fingerprint = state.read, state.backend_fingerprint


def _read_known(project: str, name: str) -> StackState:
    return _serving.resource.known() if _serving.resource else _read(project, name)


def _known_backend() -> str:
    return _serving.resource.backend if _serving.resource else _backend_fingerprint()


# Several threads serve at a time, so that nothing could be put back in order.
state.read, state.backend_fingerprint = _read_known, _known_backend


class Resource:
    """One resource of a stack.

    Attributes:
        state: What the engine would have in its state; None while there is none.
        log: The operations that went to the provider since the last `up` began, such as `delete`, `create`.
        begun: The inputs of a create that has not been answered, which the engine notes in its state before it asks.
        backend: The fingerprint of the backend that keeps the state, where it is known.
        ignore_changes: The inputs that the resource's option of this name tells the engine to leave as they are.
        interrupted: Those of creates that were under way when the engine was killed; the state keeps them.
    """

    def __init__(
        self, kind: str, config: Mapping[str, str], name: str = "it", *, bridge: bool = True, clock: Clock | None = None
    ) -> None:
        self.kind = kind
        self.name = name
        self.state: State | None = None
        self.log: list[str] = []
        self.begun: dict[str, Any] | None = None
        self.backend = ""
        self.ignore_changes: tuple[str, ...] = ()
        self.interrupted: list[dict[str, Any]] = []
        self._context = mock.NonCallableMock(spec=grpc.ServicerContext) if bridge else None
        self._provider = Provider(kind)
        self._config = Config(raw_config=dict(config), project_name=PROJECT)
        if clock is not None:
            _go_by(self._config, clock)
        self._provider.configure(ConfigureRequest(config=self._config))

    @property
    def urn(self) -> str:
        """URN of the resource."""
        return f"urn:pulumi:{STACK}::{PROJECT}::pulumi-python:dynamic/ecs:{self.kind}::{self.name}"

    @property
    def id(self) -> str:
        """The id in the state."""
        assert self.state is not None
        return self.state.id

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs in the state."""
        assert self.state is not None
        return self.state.outputs

    def preview(self, **inputs: Any) -> Step:
        """What an `up` would do. Raises Refused."""
        self._begin()
        return self._plan(inputs)[0]

    def up(self, **inputs: Any) -> Step:
        """Check, compare and do it. Raises Refused or Failed."""
        self._begin()
        step, checked = self._plan(inputs)
        old = self.state
        if old is None:
            self._create(checked)
        elif step.op == "same":
            old.inputs = checked
        elif step.op == "update":
            self._update(old, checked)
        else:
            # A replacement is a new resource: what was chosen for the old one is chosen anew.
            checked = self._check({}, inputs)
            if step.delete_first:
                self._delete(old)
                self.state = None
                self._create(checked)
            else:
                self._create(checked)
                self._delete(old)
        return step

    def refresh(self) -> None:
        """Read the object; one that is gone leaves the state."""
        old = self.state
        assert old is not None
        request = provider_pb2.ReadRequest(properties=_struct(old.outputs), inputs=_struct(old.inputs))
        found = self._read(old.id, request)
        self.state = None if found is None else State(found.id, found.inputs or old.inputs, found.outputs)

    def get(self, id_: str, **inputs: Any) -> State:
        """Read an object that the stack does not manage, as `Kind.get` does."""
        found = self._read(id_, provider_pb2.ReadRequest(inputs=_struct(inputs)))
        if found is None:
            raise Failed(f"there is no {id_}")
        return found

    def destroy(self) -> None:
        """Delete the object, if there is one."""
        if self.state is not None:
            self._begin()
            self._delete(self.state)
            self.state = None

    def forget(self) -> None:
        """Take the object out of the state and leave it in the cloud."""
        self.state = None

    def _begin(self) -> None:
        self.log.clear()
        # Each command of Pulumi's has a provider process of its own, which knows of no resource and has read nothing.
        provider._existing.discard(self.urn)
        OWNERSHIP.clear()
        forget_what_was_read()

    def _plan(self, inputs: Mapping[str, Any]) -> tuple[Step, dict[str, Any]]:
        old = self.state
        if old is not None:
            inputs = {**inputs, **{name: old.inputs.get(name) for name in self.ignore_changes}}
        checked = self._check(old.inputs if old else {}, inputs)
        if old is None:
            return Step("create"), checked
        request = provider_pb2.DiffRequest(
            id=old.id,
            urn=self.urn,
            olds=_struct(old.outputs),
            news=_struct(checked),
            old_inputs=_struct(old.inputs),
            ignoreChanges=self.ignore_changes,
        )
        before, now = _dict(request.olds, unknowns=True), _dict(request.news, unknowns=True)
        result = self._serve(lambda: self._provider.diff(old.id, before, now), request)
        if result.replaces:
            return Step("replace", frozenset(result.replaces), result.delete_before_replace), checked
        if result.changes or old.failures:
            names = {*old.inputs, *checked}
            return updates(*(name for name in names if old.inputs.get(name) != checked.get(name))), checked
        return SAME, checked

    def _check(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        request = provider_pb2.CheckRequest(
            urn=self.urn, olds=_struct(olds), news=_struct(news), randomSeed=secrets.token_bytes(32)
        )
        before, now = _dict(request.olds, unknowns=True), _dict(request.news, unknowns=True)
        result = self._serve(lambda: self._provider.check(before, now), request)
        if result.failures:
            raise Refused({failure.property: failure.reason for failure in result.failures})
        return _dict(_struct(result.inputs), unknowns=True)

    def _create(self, inputs: dict[str, Any]) -> None:
        self.log.append("create")
        self.begun = inputs
        request = provider_pb2.CreateRequest(urn=self.urn, properties=_struct(inputs), timeout=TIMEOUT)
        made = self._serve(lambda: self._provider.create(_dict(request.properties)), request)
        self.state = State(made.id, inputs, _dict(_struct(made.outs)))

    def _update(self, old: State, inputs: dict[str, Any]) -> None:
        self.log.append("update")
        request = provider_pb2.UpdateRequest(
            id=old.id,
            urn=self.urn,
            olds=_struct(old.outputs),
            news=_struct(inputs),
            old_inputs=_struct(old.inputs),
            ignoreChanges=self.ignore_changes,
            timeout=TIMEOUT,
        )
        made = self._serve(lambda: self._provider.update(old.id, _dict(request.olds), _dict(request.news)), request)
        self.state = State(old.id, inputs, _dict(_struct(made.outs)))

    def _delete(self, old: State) -> None:
        self.log.append("delete")
        request = provider_pb2.DeleteRequest(id=old.id, urn=self.urn, properties=_struct(old.outputs), timeout=TIMEOUT)
        self._serve(lambda: self._provider.delete(old.id, _dict(request.properties)), request)

    def _read(self, id_: str, request: provider_pb2.ReadRequest) -> State | None:
        request.id, request.urn = id_, self.urn
        told = request.properties if request.HasField("properties") else request.inputs
        forget_what_was_read()
        found = self._serve(lambda: self._provider.read(id_, _dict(told)), request)
        if not found.id:
            return None
        return State(found.id, _dict(_struct(found.inputs or {})), _dict(_struct(found.outs)))

    def known(self) -> StackState:
        """What `pulumi stack export` would tell the provider."""
        owners: dict[ObjectKey, list[str]] = {}
        if self.state:
            owners[ObjectKey(self.kind, self.state.outputs.get("region", ""), self.state.id)] = [self.urn]
        return StackState((), owners, {self.urn: [*self.interrupted, *([self.begun] if self.begun else [])]})

    def _serve(self, call: Callable[[], Any], request: Any) -> Any:  # the bridge looks for `request` and `context`
        """Call the provider as the host does, which has the request and its context in a frame of its own."""
        if (context := self._context) is not None:
            context.reset_mock()
        _serving.resource = self
        try:
            answer = call()
        except rpc_bridge.Failure as failure:
            self.begun = None
            self._keep(context)
            raise Failed(str(failure)) from failure
        finally:
            _serving.resource = None
        self.begun = None
        return answer

    def _keep(self, context: mock.NonCallableMock | None) -> None:
        """Take what a failed operation left into the state."""
        trailers = context.set_trailing_metadata.call_args.args[0] if context else ()
        for _, value in trailers:
            for detail in status_pb2.Status.FromString(value).details:
                left = provider_pb2.ErrorResourceInitFailed()
                if detail.Unpack(left):
                    outputs, inputs = _dict(left.properties), _dict(left.inputs)
                    self.state = State(left.id, inputs, outputs, list(left.reasons))


def forget_what_was_read() -> None:
    """Let the next read ask the cloud, as in a new process of the provider's."""
    for connection in list(common._connections.values()):
        for region in set(connection._regions.values()):
            region._drop()
    catalog._catalogs.clear()
    quota._ledgers.clear()


def _go_by(config: Config, clock: Clock) -> None:
    """Let the waits of this connection go by another clock."""
    settings = Settings.from_config(config.get)
    if settings not in common._connections:
        common._connections[settings] = Connection(settings, clock=clock)


def _struct(properties: Mapping[str, Any]) -> Struct:
    # What is kept of a failed operation is sent back with the provider that the request came with.
    # Nothing in plain values has to be waited for, and an event loop for each would take longer than all the rest.
    try:
        rpc.serialize_properties({**properties, PROVIDER_KEY: "it"}, {}).send(None)
    except StopIteration as ended:
        struct: Struct = ended.value
        return struct
    raise AssertionError("a plain value that has to be waited for")


def _dict(properties: Struct, *, unknowns: bool = False) -> dict[str, Any]:
    plain: dict[str, Any] = dict(rpc.deserialize_properties(properties, unknowns))
    plain.pop(PROVIDER_KEY, None)
    return plain
