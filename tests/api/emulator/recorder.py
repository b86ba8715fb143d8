"""Recording of a scenario: the status and the shape of the body of every response.

A shape contains keys and types but no values, so that the recordings of two clouds can be compared.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json = Any


def shape(body: Json) -> Json:
    """Return the shape of a body: keys and types without values. The shape of a list is that of its first element."""
    if isinstance(body, dict):
        return {key: shape(value) for key, value in sorted(body.items())}
    if isinstance(body, list):
        return [shape(body[0])] if body else []
    return "null" if body is None else type(body).__name__


class Recorder:
    """One run of a scenario on one cloud.

    Args:
        environment: the OS_* variables of the cloud.
        prefix: prefix of every name, so that several runs can share a cloud.
        pause: called between two polls.
    """

    def __init__(self, environment: Mapping[str, str], *, prefix: str, pause: Callable[[], None]) -> None:
        self.prefix = prefix
        self.pause = pause
        self.recording: dict[str, Json] = {}
        self.session = requests.Session()
        self.session.headers["Accept"] = "application/json"
        self._environment = environment
        self._ids: dict[str, str] = {}
        self._cleanup: list[tuple[str, str]] = []
        self._endpoints: dict[str, str] = {}
        self.project_id = ""

    def name(self, what: str) -> str:
        """Return a name with the prefix of this run."""
        return f"{self.prefix}-{what}"

    def record(self, label: str, value: Json) -> None:
        """Record a value. Every label is used once."""
        assert label not in self.recording, f"{label} is recorded twice"
        self.recording[label] = self._without_prefix(value)

    def _without_prefix(self, value: Json) -> Json:
        """Replace the prefix of this run in keys, such as network names in `addresses`."""
        if isinstance(value, dict):
            return {key.replace(self.prefix, "story"): self._without_prefix(item) for key, item in value.items()}
        return [self._without_prefix(item) for item in value] if isinstance(value, list) else value

    def request(
        self,
        label: str,
        method: str,
        url: str,
        body: Json = None,
        *,
        expect: int,
        version: str | None = None,
        headers: Mapping[str, str] | None = None,
        with_message: bool = False,
        ignore: tuple[str, ...] = (),
    ) -> Json:
        """Send a request, check its status and record the response.

        Args:
            label: key of the recorded response.
            method: HTTP method.
            url: full URL.
            body: JSON body.
            expect: expected status.
            version: value of the header OpenStack-API-Version.
            headers: further headers.
            with_message: also record the error message.
            ignore: fields to omit from the recorded shape.
        """
        request_headers = dict(headers or {})
        if version:
            request_headers["OpenStack-API-Version"] = version
        response = self.session.request(method, url, json=body, headers=request_headers, timeout=60)
        content = response.json() if "json" in response.headers.get("Content-Type", "") and response.content else None
        record: dict[str, Json] = {"status": response.status_code, "shape": shape(content)}
        for field in ignore:
            next(iter(record["shape"].values())).pop(field, None)
        record["version headers"] = sorted(
            name for name in ("openstack-api-version", "x-openstack-nova-api-version") if name in response.headers
        )
        if with_message:
            record["words"] = self._message(content)
        self.record(label, record)
        assert response.status_code == expect, f"{label}: {response.status_code} {response.text}"
        return content

    def _message(self, content: Json) -> str:
        """Return the message of an error, with ids and the prefix of this run replaced."""
        message = next(iter(content.values()))
        text = message["message"] if isinstance(message, dict) else content["message"]
        text = re.sub(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", "ID", text)
        return str(text).replace(self.prefix, "story")

    def poll(
        self, label: str, url: str, key: str, done: Callable[[Json], bool], *fields: str, record: bool = True
    ) -> Json:
        """Poll until done and record the values of the fields on the way. A 404 sets every field to `gone`."""
        history: list[list[Json]] = []
        deadline = time.monotonic() + 300
        while True:
            response = self.session.get(url, timeout=60)
            if response.status_code == 404:
                state: Json = dict.fromkeys(fields, "gone")
            else:
                assert response.status_code == 200, response.text
                state = response.json()[key]
            current = [state[field] for field in fields]
            if not history or history[-1] != current:
                history.append(current)
            if done(state):
                break
            assert time.monotonic() < deadline, f"{label}: still {current}"
            self.pause()
        if record:
            self.record(label, history)
        return state

    def compute(self, path: str, *, legacy: bool = False) -> str:
        """Return a URL of Nova: `/v2.1`, or `/v2` if `legacy`."""
        base = self._endpoints["compute"]
        root = re.sub(r"/v2(\.1)?(/.*)?$", "", base)
        return f"{root}/{'v2' if legacy else 'v2.1'}/{self.project_id}{path}"

    def network(self, path: str) -> str:
        """Return a URL of Neutron."""
        return f"{self._endpoints['network'].rstrip('/')}/v2.0{path}"

    def volume(self, path: str) -> str:
        """Return a URL of Cinder."""
        return self._endpoints["block-storage"] + path

    def image(self, path: str) -> str:
        """Return a URL of Glance."""
        return f"{self._endpoints['image'].rstrip('/')}/v2{path}"

    def delete_at_end(self, url: str) -> None:
        """Register an object for deletion at the end of the run, even if the run fails."""
        self._cleanup.append(("DELETE", url))

    def clean_up(self) -> None:
        """Delete the registered objects, newest first, and retry while an object is in use."""
        for method, url in reversed(self._cleanup):
            for _ in range(100):
                response = self.session.request(method, url, timeout=60)
                if response.status_code in (404, 204) and "/servers/" not in url:
                    break
                if response.status_code == 404:
                    break
                self.pause()

    def wait_for_server(self, label: str, server: str, status: str) -> Json:
        """Wait until a server has the status and no task."""
        return self.poll(
            label,
            self.compute(f"/servers/{server}"),
            "server",
            lambda state: state["status"] == status and not state.get("OS-EXT-STS:task_state"),
            "status",
        )


def differences(real: dict[str, Json], emulated: dict[str, Json]) -> list[str]:
    """Return the differences between two recordings.

    The polls of one cloud may catch more intermediate states than those of the other: the emulator must show all
    states that the real cloud showed, in the same order, and the same final state.
    """
    result = []
    for label in real | emulated:
        expected, actual = real.get(label), emulated.get(label)
        if isinstance(expected, list) and isinstance(actual, list):
            remaining = iter(actual)
            if all(state in remaining for state in expected) and expected[-1] == actual[-1]:
                continue
        if expected != actual:
            result.append(f"{label}\n    real     {expected}\n    emulator {actual}")
    return result
