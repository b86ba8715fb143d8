"""How a story of requests is told: every answer is noted, by status and by the shape of its body.

A shape has keys and types and no values, so that the notes of two clouds can be compared.
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
    """What a body is made of: keys and types without values; a list is its first element's shape."""
    if isinstance(body, dict):
        return {key: shape(value) for key, value in sorted(body.items())}
    if isinstance(body, list):
        return [shape(body[0])] if body else []
    return "null" if body is None else type(body).__name__


class Recorder:
    """One telling on one cloud.

    Args:
        environment: the OS_* variables of the cloud.
        prefix: begins every name, so that several tellings can share a cloud.
        pause: waits a little, between two polls.
    """

    def __init__(self, environment: Mapping[str, str], *, prefix: str, pause: Callable[[], None]) -> None:
        self.prefix = prefix
        self.pause = pause
        self.notes: dict[str, Json] = {}
        self.session = requests.Session()
        self.session.headers["Accept"] = "application/json"
        self._environment = environment
        self._ids: dict[str, str] = {}
        self._undo: list[tuple[str, str]] = []
        self._endpoints: dict[str, str] = {}
        self.project_id = ""

    def name(self, what: str) -> str:
        """A name of this telling."""
        return f"{self.prefix}-{what}"

    def note(self, label: str, value: Json) -> None:
        """Write something down, once."""
        assert label not in self.notes, f"{label} is noted twice"
        self.notes[label] = self._anonymous(value)

    def _anonymous(self, value: Json) -> Json:
        """Names of this telling as keys (networks in addresses) without its prefix."""
        if isinstance(value, dict):
            return {key.replace(self.prefix, "story"): self._anonymous(item) for key, item in value.items()}
        return [self._anonymous(item) for item in value] if isinstance(value, list) else value

    def ask(
        self,
        label: str,
        method: str,
        url: str,
        body: Json = None,
        *,
        expect: int,
        version: str | None = None,
        headers: Mapping[str, str] | None = None,
        said: bool = False,
        but: tuple[str, ...] = (),
    ) -> Json:
        """Make a request, insist on its status and note its answer: its words where `said`, `but` for some fields."""
        sent = dict(headers or {})
        if version:
            sent["OpenStack-API-Version"] = version
        answer = self.session.request(method, url, json=body, headers=sent, timeout=60)
        content = answer.json() if "json" in answer.headers.get("Content-Type", "") and answer.content else None
        note: dict[str, Json] = {"status": answer.status_code, "shape": shape(content)}
        for field in but:
            next(iter(note["shape"].values())).pop(field, None)
        note["version headers"] = sorted(
            name for name in ("openstack-api-version", "x-openstack-nova-api-version") if name in answer.headers
        )
        if said:
            note["words"] = self._words(content)
        self.note(label, note)
        assert answer.status_code == expect, f"{label}: {answer.status_code} {answer.text}"
        return content

    def _words(self, content: Json) -> str:
        """The message of an error, without what differs between two tellings."""
        message = next(iter(content.values()))
        text = message["message"] if isinstance(message, dict) else content["message"]
        text = re.sub(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", "ID", text)
        return str(text).replace(self.prefix, "story")

    def watch(
        self, label: str, url: str, key: str, done: Callable[[Json], bool], *fields: str, note: bool = True
    ) -> Json:
        """Poll until done (404 counts as the status `gone`), noting what the fields went through."""
        seen: list[list[Json]] = []
        give_up = time.monotonic() + 300
        while True:
            answer = self.session.get(url, timeout=60)
            if answer.status_code == 404:
                state: Json = dict.fromkeys(fields, "gone")
            else:
                assert answer.status_code == 200, answer.text
                state = answer.json()[key]
            now = [state[field] for field in fields]
            if not seen or seen[-1] != now:
                seen.append(now)
            if done(state):
                break
            assert time.monotonic() < give_up, f"{label}: still {now}"
            self.pause()
        if note:
            self.note(label, seen)
        return state

    def compute(self, path: str, *, legacy: bool = False) -> str:
        """A URL of Nova: `/v2.1` as the guide spells it, or `/v2`."""
        base = self._endpoints["compute"]
        root = re.sub(r"/v2(\.1)?(/.*)?$", "", base)
        return f"{root}/{'v2' if legacy else 'v2.1'}/{self.project_id}{path}"

    def network(self, path: str) -> str:
        """A URL of Neutron."""
        return f"{self._endpoints['network'].rstrip('/')}/v2.0{path}"

    def volume(self, path: str) -> str:
        """A URL of Cinder."""
        return self._endpoints["block-storage"] + path

    def image(self, path: str) -> str:
        """A URL of Glance."""
        return f"{self._endpoints['image'].rstrip('/')}/v2{path}"

    def leave_no(self, url: str) -> None:
        """Have an object deleted at the end, whatever happens."""
        self._undo.append(("DELETE", url))

    def clean_up(self) -> None:
        """Delete what is left, newest first, waiting where one thing holds another."""
        for method, url in reversed(self._undo):
            for _ in range(100):
                answer = self.session.request(method, url, timeout=60)
                if answer.status_code in (404, 204) and "/servers/" not in url:
                    break
                if answer.status_code == 404:
                    break
                self.pause()

    def server_settles(self, label: str, server: str, status: str) -> Json:
        """Wait until a server has the status and no task."""
        return self.watch(
            label,
            self.compute(f"/servers/{server}"),
            "server",
            lambda state: state["status"] == status and not state.get("OS-EXT-STS:task_state"),
            "status",
        )


def differences(real: dict[str, Json], emulated: dict[str, Json]) -> list[str]:
    """Where two tellings differ.

    What an object went through may have been seen more closely on one cloud than on the other: the emulator must
    have shown everything that the real one was seen to show, in that order, and the same end.
    """
    found = []
    for label in real | emulated:
        one, other = real.get(label), emulated.get(label)
        if isinstance(one, list) and isinstance(other, list):
            rest = iter(other)
            if all(state in rest for state in one) and one[-1] == other[-1]:
                continue
        if one != other:
            found.append(f"{label}\n    real     {one}\n    emulator {other}")
    return found
