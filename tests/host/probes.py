"""Providers that return what the bridge finds in a request. They are in a module to be pickled by reference."""

import json
import threading
from dataclasses import asdict
from typing import Any

from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from ecs_pulumi.dynamic import rpc_bridge


def _request_properties() -> dict[str, Any]:
    current = rpc_bridge.current_request()
    derived = {"stack": current.stack, "project": current.project, "kind_token": current.kind_token}
    old_inputs = dict(current.old_inputs or {})
    old_inputs.pop("__provider", None)
    return {
        **asdict(current),
        **derived,
        "resource": current.resource,
        "random_seed": current.random_seed.decode(),
        "ignore_changes": list(current.ignore_changes),
        "old_inputs": old_inputs if current.old_inputs is not None else None,
        "can_keep": rpc_bridge.can_keep_state(),
    }


class Inspecting(ResourceProvider):
    """Returns, for each request, the parameters that the bridge finds."""

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Return them as inputs."""
        return CheckResult({**news, **_request_properties()}, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Return them as JSON in the list `replaces`."""
        return DiffResult(changes=True, replaces=[json.dumps(_request_properties())])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return them as outputs."""
        return CreateResult("made", _request_properties())

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return them as outputs."""
        return ReadResult(id_, _request_properties())

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Return them as outputs."""
        return UpdateResult(_request_properties())

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Return them in the message of a failure."""
        found = _request_properties()
        rpc_bridge.fail(f"{found['resource']} {found['timeout']} {found['can_keep']}")


class Failing(ResourceProvider):
    """Fails each request with the property `reason`, after an error that must not be shown."""

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Fail."""
        self._fail(news)
        return CheckResult(news, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Fail."""
        self._fail(_news)
        return DiffResult()

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Fail."""
        self._fail(props)
        return CreateResult("")

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Fail."""
        self._fail(props)
        return ReadResult("", {})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Fail."""
        self._fail(_news)
        return UpdateResult()

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Fail."""
        self._fail(_props)

    @staticmethod
    def _fail(props: dict[str, Any]) -> None:
        try:
            {}[props["password"]]
        except KeyError:
            rpc_bridge.fail(props["reason"])


class Recording(ResourceProvider):
    """Fails a create or an update and records the resource in the state."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Record a new object."""
        self._record("made", props)
        return CreateResult("")

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Record the changed object."""
        self._record(_id, _news)
        return UpdateResult()

    @staticmethod
    def _record(id_: str, props: dict[str, Any]) -> None:
        inputs = {name: value for name, value in props.items() if name != "__provider"}
        try:
            {}[inputs["password"]]
        except KeyError:
            reasons = ["No valid host.", "Second thing."]
            rpc_bridge.fail_with_state(id_, {**inputs, "status": "ERROR"}, inputs, reasons)


class Logging(ResourceProvider):
    """Logs the lines in the property `lines` from another thread."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Log the lines."""
        urn = rpc_bridge.current_request().urn

        def log_lines() -> None:
            for line in props["lines"]:
                rpc_bridge.log(urn, line["message"], severity=line["severity"], ephemeral=line["ephemeral"])

        thread = threading.Thread(target=log_lines)
        thread.start()
        thread.join()
        return CreateResult("made", {})


class Counting(ResourceProvider):
    """Counts concurrent creates. Each create waits up to `seconds` until `expected` creates run at the same time."""

    def configure(self, req: ConfigureRequest) -> None:
        """Increase the number of workers."""
        self.widened = rpc_bridge.set_max_workers() and rpc_bridge.set_max_workers()
        self.changed = threading.Condition()
        self.running = self.peak = 0

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait for other creates."""
        with self.changed:
            self.running += 1
            self.peak = max(self.peak, self.running)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.peak >= props["expected"], props["seconds"])
        with self.changed:
            self.running -= 1
        return CreateResult("made", {"peak": self.peak, "widened": self.widened})


class Named(ResourceProvider):
    """Has the name of a kind, as the package's provider, and returns what the host passes to it."""

    serialize_as_secret_always = False

    def __init__(self, kind_name: str) -> None:
        super().__init__()
        self.kind_name = kind_name
        self.configured = 0

    def configure(self, req: ConfigureRequest) -> None:
        """Store the settings."""
        self.configured += 1
        self.setting = req.config.get

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Return unknown values."""
        return CheckResult({**news, "sizes_type": type(news["size"]).__name__}, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return the settings."""
        settings = {"region": self.setting("ecs:region"), "password": self.setting("ecs:password")}
        return CreateResult("made", {**settings, "kind": self.kind_name, "configured": self.configured})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return drift: a smaller object."""
        return ReadResult(id_, {"size": 1, "status": "ACTIVE"}, {"size": 1})
