"""An ECS-compatible cloud in one process: Keystone, Nova, Neutron, Cinder and Glance on one SQLite database.

`ecs-pulumi emulator` runs it as a command; `with Emulator(speed=100) as cloud:` runs it inside a test.
It imports nothing from the provider's own modules, so that client and cloud cannot contain the same error.

Architecture:

- **Requests** enter through `gateway.Gateway`. It selects the service by the path (`/{region}/{service}/…`,
  Keystone at `/v3`), runs the steps that are due, opens a transaction, calls `Service.handle` and logs the request.
  An `HttpError` rolls the transaction back.
- **Services** are instances of `routing.Service`, named `service` in their modules. A handler is registered with
  `@service.get("/ports/{port_id}")`, takes a `context.Call` and the path parameters, and returns a dict (200), a
  `Reply(status, body, headers)` or None (204). A subclass of `Service` overrides what is specific to a service:
  versions, microversions, the shape of errors, headers.
- **State** is stored as documents by kind and region: `ctx.get/put/remove/find/count/total`. Every document has an
  `id`; a document that belongs to a project also has `project_id` and `name`. `ctx.find` returns documents of all
  projects, so handlers filter by `project_id`.
- **Time**: a handler never waits. It calls `ctx.schedule(seconds, "cinder.created", volume_id)`, and the function
  registered with `@step("cinder.created")` is called as `(ctx, subject, **args)` when that time has passed.
  `ctx.cancel(subject)` removes the pending steps. Durations are those of a real cloud, divided by `--speed`.
- **Faults**: the gateway applies the faults for requests. Long-running operations check
  `ctx.has_outcome_fault("fail-create", name)`.
- **The page** at `/` (`page.html`, sent to browsers only) polls the result of `topology.topology`, the state and the
  latest requests, and draws it. `control` serves both.
- **`seed(ctx)`** in each service's module creates the initial objects of a new region (project `demo`).

Interface between Nova and the other services: every function takes the caller's `ctx` first and raises `HttpError`
to reject the call. `HttpError.status` and `.kind` are those of the other service's own API; Nova decides which status
its own response has. The kinds are `network`, `subnet`, `port`, `security_group`, `volume`, `volume_type` and
`snapshot`. Each is stored with the field names and values of its own API (a port has `network_id`, `device_id`,
`fixed_ips`, `mac_address`, and `security_groups` as ids); fields that the API does not return begin with `_`.

`neutron`:
- `usable_networks(ctx)`: the networks to which the project may attach servers (its own and shared ones, no external
  ones).
- `make_port(ctx, *, network_id, server_id, zone, fixed_ip=None, security_group_ids=None)`: creates a port on behalf
  of Nova, bound to the server (`device_id`, `device_owner` `compute:{zone}`, `_made_by_nova` true), with status
  DOWN. Raises 404 `NetworkNotFound`, 409 `IpAddressAlreadyAllocated`, 400 `InvalidIpForNetwork`, 409 `OverQuota`,
  409 `IpAddressGenerationFailure`.
- `claim_port(ctx, port_id, *, server_id, zone)`: binds an existing port. Raises 404 `PortNotFound`, 409 `PortInUse`.
- `plug(ctx, port_id)`: sets the port to ACTIVE. `unplug(ctx, port_id)`: unbinds the port and sets it to DOWN, or
  deletes it if Nova created it. Both ignore a port that does not exist.
- `security_group_ids(ctx, names_or_ids)`: the ids of the project's groups. Raises 404 `SecurityGroupNotFound`, and
  409 if several groups have the name.
- When a port that a server uses is deleted or changed, Neutron calls
  `ctx.schedule(1.0, "nova.port_changed", server_id, port_id=…)`.

`cinder`:
- `make_volume(ctx, *, size, name="", volume_type=None, availability_zone=None, image_id=None,
  snapshot_id=None, source_volid=None)`: creates a volume as Cinder's POST does. Its status is `creating`; a step
  changes it to `available` or `error` after `CREATE_SECONDS`.
- `reserve(ctx, volume_id)`: changes `available` to `reserved`; a multiattach volume may also be `in-use` and stays
  so. Raises 404 and 400 with the messages of the real service.
- `attach(ctx, volume_id, *, server_id, device, attachment_id, host)`: changes the status to `in-use` and adds an
  entry to `attachments`.
- `set_status(ctx, volume_id, status)`: sets `attaching`, `detaching`, `available`, …; ignores a volume that does not
  exist.
- `detach(ctx, volume_id, server_id)`: removes the entry from `attachments`; without any other entry, the volume
  becomes `available`.
- `begin_delete(ctx, volume_id)`: deletes the volume as Cinder's DELETE does, but without checking that it is unused;
  ignores a volume that does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .clock import ManualClock
from .faults import Fault

if TYPE_CHECKING:
    from .server import Emulator

__all__ = ["Emulator", "Fault", "ManualClock"]


def __getattr__(name: str) -> Any:
    # Import the server lazily: its web framework is an optional extra of the distribution.
    if name != "Emulator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .server import Emulator
    except ModuleNotFoundError as error:
        raise ImportError(
            f"The emulator needs {error.name}, which is not installed: pip install 'ecs-pulumi[emulator]'"
        ) from error
    return Emulator
