"""A test harness for Pulumi's Python host: it starts the plugin process, an engine server, and sends the RPCs.

    with Plugin({"ecs:region": "eu-de"}) as plugin:
        server = plugin.serve(Provider("Server"), "pulumi-python:dynamic/ecs:Server")
        inputs = server.check("web", {"flavor": "s1.small"})
        created = server.create("web", inputs, timeout=60)
        with pytest.raises(Failed) as failed:
            server.update("web", created.id, created.properties, {**inputs, "flavor": "x1.huge"})
        assert failed.value.reasons == [...]

Properties are passed and returned as plain values. The harness adds the property `__provider` to each request and
requires it in each response, as the engine does. It interprets responses in the same way as the engine.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import PROVIDER_KEY, serialize_provider
from pulumi.output import Unknown
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc
from typing_extensions import Self

REPOSITORY = Path(__file__).parents[2]
STACK, PROJECT = "dev", "demo"
RPC_SECONDS = 60.0
HOST = ("-u", "-m", "pulumi.dynamic")
"""Arguments of Python to run the host, as in `pulumi-resource-pulumi-python`."""
RENAMED_HOST = ("-u", str(Path(__file__).with_name("renamed_host.py")))
"""The same host with other names of its local variables, so that the bridge finds no request."""
UNKNOWN = Unknown()  # type: ignore[no-untyped-call]
"""An unknown value, as in a preview."""


def secret(value: Any) -> Any:
    """Return the value as a secret in the engine's wire format."""
    return rpc.wrap_rpc_secret(value)


class Failed(Exception):  # noqa: N818  (the result of an RPC, not an error of the test)
    """A failed RPC, as the engine interprets it."""

    def __init__(self, error: grpc.RpcError, provider: str) -> None:
        self.traceback = str(error.details())
        """The error message that the host sent."""
        self.message = self.traceback
        """The message that the user is shown."""
        self.recorded = False
        """Whether the resource is recorded in the state."""
        self.id = ""
        self.properties: dict[str, Any] = {}
        self.inputs: dict[str, Any] = {}
        self.reasons: list[str] = []
        trailers = {item.key: item.value for item in error.trailing_metadata() or ()}
        status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
        if status.code == error.code().value[0]:
            self.message = status.message
            for detail in status.details:
                self._record(detail, provider)
        super().__init__(self.message)

    def _record(self, detail: Any, provider: str) -> None:
        init = provider_pb2.ErrorResourceInitFailed()
        if detail.Unpack(init):
            self.recorded = True
            self.id = init.id
            self.properties = _plain(init.properties, provider)
            self.inputs = _plain(init.inputs, provider)
            self.reasons = list(init.reasons)


@dataclass(frozen=True)
class ResourceState:
    """The response to a create or a read."""

    id: str
    properties: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """The response to a diff."""

    changes: bool | None
    replaces: list[str]
    delete_before_replace: bool


class BadInputs(Exception):  # noqa: N818  (likewise)
    """A check with failures: the reasons by property."""

    def __init__(self, failures: Mapping[str, str], inputs: dict[str, Any]) -> None:
        super().__init__(failures)
        self.failures = failures
        self.inputs = inputs


class Engine(engine_pb2_grpc.EngineServicer):
    """A server with the engine's RPCs that stores the log lines it receives."""

    def __init__(self) -> None:
        self.lines: list[engine_pb2.LogRequest] = []
        self._root = ""
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self._server)  # type: ignore[no-untyped-call,unused-ignore]
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.stop(None).wait()

    def Log(self, request: engine_pb2.LogRequest, _context: Any) -> Empty:  # noqa: N802
        """Store a log line."""
        self.lines.append(request)
        return Empty()

    def GetRootResource(self, _request: Any, _context: Any) -> engine_pb2.GetRootResourceResponse:  # noqa: N802
        """Return the URN of the stack."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, _context: Any) -> engine_pb2.SetRootResourceResponse:  # noqa: N802
        """Store the URN of the stack."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()


class Plugin:
    """A configured plugin process, as for one run."""

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        command: Sequence[str] = HOST,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start the process.

        Args:
            config: The stack's configuration by full key, such as `ecs:region`.
            command: Arguments of Python; `RENAMED_HOST` for a host in which the bridge finds no request.
            env: Environment variables in addition to those of this process.
        """
        with contextlib.ExitStack() as closing:
            self.engine = Engine()
            closing.callback(self.engine.close)
            self._errors = closing.enter_context(tempfile.TemporaryFile("w+"))
            self._process = subprocess.Popen(
                [sys.executable, *command, self.engine.address],
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**os.environ, "PULUMI_PROJECT": PROJECT, "PYTHONPATH": str(REPOSITORY), **(env or {})},
                text=True,
            )
            closing.callback(self._stop)
            channel = closing.enter_context(self._connect())
            self.stub = provider_pb2_grpc.ResourceProviderStub(channel)
            self.call(self.stub.Configure, provider_pb2.ConfigureRequest(args=_struct(config or {})))
            self._closing = closing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def serve(self, provider: ResourceProvider, resource_type: str = "pulumi-python:dynamic/ecs:Probe") -> "Served":
        """Return a provider as served by this process, for resources of one type."""
        return Served(self, serialize_provider(provider), resource_type)

    def printed(self) -> str:
        """Return the standard error of the process, which the engine shows to the user."""
        self._errors.seek(0)
        return self._errors.read()

    def call(self, method: Callable[..., Any], request: Any, provider: str = "") -> Any:
        """Send an RPC. An error is raised as the engine interprets it."""
        try:
            return method(request, timeout=RPC_SECONDS)
        except grpc.RpcError as error:
            raise Failed(error, provider) from None

    def _connect(self) -> grpc.Channel:
        watchdog = threading.Timer(RPC_SECONDS, self._process.kill)
        watchdog.start()
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        watchdog.cancel()
        if not port:
            raise AssertionError(f"the plugin did not start: {self.printed()}")
        # The engine accepts headers of 16 MiB; a Python client has a lower default.
        sizes = [("grpc.max_metadata_size", 2**24), ("grpc.absolute_max_metadata_size", 2**24)]
        return grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0), *sizes])

    def _stop(self) -> None:
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()


@dataclass(frozen=True)
class Served:
    """The resources of one type that a provider serves, with one method per RPC."""

    plugin: Plugin
    pickle: str
    """The value of `__provider` in the state."""
    resource_type: str

    def urn(self, name: str) -> str:
        """Return the URN of the resource with this name."""
        return f"urn:pulumi:{STACK}::{PROJECT}::{self.resource_type}::{name}"

    def check(
        self,
        name: str,
        news: Mapping[str, Any],
        olds: Mapping[str, Any] | None = None,
        *,
        random_seed: bytes = b"seed of the resource",
    ) -> dict[str, Any]:
        """Check the inputs and return them in the provider's normal form.

        Raises:
            BadInputs: The check has failures.
        """
        prior = self._wire(olds) if olds is not None else None
        request = provider_pb2.CheckRequest(
            urn=self.urn(name), olds=prior, news=self._wire(news), randomSeed=random_seed
        )
        response = self._call(self.plugin.stub.Check, request)
        inputs = _plain(response.inputs, self.pickle)
        if response.failures:
            raise BadInputs({failure.property: failure.reason for failure in response.failures}, inputs)
        return inputs

    def diff(
        self,
        name: str,
        id_: str,
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
        *,
        old_inputs: Mapping[str, Any] | None = None,
        ignore_changes: Sequence[str] = (),
    ) -> Difference:
        """Compare the prior outputs with the desired inputs."""
        request = provider_pb2.DiffRequest(
            id=id_,
            urn=self.urn(name),
            olds=self._wire(olds),
            news=self._wire(news),
            ignoreChanges=ignore_changes,
            old_inputs=self._wire(old_inputs) if old_inputs is not None else None,
        )
        response = self._call(self.plugin.stub.Diff, request)
        changes = {response.DIFF_SOME: True, response.DIFF_NONE: False}.get(response.changes)
        return Difference(changes, list(response.replaces), response.deleteBeforeReplace)

    def create(
        self, name: str, inputs: Mapping[str, Any], *, timeout: float = 0, preview: bool = False
    ) -> ResourceState:
        """Create the resource. `timeout` is in seconds, 0 if the program sets none."""
        request = provider_pb2.CreateRequest(
            urn=self.urn(name), properties=self._wire(inputs), timeout=timeout, preview=preview
        )
        response = self._call(self.plugin.stub.Create, request)
        return ResourceState(response.id, _plain(response.properties, self.pickle))

    def read(
        self,
        name: str,
        id_: str,
        properties: Mapping[str, Any] | None,
        inputs: Mapping[str, Any] | None = None,
    ) -> ResourceState:
        """Read the resource, as in a refresh if `properties` are given, otherwise as in a `get`."""
        request = provider_pb2.ReadRequest(
            id=id_,
            urn=self.urn(name),
            properties=self._wire(properties) if properties is not None else None,
            inputs=self._wire(inputs or {}),
        )
        response = self._call(self.plugin.stub.Read, request)
        inputs = _plain(response.inputs, self.pickle) if response.HasField("inputs") else {}
        return ResourceState(response.id, _plain(response.properties, self.pickle), dict(inputs))

    def update(
        self,
        name: str,
        id_: str,
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
        *,
        old_inputs: Mapping[str, Any] | None = None,
        timeout: float = 0,
        preview: bool = False,
        ignore_changes: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Update the resource and return its outputs."""
        request = provider_pb2.UpdateRequest(
            id=id_,
            urn=self.urn(name),
            olds=self._wire(olds),
            news=self._wire(news),
            timeout=timeout,
            preview=preview,
            ignoreChanges=ignore_changes,
            old_inputs=self._wire(old_inputs) if old_inputs is not None else None,
        )
        return _plain(self._call(self.plugin.stub.Update, request).properties, self.pickle)

    def delete(self, name: str, id_: str, properties: Mapping[str, Any], *, timeout: float = 0) -> None:
        """Delete the resource."""
        request = provider_pb2.DeleteRequest(
            id=id_, urn=self.urn(name), properties=self._wire(properties), timeout=timeout
        )
        self._call(self.plugin.stub.Delete, request)

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        return self.plugin.call(method, request, self.pickle)

    def _wire(self, properties: Mapping[str, Any]) -> Struct:
        return _struct({**properties, PROVIDER_KEY: self.pickle})


def _struct(properties: Mapping[str, Any]) -> Struct:
    return asyncio.run(rpc.serialize_properties(dict(properties), {}))


def _plain(properties: Struct, provider: str) -> dict[str, Any]:
    plain, _ = rpc.deserialize_properties_unwrap_secrets(properties, keep_unknowns=True)
    assert plain.pop(PROVIDER_KEY, None) == provider
    return dict(plain)
