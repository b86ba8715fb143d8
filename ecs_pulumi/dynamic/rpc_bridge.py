"""Access to the gRPC request of the engine, which Pulumi's Python host does not pass to a dynamic provider.

The host passes only the properties. It drops the resource's URN and timeout, cannot record the object of a failed
`create`, shows a failure as a traceback, and serves four requests concurrently. The missing data are in local variables
on the stack of the calling thread: the servicer's frame has the request and its gRPC context, the frame of the pool's
worker has the pool. This module reads those frames; no other module does.

If a frame is not found (another SDK version, a call from a test or from another thread), the provider still works:
there is no URN and no timeout, a failure is an exception whose message is the reason, a failed `create` cannot be
recorded in the state, and four workers serve. `tests/host/test_bridge.py` tests both cases.
"""

import asyncio
import contextlib
import functools
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, cast

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from pulumi.dynamic import DiffResult
from pulumi.dynamic.dynamic import PROVIDER_KEY
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2

Severity = Literal["debug", "info", "warning", "error"]

ADDED_KEY = "__defaults"
"""The property among the inputs in the state with what settings have added to them.

The engine neither shows nor compares properties with this prefix, and the host may not pass them on.
"""
_HOST = "pulumi.dynamic.__main__"
_STATUS_TRAILER = "grpc-status-details-bin"
_REPORT_SECONDS = 5.0
_ENGINE_CHECK_SECONDS = 1.0
_REPEAT_SECONDS = 0.5
"""Seconds after which the engine has shown its own line for a failure."""
_channel_lock = threading.Lock()


class Failure(Exception):  # noqa: N818  (the last line of a traceback that a user may see)
    """A failure of a request. Its message is the one line that the user is shown."""


@dataclass(frozen=True)
class RequestContext:
    """Parameters of the current request. They have their default values if the bridge is missing."""

    urn: str = ""
    """URN of the resource."""
    timeout: float | None = None
    """Seconds from `custom_timeouts`; None if unset or unknown."""
    random_seed: bytes = b""
    """In a `check`: the seed for an automatic name, which is the same in preview and update."""
    ignore_changes: tuple[str, ...] = ()
    """In a `diff` or `update`: the property paths of the option `ignore_changes`."""
    old_inputs: Mapping[str, Any] | None = None
    """The prior inputs, secrets in clear; None if the request contains none."""
    added: Mapping[str, Any] = field(default_factory=dict)
    """What settings have added to the inputs, by input: in a `check` to the prior ones, in a `read` or an operation to
    those in the request.
    """
    preview: bool | None = None
    """Whether this is a preview; None if the request does not contain it."""
    has_state: bool = True
    """In a `read`: whether the state contains the resource. True for a refresh, False for `.get` in a program."""
    available: bool = False
    """Whether the bridge found the request."""

    @property
    def stack(self) -> str:
        """Name of the stack."""
        return self._urn_part(0).removeprefix("urn:pulumi:")

    @property
    def project(self) -> str:
        """Name of the project."""
        return self._urn_part(1)

    @property
    def kind_token(self) -> str:
        """Type of the resource without the types of its parents."""
        return self._urn_part(2).rpartition("$")[2]

    @property
    def resource(self) -> str:
        """Name of the resource in the program."""
        return self._urn_part(3)

    def _urn_part(self, index: int) -> str:
        parts = self.urn.split("::", 3)
        return parts[index] if len(parts) > index else ""


def current_request() -> RequestContext:
    """Return the parameters of the request that the calling thread serves. Never raises."""
    current = _current_rpc()
    if current is None:
        return RequestContext()
    request, _ = current
    return RequestContext(
        urn=request.urn,
        timeout=getattr(request, "timeout", None) or None,
        random_seed=getattr(request, "randomSeed", b""),
        ignore_changes=tuple(getattr(request, "ignoreChanges", ())),
        old_inputs=_old_inputs(request),
        added=_added(request),
        preview=getattr(request, "preview", None),
        has_state=not isinstance(request, provider_pb2.ReadRequest) or request.HasField("properties"),
        available=True,
    )


def fail(reason: str) -> NoReturn:
    """Fail the current request so that the user is shown only `reason`.

    Args:
        reason: One line for the user. Without the bridge it is the last line of the host's traceback.
    """
    _raise_failure(reason)


def setting_names(config: object) -> Sequence[str]:
    """Return the names of all settings of all namespaces. The SDK itself can only look up a setting by its name."""
    settings = getattr(config, "_props", None)
    return tuple(settings) if isinstance(settings, Mapping) else ()


def can_keep_state() -> bool:
    """Whether `fail_with_state` can record the resource: only in a `create` or `update`, and with the bridge."""
    current = _current_rpc()
    return current is not None and _request_inputs(current[0]) is not None


def fail_with_state(
    id_: str, properties: Mapping[str, Any], inputs: Mapping[str, Any], reasons: Sequence[str]
) -> NoReturn:
    """Fail the current `create` or `update` and record the resource in the state.

    The engine stores id, properties and reasons, shows the reasons, and in the next `up` calls `diff`, then
    `update` even if nothing changed. If `can_keep_state()` is false, this does the same as `fail`.

    Args:
        id_: Id of the existing object.
        properties: Its outputs, plain values.
        inputs: Its inputs, plain values.
        reasons: The reasons of the failure, one line each.
    """
    current, reason = _current_rpc(), "; ".join(reasons)
    request_inputs = _request_inputs(current[0]) if current else None
    if current is None or request_inputs is None:
        _raise_failure(reason)
    # The properties become the state, in which the engine looks up the provider for the next request.
    provider = {PROVIDER_KEY: request_inputs[PROVIDER_KEY]}
    added = {ADDED_KEY: values} if (values := _added_after_failure(current[0])) else {}
    details = provider_pb2.ErrorResourceInitFailed(
        id=id_,
        properties=_to_wire({**properties, **provider}),
        inputs=_to_wire({**inputs, **provider, **added}),
        reasons=reasons,
    )
    _show_reason(current[0].urn, reason)
    _raise_failure(reason, details)


_repeats: dict[str, threading.Timer] = {}
"""What shows the reason of a failure again, by URN."""


def _show_reason(urn: str, reason: str) -> None:
    """Show the reason of a failure beside the resource.

    The engine itself shows only the first line of its error, which is "1 error occurred:", until the operations on
    other resources end. The reason is shown before that line, for log files, and again after it, for terminals.
    """
    error: dict[str, Any] = {"severity": "error", "ephemeral": True}
    log(urn, reason, **error)
    repeat = threading.Timer(_REPEAT_SECONDS, log, (urn, reason), error)
    repeat.daemon = True
    _repeats[urn] = repeat
    repeat.start()


def retract_reason(urn: str) -> None:
    """Do not show the reason of a failure again, because an error hook lets the engine repeat the operation."""
    if repeat := _repeats.pop(urn, None):
        repeat.cancel()


class _Difference(DiffResult):
    """A diff result that adds the paths of the changed inputs, which the host's class does not support.

    The host copies the attributes of the result into a dictionary named `fields`, from which it makes the response.
    """

    def __init__(self, result: DiffResult, changed: Sequence[str]) -> None:
        self._delete_before_replace = result.delete_before_replace
        self._changed = list(changed)
        super().__init__(result.changes, result.replaces, result.stables)

    @property
    def delete_before_replace(self) -> bool | None:
        """As in the base class. When the host reads it, the changed inputs are added to the host's dictionary."""
        response = sys._getframe(1).f_locals.get("fields")  # noqa: SLF001
        if isinstance(response, dict) and "changes" in response:
            response["diffs"] = self._changed
        return self._delete_before_replace

    @delete_before_replace.setter
    def delete_before_replace(self, _: bool | None) -> None:
        """Ignore the assignment in the constructor of the base class."""


def difference(result: DiffResult, changed: Sequence[str]) -> DiffResult:
    """Return a diff result that also sends the paths of the changed inputs, which `replace_on_changes` needs.

    Args:
        result: The diff result.
        changed: Property paths of the changed inputs.
    """
    return _Difference(result, changed)


def log(urn: str, message: str, *, severity: Severity = "info", ephemeral: bool = False, stream: int = 0) -> None:
    """Show a line beside a resource. Does nothing without an engine. Never raises; works in any thread.

    Args:
        urn: URN of the resource.
        message: The line.
        severity: Severity; `debug` is only shown by `pulumi up --debug`.
        ephemeral: Whether the next line overwrites this one, as for a status.
        stream: Number of a message that this line continues; 0 for a message of its own.
    """
    with contextlib.suppress(Exception):
        engine = _engine()
        if engine is not None:
            level = engine_pb2.LogSeverity.Value(severity.upper())
            line = engine_pb2.LogRequest(severity=level, message=message, urn=urn, ephemeral=ephemeral, streamId=stream)
            engine.Log(line, timeout=_REPORT_SECONDS)


_warned: set[str] = set()


def warn_once(message: str) -> None:
    """Show a warning that concerns the whole run, once per run."""
    if message not in _warned:
        _warned.add(message)
        log("", message, severity="warning")


class _NeverIdle:
    """A semaphore of idle workers that is always 0, so that each request starts a thread up to the maximum.

    Before Python 3.12 a worker that continues with a queued request is counted as idle, and the next request waits
    behind it although another thread could be started.
    """

    def acquire(self, *_: object, **__: object) -> bool:
        """Return that no worker is idle."""
        return False

    def release(self) -> None:
        """Do nothing: an idle worker takes the next request from the queue without this count."""


_NEVER_IDLE = _NeverIdle()


def set_max_workers(count: int = 64) -> bool:
    """Let the host serve up to `count` requests concurrently instead of four. Can be called repeatedly.

    Returns:
        Whether the pool was found.
    """
    for reference in _locals("executor_reference"):
        pool = reference() if callable(reference) else None
        if isinstance(pool, ThreadPoolExecutor):
            pool._max_workers = max(pool._max_workers, count)  # noqa: SLF001
            pool._idle_semaphore = _NEVER_IDLE  # type: ignore[assignment]  # noqa: SLF001
            for _ in range(pool._work_queue.qsize()):  # noqa: SLF001
                # The pool starts a thread only on submission. Queued requests were submitted to the smaller pool.
                pool.submit(int)
            return True
    return False


def suppress_shutdown_traceback() -> None:
    """Let the host end without a traceback when the engine interrupts it. Can be called repeatedly.

    The host's gRPC server still accepts requests shortly after its workers have ended. The first one raises an error
    whose traceback the engine would show to the user.
    """
    threading.excepthook = _ignore_shutdown_error


@functools.cache
def end_with_engine() -> None:
    """End this process soon after the engine has ended, because no state would record its results.

    The engine ends its plug-ins itself, unless it is killed.
    """
    if _engine_address():
        threading.Thread(target=_end_with_engine, name="end with the engine", daemon=True).start()


def _end_with_engine() -> None:
    while is_listening(_engine_address()):
        time.sleep(_ENGINE_CHECK_SECONDS)
    # A request to the API that is in progress is cut off, as if this process had been killed with the engine.
    os._exit(1)


def is_listening(address: str) -> bool:
    """Whether a server listens at a local address. A refused connection is tried a second time.

    Args:
        address: Host and port.
    """
    name, _, port = address.rpartition(":")
    for pause in (_ENGINE_CHECK_SECONDS, 0.0):
        try:
            with socket.create_connection((name, int(port)), timeout=_REPORT_SECONDS):
                return True
        except ConnectionRefusedError:
            time.sleep(pause)
        except OSError:
            return True  # a timeout, for example, does not show that the server has ended
    return False


def _ignore_shutdown_error(error: threading.ExceptHookArgs) -> None:
    if not (error.exc_type is RuntimeError and "interpreter shutdown" in str(error.exc_value)):
        threading.__excepthook__(error)


def _locals(name: str) -> Iterator[Any]:
    """Yield the values of the local variable `name` in the frames of this thread, the innermost frame first."""
    frame = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if name in frame.f_code.co_varnames and name in frame.f_locals:
            yield frame.f_locals[name]
        frame = frame.f_back  # type: ignore[assignment]


def _current_rpc() -> tuple[Any, grpc.ServicerContext] | None:
    contexts = (context for context in _locals("context") if isinstance(context, grpc.ServicerContext))
    requests = (request for request in _locals("request") if isinstance(request, Message) and hasattr(request, "urn"))
    context, request = next(contexts, None), next(requests, None)
    return None if context is None or request is None else (request, context)


def _request_inputs(request: Any) -> Struct | None:
    """Return the inputs in a `create` or `update` request; None for other requests."""
    if isinstance(request, provider_pb2.CreateRequest):
        return request.properties
    if isinstance(request, provider_pb2.UpdateRequest):
        return request.news
    return None


def _old_inputs(request: Any) -> Mapping[str, Any] | None:
    name = "inputs" if isinstance(request, provider_pb2.ReadRequest) else "old_inputs"
    if name not in request.DESCRIPTOR.fields_by_name or not request.HasField(name):
        return None
    plain, _ = rpc.deserialize_properties_unwrap_secrets(getattr(request, name), keep_unknowns=True)
    return cast("Mapping[str, Any]", plain)


def _added(request: Any) -> Mapping[str, Any]:
    """Return what settings have added to the inputs in a request; nothing for a request without inputs."""
    inputs: Struct | None
    if isinstance(request, provider_pb2.CheckRequest):
        inputs = request.olds
    elif isinstance(request, provider_pb2.ReadRequest):
        inputs = request.inputs
    else:
        inputs = _request_inputs(request)
    return _added_to(inputs)


def _added_after_failure(request: Any) -> Mapping[str, Any]:
    """Return what settings have added to the inputs of an operation, and to the prior ones, which it may have kept."""
    prior = _added_to(request.old_inputs) if isinstance(request, provider_pb2.UpdateRequest) else {}
    added = {**_added(request)}
    for name, value in prior.items():
        if name in added and isinstance(value, list):
            added[name] = [*value, *(item for item in added[name] if item not in value)]
        else:
            added[name] = {**value, **added.get(name, {})} if isinstance(value, dict) else value
    return added


def _added_to(inputs: Struct | None) -> Mapping[str, Any]:
    if inputs is None or ADDED_KEY not in inputs:
        return {}
    plain, _ = rpc.deserialize_properties_unwrap_secrets(cast("Struct", inputs[ADDED_KEY]), keep_unknowns=True)
    return cast("Mapping[str, Any]", plain)


def _to_wire(properties: Mapping[str, Any]) -> Struct:
    return asyncio.run(rpc.serialize_properties(dict(properties), {}))


def _raise_failure(message: str, *details: Message) -> NoReturn:
    current = _current_rpc()
    if current is not None:
        # The host returns the traceback of an exception as the error message. If this trailer is present, the engine
        # takes message and details from the trailer instead.
        _, context = current
        packed = [any_pb2.Any() for _ in details]
        for any_, detail in zip(packed, details, strict=True):
            any_.Pack(detail)
        status = _status_class()(
            code=grpc.StatusCode.UNKNOWN.value[0],
            message=message,
            details=[any_.SerializeToString() for any_ in packed],
        )
        context.set_trailing_metadata(((_STATUS_TRAILER, status.SerializeToString()),))
    # `from None` keeps the cause, which may contain secrets, out of the traceback that the host sends.
    raise Failure(message) from None


@functools.cache
def _status_class() -> Any:
    """Return a message class with the wire format of `google.rpc.Status`, which would be another dependency."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="ecs_pulumi/status.proto", syntax="proto3")
    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    status.field.add(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    status.field.add(name="details", number=3, type=field.TYPE_BYTES, label=field.LABEL_REPEATED)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Status"))


def _engine_address() -> str:
    """Return the address of the engine; empty if this process is not a plug-in of the engine."""
    main = getattr(sys.modules["__main__"], "__spec__", None)
    # The engine may put flags before its address.
    return sys.argv[-1] if main is not None and main.name == _HOST else ""


def _engine() -> engine_pb2_grpc.EngineStub | None:
    address = _engine_address()
    if not address:
        return None
    with _channel_lock:
        return _open(address)


@functools.cache
def _open(address: str) -> engine_pb2_grpc.EngineStub:
    # Do not use the proxy that is configured for the cloud: the engine is on this machine.
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]))
