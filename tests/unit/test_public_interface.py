"""The names that programs rely on, written down once more by hand, so that the code is held to them.

The marks are those of the documentation: `*` required, `U` changed in place, `R` by replacement, `C` chosen by
the cloud when unset, `S` secret, `= value` the default.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic import BaseModel
from typing_extensions import is_typeddict

import ecs_pulumi as ecs
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.dynamic.fields import Computed, InPlace, ModelField, Replace, Secret, fields_of
from ecs_pulumi.dynamic.resource import EcsResource

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUTS = {
    "Network": """
        name U, description U, admin_state_up UC, shared UC, external UC, port_security_enabled UC, mtu UC,
        dns_domain UC, qos_policy_id U, tags U, availability_zone_hints R, provider_network_type RC,
        provider_physical_network RC, provider_segmentation_id RC, project_id RC, value_specs R""",
    "Subnet": """
        network_id* R, cidr RC, subnet_pool_id R, prefix_length R, ip_version R = 4, name U, description U,
        gateway_ip UC, no_gateway U, enable_dhcp U = True, dns_nameservers U, allocation_pools UC, host_routes U,
        ipv6_address_mode R, ipv6_ra_mode R, service_types U, segment_id R, tags U, project_id RC, value_specs R""",
    "Port": """
        network_id* R, name U, description U, admin_state_up UC, fixed_ips UC, security_group_ids UC,
        allowed_address_pairs U, extra_dhcp_options U, mac_address RC, port_security_enabled UC, device_owner RC,
        dns_name U, binding_host_id U, binding_profile U, binding_vnic_type U = normal, qos_policy_id U, tags U,
        project_id RC, value_specs R""",
    "KeyPair": "name R, public_key RC, type R, user_id R",
    "Volume": """
        size* U, name U, description U, metadata U, volume_type UC, retype_policy U = on-demand, availability_zone RC,
        image R, snapshot_id R, source_volume_id R, backup_id R, multiattach R, scheduler_hints R, read_only U""",
    "VolumeAttachment": "server_id* R, volume_id* R, device RC, tag R, delete_on_termination R, multiattach R",
    "InterfaceAttachment": "server_id* R, port_id R, network_id R, fixed_ips R, tag R",
    "Server": """
        flavor* U, image R, name U, description U, metadata U, tags U, security_groups UC, admin_pass US, power_state U,
        networks U, block_devices R, key_name R, availability_zone RC, user_data R, config_drive R, personality R,
        scheduler_hints R, disk_config R, image_policy U = replace, stop_before_resize U = True,
        stop_before_delete U = False, force_delete U = False""",
}
OF_EVERY_KIND = "region R, adopt U"

OUTPUTS = {
    "Network": "status subnet_ids created_at updated_at",
    "Subnet": "created_at updated_at",
    "Port": "status all_fixed_ips ip_address device_id dns_assignment",
    "KeyPair": "private_key fingerprint",
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
    ("InterfaceAttachment", "fixed_ips"): "ip_address*",
    ("Server", "networks"): "network_id port_id fixed_ip tag",
    ("Server", "block_devices"): """
        source_type* uuid destination_type boot_index volume_size volume_type delete_on_termination device_name
        device_type disk_bus guest_format tag""",
    ("Server", "personality"): "path* contents*",
}
CHOICES = {
    ("KeyPair", "type"): {"ssh", "x509"},
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
    "get_key_pair": "name, *",
    "get_volume": "name=None, *, id=None, metadata=None",
    "get_server": "name=None, *, id=None",
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
    """The public class."""
    found: type[EcsResource] = getattr(ecs, name)
    return found


def marks(field: ModelField) -> str:
    """The field's marks as the documentation writes them."""
    letters = {"U": InPlace, "R": Replace, "C": Computed, "S": Secret}
    return "".join(letter for letter, fact in letters.items() if field.has(fact))


@pytest.mark.parametrize("name", KINDS)
def test_the_inputs_are_as_documented(name: str) -> None:
    """Every input is there under its name, with its marks and its default, and none besides."""
    model = fields_of(kind(name).kind.inputs)
    documented = [parsed(text) for text in f"{INPUTS[name]}, {OF_EVERY_KIND}".split(",")]
    assert sorted(model) == sorted(item["name"] for item in documented)
    for item in documented:
        field = model[item["name"]]
        # What the cloud chooses besides what is documented makes no difference to a program.
        said = marks(field) if "C" in item["marks"] else marks(field).replace("C", "")
        said = said.replace("S", "") if "S" not in item["marks"] else said
        assert (item["name"], field.info.is_required(), said) == (item["name"], bool(item["required"]), item["marks"])
        assert str(field.default) == (item["default"] or "None")


@pytest.mark.parametrize("name", KINDS)
def test_the_outputs_are_as_documented(name: str) -> None:
    """Every documented output is there, and the secret ones are secrets."""
    this = kind(name).kind
    outputs = fields_of(this.outputs)
    everything = {**fields_of(this.inputs), **outputs}
    assert set(OUTPUTS[name].split()) <= set(everything)
    assert {key for key, field in outputs.items() if field.has(Secret)} == SECRET_OUTPUTS.get(name, set())


@pytest.mark.parametrize("name", KINDS)
def test_the_signature_says_what_the_model_says(name: str) -> None:
    """An editor completes exactly the inputs that there are, with their defaults."""
    parameters = dict(inspect.signature(kind(name).__init__).parameters)
    assert parameters.pop("self") is not None
    assert parameters.pop("resource_name").kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert parameters.pop("opts").default is None
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    model = fields_of(kind(name).kind.inputs)
    assert sorted(parameters) == sorted(model)
    for key, parameter in parameters.items():
        required = parameter.default is inspect.Parameter.empty
        assert (key, required) == (key, model[key].info.is_required())
        assert required or parameter.default == model[key].default


@pytest.mark.parametrize("name", KINDS)
def test_the_class_declares_every_input_and_output(name: str) -> None:
    """What is observed can be used under its name, by a program and by a type checker."""
    this = kind(name).kind
    declared = inspect.get_annotations(kind(name)).keys() | inspect.get_annotations(EcsResource).keys() - {"kind"}
    assert declared == fields_of(this.inputs).keys() | fields_of(this.outputs).keys()


@pytest.mark.parametrize(("name", "field"), NESTED)
def test_nested_inputs_are_as_documented(name: str, field: str) -> None:
    """The typed dictionary that editors complete and the model that checks have the documented properties."""
    documented = NESTED[name, field].split()
    required = {item.rstrip("*") for item in documented if item.endswith("*")}
    every = {item.rstrip("*") for item in documented}
    (model,) = found_in(fields_of(kind(name).kind.inputs)[field].info.annotation, is_model)
    assert set(model.model_fields) == every
    assert {key for key, info in model.model_fields.items() if info.is_required()} == required
    parameter = inspect.signature(kind(name).__init__).parameters[field]
    (typed,) = found_in(parameter.annotation, is_typeddict)
    assert typed.__annotations__.keys() == every
    assert typed.__required_keys__ == required
    assert typed.__name__ in ecs.__all__


@pytest.mark.parametrize(("name", "field"), CHOICES)
def test_choices_are_as_documented(name: str, field: str) -> None:
    """An input with a few possible values takes these and no others."""
    found = found_in(fields_of(kind(name).kind.inputs)[field].info.annotation, lambda item: isinstance(item, str))
    assert set(found) == CHOICES[name, field]


@pytest.mark.parametrize("name", KINDS)
def test_the_type_token_is_persisted(name: str) -> None:
    """State files name it for ever."""
    assert kind(name)._resource_type_name == f"dynamic/ecs:{name}"


@pytest.mark.parametrize("name", KINDS)
def test_get_takes_a_name_and_an_id(name: str) -> None:
    """`Kind.get(resource_name, id, *, region=None, opts=None)`."""
    assert shape(kind(name).get) == "resource_name, id, *, region=None, opts=None"


@pytest.mark.parametrize("name", LOOKUPS)
def test_lookups_and_their_twins_are_as_documented(name: str) -> None:
    """Both forms take the same arguments under the same names with the same defaults; the twin takes inputs."""
    documented = " ".join(LOOKUPS[name].split()) + ", region=None"
    lookup, twin = getattr(ecs, name), getattr(ecs, f"{name}_output")
    assert shape(lookup) == shape(twin) == documented
    plain, later = inspect.get_annotations(lookup.__wrapped__), inspect.get_annotations(twin)
    assert later["return"] == f"pulumi.Output[{plain['return']}]"


def test_the_settings_are_as_documented() -> None:
    """The stack configuration knows these names in the namespace `ecs`."""
    fields = Settings.model_fields
    aliases = {field.alias for field in fields.values()}
    assert aliases >= set(SETTINGS.split())


def test_every_public_name_is_listed_sorted_and_there() -> None:
    """`__all__`, what can be imported, and what is imported for type checkers are the same names."""
    assert ecs.__all__ == sorted(ecs.__all__)
    assert set(KINDS) | LOOKUPS.keys() | {f"{name}_output" for name in LOOKUPS} <= set(ecs.__all__)
    for name in ecs.__all__:
        assert getattr(ecs, name).__name__ == name
    assert set(ecs.__all__) <= set(dir(ecs))
    with pytest.raises(AttributeError, match="Servr"):
        _ = ecs.Servr  # type: ignore[attr-defined]


def parsed(text: str) -> dict[str, str]:
    """One documented input, such as `ip_version R = 4`."""
    match = re.fullmatch(r"(?P<name>\w+)(?P<required>\*?) (?P<marks>[URCS]+)(?: = (?P<default>\S+))?", text.strip())
    assert match, text
    return match.groupdict()


def shape(function: Any) -> str:
    """The parameters of a function without their types."""
    parameters = [
        item.replace(annotation=inspect.Parameter.empty) for item in inspect.signature(function).parameters.values()
    ]
    text = str(inspect.Signature(parameters))[1:-1]
    return text.replace(" = ", "=")


def is_model(item: object) -> bool:
    """Whether this is a model."""
    return isinstance(item, type) and issubclass(item, BaseModel)


def found_in(annotation: Any, desired: Any) -> set[Any]:
    """The parts of an annotation that are wanted."""

    def parts(item: Any) -> Iterator[Any]:
        yield item
        for part in get_args(item):
            yield from parts(part)

    return {item for item in parts(annotation) if desired(item)}
