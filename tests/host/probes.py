"""Providers that tell what they find when the host calls them; pickled by reference, so in a module."""

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


def _told() -> dict[str, Any]:
    call = rpc_bridge.current_request()
    derived = {"stack": call.stack, "project": call.project, "kind_token": call.kind_token}
    old_inputs = dict(call.old_inputs or {})
    old_inputs.pop("__provider", None)
    return {
        **asdict(call),
        **derived,
        "resource": call.resource,
        "random_seed": call.random_seed.decode(),
        "ignore_changes": list(call.ignore_changes),
        "old_inputs": old_inputs if call.old_inputs is not None else None,
        "can_keep": rpc_bridge.can_keep_state(),
    }


class Telling(ResourceProvider):
    """Answers every request with what the bridge knows of it."""

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Tell in the inputs."""
        return CheckResult({**news, **_told()}, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Tell in the only list there is."""
        return DiffResult(changes=True, replaces=[json.dumps(_told())])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Tell in the outputs."""
        return CreateResult("made", _told())

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Tell in the outputs."""
        return ReadResult(id_, _told())

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Tell in the outputs."""
        return UpdateResult(_told())

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Tell in the failure."""
        told = _told()
        rpc_bridge.fail(f"{told['resource']} {told['timeout']} {told['can_keep']}")


class Failing(ResourceProvider):
    """Fails every request with the resource's own `reason`, having met an error that must not be shown."""

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


class Keeping(ResourceProvider):
    """Fails a create or an update with something left behind, as far as the bridge allows."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Leave an object behind."""
        self._keep("made", props)
        return CreateResult("")

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Leave it half changed."""
        self._keep(_id, _news)
        return UpdateResult()

    @staticmethod
    def _keep(id_: str, asked: dict[str, Any]) -> None:
        asked = {name: value for name, value in asked.items() if name != "__provider"}
        try:
            {}[asked["password"]]
        except KeyError:
            reasons = ["No valid host.", "Second thing."]
            rpc_bridge.fail_with_state(id_, {**asked, "status": "ERROR"}, asked, reasons)


class Reporting(ResourceProvider):
    """Reports the `lines` it is given, from a thread of its own."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Report."""
        urn = rpc_bridge.current_request().urn

        def report() -> None:
            for line in props["lines"]:
                rpc_bridge.log(urn, line["message"], severity=line["severity"], ephemeral=line["ephemeral"])

        thread = threading.Thread(target=report)
        thread.start()
        thread.join()
        return CreateResult("made", {})


class Counting(ResourceProvider):
    """Counts how many creates run at a time. Each waits `patience` seconds at most for `company`."""

    def configure(self, req: ConfigureRequest) -> None:
        """Ask for more workers."""
        self.widened = rpc_bridge.set_max_workers() and rpc_bridge.set_max_workers()
        self.changed = threading.Condition()
        self.running = self.peak = 0

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait for company."""
        with self.changed:
            self.running += 1
            self.peak = max(self.peak, self.running)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.peak >= props["company"], props["patience"])
        with self.changed:
            self.running -= 1
        return CreateResult("made", {"peak": self.peak, "widened": self.widened})


class Named(ResourceProvider):
    """Carries a name as the package's provider does, and tells what the host gave it."""

    serialize_as_secret_always = False

    def __init__(self, kind_name: str) -> None:
        super().__init__()
        self.kind_name = kind_name
        self.configured = 0

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the settings."""
        self.configured += 1
        self.setting = req.config.get

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Pass on what is not known yet."""
        return CheckResult({**news, "sizes_type": type(news["size"]).__name__}, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Tell the settings."""
        settings = {"region": self.setting("ecs:region"), "password": self.setting("ecs:password")}
        return CreateResult("made", {**settings, "kind": self.kind_name, "configured": self.configured})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Tell that the object is smaller than it was."""
        return ReadResult(id_, {"size": 1, "status": "ACTIVE"}, {"size": 1})
