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
- **Stale reads**: `--stale` lets a GET run in a view of the state of some time ago (`Store.view_of`), so the handler of
  a GET must not change anything.
- **The page** at `/` (`page.html`, sent to browsers only) polls the result of `topology.topology`, the state and the
  latest requests, and draws it. `control` serves both.
- **`seed(ctx)`** in each service's module creates the initial objects of a new region, in its first project.

Nova calls the functions of `neutron.servers`, `cinder.servers` and `cinder.storage` with its own `ctx`. They raise
`HttpError` with the status of the other service's API; Nova decides which status its own response has. Documents have
the field names and values of their service's API (a port has `network_id`, `device_id`, `security_groups` as ids);
fields that the API does not return begin with `_`.
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
