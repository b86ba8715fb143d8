"""An emulator that is called without a connection, and whose state is restored after each sequence of requests."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ecs_pulumi.emulator import Emulator, ManualClock
from tests.api.emulator.account import Account
from tests.bad_input.requests import MISSING_ID, Sent, with_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator.dialects import DialectName

KINDS = (
    *("server", "network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule", "volume"),
    *("snapshot", "server_group", "keypair", "image", "flavor", "volume_attachment", "subnetpool", "address_group"),
)
SAFE = "/{}:@!$&'()*+,;=~-._%"


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    content: bytes


class Target:
    """An emulated cloud with an object of every kind.

    Attributes:
        account: A client for ordinary requests.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._gateway = account.cloud._gateway
        self._build()
        self._start = sqlite3.connect(":memory:", check_same_thread=False)
        self._time = account.clock.now
        account.cloud.cloud.store._db.backup(self._start)

    def restore(self) -> None:
        """Restore the state at the start."""
        self._start.backup(self.account.cloud.cloud.store._db)
        self.account.clock.now = self._time

    def send(self, sent: Sent, pick: int = 0) -> Answer:
        """Send a request.

        Args:
            sent: The request.
            pick: Which of the existing objects of a kind the request names.
        """
        ids = self._ids(pick)
        path = f"/{self.account.region}/{sent.service}/" if sent.service else "/"
        raw_path = quote(path + with_ids(sent.path, ids), safe=SAFE, errors="replace").encode()
        query = quote(with_ids(sent.query, ids), safe=SAFE + "?", errors="replace").encode()
        content = sent.raw
        if content is None:
            content = b"" if sent.body is None else json.dumps(with_ids(sent.body, ids)).encode()
        headers = {
            "host": "127.0.0.1:1",
            "accept": "application/json",
            "content-type": "application/json",
            "content-length": str(len(content)),
            "x-auth-token": str(self.account.session.headers["X-Auth-Token"]),
        }
        if sent.version:
            headers["openstack-api-version"] = f"{sent.service} {sent.version}"
        return self._call(sent.method, raw_path, query, headers | sent.headers, content)

    def _call(self, method: str, raw_path: bytes, query: bytes, headers: dict[str, str], content: bytes) -> Answer:
        from urllib.parse import unquote

        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": unquote(raw_path.decode()),
            "raw_path": raw_path,
            "query_string": query,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
        }
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": content}

        async def send(message: Any) -> None:
            messages.append(message)

        call = self._gateway(scope, receive, send)
        try:
            call.send(None)
        except StopIteration:
            pass
        else:
            raise AssertionError("the emulator waits")
        start, body = messages
        return Answer(
            start["status"],
            {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]},
            body["body"],
        )

    def _ids(self, pick: int) -> dict[str, str]:
        database = self.account.cloud.cloud.store._db
        ids = {"project": self.account.project_id, "missing": MISSING_ID}
        for kind in {row[0] for row in database.execute("SELECT DISTINCT kind FROM objects")}:
            found = database.execute("SELECT id FROM objects WHERE kind = ? ORDER BY seq DESC", (kind,)).fetchall()
            ids[kind] = str(found[pick % len(found)][0])
        return ids

    def _build(self) -> None:
        account = self.account
        network = account.network()
        account.router(network)
        server = account.active(networks=[{"uuid": network}], key_name=None)
        account.floating_ip(server)
        account.floating_ip()
        account.neutron("POST", "/ports", {"port": {"network_id": network}})
        group = account.neutron("POST", "/security-groups", {"security_group": {"name": "group"}}).body
        rule = {"security_group_id": group["security_group"]["id"], "direction": "ingress", "protocol": "tcp"}
        account.neutron("POST", "/security-group-rules", {"security_group_rule": rule})
        account.nova("POST", "/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}})
        account.nova("POST", "/os-keypairs", {"keypair": {"name": "key"}})
        volume = account.cinder("POST", "/volumes", account.empty_volume()).body["volume"]["id"]
        account.wait_for_volume(volume, "available")
        account.cinder("POST", "/snapshots", {"snapshot": {"volume_id": volume}})
        account.cinder("POST", "/volumes", account.empty_volume())
        account.neutron("POST", "/subnetpools", {"subnetpool": {"name": "p", "prefixes": ["10.50.0.0/16"]}})
        account.neutron("POST", "/address-groups", {"address_group": {"name": "a"}})
        account.clock.advance(60)
        account.nova("GET", "/servers")


@contextmanager
def target(dialect: DialectName) -> Iterator[Target]:
    """Run an emulator."""
    clock = ManualClock()
    with Emulator(dialect=dialect, clock=clock, token_lifetime=1e9) as cloud:
        yield Target(Account(cloud, clock))
