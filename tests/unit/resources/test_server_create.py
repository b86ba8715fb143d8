"""The create request of a server: its body, its microversion, and what is left out after a refusal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecs_pulumi.cloud import block_storage, compute, errors
from ecs_pulumi.cloud.differences import Fact
from ecs_pulumi.cloud.polling import Deadline
from ecs_pulumi.resources.server import create
from ecs_pulumi.resources.server.create import CreateRequest, create_request, required_microversions
from ecs_pulumi.resources.server.schema import ServerInputs
from tests.unit.cloud.fakes import FakeClock

if TYPE_CHECKING:
    from ecs_pulumi.resources.clients import Context

DISK = {"source_type": "blank", "destination_type": "volume", "volume_size": 1}
FLAVORS = {"small": {"id": "f", "disk": 20}, "diskless": {"id": "g", "disk": 0}}
IMAGE = {"id": "i", "size": 1, "min_disk": 3, "virtual_size": 2**30 + 1}
BASE: dict[str, Any] = {"name": "web", "flavor": "small", "image": "debian"}
MARKED = {"description": "marker"}
BODY = {"name": "web", "flavorRef": "f", "imageRef": "i"}


def number(version: str) -> tuple[int, ...]:
    """Return a microversion that can be compared."""
    return tuple(map(int, version.split(".")))


class Cloud:
    """A cloud that offers microversions up to one, and notes what it refuses."""

    def __init__(self, newest: str = "2.96") -> None:
        self.newest = newest
        self.facts: set[Fact] = set()
        self.has_undocumented_refusals = False
        self.clock = FakeClock()
        region = SimpleNamespace(differences=self)
        clients = SimpleNamespace(
            compute=self,
            block_storage=None,
            region=region,
            connection=SimpleNamespace(clock=self.clock),
            deadline=Deadline(self.clock, 600),
        )
        self.context = cast("Context", SimpleNamespace(cloud=clients, report_status=lambda _: None))

    def supports(self, version: str) -> bool:
        """Whether the cloud offers the microversion."""
        return number(version) <= number(self.newest)

    def require(self, feature: str, version: str) -> str:
        """Return the microversion if the cloud offers it."""
        if not self.supports(version):
            raise errors.Unsupported(feature, version, self.newest)
        return version

    def knows(self, fact: Fact) -> bool:
        """Whether a difference was noted."""
        return fact in self.facts

    def note(self, fact: Fact) -> None:
        """Note a difference."""
        self.facts.add(fact)


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = SimpleNamespace(flavor=FLAVORS.get, image={"debian": IMAGE, "other": {"id": "o"}}.get)
    monkeypatch.setattr(create, "catalog", lambda _: names)
    monkeypatch.setattr(create, "owner_marker", lambda _: "marker")
    monkeypatch.setattr(create, "metadata_with_marker", lambda _, metadata: metadata)
    monkeypatch.setattr(create, "deduplicate_groups", lambda _, groups: groups)
    monkeypatch.setattr(block_storage, "get_volume", lambda _api, id_: {"multiattach": id_ == "shared"})


@pytest.mark.parametrize(
    ("inputs", "required"),
    [
        ({}, []),
        ({"description": "a"}, [("description", "2.19")]),
        ({"tags": ["a"]}, [("tags", "2.26")]),
        ({"hypervisor_hostname": "h"}, [("hypervisor_hostname", "2.74")]),
        ({"networks": "none"}, [("networks", "2.37")]),
        ({"networks": "auto"}, []),
        ({"networks": [{"network_id": "n"}]}, []),
        ({"networks": [{"network_id": "n"}, {"network_id": "m", "tag": "t"}]}, [("networks", "2.42")]),
        ({"block_devices": [{"tag": "t"}]}, [("block_devices", "2.42")]),
        ({"block_devices": [{}, {"multiattach": True}]}, [("block_devices", "2.60")]),
        ({"description": "", "tags": [], "networks": None, "block_devices": [{"multiattach": False}]}, []),
    ],
)
def test_required_microversions(inputs: dict[str, Any], required: list[tuple[str, str]]) -> None:
    """Each input names the microversion that it needs."""
    assert [(name, version) for name, _, version in required_microversions(inputs)] == required


BOOT_VOLUME = {"source_type": "image", "uuid": "i", "boot_index": 0, "delete_on_termination": True}


@pytest.mark.parametrize(
    ("inputs", "body", "version"),
    [
        ({}, {**BODY, **MARKED}, "2.19"),
        ({"description": "a"}, {**BODY, "description": "a"}, "2.19"),
        ({"tags": ["b", "a", "b"]}, {**BODY, **MARKED, "tags": ["a", "b"], "networks": "auto"}, "2.52"),
        ({"hypervisor_hostname": "h"}, {**BODY, **MARKED, "hypervisor_hostname": "h", "networks": "auto"}, "2.74"),
        ({"networks": "none"}, {**BODY, **MARKED, "networks": "none"}, "2.37"),
        ({"networks": []}, {**BODY, **MARKED, "networks": "none"}, "2.37"),
        (
            {"networks": [{"network_id": "n", "fixed_ip": "10.0.0.5"}, {"port_id": "p"}]},
            {**BODY, **MARKED, "networks": [{"uuid": "n", "fixed_ip": "10.0.0.5"}, {"port": "p"}]},
            "2.19",
        ),
        (
            {"networks": [{"network_id": "n", "tag": "t"}], "hypervisor_hostname": "h"},
            {**BODY, **MARKED, "hypervisor_hostname": "h", "networks": [{"uuid": "n", "tag": "t"}]},
            "2.74",
        ),
        (
            {"key_name": "k", "availability_zone": "z", "config_drive": True, "admin_pass": "x", "disk_config": "AUTO"},
            {
                **BODY,
                **MARKED,
                "key_name": "k",
                "availability_zone": "z",
                "config_drive": True,
                "adminPass": "x",
                "OS-DCF:diskConfig": "AUTO",
            },
            "2.19",
        ),
        ({"user_data": "#!/bin/sh"}, {**BODY, **MARKED, "user_data": "IyEvYmluL3No"}, "2.19"),
        ({"user_data": "IyEvYmluL3No"}, {**BODY, **MARKED, "user_data": "IyEvYmluL3No"}, "2.19"),
        ({"security_groups": ["a"]}, {**BODY, **MARKED, "security_groups": [{"name": "a"}]}, "2.19"),
        ({"metadata": {"a": "b"}}, {**BODY, **MARKED, "metadata": {"a": "b"}}, "2.19"),
        (
            {"block_devices": [DISK]},
            {
                **BODY,
                **MARKED,
                "block_device_mapping_v2": [{**BOOT_VOLUME, "destination_type": "local"}, DISK],
            },
            "2.19",
        ),
        (
            {"flavor": "diskless", "block_devices": [DISK]},
            {
                "name": "web",
                "flavorRef": "g",
                **MARKED,
                "block_device_mapping_v2": [
                    {**BOOT_VOLUME, "destination_type": "volume", "volume_size": 3},
                    DISK,
                ],
            },
            "2.19",
        ),
        ({"flavor": "diskless"}, {**BODY, "flavorRef": "g", **MARKED}, "2.19"),
        (
            {"image": None, "block_devices": [{"source_type": "volume", "uuid": "shared", "boot_index": 0}]},
            {
                "name": "web",
                "flavorRef": "f",
                **MARKED,
                "networks": "auto",
                "block_device_mapping_v2": [
                    {"source_type": "volume", "uuid": "shared", "boot_index": 0, "destination_type": "volume"}
                ],
            },
            "2.60",
        ),
        (
            {"image": None, "block_devices": [{"source_type": "volume", "uuid": "own", "boot_index": 0}]},
            {
                "name": "web",
                "flavorRef": "f",
                **MARKED,
                "block_device_mapping_v2": [
                    {"source_type": "volume", "uuid": "own", "boot_index": 0, "destination_type": "volume"}
                ],
            },
            "2.19",
        ),
    ],
)
def test_body_of_the_request(inputs: dict[str, Any], body: dict[str, Any], version: str) -> None:
    """The body has what the program sets in the API's form, and the microversion is the lowest that it needs."""
    desired = ServerInputs.model_validate({**BASE, **inputs})
    assert create_request(Cloud().context, desired) == (body, version)


def test_body_for_an_old_api() -> None:
    """Below the microversion for descriptions the request needs none, and the description would be the name."""
    desired = ServerInputs.model_validate({**BASE, "networks": []})
    assert create_request(Cloud("2.1").context, desired) == ({**BODY, "networks": []}, None)


@pytest.mark.parametrize(
    ("facts", "inputs", "body"),
    [
        ({Fact.NO_DESCRIPTION_FOR_MARKER}, {}, BODY),
        ({Fact.NO_TAGS_IN_CREATE}, {"tags": ["a"]}, {**BODY, **MARKED}),
        ({Fact.NO_NETWORKS_KEYWORD}, {"tags": ["a"]}, {**BODY, **MARKED}),
        (
            {Fact.NO_NETWORKS_KEYWORD},
            {"tags": ["a"], "networks": [{"port_id": "p"}]},
            {**BODY, **MARKED, "tags": ["a"], "networks": [{"port": "p"}]},
        ),
        (
            {Fact.NO_SERVER_WITHOUT_DISK},
            {"flavor": "diskless"},
            {
                "name": "web",
                "flavorRef": "g",
                **MARKED,
                "block_device_mapping_v2": [{**BOOT_VOLUME, "destination_type": "volume", "volume_size": 3}],
            },
        ),
        ({Fact.NO_SERVER_WITHOUT_DISK}, {}, {**BODY, **MARKED}),
    ],
)
def test_body_without_what_the_cloud_refuses(facts: set[Fact], inputs: dict[str, Any], body: dict[str, Any]) -> None:
    """What a refusal has shown is left out of later requests where it matters."""
    cloud = Cloud()
    cloud.facts = facts
    sent, _ = create_request(cloud.context, ServerInputs.model_validate({**BASE, **inputs}))
    if Fact.NO_NETWORKS_KEYWORD in facts and "networks" not in inputs:
        assert sent.pop("networks", "auto") == "auto"
    assert sent == body


@pytest.mark.parametrize(
    ("message", "inputs", "fact"),
    [
        ("Additional properties are not allowed ('description' was unexpected)", {}, Fact.NO_DESCRIPTION_FOR_MARKER),
        ("Additional properties are not allowed ('description' was unexpected)", {"description": "a"}, None),
        ("Additional properties are not allowed ('tags' was unexpected)", {"tags": ["a"]}, Fact.NO_TAGS_IN_CREATE),
        ("Additional properties are not allowed ('tags' was unexpected)", {}, None),
        ("the description is too long", {}, None),
        (
            "Only volume-backed servers are allowed for flavors with zero disk.",
            {"flavor": "diskless"},
            Fact.NO_SERVER_WITHOUT_DISK,
        ),
        (
            "Only volume-backed servers are allowed for flavors with zero disk.",
            {"flavor": "diskless", "block_devices": [DISK]},
            None,
        ),
        ("no such flavor", {}, None),
    ],
)
def test_refused_request_is_sent_again_without_what_is_refused(
    monkeypatch: pytest.MonkeyPatch, message: str, inputs: dict[str, Any], fact: Fact | None
) -> None:
    """The same body is not sent twice: if nothing can be left out, the refusal is the error."""
    cloud, sent = Cloud(), list[Any]()

    def send(_api: object, body: Any, *, hints: Any, microversion: str | None) -> dict[str, str]:
        sent.append((body, hints, microversion))
        if len(sent) == 1:
            raise errors.BadRequest(400, message)
        return {"id": "s"}

    monkeypatch.setattr(compute, "create_server", send)
    hints = {"group": "g"}
    request = CreateRequest(cloud.context, ServerInputs.model_validate({**BASE, "scheduler_hints": hints, **inputs}))
    if fact is None:
        with pytest.raises(errors.BadRequest):
            request.send()
        assert (len(sent), cloud.facts) == (1, set())
    else:
        assert request.send() == {"id": "s"}
        assert cloud.facts == {fact}
        assert sent[0][0] != sent[1][0]
    assert all(used == hints and version for _, used, version in sent)


def test_undocumented_refusal_of_the_marker() -> None:
    """Only a cloud that does not document its refusals gets the benefit of the doubt."""
    cloud, error = Cloud(), errors.BadRequest(400, "The description is invalid.")
    desired = ServerInputs.model_validate(BASE)
    assert create._refused(cloud.context, MARKED, desired, error) is None
    cloud.has_undocumented_refusals = True
    assert create._refused(cloud.context, MARKED, desired, error) is Fact.NO_DESCRIPTION_FOR_MARKER
    assert create._refused(cloud.context, {}, desired, error) is None


@pytest.mark.parametrize(
    ("image", "size"),
    [
        ({}, 1),
        ({"size": 1}, 1),
        ({"size": 2**30}, 1),
        ({"size": 2**30 + 1}, 2),
        ({"size": 1, "virtual_size": 5 * 2**30}, 5),
        ({"size": 1, "min_disk": 8, "virtual_size": 5 * 2**30}, 8),
        ({"size": None, "min_disk": None, "virtual_size": None}, 1),
    ],
)
def test_size_of_a_root_volume(image: dict[str, Any], size: int) -> None:
    """It is the largest of what the image needs, in whole GiB."""
    assert create.root_volume_size(image) == size


@pytest.mark.parametrize(
    ("image", "size"),
    [
        ({}, 1),
        ({"size": None, "virtual_size": None, "min_disk": None}, 1),
        ({"size": 2**30}, 1),
        ({"size": 2**30 + 1}, 2),
        ({"size": 1, "virtual_size": 3 * 2**30}, 3),
        ({"size": 1, "virtual_size": 3 * 2**30 + 1}, 4),
        ({"size": 5 * 2**30, "virtual_size": 2**30, "min_disk": 2}, 5),
        ({"size": 1, "virtual_size": 2**30, "min_disk": 8}, 8),
    ],
)
def test_size_of_a_volume_for_an_image(image: dict[str, Any], size: int) -> None:
    """It has room for the file, the disk in it, and what the image demands, in whole GiB."""
    assert create.root_volume_size(image) == size
