"""Return types of the lookups: frozen models of the API's documents, with Pythonic field names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from typing_extensions import Never


def _number(value: Any) -> Any:
    # Nova represents "no swap" as an empty string.
    return 0 if value == "" else value


def _flag(value: Any) -> Any:
    return False if value == "" else value


def _text(value: Any) -> Any:
    # Depending on the API version, a missing value is null or an empty string.
    return None if value == "" else value


Number = Annotated[int, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[str | None, BeforeValidator(_text)]


class Info(BaseModel):
    """Base class of all return types. A field that the API does not return has its default."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, document: Any) -> Any:
        if not isinstance(document, Mapping):
            return document
        return {key: value for key, value in document.items() if value is not None}

    @property
    def __iter__(self) -> Never:
        """Disable iteration, because `pulumi.export` shows iterable objects as lists instead of by their fields."""
        raise AttributeError


class Link(Info):
    """A link to a document."""

    rel: str = ""
    href: str = ""
    type: str | None = None


class FlavorInfo(Info):
    """A flavor (guide, chapter 4, step 1)."""

    id: str
    name: str
    vcpus: int
    ram: int
    """Memory in MiB."""
    disk: int = 0
    """Size of the root disk in GiB; 0 if the server must boot from a volume or its disk has the image's size."""
    ephemeral: int = Field(0, validation_alias="OS-FLV-EXT-DATA:ephemeral")
    """Size of the second local disk in GiB."""
    swap: Number = 0
    """Size of the swap disk in MiB."""
    rxtx_factor: float = 1.0
    is_public: bool = Field(default=True, validation_alias="os-flavor-access:is_public")
    disabled: bool = Field(default=False, validation_alias="OS-FLV-DISABLED:disabled")
    description: str | None = None
    extra_specs: dict[str, str] | None = None
    """Properties for the scheduler and the hypervisor; None in lists before compute 2.61."""
    links: list[Link] = []


class ImageInfo(Info):
    """An image (guide, chapter 4, step 2)."""

    id: str
    name: str = ""
    status: Annotated[str, BeforeValidator(str.lower)]
    """`active` if servers can be created from the image."""
    visibility: str | None = None
    """`public`, `private`, `shared` or `community`; None if the image was looked up through the compute service."""
    min_disk: int = Field(0, validation_alias=AliasChoices("min_disk", "minDisk"))
    """Minimum size of the root disk in GiB."""
    min_ram: int = Field(0, validation_alias=AliasChoices("min_ram", "minRam"))
    """Minimum memory in MiB."""
    size: int | None = Field(None, validation_alias=AliasChoices("size", "OS-EXT-IMG-SIZE:size"))
    """Size of the file in bytes."""
    virtual_size: int | None = None
    """Size of the disk that the file contains, in bytes."""
    disk_format: str | None = None
    container_format: str | None = None
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    owner: str | None = None
    """Id of the project that owns the image."""
    protected: bool = False
    os_hidden: bool = False
    progress: int | None = None
    """Upload progress in percent; None if the image was looked up through the image service."""
    tags: list[str] = []
    properties: dict[str, str] = Field(default={}, validation_alias=AliasChoices("properties", "metadata"))
    """All other properties, such as `os_distro`; named metadata in the compute API."""
    created_at: str = Field("", validation_alias=AliasChoices("created_at", "created"))
    updated_at: str = Field("", validation_alias=AliasChoices("updated_at", "updated"))
    links: list[Link] = []


class NetworkInfo(Info):
    """A network (guide, chapter 4, step 3 and chapter 7, step 1).

    If the cloud has no network service, the network is looked up through the compute service. Only then `cidr` and the
    fields after it are set, and some of those before it are not.
    """

    id: str
    name: str = Field("", validation_alias=AliasChoices("name", "label"))
    description: str = ""
    status: str | None = None
    admin_state_up: bool = True
    shared: bool = False
    external: bool = Field(default=False, validation_alias="router:external")
    is_default: bool = False
    port_security_enabled: bool | None = None
    mtu: int | None = None
    dns_domain: str | None = None
    qos_policy_id: str | None = None
    subnet_ids: list[str] = Field(default=[], validation_alias="subnets")
    tags: list[str] = []
    availability_zone_hints: list[str] = []
    availability_zones: list[str] = []
    provider_network_type: str | None = Field(None, validation_alias="provider:network_type")
    provider_physical_network: str | None = Field(None, validation_alias="provider:physical_network")
    provider_segmentation_id: int | None = Field(None, validation_alias="provider:segmentation_id")
    project_id: str | None = Field(None, validation_alias=AliasChoices("project_id", "tenant_id"))
    created_at: str | None = None
    updated_at: str | None = None
    cidr: str | None = None
    cidr_v6: str | None = None
    gateway: str | None = None
    gateway_v6: str | None = None
    netmask: str | None = None
    netmask_v6: str | None = None
    broadcast: str | None = None
    dns1: str | None = None
    dns2: str | None = None


class PoolInfo(Info):
    """An address range of a subnet from which ports get their addresses."""

    start: str
    end: str


class RouteInfo(Info):
    """A route that the subnet's DHCP server announces to servers, or a static route of a router."""

    destination: str
    nexthop: str


class SubnetInfo(Info):
    """A subnet (guide, chapter 7, step 1)."""

    id: str
    name: str = ""
    description: str = ""
    network_id: str
    cidr: str
    ip_version: int = 4
    gateway_ip: str | None = None
    enable_dhcp: bool = True
    dns_nameservers: list[str] = []
    allocation_pools: list[PoolInfo] = []
    host_routes: list[RouteInfo] = []
    ipv6_address_mode: str | None = None
    ipv6_ra_mode: str | None = None
    service_types: list[str] = []
    segment_id: str | None = None
    subnet_pool_id: str | None = Field(None, validation_alias="subnetpool_id")
    tags: list[str] = []
    project_id: str | None = Field(None, validation_alias=AliasChoices("project_id", "tenant_id"))
    created_at: str | None = None
    updated_at: str | None = None


class FixedIpInfo(Info):
    """An address of a port."""

    subnet_id: str
    ip_address: str


class RouterInfo(Info):
    """A router."""

    id: str
    name: str = ""
    description: str = ""
    status: str | None = None
    admin_state_up: bool = True
    external_network_id: str | None = Field(None, validation_alias=AliasPath("external_gateway_info", "network_id"))
    external_fixed_ips: list[FixedIpInfo] = Field(
        default=[], validation_alias=AliasPath("external_gateway_info", "external_fixed_ips")
    )
    enable_snat: bool | None = Field(None, validation_alias=AliasPath("external_gateway_info", "enable_snat"))
    routes: list[RouteInfo] = []
    distributed: bool | None = None
    ha: bool | None = None
    flavor_id: str | None = None
    availability_zone_hints: list[str] = []
    availability_zones: list[str] = []
    tags: list[str] = []
    project_id: str | None = Field(None, validation_alias=AliasChoices("project_id", "tenant_id"))
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def external_ips(self) -> list[str]:
        """The addresses in the external network."""
        return [each.ip_address for each in self.external_fixed_ips]


class FloatingIpInfo(Info):
    """A floating IP."""

    id: str
    address: str = Field(validation_alias="floating_ip_address")
    description: str = ""
    status: str | None = None
    external_network_id: str = Field(validation_alias="floating_network_id")
    port_id: str | None = None
    fixed_ip: str | None = Field(None, validation_alias="fixed_ip_address")
    router_id: str | None = None
    dns_name: str | None = None
    dns_domain: str | None = None
    qos_policy_id: str | None = None
    tags: list[str] = []
    project_id: str | None = Field(None, validation_alias=AliasChoices("project_id", "tenant_id"))
    created_at: str | None = None
    updated_at: str | None = None


class AddressPairInfo(Info):
    """An additional address that a port may use."""

    ip_address: str
    mac_address: str | None = None


class DhcpOptionInfo(Info):
    """A DHCP option of a port."""

    name: str = Field(validation_alias="opt_name")
    value: str = Field(validation_alias="opt_value")
    ip_version: int = 4


class DnsAssignmentInfo(Info):
    """The DNS name of an address of a port."""

    hostname: str
    fqdn: str
    ip_address: str


class PortInfo(Info):
    """A port (guide, chapter 7, step 1)."""

    id: str
    name: str = ""
    description: str = ""
    status: str | None = None
    network_id: str
    mac_address: str
    admin_state_up: bool = True
    fixed_ips: list[FixedIpInfo] = []
    security_group_ids: list[str] = Field(default=[], validation_alias="security_groups")
    allowed_address_pairs: list[AddressPairInfo] = []
    extra_dhcp_options: list[DhcpOptionInfo] = Field(default=[], validation_alias="extra_dhcp_opts")
    port_security_enabled: bool | None = None
    device_id: str = ""
    """Id of the server that uses the port; empty if none does."""
    device_owner: str = ""
    dns_name: str | None = None
    dns_assignment: list[DnsAssignmentInfo] = []
    binding_host_id: str | None = Field(None, validation_alias="binding:host_id")
    binding_profile: dict[str, object] = Field(default={}, validation_alias="binding:profile")
    binding_vif_details: dict[str, object] = Field(default={}, validation_alias="binding:vif_details")
    binding_vif_type: str | None = Field(None, validation_alias="binding:vif_type")
    binding_vnic_type: str = Field("normal", validation_alias="binding:vnic_type")
    qos_policy_id: str | None = None
    tags: list[str] = []
    project_id: str | None = Field(None, validation_alias=AliasChoices("project_id", "tenant_id"))
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def ip_address(self) -> str | None:
        """The first address; None if the port has none."""
        return self.fixed_ips[0].ip_address if self.fixed_ips else None


class SecurityGroupRuleInfo(Info):
    """A rule of a security group."""

    id: str
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    """Name or number of the protocol; None for any."""
    port_range_min: int | None = None
    """First port, or the type of ICMP."""
    port_range_max: int | None = None
    """Last port, or the code of ICMP."""
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    description: str = ""


class SecurityGroupInfo(Info):
    """A security group."""

    id: str
    name: str = ""
    description: str = ""
    stateful: bool = True
    shared: bool = False
    rules: list[SecurityGroupRuleInfo] = Field(default=[], validation_alias="security_group_rules")
    tags: list[str] = []
    project_id: str | None = Field(None, validation_alias=AliasChoices("project_id", "tenant_id"))
    created_at: str | None = None
    updated_at: str | None = None


class KeyPairInfo(Info):
    """A key pair (guide, chapter 4, step 4)."""

    name: str
    public_key: str
    fingerprint: str
    type: str = "ssh"
    user_id: str | None = None
    created_at: str | None = None


class ServerGroupInfo(Info):
    """A server group (Nova API reference, "Server groups")."""

    id: str
    name: str
    policy: str = Field(validation_alias=AliasChoices("policy", AliasPath("policies", 0)))
    """`affinity`, `anti-affinity`, `soft-affinity` or `soft-anti-affinity`."""
    max_server_per_host: int | None = Field(None, validation_alias=AliasPath("rules", "max_server_per_host"))
    members: list[str] = []
    """Ids of the servers."""
    project_id: str | None = None
    """None if the API does not return it (before compute 2.13)."""


class VolumeServerInfo(Info):
    """A server to which a volume is attached."""

    server_id: str
    attachment_id: str = ""
    device: str = ""


class VolumeInfo(Info):
    """A volume (guide, chapter 6, step 1)."""

    id: str
    name: str = ""
    description: str | None = None
    status: str
    size: int
    """Size in GiB."""
    volume_type: str | None = None
    availability_zone: str | None = None
    metadata: dict[str, str] = {}
    bootable: Flag = False
    encrypted: bool = False
    multiattach: bool = False
    shareable: bool = False
    attachments: list[VolumeServerInfo] = []
    image_id: str | None = None
    """Id of the image that the volume was created from."""
    image_name: str | None = None
    image_metadata: dict[str, str] = Field(default={}, validation_alias="volume_image_metadata")
    snapshot_id: str | None = None
    source_volume_id: str | None = Field(None, validation_alias="source_volid")
    consistencygroup_id: str | None = None
    replication_status: str | None = None
    user_id: str | None = None
    project_id: str | None = Field(None, validation_alias="os-vol-tenant-attr:tenant_id")
    created_at: str
    updated_at: str | None = None
    links: list[Link] = []

    @model_validator(mode="before")
    @classmethod
    def _image_fields(cls, document: Any) -> Any:
        image = document.get("volume_image_metadata") or {}
        return {**document, "image_id": image.get("image_id"), "image_name": image.get("image_name")}


class AddressInfo(Info):
    """An address of a server."""

    addr: str
    version: int = 4
    mac: str = Field("", validation_alias="OS-EXT-IPS-MAC:mac_addr")
    type: str = Field("fixed", validation_alias="OS-EXT-IPS:type")


class AttachedVolumeInfo(Info):
    """A volume that is attached to a server."""

    id: str
    delete_on_termination: bool | None = None
    """None if the API does not return it (before compute 2.3)."""


class ServerInfo(Info):
    """A server (guide, 3.2, 3.3 and chapter 4, step 6). Fields that only administrators see are None for others."""

    id: str
    name: str
    status: str
    """`ACTIVE`, `SHUTOFF`, `BUILD`, `VERIFY_RESIZE`, `ERROR`, …"""
    vm_state: str | None = Field(None, validation_alias="OS-EXT-STS:vm_state")
    task_state: str | None = Field(None, validation_alias="OS-EXT-STS:task_state")
    power_state: int | None = Field(None, validation_alias="OS-EXT-STS:power_state")
    """The hypervisor's power state: 1 running, 3 paused, 4 shut down, 6 crashed, 7 suspended."""
    description: str | None = None
    metadata: dict[str, str] = {}
    tags: list[str] = []
    flavor_id: str | None = None
    image_id: str | None = None
    """None if the server boots from a volume."""
    addresses: dict[str, list[AddressInfo]] = {}
    access_ip_v4: Text = Field(None, validation_alias="accessIPv4")
    """The configured access address, or the first address."""
    access_ip_v6: Text = Field(None, validation_alias="accessIPv6")
    """The configured access address, or the first address."""
    security_groups: list[str] = []
    """Names of the security groups."""
    key_name: str | None = None
    availability_zone: Text = Field(None, validation_alias="OS-EXT-AZ:availability_zone")
    config_drive: Flag = False
    disk_config: str | None = Field(None, validation_alias="OS-DCF:diskConfig")
    volumes_attached: list[AttachedVolumeInfo] = Field(
        default=[], validation_alias="os-extended-volumes:volumes_attached"
    )
    locked: bool | None = None
    progress: int | None = None
    fault: str | None = None
    """The reason if the status is ERROR."""
    host: str | None = Field(None, validation_alias="OS-EXT-SRV-ATTR:host")
    host_id: str | None = Field(None, validation_alias="hostId")
    host_status: str | None = None
    hypervisor_hostname: str | None = Field(None, validation_alias="OS-EXT-SRV-ATTR:hypervisor_hostname")
    instance_name: str | None = Field(None, validation_alias="OS-EXT-SRV-ATTR:instance_name")
    # The guide's example uses the plural.
    hostname: str | None = Field(
        None, validation_alias=AliasChoices("OS-EXT-SRV-ATTR:hostname", "OS-EXT-SRV-ATTR:hostnames")
    )
    kernel_id: Text = Field(None, validation_alias="OS-EXT-SRV-ATTR:kernel_id")
    ramdisk_id: Text = Field(None, validation_alias="OS-EXT-SRV-ATTR:ramdisk_id")
    launch_index: int | None = Field(None, validation_alias="OS-EXT-SRV-ATTR:launch_index")
    reservation_id: str | None = Field(None, validation_alias="OS-EXT-SRV-ATTR:reservation_id")
    root_device_name: str | None = Field(None, validation_alias="OS-EXT-SRV-ATTR:root_device_name")
    user_data: SecretStr | None = Field(None, validation_alias="OS-EXT-SRV-ATTR:user_data")
    """Base64; hidden when printed or exported, and returned by `user_data.get_secret_value()`."""
    user_id: str | None = None
    project_id: str | None = Field(None, validation_alias=AliasChoices("tenant_id", "project_id"))
    created: str
    updated: str | None = None
    launched_at: str | None = Field(None, validation_alias="OS-SRV-USG:launched_at")
    terminated_at: str | None = Field(None, validation_alias="OS-SRV-USG:terminated_at")
    links: list[Link] = []

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, document: Any) -> Any:
        addresses = [item for group in (document.get("addresses") or {}).values() for item in group]
        first = {item.get("version", 4): item["addr"] for item in reversed(addresses)}
        fault = document.get("fault") or {}
        return {
            **document,
            "flavor_id": (document.get("flavor") or {}).get("id"),
            "image_id": (document.get("image") or {}).get("id"),
            "accessIPv4": document.get("accessIPv4") or first.get(4),
            "accessIPv6": document.get("accessIPv6") or first.get(6),
            "security_groups": [group["name"] for group in document.get("security_groups") or ()],
            "fault": fault.get("message"),
        }


class AvailabilityZone(Info):
    """An availability zone of one service (guide, chapter 1)."""

    name: str
    available: bool
    resource: str | None = None
    """Kind of network resource that the zone is for: `network` or `router`; None for other services."""


class ApiVersion(Info):
    """A version of the compute API (guide, 3.2)."""

    id: str
    """The version in URLs, for example `v2.1`."""
    status: str
    """`CURRENT`, `SUPPORTED` or `DEPRECATED`."""
    version: Text = None
    """The highest microversion; None if the version has no microversions."""
    min_version: Text = None
    """The lowest microversion; None if the version has no microversions."""
    updated: str | None = None
    links: list[Link] = []
