"""An ECS-compatible cloud in one process: Keystone, Nova, Neutron, Cinder and Glance over one SQLite file.

`python -m ecs_pulumi.emulator` runs it; `with Emulator(speed=100) as cloud:` runs it inside a test. It
imports nothing of the rest of the package, so that client and cloud cannot share a mistake.

How it is built (each part in its file):

- **A request** comes through `gateway.Gateway`, which finds the service by the path (`/{region}/{service}/…`,
  Keystone at `/v3`), lets time catch up, opens a transaction, calls `Service.handle` and logs. `HttpError`
  rolls everything back.
- **A service** is a `routing.Service` named `service` in its module, with handlers
  `@service.get("/ports/{port_id}")` that take a `context.Call` and path parameters and return a dict (200), a
  `Reply(status, body, headers)` or None (204). What a service words differently (versions, microversions,
  error shape, headers) its subclass of `Service` overrides.
- **The state** is documents by kind and region: `ctx.get/put/remove/find/count/total`. Every document has
  `id` and, where it belongs to somebody, `project_id` and `name`. `ctx.find` spans projects: handlers filter
  by `project_id`.
- **Time**: a handler never waits. It calls `ctx.schedule(seconds, "cinder.created", volume_id)`, and the
  function registered by `@step("cinder.created")` runs as of that moment, `(ctx, subject, **args)`;
  `ctx.cancel(subject)` forgets what was to come. Durations are those of a real cloud; `--speed` divides them.
- **Faults** for requests are the gateway's affair; builds ask `ctx.has_outcome_fault("fail-create", name)`.
- **The page** at `/` (`page.html`, for browsers alone) asks again and again what `topology.topology` tells of the state
  and the requests, and draws it; `control` serves both.
- **`seed(ctx)`** in each service's module fills a new region (project `demo`).

What Nova asks of its neighbours. All take the caller's `ctx` first, refuse by raising `HttpError`, and leave
the answer's status to Nova (`HttpError.status` and `.kind` are those that the neighbour's own API would send).
Kinds: `network`, `subnet`, `port`, `security_group`, `volume`, `volume_type`, `snapshot`, each stored with
the field names and values of its own API (a port has `network_id`, `device_id`, `fixed_ips`, `mac_address`,
`security_groups` as ids; fields that the API does not show begin with `_`).

`neutron`:
- `usable_networks(ctx)`: the documents that the project may plug into (its own and shared, no external ones).
- `make_port(ctx, *, network_id, server_id, zone, fixed_ip=None, security_group_ids=None)`: a port that Nova
  makes, bound to the server (`device_id`, `device_owner` `compute:{zone}`, `_made_by_nova` true), status
  DOWN. 404 `NetworkNotFound`, 409 `IpAddressAlreadyAllocated`, 400 `InvalidIpForNetwork`, 409 `OverQuota`,
  409 `IpAddressGenerationFailure`.
- `claim_port(ctx, port_id, *, server_id, zone)`: binds an existing port. 404 `PortNotFound`, 409 `PortInUse`.
- `plug(ctx, port_id)`: it becomes ACTIVE. `unplug(ctx, port_id)`: unbound and DOWN again, or deleted if Nova
  made it. Both tolerate a port that is gone.
- `security_group_ids(ctx, names_or_ids)`: ids of the project's groups; 404 `SecurityGroupNotFound`; several
  of one name 409.
- when a port that a server uses is deleted or changed:
  `ctx.schedule(1.0, "nova.port_changed", server_id, port_id=…)`.

`cinder`:
- `make_volume(ctx, *, size, name="", volume_type=None, availability_zone=None, image_id=None,
  snapshot_id=None, source_volid=None)`: as its POST does, `creating`, then `available` or
  `error` by a step. `CREATE_SECONDS` says how long.
- `reserve(ctx, volume_id)`: `available` (or multiattach `in-use`) to `reserved`; 404, 400 in the real one's
  words.
- `attach(ctx, volume_id, *, server_id, device, attachment_id, host)`: `in-use`, with an entry in
  `attachments`.
- `set_status(ctx, volume_id, status)`: `attaching`, `detaching`, `available`, … ; tolerates a volume that is
  gone.
- `detach(ctx, volume_id, server_id)`: the entry is gone; `available` if it was the last.
- `begin_delete(ctx, volume_id)`: as its DELETE does, without the check for being in use; tolerates a volume
  that is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .clock import ManualClock
from .faults import Fault

if TYPE_CHECKING:
    from .server import Emulator

__all__ = ["Emulator", "Fault", "ManualClock"]


def __getattr__(name: str) -> Any:
    # Only whoever runs an emulator needs the web server, which is an extra of the distribution.
    if name != "Emulator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .server import Emulator
    except ModuleNotFoundError as error:
        raise ImportError(
            f"The emulator needs {error.name}, which is not installed: pip install 'ecs-pulumi[emulator]'"
        ) from error
    return Emulator
