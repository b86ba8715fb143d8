"""Server: an Elastic Cloud Server (guide, chapters 4 and 5; Nova API reference, "Servers")."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import pulumi

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic.fields import Given, Problem, objects, plain
from ecs_pulumi.dynamic.kind import is_automatic
from ecs_pulumi.dynamic.resource import EcsResource
from ecs_pulumi.resources import preflight, quota
from ecs_pulumi.resources import server_life as life
from ecs_pulumi.resources import server_nics as nics
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.common import (
    MARKER_KEY,
    EcsKind,
    Live,
    Op,
    differing,
    found_or_failed,
    kept_marker,
    mark,
    markers_of,
)
from ecs_pulumi.resources.leftovers import marked_objects
from ecs_pulumi.resources.once import create_once
from ecs_pulumi.resources.server_fields import (
    Address,
    AttachedVolume,
    BlockDeviceArgs,
    NetworkArgs,
    PersonalityArgs,
    PowerState,
    ServerInputs,
    ServerNic,
    ServerOutputs,
    may_boot_from_device,
    rules,
)


class ServerKind(EcsKind[ServerInputs]):
    """Servers."""

    name = "Server"
    inputs = ServerInputs
    outputs = ServerOutputs
    timeout = 1800.0

    def rules(self, given: Given) -> Iterator[Problem]:
        """What can be said of the inputs alone."""
        yield from rules(given)
        metadata = given.values.get("metadata")
        if isinstance(metadata, Mapping) and MARKER_KEY in metadata:
            yield Problem("metadata", f"`{MARKER_KEY}` is the key in which ecs_pulumi notes the owner of a server")

    def preflight(self, op: Op, given: Given) -> Iterator[Problem]:
        """Flavor and image exist and fit each other; the API has what is asked of it."""
        yield from super().preflight(op, given)
        names = catalog(op.cloud.region)
        flavor = image = None
        if given.known("flavor") and given.changed("flavor", "image"):
            try:
                flavor = names.flavor(given.known("flavor"))
            except (errors.NoMatch, errors.NotUnique) as error:
                yield Problem("flavor", str(error))
        if given.known("image") and given.changed("flavor", "image", "block_devices"):
            try:
                image = names.image(given.known("image"))
            except (errors.NoMatch, errors.NotUnique) as error:
                yield Problem("image", str(error))
        yield from _fit(flavor, image, given)
        if flavor:
            preflight.diskless(op, given, flavor)
        yield from preflight.there_is(given, "key_name", names.key_pair)
        yield from preflight.there_is(given, "availability_zone", lambda zone: names.zone(zone.split(":")[0]))
        yield from preflight.groups(op, given)
        yield from preflight.nics(op, given)
        yield from preflight.choice_of_network(op, given)
        yield from preflight.disks(op, given)
        yield from quota.server(op, given)
        yield from life.unsupported(op, given)

    def replaced_by(self, old: Mapping[str, Any], new: Mapping[str, Any], changed: list[str]) -> list[str]:
        """An image or personality is rebuilt in place where the program says so."""
        kept = ["personality"] if new.get("image_policy") == "rebuild" else []
        if kept and old.get("image_id"):
            kept.append("image")  # that of a volume is not put onto it anew
        return [name for name in super().replaced_by(old, new, changed) if name not in kept]

    def same(self, name: str, wanted: Any, old: Mapping[str, Any]) -> bool:
        """Flavors and images are the same by name and by id."""
        if name in ("flavor", "image") and wanted is not None:
            return wanted in (old.get(name), old.get(f"{name}_id"), old.get(f"{name}_name"))
        if name == "availability_zone" and isinstance(wanted, str):
            # An administrator may name a host behind the zone, of which the cloud tells the zone alone.
            has = str(old.get(name))
            return has in (wanted, wanted.split(":")[0]) or has.split(":", maxsplit=1)[0] == wanted
        return super().same(name, wanted, old)

    def unwell(self, op: Op, id_: str, old: Mapping[str, Any]) -> list[str]:
        """A server that never ran is replaced; one that ran is never thrown away for being in ERROR."""
        if old.get("launched_at"):
            return []
        status = old.get("status")
        if status not in ("ERROR", "ACTIVE", "SHUTOFF"):
            live = self.fetch(op, id_)
            status = live["status"] if live and not live.get("OS-SRV-USG:launched_at") else None
        return ["status"] if status == "ERROR" else []

    def failed_build(self, op: Op, id_: str, old: Mapping[str, Any]) -> str:
        """The fault that Nova recorded."""
        live = None if old.get("fault") else self.fetch(op, id_)
        reason = old.get("fault") or (live and compute.fault_of(live)) or "the cloud recorded no reason"
        return f"the server never became active: {reason}"

    def data_loss(self, op: Op, old: Mapping[str, Any]) -> list[str]:
        """Its own disks, and the volumes that go with it."""
        return life.data_loss(op, old)

    def preflight_update(self, op: Op, id_: str, new: Mapping[str, Any], changed: list[str]) -> None:  # noqa: ARG002
        """A flavor that the server cannot be resized to is refused; an interruption and a rebuild are reported."""
        if "flavor" in changed and isinstance(new["flavor"], str):
            life.require_fit(op, new["flavor"])
        life.announce(op, new, changed)

    def owed(self, old: Mapping[str, Any]) -> str | None:
        """A resize that waits for a word, and a start after one that failed, also where a refresh saw them first."""
        if old.get("status") == "VERIFY_RESIZE":
            return "a resize waits in VERIFY_RESIZE and will be confirmed"
        return "it was stopped for a resize that failed, and will be started again" if old.get("unfinished") else None

    def is_exclusive(self, inputs: Mapping[str, Any]) -> bool:
        """A port, an address or a volume is in one server at a time."""
        names = ("port_id", "fixed_ip")
        if any(nic.get(name) is not None for nic in objects(inputs.get("networks")) for name in names):
            return True
        return any(item.get("source_type") == "volume" for item in objects(inputs.get("block_devices")))

    def collides(self, resource: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Likewise where the prior server holds it: another resource of the program may need it free."""
        return self.is_exclusive(new) or self.is_exclusive(old)

    def leftovers(self, op: Op, wanted: ServerInputs) -> list[tuple[str, str]]:
        """Those with the marker in their description, or in their metadata."""
        api, marker, name = op.cloud.compute, mark(op), wanted.name or ""
        if not marker:
            return []
        # Each run draws the suffix of an automatic name anew.
        pattern = f"^{re.escape(op.resource)}-" if is_automatic(name, op.resource) else f"^{re.escape(name)}$"
        microversion = op.cloud.region.server_microversion
        found = marked_objects(op.cloud.region, "server").of(
            narrow=lambda: compute.list_servers(api, name=pattern, microversion=microversion),
            list_all=lambda: compute.list_servers(api, microversion=microversion),
            is_own=lambda live: marker in markers_of(live),
        )
        return [(each["id"], each["name"]) for each in found]

    def also_holds(self, id_: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The NICs of the program's ports, each of which an InterfaceAttachment could have instead."""
        for nic in objects(inputs.get("networks")):
            if isinstance(nic.get("port_id"), str):
                yield "InterfaceAttachment", f"{id_}/{nic['port_id']}"

    def create(self, op: Op, wanted: ServerInputs) -> Live:
        """Create, wait until it runs, then do what a create request cannot."""
        body, microversion = life.create_request(op, wanted)
        api = op.cloud.compute
        made = create_once(
            op,
            api,
            send=lambda: compute.create_server(api, body, hints=wanted.scheduler_hints, microversion=microversion),
            candidates=lambda: _named(op, body["name"]),
            marked=body.get("description") or mark(op),
        )
        op.created(made["id"])
        op.memo["admin_pass"] = wanted.admin_pass or made.get("adminPass")
        live = life.running(op, made["id"])
        # An empty list means none, which the older API has no word for: it takes that for no list at all.
        networks = "auto" if wanted.networks == [] else plain(wanted.networks)
        return self._converge(op, live, wanted, {"networks": networks})

    def read(self, op: Op, id_: str) -> Live | None:
        """From the list that serves every refresh of servers."""
        live = op.cloud.region.servers.read(id_)
        return None if life.is_gone(live) else live

    def fetch(self, op: Op, id_: str) -> Live | None:
        """The server as it is this moment."""
        live = op.cloud.region.servers.get(id_)
        return None if life.is_gone(live) else live

    def observe(self, op: Op, live: Live) -> dict[str, Any]:
        """As the API tells it, flavor and image in the program's words where these stand for the same."""
        names, flavor_id = catalog(op.cloud.region), life.flavor_id(live)
        image_id = (live.get("image") or {}).get("id")
        addresses = nics.addresses(live)
        metadata = {key: value for key, value in (live.get("metadata") or {}).items() if key != MARKER_KEY}
        seen: dict[str, Any] = {
            "region": op.cloud.region.name,
            "name": live["name"],
            "metadata": metadata,
            "key_name": live.get("key_name"),
            "config_drive": bool(live.get("config_drive")),
            "admin_pass": op.memo.get("admin_pass"),
            "flavor_id": flavor_id,
            "image_id": image_id,
            "access_ip_v4": live.get("accessIPv4") or _first(addresses, 4),
            "access_ip_v6": live.get("accessIPv6") or _first(addresses, 6),
            "addresses": addresses,
            "volumes_attached": live.get("os-extended-volumes:volumes_attached") or [],
            "host_id": live.get("hostId"),
            "status": live["status"],
            "vm_state": live.get("OS-EXT-STS:vm_state"),
            "task_state": live.get("OS-EXT-STS:task_state"),
            "instance_name": live.get("OS-EXT-SRV-ATTR:instance_name"),
            "hostname": live.get("OS-EXT-SRV-ATTR:hostname"),
            "locked": live.get("locked"),
            "created": live.get("created"),
            "updated": live.get("updated"),
            "launched_at": live.get("OS-SRV-USG:launched_at"),
            "fault": compute.fault_of(live),
            "flavor": _word(op, "flavor", flavor_id, names.flavor) or names.flavor_name(flavor_id),
            "unfinished": op.memo.get("unfinished", op.old.get("unfinished")),
        }
        seen |= {name: live[name] for name in ("description", "tags") if name in live}
        passing = {
            "power_state": life.power_state(live),
            "availability_zone": live.get("OS-EXT-AZ:availability_zone"),
            "disk_config": live.get("OS-DCF:diskConfig"),
        }
        # While it is built, or in trouble, the API has nothing to say about these.
        seen |= {name: value for name, value in passing.items() if value}
        if image_id:
            seen["image"] = _word(op, "image", image_id, names.image) or image_id
            known = op.old.get("image_name") if op.old.get("image_id") == image_id else None
            seen["image_name"] = known or names.image_name(image_id)
        # Where there are none, Nova leaves the word out.
        if "security_groups" in live or addresses:
            seen["security_groups"] = nics.groups(op, live)
        return seen | nics.observed(op, live)

    def update(self, op: Op, id_: str, wanted: ServerInputs, old: Mapping[str, Any]) -> Live:
        """Finish what was begun, then do what differs."""
        live = found_or_failed(self.fetch(op, id_), self.name, id_)
        op.memo["unfinished"] = old.get("unfinished")
        op.memo["admin_pass"] = old.get("admin_pass")
        live = life.settled(op, live, self._flavor_id(op, live, wanted), old)
        return self._converge(op, live, wanted, old)

    def delete(self, op: Op, id_: str, old: Mapping[str, Any]) -> None:
        """Delete, in whatever state it is, and wait until it is gone."""
        life.end(op, id_, stop=bool(old.get("stop_before_delete")), force=bool(old.get("force_delete")))

    @staticmethod
    def _flavor_id(op: Op, live: Live, wanted: ServerInputs) -> str:
        """The id of the wanted flavor; the cloud may have forgotten the one that the server has."""
        names, has = catalog(op.cloud.region), life.flavor_id(live)
        return has if _word(op, "flavor", has, names.flavor) else str(names.flavor(wanted.flavor)["id"])

    def _converge(self, op: Op, live: Live, wanted: ServerInputs, old: Mapping[str, Any]) -> Live:
        api, id_ = op.cloud.compute, live["id"]
        changes = differing(self, op, wanted, live)
        refresh = False
        words: dict[str, Any] = {key: changes[key] for key in ("name", "description") if key in changes}
        if words:
            microversion = api.require("a server's description", "2.19") if "description" in words else None
            compute.update_server(api, id_, words, microversion=microversion)
            refresh = True
        if "metadata" in changes:
            live = life.wake_for(op, live, "metadata")
            compute.replace_metadata(api, id_, {**changes["metadata"], **kept_marker(op, live)})
            refresh = True
        if wanted.tags is not None and set(wanted.tags) != set(live.get("tags") or ()):
            live = life.wake_for(op, live, "tags")
            compute.replace_tags(api, id_, sorted(set(wanted.tags)))
            refresh = True
        is_rewired = False
        if "networks" in changes or old.get("networks") != plain(wanted.networks):
            is_rewired = nics.rewire(op, live, wanted, old, partial(life.wake_for, op, live, "networks"))
        op.memo["rewired"] = True
        # What has just been attached has the project's default group, whatever the other NICs have.
        if wanted.security_groups is not None and (is_rewired or "security_groups" in changes):
            nics.regroup(op, id_, wanted.security_groups)
            refresh = True
        if refresh or is_rewired:
            live = found_or_failed(self.fetch(op, id_), self.name, id_)
        if "flavor" in changes:
            live = life.resize(
                op,
                live,
                catalog(op.cloud.region).flavor(wanted.flavor),
                stop=wanted.stop_before_resize,
                was_active=old.get("vm_state") == "active",
            )
        if op.verb != "create" or wanted.adopt:
            live = self._rebuild(op, live, wanted, old, changes)
        # That of what is taken over is only put down: whether it has it already nobody can tell.
        if op.verb == "update" and wanted.admin_pass and wanted.admin_pass != old.get("admin_pass"):
            live = life.wake_for(op, live, "admin_pass")
            if live["status"] != "ACTIVE":
                # Only a running server takes a password, and one that shall be stopped is not started for it.
                live = life.bring_to(op, live, wanted.power_state)
            compute.action(api, id_, "changePassword", {"adminPass": wanted.admin_pass})
            op.memo["admin_pass"] = wanted.admin_pass
        return life.bring_to(op, live, wanted.power_state or op.memo.get("asleep"))

    def _rebuild(
        self, op: Op, live: Live, wanted: ServerInputs, old: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> Live:
        files = plain(wanted.personality)
        if wanted.image_policy != "rebuild" or not wanted.image:
            return live
        # What is taken over tells no personality, and its disk is not put at risk for one.
        if "image" not in changes and (op.verb == "create" or files in (None, old.get("personality"))):
            return live
        live = life.wake_for(op, live, "image")
        return life.rebuild(op, live, catalog(op.cloud.region).image(wanted.image)["id"], files)


def _word(op: Op, name: str, id_: str, look_up: Callable[[str], Live]) -> str | None:
    """The program's word for a flavor or image, if it stands for the one with this id.

    A word that stood for it once still does: an image's name may have moved on to a newer image since, which is no
    reason to replace a server.
    """
    said: str | None = op.inputs.get(name)
    stood_for_it = op.old.get(name) == said and op.old.get(f"{name}_id") == id_
    if said is None or said == id_ or stood_for_it or op.memo.get(f"{name}_id") == id_:
        return said
    try:
        return said if look_up(said)["id"] == id_ else None
    except errors.EcsError:
        return None


def _named(op: Op, name: str) -> list[Live]:
    microversion = op.cloud.region.server_microversion
    found = compute.list_servers(op.cloud.compute, name=f"^{re.escape(name)}$", microversion=microversion)
    return [
        {**server, "description": server.get("description") or (server.get("metadata") or {}).get(MARKER_KEY)}
        for server in found
        if server["name"] == name
    ]


def _first(addresses: Mapping[str, list[dict[str, Any]]], version: int) -> str | None:
    found = (item["addr"] for items in addresses.values() for item in items if item["version"] == version)
    return next(found, None)


def _fit(flavor: Live | None, image: Live | None, given: Given) -> Iterator[Problem]:
    if not image:
        return
    least, memory = image.get("min_disk") or 0, image.get("min_ram") or 0
    boot = next((item for _, item in given.items("block_devices") if item.get("boot_index") == 0), None)
    if boot and isinstance(boot.get("volume_size"), int) and boot["volume_size"] < least:
        yield Problem(
            "block_devices",
            f"the image {image['name']} needs a disk of at least {least} GiB; volume_size is {boot['volume_size']}",
        )
    if flavor and memory > flavor["ram"]:
        yield Problem("flavor", f"{flavor['name']} has {flavor['ram']} MiB; the image {image['name']} needs {memory}")
    if flavor and not may_boot_from_device(given) and 0 < flavor["disk"] < least:
        yield Problem(
            "flavor", f"{flavor['name']} has a disk of {flavor['disk']} GiB; the image {image['name']} needs {least}"
        )


KIND = ServerKind()


class Server(EcsResource, kind=KIND):
    """An Elastic Cloud Server.

    Source: guide, chapter 4 "Creating an ECS" and 5 "Modifying ECS specifications"; Nova API reference, "Servers".
    """

    flavor: pulumi.Output[str]
    image: pulumi.Output[str | None]
    name: pulumi.Output[str]
    description: pulumi.Output[str | None]
    metadata: pulumi.Output[dict[str, str]]
    tags: pulumi.Output[list[str] | None]
    security_groups: pulumi.Output[list[str]]
    admin_pass: pulumi.Output[str | None]
    power_state: pulumi.Output[str | None]
    networks: pulumi.Output[str | list[NetworkArgs] | None]
    block_devices: pulumi.Output[list[BlockDeviceArgs] | None]
    key_name: pulumi.Output[str | None]
    availability_zone: pulumi.Output[str]
    user_data: pulumi.Output[str | None]
    config_drive: pulumi.Output[bool]
    personality: pulumi.Output[list[PersonalityArgs] | None]
    scheduler_hints: pulumi.Output[dict[str, object] | None]
    disk_config: pulumi.Output[str]
    image_policy: pulumi.Output[str]
    stop_before_resize: pulumi.Output[bool]
    stop_before_delete: pulumi.Output[bool]
    force_delete: pulumi.Output[bool]
    status: pulumi.Output[str]
    vm_state: pulumi.Output[str]
    task_state: pulumi.Output[str | None]
    flavor_id: pulumi.Output[str]
    image_id: pulumi.Output[str | None]
    image_name: pulumi.Output[str | None]
    access_ip_v4: pulumi.Output[str | None]
    access_ip_v6: pulumi.Output[str | None]
    addresses: pulumi.Output[dict[str, list[Address]]]
    nics: pulumi.Output[list[ServerNic]]
    volumes_attached: pulumi.Output[list[AttachedVolume]]
    host_id: pulumi.Output[str]
    instance_name: pulumi.Output[str | None]
    hostname: pulumi.Output[str | None]
    locked: pulumi.Output[bool | None]
    created: pulumi.Output[str]
    updated: pulumi.Output[str]
    launched_at: pulumi.Output[str | None]
    fault: pulumi.Output[str | None]
    unfinished: pulumi.Output[str | None]

    def __init__(
        self,
        resource_name: str,
        *,
        flavor: pulumi.Input[str],
        image: pulumi.Input[str] | None = None,
        name: pulumi.Input[str] | None = None,
        description: pulumi.Input[str] | None = None,
        metadata: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None,
        tags: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        security_groups: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
        admin_pass: pulumi.Input[str] | None = None,
        power_state: pulumi.Input[PowerState] | None = None,
        networks: pulumi.Input[Literal["auto", "none"]]
        | pulumi.Input[Sequence[pulumi.Input[NetworkArgs]]]
        | None = None,
        block_devices: pulumi.Input[Sequence[pulumi.Input[BlockDeviceArgs]]] | None = None,
        key_name: pulumi.Input[str] | None = None,
        availability_zone: pulumi.Input[str] | None = None,
        user_data: pulumi.Input[str] | None = None,
        config_drive: pulumi.Input[bool] | None = None,
        personality: pulumi.Input[Sequence[pulumi.Input[PersonalityArgs]]] | None = None,
        scheduler_hints: pulumi.Input[Mapping[str, object]] | None = None,
        disk_config: pulumi.Input[Literal["AUTO", "MANUAL"]] | None = None,
        image_policy: pulumi.Input[Literal["replace", "rebuild"]] = "replace",
        stop_before_resize: pulumi.Input[bool] = True,
        stop_before_delete: pulumi.Input[bool] = False,
        force_delete: pulumi.Input[bool] = False,
        region: pulumi.Input[str] | None = None,
        adopt: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a server. Every argument is described in the reference of the kind."""
