"""What Pulumi's Python host knows about a request and does not pass on to a dynamic provider.

The host hands a provider nothing but properties. It drops the resource's URN and timeout, has no way to keep
what a failed `create` left behind, shows every failure as a page of traceback, and serves four requests at a
time. Yet all of it is on the stack of the thread that calls the provider: the servicer's frame holds the
request and its gRPC context, the pool's worker frame holds the pool. This module, and no other, looks there.

Where such a frame is not found (another SDK, a call from a test or from a thread of one's own) nothing
breaks: there is no URN and no timeout, a failure is an exception whose message is the reason, what was
created cannot be kept in the state, and four workers serve. `tests/rpc_bridge` holds both ways.
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
from dataclasses import dataclass
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

_HOST = "pulumi.dynamic.__main__"
_STATUS_TRAILER = "grpc-status-details-bin"
_REPORT_SECONDS = 5.0
_ENGINE_LOOK_SECONDS = 1.0
_AFTER_THE_ENGINE = 0.5
"""Seconds after which the engine has shown its own line for a failure."""
_opening = threading.Lock()


class Failure(Exception):  # noqa: N818  (the last line of a traceback that a user may see)
    """A failure that has been told in its one line; nothing else about it is of use to the user."""


@dataclass(frozen=True)
class RequestContext:
    """What the request in flight still knows. Values are empty where the bridge is missing."""

    urn: str = ""
    """The resource's URN."""
    timeout: float | None = None
    """Seconds from `custom_timeouts`; None if unset or unknown."""
    random_seed: bytes = b""
    """On `check`: the seed that makes an automatic name stable."""
    ignore_changes: tuple[str, ...] = ()
    """Property paths the program asks to ignore, on `diff` and `update`."""
    old_inputs: Mapping[str, Any] | None = None
    """The inputs in the state, secrets in clear; None where the request carries none."""
    preview: bool | None = None
    """Whether this is a preview, where the request says so."""
    has_state: bool = True
    """On `read`: whether the state has the resource, as in a refresh; a program that says `.get` has read it alone."""
    available: bool = False
    """Whether the bridge works here."""

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
        """Type of the resource, without its parents' types."""
        return self._urn_part(2).rpartition("$")[2]

    @property
    def resource(self) -> str:
        """Name of the resource in the program."""
        return self._urn_part(3)

    def _urn_part(self, index: int) -> str:
        parts = self.urn.split("::", 3)
        return parts[index] if len(parts) > index else ""


def current_request() -> RequestContext:
    """What is known about the request that the calling thread serves. Never raises."""
    in_flight = _in_flight()
    if in_flight is None:
        return RequestContext()
    request, _ = in_flight
    return RequestContext(
        urn=request.urn,
        timeout=getattr(request, "timeout", None) or None,
        random_seed=getattr(request, "randomSeed", b""),
        ignore_changes=tuple(getattr(request, "ignoreChanges", ())),
        old_inputs=_old_inputs(request),
        preview=getattr(request, "preview", None),
        has_state=not isinstance(request, provider_pb2.ReadRequest) or request.HasField("properties"),
        available=True,
    )


def fail(reason: str) -> NoReturn:
    """Fail the request in flight so that the user is shown `reason` and nothing else.

    Args:
        reason: One line for the user. Without the bridge it is the last line of the host's traceback.
    """
    _end_with(reason)


def setting_names(config: object) -> Sequence[str]:
    """The names of all settings that the engine sent, of every namespace; the SDK only answers for a known name."""
    settings = getattr(config, "_props", None)
    return tuple(settings) if isinstance(settings, Mapping) else ()


def can_keep_state() -> bool:
    """Whether `fail_with_state` can record the resource from here: in a `create` or an `update`."""
    in_flight = _in_flight()
    return in_flight is not None and _asked(in_flight[0]) is not None


def fail_with_state(
    id_: str, properties: Mapping[str, Any], inputs: Mapping[str, Any], reasons: Sequence[str]
) -> NoReturn:
    """Fail the `create` or `update` in flight and record the resource as it stands.

    The engine stores id, properties and reasons, shows the reasons, and on the next `up` calls `diff`, then
    `update` even if nothing changed. Only where `can_keep_state()`: elsewhere it is no more than `fail`.

    Args:
        id_: Id of the object that exists.
        properties: Its outputs, plain values.
        inputs: The inputs it was asked with, plain values.
        reasons: What went wrong, one line each.
    """
    in_flight, reason = _in_flight(), "; ".join(reasons)
    asked = _asked(in_flight[0]) if in_flight else None
    if in_flight is None or asked is None:
        _end_with(reason)
    # The engine finds the provider of the next request in the state, and the state is what is sent here.
    provider = {PROVIDER_KEY: asked[PROVIDER_KEY]}
    details = provider_pb2.ErrorResourceInitFailed(
        id=id_,
        properties=_to_wire({**properties, **provider}),
        inputs=_to_wire({**inputs, **provider}),
        reasons=reasons,
    )
    _show_reason(in_flight[0].urn, reason)
    _end_with(reason, details)


def _show_reason(urn: str, reason: str) -> None:
    """Show why a resource failed, where the engine shows only the first line of what it makes of the reasons.

    That line is "1 error occurred:". It comes when the engine has the answer, and stays beside the resource as long as
    others are worked on; so the reason is shown before it, for a file, and again after it, for a terminal.
    """
    error: dict[str, Any] = {"severity": "error", "ephemeral": True}
    log(urn, reason, **error)
    again = threading.Timer(_AFTER_THE_ENGINE, log, (urn, reason), error)
    again.daemon = True
    again.start()


class _Difference(DiffResult):
    """A diff that also tells which inputs changed, which the host's own class has no place for.

    The host copies its fields into a dictionary named `fields` and makes the response of that.
    """

    def __init__(self, result: DiffResult, changed: Sequence[str]) -> None:
        self._first = result.delete_before_replace
        self._changed = list(changed)
        super().__init__(result.changes, result.replaces, result.stables)

    @property
    def delete_before_replace(self) -> bool | None:
        """As in the base class; where the host reads it, the changed inputs go along."""
        response = sys._getframe(1).f_locals.get("fields")  # noqa: SLF001
        if isinstance(response, dict) and "changes" in response:
            response["diffs"] = self._changed
        return self._first

    @delete_before_replace.setter
    def delete_before_replace(self, _: bool | None) -> None:
        """The base class sets it before it is known."""


def difference(result: DiffResult, changed: Sequence[str]) -> DiffResult:
    """The result of a diff from which the engine also learns which inputs changed, as `replace_on_changes` needs.

    Args:
        result: The result.
        changed: Names of the inputs that changed.
    """
    return _Difference(result, changed)


def log(urn: str, message: str, *, severity: Severity = "info", ephemeral: bool = False) -> None:
    """Show a line beside a resource; nothing where no engine listens. Never raises, works in any thread.

    Args:
        urn: URN of the resource.
        message: The line.
        severity: `debug` is shown by `pulumi up --debug` only.
        ephemeral: The line is a status that the next one overwrites, not a message to keep.
    """
    with contextlib.suppress(Exception):
        engine = _engine()
        if engine is not None:
            level = engine_pb2.LogSeverity.Value(severity.upper())
            line = engine_pb2.LogRequest(severity=level, message=message, urn=urn, ephemeral=ephemeral)
            engine.Log(line, timeout=_REPORT_SECONDS)


_warned: set[str] = set()


def warn_once(message: str) -> None:
    """A warning of the whole run, shown once however many resources it concerns."""
    if message not in _warned:
        _warned.add(message)
        log("", message, severity="warning")


class _NeverIdle:
    """A count of idle workers that is always 0, so that every request starts a thread while there may be more.

    Before Python 3.12 a worker counts as idle also when it goes on with a request that waited, and the next
    request then stands in line behind a busy one.
    """

    def acquire(self, *_: object, **__: object) -> bool:
        """No worker is idle."""
        return False

    def release(self) -> None:
        """Whoever is idle takes the next request in any case."""


_NEVER_IDLE = _NeverIdle()


def set_max_workers(count: int = 64) -> bool:
    """Let the host serve `count` requests at a time, as many as `--parallel` asks for, and not four.

    Returns:
        Whether the pool was found. Can be called again at no harm.
    """
    for reference in _locals("executor_reference"):
        pool = reference() if callable(reference) else None
        if isinstance(pool, ThreadPoolExecutor):
            pool._max_workers = max(pool._max_workers, count)  # noqa: SLF001
            pool._idle_semaphore = _NEVER_IDLE  # type: ignore[assignment]  # noqa: SLF001
            for _ in range(pool._work_queue.qsize()):  # noqa: SLF001
                # Only a submission starts a thread, and what waits already was submitted to the smaller pool.
                pool.submit(int)
            return True
    return False


def suppress_shutdown_traceback() -> None:
    """Let the host end without a traceback when the engine interrupts it. Can be called again at no harm.

    Its gRPC server goes on taking requests for a moment after its workers are gone, and dies of the first one
    with a traceback that the engine shows to the user.
    """
    threading.excepthook = _tell_unless_ending


@functools.cache
def end_with_engine() -> None:
    """End this process soon after its engine is gone: its results would reach no state, and its waits would never end.

    The engine ends its plug-ins itself, unless it is killed.
    """
    if _engine_address():
        threading.Thread(target=_end_with_engine, name="end with the engine", daemon=True).start()


def _end_with_engine() -> None:
    while is_listening(_engine_address()):
        time.sleep(_ENGINE_LOOK_SECONDS)
    # A request that is on its way is answered or not, as if this process had been killed with the engine.
    os._exit(1)


def is_listening(address: str) -> bool:
    """Whether a server listens at an address of this machine, in two looks.

    Args:
        address: Host and port.
    """
    name, _, port = address.rpartition(":")
    for pause in (_ENGINE_LOOK_SECONDS, 0.0):
        try:
            with socket.create_connection((name, int(port)), timeout=_REPORT_SECONDS):
                return True
        except ConnectionRefusedError:
            time.sleep(pause)
        except OSError:
            return True  # too busy to answer is not gone
    return False


def _tell_unless_ending(failed: threading.ExceptHookArgs) -> None:
    if not (failed.exc_type is RuntimeError and "interpreter shutdown" in str(failed.exc_value)):
        threading.__excepthook__(failed)


def _locals(name: str) -> Iterator[Any]:
    """The values of the local variable `name` in the frames of this thread, the innermost first."""
    frame = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if name in frame.f_code.co_varnames and name in frame.f_locals:
            yield frame.f_locals[name]
        frame = frame.f_back  # type: ignore[assignment]


def _in_flight() -> tuple[Any, grpc.ServicerContext] | None:
    contexts = (context for context in _locals("context") if isinstance(context, grpc.ServicerContext))
    requests = (request for request in _locals("request") if isinstance(request, Message) and hasattr(request, "urn"))
    context, request = next(contexts, None), next(requests, None)
    return None if context is None or request is None else (request, context)


def _asked(request: Any) -> Struct | None:
    """The inputs that a `create` or an `update` was sent with."""
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


def _to_wire(properties: Mapping[str, Any]) -> Struct:
    return asyncio.run(rpc.serialize_properties(dict(properties), {}))


def _end_with(message: str, *details: Message) -> NoReturn:
    in_flight = _in_flight()
    if in_flight is not None:
        # The host answers any exception with its traceback as the message. Where this trailer stands beside
        # it, the engine takes message and details from the trailer.
        _, context = in_flight
        packed = [any_pb2.Any() for _ in details]
        for any_, detail in zip(packed, details, strict=True):
            any_.Pack(detail)
        status = _status_class()(
            code=grpc.StatusCode.UNKNOWN.value[0],
            message=message,
            details=[any_.SerializeToString() for any_ in packed],
        )
        context.set_trailing_metadata(((_STATUS_TRAILER, status.SerializeToString()),))
    # The cause stays out of the traceback that the host sends: what it says was written for nobody's eyes.
    raise Failure(message) from None


@functools.cache
def _status_class() -> Any:
    """`google.rpc.Status`, the same on the wire; its own class would be a dependency for three fields."""
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
    """Where the engine listens; empty where this is no process of the engine's."""
    main = getattr(sys.modules["__main__"], "__spec__", None)
    # Flags of the engine's own may stand before its address.
    return sys.argv[-1] if main is not None and main.name == _HOST else ""


def _engine() -> engine_pb2_grpc.EngineStub | None:
    address = _engine_address()
    if not address:
        return None
    with _opening:
        return _open(address)


@functools.cache
def _open(address: str) -> engine_pb2_grpc.EngineStub:
    # A proxy for the cloud is no way to a neighbour on this machine.
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]))
