"""Run single resource operations as the Pulumi engine does, in this process and without other costs than API calls.

    disk = Resource("Volume", {"ecs:cloud": "demo"})
    disk.up(size=1)
    assert disk.preview(size=2) == Step("update", {"size"})
    disk.up(size=2)
    disk.refresh()
    disk.destroy()

Requests and responses are serialized in the wire format, and the provider finds the current request in its stack
frames, as under the host of the SDK.
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
from ecs_pulumi.dynamic import provider, rpc_bridge, run, state
from ecs_pulumi.dynamic.handler import OperationContext, get_handler
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.dynamic.provider import Provider
from ecs_pulumi.dynamic.state import Owner, StackState
from ecs_pulumi.resources import catalog, clients, missing_attributes, orphan_search, planned, quota

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from google.protobuf.struct_pb2 import Struct
    from pulumi.dynamic import DiffResult

    from ecs_pulumi.cloud.clock import Clock

PROJECT, STACK = "fields", "test"
TIMEOUT = 300.0
UNKNOWN = Unknown()  # type: ignore[no-untyped-call]
"""A value that is unknown during a preview."""


@dataclass(frozen=True)
class Step:
    """The operation that an `up` performs, or that a preview shows.

    Attributes:
        op: `create`, `same`, `update` or `replace`.
        inputs: The inputs that the display names: those that changed, or those that require the replacement.
        delete_first: Whether a replacement deletes the prior object before it creates the new one.
    """

    op: str
    inputs: frozenset[str] = frozenset()
    delete_first: bool = False


SAME = Step("same")


def updates(*inputs: str) -> Step:
    """Return an update because of these inputs."""
    return Step("update", frozenset(inputs))


@dataclass
class State:
    """The entry of a resource in the state."""

    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    failures: list[str] = field(default_factory=list)
    """Why the last operation failed; the next `up` then updates the resource even if no input changed."""


class Refused(Exception):  # noqa: N818  (the program is invalid, the test is not)
    """The check rejected the inputs.

    Attributes:
        failures: The reasons, each with its property.
        reasons: The last reason by property.
    """

    def __init__(self, failures: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in failures))
        self.failures = list(failures)
        self.reasons = dict(failures)


class Failed(Exception):  # noqa: N818  (an operation failed, the test did not)
    """An operation failed with this message for the user."""


class _Serving(threading.local):
    """The resource whose request the calling thread serves."""

    resource: Resource | None = None


_serving = _Serving()
_original_read, _original_fingerprint = state.read, state.backend_fingerprint


def _read_state(project: str, name: str) -> StackState:
    return _serving.resource.stack_state() if _serving.resource else _original_read(project, name)


def _read_fingerprint() -> str:
    return _serving.resource.backend if _serving.resource else _original_fingerprint()


# Patched once and never restored, because several threads serve requests at the same time.
state.read, state.backend_fingerprint = _read_state, _read_fingerprint


class Resource:
    """One resource of a stack.

    Attributes:
        state: The entry of the resource in the state; None if the state has none.
        log: The operations that were sent to the provider since the start of the last `up`, such as `delete`, `create`.
        pending_create: The inputs of a create without a response; the engine records them before it sends the request.
        backend: The fingerprint of the backend that stores the state; empty if it is unknown.
        ignore_changes: The inputs of the resource option `ignore_changes`.
        others: The entries of other resources in the state, as `pulumi stack export` writes them.
        interrupted: The inputs of creates that were running when the engine was killed; the state keeps them.
        stack: The name of the stack.
    """

    def __init__(
        self, kind: str, config: Mapping[str, str], name: str = "it", *, bridge: bool = True, clock: Clock | None = None
    ) -> None:
        self.kind = kind
        self.name = name
        self.state: State | None = None
        self.log: list[str] = []
        self.pending_create: dict[str, Any] | None = None
        self.backend = ""
        self.ignore_changes: tuple[str, ...] = ()
        self.others: list[dict[str, Any]] = []
        self.interrupted: list[dict[str, Any]] = []
        self.stack = STACK
        self._context = mock.NonCallableMock(spec=grpc.ServicerContext) if bridge else None
        self._provider = Provider(kind)
        self._config = Config(raw_config=dict(config), project_name=PROJECT)
        if clock is not None:
            _use_clock(self._config, clock)
        self._provider.configure(ConfigureRequest(config=self._config))

    @property
    def urn(self) -> str:
        """The URN of the resource."""
        return f"urn:pulumi:{self.stack}::{PROJECT}::pulumi-python:dynamic/ecs:{self.kind}::{self.name}"

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
        """Return the step that an `up` would perform. Raises Refused."""
        self._start_command()
        return self._plan(inputs)[0]

    def up(self, **inputs: Any) -> Step:
        """Check and diff the inputs, and perform the step. Raises Refused or Failed."""
        self._start_command()
        step, checked = self._plan(inputs)
        prior = self.state
        if prior is None:
            self._create(checked)
        elif step.op == "same":
            prior.inputs = checked
        elif step.op == "update":
            self._update(prior, checked)
        else:
            # The engine checks the inputs of a replacement without the prior ones, so computed names change.
            checked = self._check({}, inputs)
            if step.delete_first:
                self._delete(prior)
                self.state = None
                self._create(checked)
            else:
                self._create(checked)
                self._delete(prior)
        return step

    def refresh(self) -> None:
        """Read the object; remove it from the state if it does not exist any more."""
        prior = self.state
        assert prior is not None
        request = provider_pb2.ReadRequest(properties=_struct(prior.outputs), inputs=_struct(prior.inputs))
        result = self._read(prior.id, request)
        self.state = None if result is None else State(result.id, result.inputs or prior.inputs, result.outputs)
        if self.state is not None:
            # To show what the refresh changed, the engine compares the prior inputs with the new state.
            self._diff(self.state, prior.inputs)

    def get(self, id_: str, **inputs: Any) -> State:
        """Read an object that the stack does not manage, as the static method `get` of a resource class does."""
        result = self._read(id_, provider_pb2.ReadRequest(inputs=_struct(inputs)))
        if result is None:
            raise Failed(f"there is no {id_}")
        return result

    def destroy(self) -> None:
        """Delete the object, if the state has one."""
        if self.state is not None:
            self._start_command()
            self._delete(self.state)
            self.state = None

    def forget(self) -> None:
        """Remove the object from the state, and leave it in the cloud."""
        self.state = None

    def _start_command(self) -> None:
        self.log.clear()
        # Each Pulumi command starts a new provider process, whose caches are empty.
        provider._existing.discard(self.urn)
        OWNERSHIP.clear()
        clear_caches()

    def _plan(self, inputs: Mapping[str, Any]) -> tuple[Step, dict[str, Any]]:
        prior = self.state
        if prior is not None:
            inputs = {**inputs, **{name: prior.inputs.get(name) for name in self.ignore_changes}}
        checked = self._check(prior.inputs if prior else {}, inputs)
        if prior is None:
            return Step("create"), checked
        result = self._diff(prior, checked)
        if result.replaces:
            return Step("replace", frozenset(result.replaces), bool(result.delete_before_replace)), checked
        if result.changes or prior.failures:
            names = {name for name in (*prior.inputs, *checked) if not name.startswith("__")}
            return updates(*(name for name in names if prior.inputs.get(name) != checked.get(name))), checked
        return SAME, checked

    def _diff(self, prior: State, desired: Mapping[str, Any]) -> DiffResult:
        request = provider_pb2.DiffRequest(
            id=prior.id,
            urn=self.urn,
            olds=_struct(prior.outputs),
            news=_struct(desired),
            old_inputs=_struct(prior.inputs),
            ignoreChanges=self.ignore_changes,
        )
        olds, news = _dict(request.olds, unknowns=True), _dict(request.news, unknowns=True)
        result: DiffResult = self._serve(lambda: self._provider.diff(prior.id, olds, news), request)
        return result

    def _check(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        request = provider_pb2.CheckRequest(
            urn=self.urn, olds=_struct(olds), news=_struct(news), randomSeed=secrets.token_bytes(32)
        )
        prior, desired = _dict(request.olds, unknowns=True), _dict(request.news, unknowns=True)
        result = self._serve(lambda: self._provider.check(prior, desired), request)
        if result.failures:
            raise Refused([(failure.property, failure.reason) for failure in result.failures])
        return _dict(_struct(result.inputs), unknowns=True)

    def _create(self, inputs: dict[str, Any]) -> None:
        self.log.append("create")
        self.pending_create = inputs
        request = provider_pb2.CreateRequest(urn=self.urn, properties=_struct(inputs), timeout=TIMEOUT)
        result = self._serve(lambda: self._provider.create(_dict(request.properties)), request)
        self.state = State(result.id, inputs, _dict(_struct(result.outs)))

    def _update(self, prior: State, inputs: dict[str, Any]) -> None:
        self.log.append("update")
        request = provider_pb2.UpdateRequest(
            id=prior.id,
            urn=self.urn,
            olds=_struct(prior.outputs),
            news=_struct(inputs),
            old_inputs=_struct(prior.inputs),
            ignoreChanges=self.ignore_changes,
            timeout=TIMEOUT,
        )
        result = self._serve(lambda: self._provider.update(prior.id, _dict(request.olds), _dict(request.news)), request)
        self.state = State(prior.id, inputs, _dict(_struct(result.outs)))

    def _delete(self, prior: State) -> None:
        self.log.append("delete")
        request = provider_pb2.DeleteRequest(
            id=prior.id,
            urn=self.urn,
            properties=_struct(prior.outputs),
            old_inputs=_struct(prior.inputs),
            timeout=TIMEOUT,
        )
        self._serve(lambda: self._provider.delete(prior.id, _dict(request.properties)), request)

    def _read(self, id_: str, request: provider_pb2.ReadRequest) -> State | None:
        request.id, request.urn = id_, self.urn
        properties = request.properties if request.HasField("properties") else request.inputs
        clear_caches()
        result = self._serve(lambda: self._provider.read(id_, _dict(properties)), request)
        if not result.id:
            return None
        return State(result.id, _dict(_struct(result.inputs or {})), _dict(_struct(result.outs)))

    def stack_state(self) -> StackState:
        """The state that the provider would read from `pulumi stack export`."""
        owners: dict[ObjectKey, list[Owner]] = {}
        if self.state:
            outputs = self.state.outputs
            key = ObjectKey(self.kind, outputs.get("region", ""), self.state.id)
            owners[key] = [Owner(self.urn, outputs.get("cloud"))]
        pending = [self.pending_create] if self.pending_create else []
        return StackState(self.others, owners, {self.urn: [*self.interrupted, *pending]})

    def _serve(self, call: Callable[[], Any], request: Any) -> Any:  # the rpc_bridge looks for `request` and `context`
        """Call the provider as the host does: with the request and its gRPC context in the calling frame."""
        if (context := self._context) is not None:
            context.reset_mock()
        outer, _serving.resource = _serving.resource, self
        try:
            result = call()
        except rpc_bridge.Failure as failure:
            self.pending_create = None
            self._record_failure(context)
            raise Failed(str(failure)) from failure
        finally:
            _serving.resource = outer
        self.pending_create = None
        return result

    def _record_failure(self, context: mock.NonCallableMock | None) -> None:
        """Write the partial result of a failed operation into the state."""
        trailers = context.set_trailing_metadata.call_args.args[0] if context else ()
        for _, value in trailers:
            for detail in status_pb2.Status.FromString(value).details:
                partial = provider_pb2.ErrorResourceInitFailed()
                if detail.Unpack(partial):
                    outputs, inputs = _dict(partial.properties), _dict(partial.inputs)
                    self.state = State(partial.id, inputs, outputs, list(partial.reasons))


def context_of_create(
    kind: str,
    resource: str,
    config: Mapping[str, str],
    inputs: Mapping[str, Any] | None = None,
    *,
    project: str = PROJECT,
    stack: str = STACK,
) -> OperationContext[Any]:
    """Return the context with which the provider calls the handler of a kind to create an object.

    Args:
        kind: The kind.
        resource: The name of the resource.
        config: The settings of the stack.
        inputs: The inputs. Default: none.
        project: The project.
        stack: The stack.
    """
    return OperationContext(
        verb="create",
        kind=kind,
        resource=resource,
        connect=lambda: get_handler(kind).connect(config.get, None, 60),
        timeout=60,
        project=project,
        stack=stack,
        inputs={} if inputs is None else inputs,
    )


def clear_caches() -> None:
    """Clear the caches of the provider and what it has learned, so that it starts as in a new process."""
    run._failed.clear()
    for connection in list(clients._connections.values()):
        for region in set(connection._regions.values()):
            region._drop()
            region.differences._facts.clear()
    shared = (catalog.catalog, planned.planned, quota._tracker, orphan_search._by_region, missing_attributes._warned)
    for per_region in shared:
        per_region._objects.clear()


def _use_clock(config: Config, clock: Clock) -> None:
    """Let the connection of these settings measure its waits with another clock."""
    settings = Settings.from_config(config.get)
    if settings not in clients._connections:
        clients._connections[settings] = Connection(settings, clock=clock)


def _struct(properties: Mapping[str, Any]) -> Struct:
    # A failed operation returns the serialized provider of its request, so the properties need one.
    # Plain values contain no awaitable, so the coroutine ends at once; an event loop for each call would be slow.
    try:
        rpc.serialize_properties({**properties, PROVIDER_KEY: "it"}, {}).send(None)
    except StopIteration as result:
        struct: Struct = result.value
        return struct
    raise AssertionError("the properties contain an awaitable value")


def _dict(properties: Struct, *, unknowns: bool = False) -> dict[str, Any]:
    plain: dict[str, Any] = dict(rpc.deserialize_properties(properties, unknowns))
    plain.pop(PROVIDER_KEY, None)
    return plain
