"""The state of Terraform or OpenTofu: which objects its OpenStack provider manages, and under which names."""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from ecs_pulumi.dynamic.existing import Declarations
from ecs_pulumi.stack import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ecs_pulumi.dynamic.existing import Candidate, ExistingObjects, Key
    from ecs_pulumi.dynamic.handler import ImportedResource

_VERSION = 4
"""The format that Terraform writes since version 0.12, and OpenTofu."""
_PREFIX = "openstack_"
_PULL = "pass the output of `terraform state pull` (or `tofu state pull`)"
_MAX_NAMES = 5
"""Maximum of names in a line about several objects."""

KINDS = {
    "openstack_blockstorage_volume_v3": "Volume",
    "openstack_compute_instance_v2": "Server",
    "openstack_compute_interface_attach_v2": "InterfaceAttachment",
    "openstack_compute_keypair_v2": "KeyPair",
    "openstack_compute_servergroup_v2": "ServerGroup",
    "openstack_compute_volume_attach_v2": "VolumeAttachment",
    "openstack_networking_floatingip_associate_v2": "FloatingIpAssociation",
    "openstack_networking_floatingip_v2": "FloatingIp",
    "openstack_networking_network_v2": "Network",
    "openstack_networking_port_v2": "Port",
    "openstack_networking_router_interface_v2": "RouterInterface",
    "openstack_networking_router_route_v2": "RouterRoute",
    "openstack_networking_router_routes_v2": "RouterRoute",
    "openstack_networking_router_v2": "Router",
    "openstack_networking_secgroup_rule_v2": "SecurityGroupRule",
    "openstack_networking_secgroup_v2": "SecurityGroup",
    "openstack_networking_subnet_v2": "Subnet",
}
"""The kind for each type of the provider that has one."""

_PARTS = {
    "openstack_networking_port_secgroup_associate_v2": "`security_group_ids` of the Port has the same groups",
    "openstack_networking_subnet_route_v2": "`host_routes` of the Subnet has the same routes",
}
"""Types that are a part of another resource, and which."""

_FORMER = re.compile(
    r"openstack_(blockstorage_volume(_attach)?_v[12]|compute_(secgroup|floatingip|floatingip_associate)_v2)$"
)
"""Types that the provider no longer has."""


class _Instance(BaseModel):
    index_key: int | str | None = None
    status: str | None = None
    deposed: str | None = None
    attributes: dict[str, Any] | None = None
    attributes_flat: dict[str, Any] | None = None


class _Resource(BaseModel):
    module: str = ""
    mode: str
    type: str
    name: str
    provider: str = ""
    instances: list[_Instance] = Field(default_factory=list)


class _State(BaseModel):
    resources: list[_Resource] = Field(default_factory=list)


@dataclass(frozen=True)
class Item:
    """An object that the state manages.

    Attributes:
        address: Its address in Terraform, such as `module.zone["blue"].openstack_networking_port_v2.web[0]`.
        label: The name of its resource, such as `zone-blue-web-0`.
        kind: Its kind.
        ids: Its id, as for the input `adopt`; several if only the cloud shows which one it is.
        attributes: Its attributes in the state. They may contain secrets.
        alias: The alias of its provider in the configuration; empty without one.
    """

    address: str
    label: str
    kind: str
    ids: tuple[str, ...]
    attributes: Mapping[str, Any]
    alias: str = ""


@dataclass
class TerraformState:
    """What a state manages.

    Attributes:
        items: The objects that can be imported if the cloud has them, in the order of the state.
        lookups: The objects that data sources look up, with the names of these.
        skipped: The addresses of all other objects, by the reason.
    """

    items: list[Item] = field(default_factory=list)
    lookups: dict[Key, str] = field(default_factory=dict)
    skipped: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def declarations(self) -> Declarations:
        """The same for the handlers."""
        by_key = {(item.kind, id_): item for item in self.items for id_ in item.ids}

        def complete(each: Candidate, resource: ImportedResource) -> None:
            _restore(by_key[each.key], resource)

        return Declarations({key: item.label for key, item in by_key.items()}, self.lookups, complete)

    def check(self, existing: ExistingObjects[Any]) -> None:
        """Move the objects that cannot be imported from this cloud to `skipped`.

        Raises:
            StackError: None of the objects can be imported.
        """
        found: list[Item] = []
        for item in self.items:
            if reason := _ineligible_reason(item, existing):
                self.skipped[reason].append(item.address)
            else:
                found.append(item)
        if not found:
            reason = max(self.skipped, key=lambda each: len(self.skipped[each]), default="")
            raise StackError(
                "nothing of the state can be imported"
                + (f": {_names(self.skipped[reason])} ({reason})" if reason else ": it manages no objects of OpenStack")
            )
        self.items = found

    def notes(self, selected: Iterable[Candidate]) -> Iterator[str]:
        """Yield a line for each reason why objects are not imported, and for each input that cannot be restored.

        Args:
            selected: The objects of the program.
        """
        for reason, addresses in self.skipped.items():
            yield f"not imported: {_names(addresses)} ({reason})"
        labels = {each.key: each.label for each in selected}
        missing: dict[str, list[str]] = defaultdict(list)
        for item in self.items:
            label = next((labels[item.kind, id_] for id_ in item.ids if (item.kind, id_) in labels), "")
            for name in _missing(item) if label else ():
                missing[name].append(label)
        for name, names in missing.items():
            yield f"not in the program: {name} of {_names(names)} ({_MISSING[name]})"


def load(file: str) -> TerraformState:
    """Read a state.

    Args:
        file: Path of the file, `-` for standard input.

    Raises:
        StackError: The file is not a state in the format of Terraform 0.12 and later.
        OSError: The file cannot be read.
    """
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    what = "the standard input" if file == "-" else file
    document = _document(data, what)
    try:
        parsed = _State.model_validate(document)
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        raise StackError(f"{what} is not a valid Terraform state: `{place}` is missing or has another type") from None
    state = TerraformState()
    foreign: list[str] = []
    for resource in parsed.resources:
        if not resource.type.startswith(_PREFIX):
            foreign += [_address(resource, each) for each in resource.instances if resource.mode == "managed"]
            continue
        for instance in resource.instances:
            _add(state, resource, instance)
    if foreign:
        state.skipped["managed by another provider than OpenStack's"] = foreign
    return state


def _document(data: bytes, what: str) -> dict[str, Any]:
    """Return the content of a state in the supported format."""
    if not data.strip():
        raise StackError(f"{what} is empty; {_PULL}")
    if data.startswith(b"PK\x03\x04"):
        raise StackError(f"{what} is a plan, not a state; {_PULL}")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise StackError(f"{what} is not a Terraform state: it is not JSON; {_PULL}") from None
    if not isinstance(document, dict):
        raise StackError(f"{what} is not a Terraform state; {_PULL}")
    if "encrypted_data" in document:
        raise StackError(f"{what} is encrypted by OpenTofu; pass the output of `tofu state pull`, which decrypts it")
    if "backend" in document:
        raise StackError(f"{what} names the backend that stores the state; {_PULL}")
    if "format_version" in document:
        raise StackError(f"{what} is the output of `terraform show -json`; {_PULL}")
    version = document.get("version")
    if version != _VERSION:
        is_older = isinstance(version, int) and version < _VERSION
        hint = "Terraform 0.12 or later converts it with the next `terraform apply`" if is_older else _PULL
        found = f"has version {version}" if isinstance(version, int) else "has no version"
        raise StackError(f"{what} {found}, but only Terraform states of version {_VERSION} can be read; {hint}")
    return document


def _add(state: TerraformState, resource: _Resource, instance: _Instance) -> None:
    address, label = _address(resource, instance), _label(resource, instance)
    attributes = instance.attributes or instance.attributes_flat or {}
    kind, id_ = KINDS.get(resource.type), str(attributes.get("id") or "")
    if resource.mode == "data":
        if kind and id_:
            state.lookups.setdefault((kind, id_), label)
        return
    if reason := _reason(resource.type, instance, id_):
        state.skipped[reason].append(f"{address} ({id_})" if _FORMER.match(resource.type) else address)
        return
    alias = resource.provider.rpartition("]")[2].removeprefix(".")
    for suffix, ids in _ids(resource.type, id_, attributes):
        state.items.append(Item(address, f"{label}{suffix}", str(kind), ids, attributes, alias))


def _reason(type_: str, instance: _Instance, id_: str) -> str:
    """Return why an instance of a resource is not imported, whatever the cloud has; empty if it can be."""
    if type_ in _PARTS:
        return _PARTS[type_]
    if _FORMER.match(type_):
        return "a type that the provider no longer has; `ecs-pulumi adopt --id ID` imports the object"
    if type_ not in KINDS:
        return "ecs_pulumi has no such kind"
    if instance.deposed:
        return "deposed: Terraform still has to delete it"
    if instance.status == "tainted":
        return "tainted: Terraform would replace it"
    return "" if id_ else "the state has no id of it"


def _address(resource: _Resource, instance: _Instance) -> str:
    key = "" if instance.index_key is None else f"[{json.dumps(instance.index_key, ensure_ascii=False)}]"
    module = f"{resource.module}." if resource.module else ""
    return f"{module}{resource.type}.{resource.name}{key}"


def _label(resource: _Resource, instance: _Instance) -> str:
    """Return the name in Terraform, after those of its modules, and before its key in `count` or `for_each`."""
    modules = re.findall(r'module\.([^.\[]+)(?:\[("(?:[^"\\]|\\.)*"|\d+)\])?', resource.module)
    parts = [part.strip('"') for each in modules for part in each if part]
    return "-".join([*parts, resource.name, *([] if instance.index_key is None else [str(instance.index_key)])])


def _ids(type_: str, id_: str, attributes: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the objects of an instance: a suffix for the name, and the ids that the object may have."""

    def joined(*names: str) -> str:
        return "/".join(str(attributes.get(name) or "") for name in names)

    if type_ == "openstack_compute_volume_attach_v2":
        yield "", (joined("instance_id", "volume_id"),)
    elif type_ == "openstack_compute_interface_attach_v2":
        yield "", (joined("instance_id", "port_id"),)
    elif type_ == "openstack_networking_router_interface_v2":
        # The port of an IPv6 interface may have several subnets, each with a resource.
        yield "", (f"{joined('router_id')}/{id_}", f"{joined('router_id')}/{id_}/{joined('subnet_id')}")
    elif type_ == "openstack_networking_router_route_v2":
        yield "", (joined("router_id", "destination_cidr", "next_hop"),)
    elif type_ == "openstack_networking_router_routes_v2":
        for route in _objects(attributes, "routes"):
            destination, next_hop = route.get("destination_cidr"), route.get("next_hop")
            yield f"-{destination}", (f"{joined('router_id')}/{destination}/{next_hop}",)
    else:
        yield "", (id_,)


def _ineligible_reason(item: Item, existing: ExistingObjects[Any]) -> str:
    region = item.attributes.get("region")
    if region and region != existing.cloud.region.name:
        return f"in region {region}, not in {existing.cloud.region.name}"
    if any((item.kind, id_) in existing.candidates for id_ in item.ids):
        return ""
    whole, _, part = item.ids[0].partition("/")
    owner = "Router" if item.kind in ("RouterInterface", "RouterRoute") else "Server"
    if part and existing.ineligible_reason(owner, whole):
        return f"its {owner} cannot be imported"
    reason = existing.ineligible_reason(item.kind, item.ids[0])
    if reason in (None, "it does not exist"):
        alias = f'; its provider has the alias "{item.alias}"' if item.alias else ""
        return f"no longer in this project and region{alias}"
    return str(reason)


_MISSING = {
    "user_data": "the Terraform state has only its hash",
    "personality": "it may contain secrets",
    "admin_pass": "it is a secret",
    "private_key": "it is a secret, which only the Terraform state has",
}
"""Inputs and outputs that cannot be restored, and why."""


def _missing(item: Item) -> list[str]:
    return [name for name in _MISSING if item.kind in ("Server", "KeyPair") and item.attributes.get(name)]


def _restore(item: Item, resource: ImportedResource) -> None:
    """Add the inputs that no API returns and that the state has."""
    values = item.attributes
    hints = next(iter(_objects(values, "scheduler_hints")), {})
    more = hints.get("additional_properties")
    hints = {**hints, **(more if isinstance(more, dict) else {})}
    restored: dict[str, Any] = {
        "value_specs": values.get("value_specs"),
        "scheduler_hints": {name: hints[name] for name in hints if hints[name] and name != "additional_properties"},
    }
    if restored["scheduler_hints"].get("query"):
        restored["scheduler_hints"]["query"] = json.dumps(hints["query"])
    if item.kind == "Server":
        restored |= {
            "stop_before_delete": _is_true(values, "stop_before_destroy"),
            "force_delete": _is_true(values, "force_delete"),
        }
        restored["block_devices"] = _block_devices(values, has_image=bool(resource.inputs.get("image")))
        _mark_access_network(values, resource)
    elif item.kind == "Volume":
        restored["backup_id"] = values.get("backup_id")
    elif item.kind == "FloatingIp":
        restored["subnet_ids"] = values.get("subnet_ids") or list(filter(None, [values.get("subnet_id")]))
    elif item.kind == "VolumeAttachment":
        restored["tag"] = values.get("tag")
    elif item.kind == "SecurityGroup" and values.get("delete_default_rules"):
        resource.comments.append("A new group has the default egress rules, since its rules are resources.")
    for name in _missing(item):
        if name == "private_key":
            resource.comments.append(
                "Only the Terraform state has the private key: save it before you delete the state."
            )
        else:
            resource.comments.append(f"{name} is missing: {_MISSING[name]}.")
    resource.inputs |= {name: value for name, value in restored.items() if value}


def _block_devices(values: Mapping[str, Any], *, has_image: bool) -> list[dict[str, Any]]:
    devices = []
    for each in _objects(values, "block_device"):
        device = {name: value for name, value in each.items() if value or name == "boot_index"}
        if device.get("source_type") == "image" and device.get("boot_index") == 0 and has_image:
            device.pop("uuid", None)  # the input `image` names it
        devices.append(device)
    return devices


def _mark_access_network(values: Mapping[str, Any], resource: ImportedResource) -> None:
    chosen = next((each for each in _objects(values, "network") if each.get("access_network")), {})
    nics: Sequence[dict[str, Any]] = resource.inputs.get("networks") or ()
    matches: Callable[[Mapping[str, Any]], bool] = lambda nic: (  # noqa: E731
        nic["port_id"] == chosen.get("port") if "port_id" in nic else nic.get("network_id") == chosen.get("uuid")
    )
    if nic := next(filter(matches, nics), None):
        nic["access_network"] = True


def _is_true(values: Mapping[str, Any], name: str) -> bool:
    """Whether an attribute is true; flat attributes are texts."""
    return values.get(name) in (True, "true")


def _objects(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = values.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _names(names: Sequence[str]) -> str:
    listed = ", ".join(names[:_MAX_NAMES])
    return f"{listed} and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else listed
