"""The public interface, listed by hand, so that an accidental change of a name fails a test.

The marks are: `*` required, `U` changed in place, `R` changed by replacement, `C` computed by the cloud if unset,
`S` secret, `= value` the default.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic import BaseModel

import ecs_pulumi as ecs
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.dynamic.fields import Computed, InPlace, ModelField, Replace, Secret, fields_of
from ecs_pulumi.dynamic.handler import get_handler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.sdk.base import EcsResource

INPUTS = {
    "Network": """
        name U, description U, admin_state_up UC, shared UC, external UC, port_security_enabled UC, mtu UC,
        dns_domain UC, transparent_vlan R, qos_policy_id U, tags U, availability_zone_hints R, provider_network_type RC,
        provider_physical_network RC, provider_segmentation_id RC, project_id RC, value_specs R""",
    "Subnet": """
        network_id* R, cidr RC, subnet_pool_id R, prefix_length R, ip_version R = 4, name U, description U,
        gateway_ip UC, no_gateway U, enable_dhcp U = True, dns_nameservers U, allocation_pools UC, host_routes U,
        ipv6_address_mode R, ipv6_ra_mode R, service_types U, segment_id R,
        dns_publish_fixed_ip UC, tags U, project_id RC, value_specs R""",
    "Port": """
        network_id* R, name U, description U, admin_state_up UC, fixed_ips UC, security_group_ids UC,
        allowed_address_pairs U, extra_dhcp_options U, mac_address RC, port_security_enabled UC, device_owner RC,
        dns_name U, binding_host_id U, binding_profile U, binding_vnic_type U = normal, qos_policy_id U, tags U,
        project_id RC, value_specs R""",
    "SecurityGroup": """
        name U, description U, rules U, stateful UC, tags U, project_id RC, value_specs R""",
    "SecurityGroupRule": """
        security_group_id* R, direction* R, ethertype R = IPv4, protocol R, port_range_min R, port_range_max R,
        remote_ip_prefix R, remote_group_id R, remote_address_group_id R, description R, project_id RC""",
    "ServerGroup": "name R, policy* R, max_server_per_host R",
    "Router": """
        name U, description U, admin_state_up UC, external_network U, external_fixed_ips UC, enable_snat UC,
        distributed RC, ha RC, flavor_id R, availability_zone_hints R, tags U, project_id RC, value_specs R""",
    "RouterInterface": "router_id* R, subnet_id R, port_id R",
    "RouterRoute": "router_id* R, destination* R, nexthop* R",
    "FloatingIp": """
        external_network* R, address RC, subnet_ids R, port_id U, fixed_ip UC, description U, dns_name RC,
        dns_domain RC, qos_policy_id U, tags U, project_id RC, value_specs R""",
    "FloatingIpAssociation": "floating_ip_id* R, port_id* U, fixed_ip UC",
    "KeyPair": "name R, public_key RC, type R, user_id R",
    "Volume": """
        size* U, name U, description U, metadata U, volume_type UC, retype_policy U = on-demand, availability_zone RC,
        image R, snapshot_id R, source_volume_id R, backup_id R, multiattach R, scheduler_hints R, read_only U""",
    "VolumeAttachment": "server_id* R, volume_id* R, device RC, tag R, delete_on_termination R, multiattach R",
    "InterfaceAttachment": "server_id* R, port_id R, network_id R, fixed_ips R, tag R",
    "Server": """
        flavor* U, image R, name U, description U, metadata U, tags U, security_groups UC, admin_pass US, power_state U,
        networks U, block_devices R, key_name R, availability_zone RC, user_data R, config_drive R, personality R,
        hypervisor_hostname R,
        scheduler_hints R, disk_config R, image_policy U = replace, stop_before_resize U = True,
        stop_before_delete U = False, force_delete U = False""",
}
COMMON_INPUTS = "region R, cloud R, adopt U"

OUTPUTS = {
    "Network": "status subnet_ids created_at updated_at",
    "Subnet": "created_at updated_at",
    "Port": "status all_fixed_ips ip_address device_id dns_assignment",
    "SecurityGroup": "all_rules created_at updated_at",
    "SecurityGroupRule": "",
    "Router": "status external_network_id external_ips routes created_at updated_at",
    "RouterInterface": "port_id subnet_id network_id ip_address",
    "RouterRoute": "router_id destination nexthop",
    "FloatingIp": "address external_network_id status router_id",
    "FloatingIpAssociation": "floating_ip_id port_id fixed_ip",
    "KeyPair": "private_key fingerprint",
    "ServerGroup": "members",
    "Volume": "status bootable encrypted attachments created_at",
    "VolumeAttachment": "attachment_id",
    "InterfaceAttachment": "port_id network_id mac_address fixed_ips port_state",
    "Server": """
        status vm_state task_state flavor_id image_id access_ip_v4 access_ip_v6 addresses volumes_attached host_id
        instance_name hostname locked created updated launched_at fault""",
}
SECRET_OUTPUTS = {"KeyPair": {"private_key"}}

NESTED = {
    ("Subnet", "allocation_pools"): "start* end*",
    ("Subnet", "host_routes"): "destination* nexthop*",
    ("Port", "fixed_ips"): "subnet_id ip_address",
    ("Port", "allowed_address_pairs"): "ip_address* mac_address",
    ("Port", "extra_dhcp_options"): "name* value* ip_version",
    ("SecurityGroup", "rules"): """
        direction* ethertype protocol port_range_min port_range_max remote_ip_prefix remote_group_id
        remote_address_group_id description""",
    ("Router", "external_fixed_ips"): "subnet_id ip_address",
    ("InterfaceAttachment", "fixed_ips"): "ip_address*",
    ("Server", "networks"): "network_id port_id fixed_ip tag access_network",
    ("Server", "block_devices"): """
        source_type* uuid destination_type boot_index volume_size volume_type multiattach delete_on_termination
        device_name device_type disk_bus guest_format tag""",
    ("Server", "personality"): "path* contents*",
}
CHOICES = {
    ("KeyPair", "type"): {"ssh", "x509"},
    ("ServerGroup", "policy"): {"affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"},
    ("Volume", "retype_policy"): {"never", "on-demand"},
    ("Server", "power_state"): {"active", "shutoff", "paused", "suspended", "shelved_offloaded"},
    ("Server", "image_policy"): {"replace", "rebuild"},
    ("Server", "networks"): {"auto", "none"},
}

LOOKUPS = {
    "get_flavor": "name=None, *, id=None, min_vcpus=None, min_ram=None, min_disk=None",
    "list_flavors": "*, min_vcpus=None, min_ram=None, min_disk=None, is_public=None, sort_key=None, sort_dir=None",
    "get_image": """name=None, *, id=None, name_regex=None, most_recent=False, visibility=None, properties=None""",
    "list_images": "*, name=None, name_regex=None, visibility=None, properties=None, status=None",
    "get_network": "name=None, *, id=None, tags=None",
    "list_networks": "*, tags=None",
    "get_subnet": "name=None, *, id=None, cidr=None, network_id=None, tags=None",
    "get_port": """
        name=None, *, id=None, network_id=None, ip_address=None, mac_address=None, device_id=None, tags=None""",
    "get_security_group": "name=None, *, id=None",
    "get_router": "name=None, *, id=None, tags=None",
    "get_floating_ip": "address=None, *, id=None",
    "get_key_pair": "name, *",
    "get_volume": "name=None, *, id=None, metadata=None",
    "get_server": "name=None, *, id=None",
    "get_server_group": "name=None, *, id=None",
    "list_servers": """
        *, changes_since=None, image=None, flavor=None, name=None, status=None, limit=None, marker=None, not_tags=None,
        reservation_id=None, all_tenants=None""",
    "get_availability_zones": "service='compute', *",
    "get_api_versions": "*",
}

SETTINGS = """
    cloud region authUrl username userId password token applicationCredentialId applicationCredentialName
    applicationCredentialSecret projectName projectId domainName domainId userDomainName userDomainId
    projectDomainName projectDomainId interface cacert cert key insecure endpoints apiVersions maxRetries preflight"""

KINDS = sorted(INPUTS)


def kind(name: str) -> type[EcsResource]:
    """Return the public class of a kind."""
    found: type[EcsResource] = getattr(ecs, name)
    return found


def marks(field: ModelField) -> str:
    """Return the marks of a field."""
    letters = {"U": InPlace, "R": Replace, "C": Computed, "S": Secret}
    return "".join(letter for letter, option in letters.items() if field.has(option))


@pytest.mark.parametrize("name", KINDS)
def test_inputs_match_interface(name: str) -> None:
    """A resource has exactly these inputs, with their marks and defaults."""
    model = fields_of(get_handler(name).inputs)
    expected = [parse_input(text) for text in f"{INPUTS[name]}, {COMMON_INPUTS}".split(",")]
    assert sorted(model) == sorted(item["name"] for item in expected)
    for item in expected:
        field = model[item["name"]]
        # An additional computed or secret field does not change the interface of a program.
        actual = marks(field) if "C" in item["marks"] else marks(field).replace("C", "")
        actual = actual.replace("S", "") if "S" not in item["marks"] else actual
        assert (item["name"], field.info.is_required(), actual) == (item["name"], bool(item["required"]), item["marks"])
        assert str(field.default) == (item["default"] or "None")


@pytest.mark.parametrize("name", KINDS)
def test_outputs_match_interface(name: str) -> None:
    """A resource has at least these outputs, and exactly the listed ones are secret."""
    handler = get_handler(name)
    outputs = fields_of(handler.outputs)
    everything = {**fields_of(handler.inputs), **outputs}
    assert set(OUTPUTS[name].split()) <= set(everything)
    assert {key for key, field in outputs.items() if field.has(Secret)} == SECRET_OUTPUTS.get(name, set())


@pytest.mark.parametrize(("name", "field"), NESTED)
def test_nested_inputs_match_interface(name: str, field: str) -> None:
    """A nested input has exactly these properties."""
    expected = NESTED[name, field].split()
    required = {item.rstrip("*") for item in expected if item.endswith("*")}
    names = {item.rstrip("*") for item in expected}
    (model,) = find_parts(fields_of(get_handler(name).inputs)[field].info.annotation, is_model)
    assert set(model.model_fields) == names
    assert {key for key, info in model.model_fields.items() if info.is_required()} == required


@pytest.mark.parametrize(("name", "field"), CHOICES)
def test_choices_match_interface(name: str, field: str) -> None:
    """An input with fixed values accepts exactly these values."""
    found = find_parts(fields_of(get_handler(name).inputs)[field].info.annotation, lambda item: isinstance(item, str))
    assert set(found) == CHOICES[name, field]


@pytest.mark.parametrize("name", KINDS)
def test_type_token(name: str) -> None:
    """The type token is stored in state files, so it must not change."""
    assert kind(name)._resource_type_name == f"dynamic/ecs:{name}"


@pytest.mark.parametrize("name", KINDS)
def test_signature_of_get(name: str) -> None:
    """`Kind.get(resource_name, id, *, region=None, opts=None)`."""
    assert signature_of(kind(name).get) == "resource_name, id, *, region=None, cloud=None, opts=None"


@pytest.mark.parametrize("name", LOOKUPS)
def test_lookup_signatures_match_interface(name: str) -> None:
    """A lookup and its `_output` variant have the same parameters and defaults; the variant returns an output."""
    expected = " ".join(LOOKUPS[name].split()) + ", region=None, cloud=None"
    lookup, variant = getattr(ecs, name), getattr(ecs, f"{name}_output")
    assert signature_of(lookup) == signature_of(variant) == expected
    lookup_annotations, variant_annotations = (
        inspect.get_annotations(lookup.__wrapped__),
        inspect.get_annotations(variant),
    )
    assert variant_annotations["return"] == f"pulumi.Output[{lookup_annotations['return']}]"


def test_settings_match_interface() -> None:
    """The namespace `ecs` of the stack configuration has these settings."""
    fields = Settings.model_fields
    aliases = {field.alias for field in fields.values()}
    assert aliases >= set(SETTINGS.split())


def test_public_names_are_complete_and_sorted() -> None:
    """`__all__` is sorted, and all of its names can be imported and are returned by `dir`."""
    assert ecs.__all__ == sorted(ecs.__all__)
    assert set(KINDS) | LOOKUPS.keys() | {f"{name}_output" for name in LOOKUPS} <= set(ecs.__all__)
    for name in ecs.__all__:
        assert getattr(ecs, name).__name__ == name
    assert set(ecs.__all__) <= set(dir(ecs))
    with pytest.raises(AttributeError, match="Servr"):
        _ = ecs.Servr  # type: ignore[attr-defined]


def parse_input(text: str) -> dict[str, str]:
    """Parse an input such as `ip_version R = 4`."""
    match = re.fullmatch(r"(?P<name>\w+)(?P<required>\*?) (?P<marks>[URCS]+)(?: = (?P<default>\S+))?", text.strip())
    assert match, text
    return match.groupdict()


def signature_of(function: Any) -> str:
    """Return the parameters of a function without their types."""
    parameters = [
        item.replace(annotation=inspect.Parameter.empty) for item in inspect.signature(function).parameters.values()
    ]
    text = str(inspect.Signature(parameters))[1:-1]
    return text.replace(" = ", "=")


def is_model(item: object) -> bool:
    """Whether this is a Pydantic model."""
    return isinstance(item, type) and issubclass(item, BaseModel)


def find_parts(annotation: Any, matches: Any) -> set[Any]:
    """Return the parts of an annotation for which `matches` is true."""

    def parts(item: Any) -> Iterator[Any]:
        yield item
        for part in get_args(item):
            yield from parts(part)

    return {item for item in parts(annotation) if matches(item)}
