"""Server: an Elastic Cloud Server (guide, chapters 4 and 5; Nova API reference, "Servers")."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic.existing import Key
from ecs_pulumi.dynamic.fields import CheckInputs, Problem, objects, to_plain
from ecs_pulumi.dynamic.handler import ImportedResource, is_auto_name
from ecs_pulumi.dynamic.ignored import is_ignored
from ecs_pulumi.resources import cloud_metadata
from ecs_pulumi.resources.catalog import catalog, zone_of_server
from ecs_pulumi.resources.clients import Context, Existing
from ecs_pulumi.resources.handler import EcsHandler, project_of
from ecs_pulumi.resources.idempotent_create import create_or_find, has_description
from ecs_pulumi.resources.nic import require_not_lost
from ecs_pulumi.resources.orphan_search import marked_objects
from ecs_pulumi.resources.owner_markers import MARKER_KEY, markers_of, owner_marker
from ecs_pulumi.resources.planned import planned
from ecs_pulumi.resources.quota import QuotaNeed, is_short, storage_needs
from ecs_pulumi.resources.remote import RemoteObject
from ecs_pulumi.resources.request_body import diff_remote
from ecs_pulumi.resources.server import actions, create, disks, first_nic, importing, nics, plan, preflight, schema
from ecs_pulumi.resources.server.schema import ServerInputs, ServerOutputs
from ecs_pulumi.resources.server.update import ServerUpdate
from ecs_pulumi.resources.steps import shown


class ServerHandler(EcsHandler[ServerInputs]):
    """Servers."""

    name = "Server"
    report_rules = "ecs_pulumi.resources.server.report_rules"
    title = "Servers"
    dependencies = ("Subnet",)
    import_hint = (
        "No API returns their user_data, personality, admin_pass and scheduler_hints other than the group:\n"
        "add those that a replacement needs before the first `pulumi up`."
    )
    inputs = ServerInputs
    outputs = ServerOutputs
    timeout = 1800.0

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Validate the inputs without asking the cloud."""
        yield from super().validate(checked)
        yield from schema.validate(checked)

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that flavor and image exist and are compatible, and that the API supports the requested features."""
        yield from super().preflight(context, checked)
        yield from preflight.check(context, checked)
        yield from create.unsupported(context, checked)

    def requires_replacement(
        self, context: Context, prior: Mapping[str, Any], new: Mapping[str, Any], changed: list[str]
    ) -> list[str]:
        """Do not replace for `image` and `personality` if `image_policy` is `rebuild`.

        Some clouds do not detach the first NIC, so that only a replacement changes it.
        """
        # A server without `image_id` boots from a volume, which a rebuild does not rewrite.
        is_rebuilt = new.get("image_policy") == "rebuild" and new.get("image") is not None and prior.get("image_id")
        rebuilt = ("image", "personality") if is_rebuilt else ()
        replaced = [name for name in super().requires_replacement(context, prior, new, changed) if name not in rebuilt]
        return [*replaced, *(["networks"] if "networks" in changed and first_nic.leaves(context, prior, new) else [])]

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Treat the name and the id of a flavor or image as equal."""
        if name in ("flavor", "image") and desired is not None:
            return desired in (prior.get(name), prior.get(f"{name}_id"), prior.get(f"{name}_name"))
        if name == "availability_zone" and isinstance(desired, str):
            # An administrator may append a host (`zone:host`), but the API returns the zone only.
            zone = str(prior.get(name))
            return zone in (desired, desired.split(":")[0]) or zone.split(":", maxsplit=1)[0] == desired
        return super().is_equal(name, desired, prior)

    def tainted(self, context: Context, id_: str, prior: Mapping[str, Any]) -> list[str]:
        """Replace a server in ERROR that never became active; keep one that was active before."""
        if prior.get("launched_at"):
            return []
        status = prior.get("status")
        if status not in ("ERROR", "ACTIVE", "SHUTOFF"):
            remote = self.read(context, id_)
            status = remote["status"] if remote and not remote.get("OS-SRV-USG:launched_at") else None
        return ["status"] if status == "ERROR" else []

    def failure_reason(self, context: Context, id_: str, prior: Mapping[str, Any]) -> str:
        """Return the fault that Nova recorded."""
        remote = None if prior.get("fault") else self.read(context, id_)
        reason = prior.get("fault") or (remote and compute.fault_of(remote)) or "the cloud recorded no reason"
        return f"the server never became active: {reason}"

    def data_loss(self, context: Context, prior: Mapping[str, Any]) -> list[str]:
        """List the server's own disks and the volumes that Nova deletes with it."""
        return disks.data_loss(context, prior)

    def preflight_update(self, context: Context, id_: str, new: Mapping[str, Any], changed: list[str]) -> None:  # noqa: ARG002
        """Reject a flavor that the server cannot be resized to."""
        if "flavor" in changed and isinstance(new["flavor"], str):
            disks.require_fit(context, new["flavor"])
            preflight.check_resize(context, new["flavor"])

    def preflight_replacement(self, context: Context, new: Mapping[str, Any]) -> None:
        """Warn of the port that the cloud deletes with the server."""
        first_nic.warn_of_replacement(context, context.prior, new)

    def planned_steps(self, context: Context, new: Mapping[str, Any], changed: list[str]) -> list[plan.ServerStep]:
        """Plan from the prior outputs; a server that waits in VERIFY_RESIZE first ends its resize."""
        steps, names, current = [], plan.changed_inputs(new, context.prior, changed), context.prior
        new = _without_ignored_power_state(context, new)
        if current.get("status") == "VERIFY_RESIZE":
            steps += plan.plan(names, new, current)
            current = {**current, "status": None}
        return [*steps, *plan.plan(names, new, current)]

    def pending_work(self, prior: Mapping[str, Any]) -> str | None:
        """Report an unconfirmed resize or a missing start after a failed resize; a refresh may have recorded either."""
        if prior.get("status") == "VERIFY_RESIZE":
            return "a resize waits in VERIFY_RESIZE and will be confirmed"
        if power := actions.power_after(prior.get("pending_action")):
            return f"an update that failed changed the power state of the server, which will be {power} again"
        return None

    def delete_before_replace(self, context: Context, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Also delete first if the prior server uses one: another resource of the program may need it."""
        return self.is_exclusive(new) or self.is_exclusive(prior)

    def list_all(self, context: Context) -> Iterable[RemoteObject]:
        """Return the servers of the project."""
        region = context.cloud.region
        return compute.list_servers(region.compute, microversion=region.server_microversion)

    def find_own_orphans(self, context: Context, desired: ServerInputs) -> list[tuple[str, str]]:
        """Find the servers whose description or metadata contains the owner marker."""
        marker, name = owner_marker(context), desired.name or ""
        if not marker:
            return []
        # Each run generates a new suffix for an automatic name.
        is_prefix = is_auto_name(name, context.resource)
        name = f"{context.resource}-" if is_prefix else name
        found = marked_objects(context.cloud.region, "server").of(
            narrow=lambda: _list_by_name(context, name, is_prefix=is_prefix),
            list_all=lambda: self.list_all(context),
            is_own=lambda remote: marker in markers_of(remote),
            has_deleted=context.cloud.writes.has_deleted,
            is_short=is_short(context.cloud.region, "compute", "instances"),
        )
        return [(each["id"], each["name"]) for each in found]

    def also_holds(self, id_: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the NICs of the program's ports: an `InterfaceAttachment` could manage each of them instead."""
        for nic in objects(inputs.get("networks")):
            if isinstance(nic.get("port_id"), str):
                yield "InterfaceAttachment", f"{id_}/{nic['port_id']}"

    def create(self, context: Context, desired: ServerInputs) -> RemoteObject:
        """Create the server, wait until it is active, then apply what a create request cannot express."""
        require_not_lost(context, [nic.get("port_id") for nic in objects(to_plain(desired.networks))])
        created = create_or_find(
            context,
            context.cloud.compute,
            send=create.CreateRequest(context, desired).send,
            candidates=lambda: _named(context, desired),
            is_own=has_description(desired.description or owner_marker(context)),
        )
        context.record_id(created["id"])
        context.record_outputs(admin_pass=desired.admin_pass or created.get("adminPass"))
        remote = actions.wait_until_active(context, created["id"])
        self._require_kept(context, remote, desired)
        if zone := zone_of_server(remote):
            planned(context.cloud.region).server_zones.append(zone)
        # An empty list means no NICs. The older API cannot express that: it treats an empty list as a missing one.
        networks = "auto" if desired.networks == [] else to_plain(desired.networks)
        return self._apply(context, remote, desired, {"networks": networks})

    def _require_kept(self, context: Context, remote: RemoteObject, desired: ServerInputs) -> None:
        """Fail if the cloud created the server without what cannot be changed later: each update would replace it.

        Raises:
            OperationFailed: The server has another `config_drive` or `disk_config`.
        """
        outputs = self.to_outputs(context, remote)
        for name in ("config_drive", "disk_config"):
            value = getattr(desired, name)
            if value is not None and outputs.get(name, value) != value:
                reason = f"the cloud created the server with {shown(outputs[name])}, not {shown(value)}"
                raise errors.OperationFailed(name, f"{reason}; remove it from the program")

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the server from the list that all refreshes of servers share."""
        remote = context.cloud.region.servers.read(id_)
        return None if actions.is_gone(remote) else remote

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the current server."""
        remote = context.cloud.region.servers.get(id_)
        return None if actions.is_gone(remote) else remote

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Convert the remote object to outputs.

        `flavor` and `image` keep the program's name or id where it refers to the same flavor or image.
        """
        names, flavor_id = catalog(context.cloud.region), actions.flavor_id(remote)
        image_id = (remote.get("image") or {}).get("id")
        addresses = nics.addresses(remote)
        metadata = remote.get("metadata") or {}
        hidden = {MARKER_KEY, *cloud_metadata.keys_in_server(context, metadata)}
        outputs: dict[str, Any] = {
            "region": context.cloud.region.name,
            "name": remote["name"],
            "metadata": {key: value for key, value in metadata.items() if key not in hidden},
            "key_name": remote.get("key_name"),
            "config_drive": bool(remote.get("config_drive")),
            "project_id": project_of(context, remote.get("tenant_id")),
            "admin_pass": context.known.get("admin_pass"),
            "flavor_id": flavor_id,
            "image_id": image_id,
            "addresses": addresses,
            "volumes_attached": remote.get("os-extended-volumes:volumes_attached") or [],
            "host_id": remote.get("hostId"),
            "status": remote["status"],
            "vm_state": remote.get("OS-EXT-STS:vm_state"),
            "task_state": remote.get("OS-EXT-STS:task_state"),
            "instance_name": remote.get("OS-EXT-SRV-ATTR:instance_name"),
            "hostname": remote.get("OS-EXT-SRV-ATTR:hostname"),
            "locked": remote.get("locked"),
            "created": remote.get("created"),
            "updated": remote.get("updated"),
            "launched_at": remote.get("OS-SRV-USG:launched_at"),
            "fault": compute.fault_of(remote),
            "flavor": _program_reference(context, "flavor", flavor_id, names.flavor) or names.flavor_name(flavor_id),
            "pending_action": context.known.get("pending_action"),
        }
        if "description" in remote:
            outputs["description"] = remote["description"]
        if "tags" in remote:
            outputs["tags"] = _tags(context, remote)
        optional = {
            "power_state": actions.power_state(remote),
            "availability_zone": remote.get("OS-EXT-AZ:availability_zone"),
            "disk_config": remote.get("OS-DCF:diskConfig"),
        }
        # The API has no values for these during the build and in some error states.
        outputs |= {name: value for name, value in optional.items() if value}
        if image_id:
            outputs["image"] = _program_reference(context, "image", image_id, names.image) or image_id
            prior_name = context.prior.get("image_name") if context.prior.get("image_id") == image_id else None
            outputs["image_name"] = prior_name or names.image_name(image_id)
        # Nova omits the key for a server without security groups.
        if "security_groups" in remote or addresses:
            outputs["security_groups"] = nics.groups(context, remote)
        if host := remote.get("OS-EXT-SRV-ATTR:hypervisor_hostname"):
            outputs["hypervisor_hostname"] = host
        outputs |= nics.nic_outputs(context, remote)
        access = nics.access_addresses(outputs)
        for version in (4, 6):
            chosen = remote.get(f"accessIPv{version}") or access.get(version) or _first(addresses, version)
            outputs[f"access_ip_v{version}"] = chosen
        return outputs

    def update(self, context: Context, id_: str, desired: ServerInputs, prior: Mapping[str, Any]) -> RemoteObject:
        """Finish an interrupted operation, then run the plan of the differences."""
        remote = actions.wait_until_idle(context, self.read_current(context, id_, desired, prior))
        if remote["status"] == "VERIFY_RESIZE":
            update, steps = self._plan(context, remote, desired, prior)
            update.run(steps)
            remote = update.remote
        return self._apply(context, remote, desired, prior)

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:
        """Delete the server, whatever its status, and wait until it is gone."""
        actions.delete(
            context, id_, stop_first=bool(prior.get("stop_before_delete")), force=bool(prior.get("force_delete"))
        )

    def _apply(
        self, context: Context, remote: RemoteObject, desired: ServerInputs, prior: Mapping[str, Any]
    ) -> RemoteObject:
        update, steps = self._plan(context, remote, desired, prior)
        update.record_unchanged()
        update.run(steps)
        return update.result()

    def _plan(
        self, context: Context, remote: RemoteObject, desired: ServerInputs, prior: Mapping[str, Any]
    ) -> tuple[ServerUpdate, list[plan.ServerStep]]:
        """Return the update of a server, and its steps from the remote object to the desired inputs."""
        differing = partial(diff_remote, self, context, desired)
        changes, inputs = differing(remote), to_plain(desired)
        update = ServerUpdate(context, desired, prior, remote, differing, changes)
        names = set(changes) - {"tags", "admin_pass"}
        if desired.tags is not None and set(desired.tags) != set(_tags(context, remote)):
            names.add("tags")
        if "networks" in names or prior.get("networks") != inputs.get("networks"):
            names.discard("networks")
            update.interfaces = nics.compare_interfaces(context, remote, desired, prior)
            if update.interfaces and update.interfaces.has_changes:
                names.add("networks")
        if context.verb == "update":
            names |= {name for name in ("admin_pass", "personality") if inputs.get(name) not in (None, prior.get(name))}
        elif not desired.adopt:
            names.discard("image")  # the server was created from it just now
        else:
            # The API shows neither the personality nor the password of an imported server: do not overwrite its disk.
            names.discard("personality")
        names = plan.changed_inputs(inputs, prior, names)
        current, inputs = self.to_outputs(context, remote), _without_ignored_power_state(context, inputs)
        differs = [
            name for name, value in inputs.items() if value is not None and not self.is_equal(name, value, prior)
        ]
        changed = names | plan.changed_inputs(inputs, prior, differs)
        update.pending_action = plan.interrupted_action({**prior, **context.recorded}, current, changed)
        return update, plan.plan(names, inputs, {**current, "pending_action": update.pending_action})

    def ineligible_reason(self, existing: Existing, remote: RemoteObject) -> str | None:
        """Return that the status is an error, unless the server was active before."""
        return None if remote.get("OS-SRV-USG:launched_at") else super().ineligible_reason(existing, remote)

    def parts(self, existing: Existing) -> Iterator[tuple[Key, Key]]:
        """Yield the volumes and ports that were created with a server and are deleted with it."""
        for id_, remote in existing.of(self.name).items():
            yield from ((part, (self.name, id_)) for part in importing.parts(existing, remote))

    def output_of_part(self, existing: Existing, remote: RemoteObject, part: Key) -> str:
        """Return the item of `nics` that has the port of a NIC: `nics` has the order of `networks` in the program."""
        ports = importing.first_nics(existing, remote)
        return next((f'nics[{at}]["port_id"]' for at, port in enumerate(ports) if ("Port", port["id"]) == part), "")

    def import_resource(self, existing: Existing, remote: RemoteObject, outputs: Mapping[str, Any]) -> ImportedResource:
        """Add the NICs and disks of the server, and what differs from the defaults of the cloud."""
        resource = super().import_resource(existing, remote, outputs)
        importing.complete(resource, existing, remote, outputs)
        return resource

    def quota_needs(self, context: Context, checked: CheckInputs) -> Iterator[QuotaNeed]:
        """Yield cores, memory and instances, and for a new server its volumes and the ports that Nova creates."""
        needs = _flavor_needs(context, checked.known("flavor"))
        for name, amount in _flavor_needs(context, checked.prior.get("flavor")).items():
            needs[name] = needs.get(name, 0) - amount
        if checked.prior:
            yield QuotaNeed("flavor", "compute", needs)
            return
        yield QuotaNeed("flavor", "compute", {**needs, "instances": 1})
        if (size := _root_volume_size(context, checked)) is not None:
            yield storage_needs("image", [(size, None)])
        disks = [
            (device.get("volume_size"), device.get("volume_type"))
            for _, device in checked.items("block_devices")
            if device.get("source_type") in ("blank", "image", "snapshot")
            and device.get("destination_type") == "volume"
        ]
        yield storage_needs("block_devices", disks)
        created = [nic for nic in objects(checked.values.get("networks")) if nic.get("port_id") is None]
        yield QuotaNeed("networks", "network", {"ports": len(created)})


def _without_ignored_power_state(context: Context, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the inputs without an ignored `power_state`: the remote one is not desired, a pending start wins."""
    is_excluded = is_ignored("power_state", context.ignore_changes)
    return {name: value for name, value in inputs.items() if not (is_excluded and name == "power_state")}


def _flavor_needs(context: Context, name: str | None) -> dict[str, int]:
    if not name:
        return {}
    try:
        flavor = catalog(context.cloud.region).flavor(name)
    except errors.EcsError:
        return {}
    return {"cores": flavor["vcpus"], "ram": flavor["ram"]}


def _root_volume_size(context: Context, checked: CheckInputs) -> int | None:
    """Return the size in GiB of the volume that a Huawei-based cloud makes for the root disk; None if it makes none."""
    image = checked.known("image")
    has_root = any(device.get("boot_index") == 0 for _, device in checked.items("block_devices"))
    if not image or has_root or not context.cloud.region.differences.boots_from_volumes_only:
        return None
    try:
        return int(catalog(context.cloud.region).image(image).get("min_disk") or 0)
    except errors.EcsError:
        return 0


def _program_reference(context: Context, name: str, id_: str, look_up: Callable[[str], RemoteObject]) -> str | None:
    """Return the program's name or id for a flavor or image if it refers to the one with this id, else None.

    A name that referred to this id at the last update still does: an image's name may have moved to a newer image
    since then, which is no reason to replace a server.
    """
    reference: str | None = context.inputs.get(name)
    was_resolved = context.prior.get(name) == reference and context.prior.get(f"{name}_id") == id_
    if reference is None or reference == id_ or was_resolved:
        return reference
    try:
        return reference if look_up(reference)["id"] == id_ else None
    except errors.EcsError:
        return None


def _tags(context: Context, remote: RemoteObject) -> list[str]:
    """Return the tags as the program writes them: some clouds show `tag` as the key of an empty value, `tag=`."""
    declared = {tag.removesuffix("="): tag for tag in context.inputs.get("tags") or ()}
    return [declared.get(tag.removesuffix("="), tag) for tag in remote.get("tags") or ()]


def _list_by_name(context: Context, name: str, *, is_prefix: bool = False) -> list[RemoteObject]:
    """List the servers with a name, or whose name begins with it. Some clouds list servers with similar names too."""
    region = context.cloud.region
    pattern = compute.name_filter(name, as_part=region.differences.filters_servers_loosely, is_prefix=is_prefix)
    return compute.list_servers(region.compute, name=pattern, microversion=region.server_microversion)


def _named(context: Context, desired: ServerInputs) -> list[RemoteObject]:
    """Return the servers with the name, and the owner marker as their description unless the program sets one."""
    name = str(desired.name)
    named = [server for server in _list_by_name(context, name) if server["name"] == name]
    if desired.description:
        return named
    return [{**server, "description": next(iter(markers_of(server)), None)} for server in named]


def _first(addresses: Mapping[str, list[dict[str, Any]]], version: int) -> str | None:
    found = (item["addr"] for items in addresses.values() for item in items if item["version"] == version)
    return next(found, None)


HANDLER = ServerHandler()
