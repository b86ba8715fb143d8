"""Creating servers on clouds that refuse a part of the request: it is left out, and replaced where that is possible."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.resources.server.handler import ServerHandler
from tests.fields.assertions import assert_complete, assert_no_changes
from tests.fields.cloud_fixtures import CloudFixtures, emulator, new_resources
from tests.fields.rows.compute import KEYS
from tests.support.steps import Failed, Resource, updates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    New = Callable[..., Resource]

DATA = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "delete_on_termination": True}


@pytest.fixture(scope="module", params=["plain", "pairs"])
def otc(request: pytest.FixtureRequest) -> Iterator[CloudFixtures]:
    """The shared objects in an emulated cloud of the dialect `otc`; its parameter is the rule `server_tags`."""
    with emulator("otc", rules={"server_tags": request.param}) as landscape, CloudFixtures(landscape) as created:
        yield created


@pytest.fixture
def new_on_otc(otc: CloudFixtures) -> Iterator[New]:
    """Return new resources in this cloud; destroy them after the test."""
    with new_resources(otc, "Server") as resource:
        yield resource


def disks_of(fixtures: CloudFixtures, server: Resource) -> list[tuple[int, bool, bool]]:
    """Return size, whether the volume boots the server, and whether it is deleted with it, of each attached volume."""
    cloud: Any = fixtures.cloud
    attached = {each["id"]: each["delete_on_termination"] for each in server.outputs["volumes_attached"]}
    volumes = [cloud.block_storage.get_volume(id_) for id_ in attached]
    return sorted((volume.size, volume.is_bootable, attached[volume.id]) for volume in volumes)


def test_server_whose_owner_marker_is_refused(otc: CloudFixtures, new_on_otc: New) -> None:
    """A marker that is too long for a description is in the metadata only; nothing changes afterwards."""
    name = f"web-{'x' * 80}"
    server = new_on_otc(name=name)
    server.up(**otc.server_inputs, name="web")
    remote: Any = otc.cloud.compute.get_server(server.id)
    assert not remote.description
    assert remote.metadata["managed-by-pulumi"].endswith(f"/{name}")
    assert_complete(server, otc.server_inputs | {"name": "web"})


def test_tags_are_set_after_the_create(otc: CloudFixtures, new_on_otc: New) -> None:
    """A cloud that refuses tags in the create request gets them afterwards, in whichever form it shows them."""
    server = new_on_otc()
    program = {**otc.server_inputs, "tags": ["one", "two"]}
    server.up(**program)
    assert sorted(server.outputs["tags"]) == ["one", "two"]
    assert_complete(server, program)
    changed = {**program, "tags": ["two", "three"]}
    assert server.up(**changed) == updates("tags")
    assert_complete(server, changed)
    assert server.up(**program | {"tags": []}) == updates("tags")
    assert_complete(server, program | {"tags": []})


@pytest.mark.parametrize("networks", [None, [], "none", "auto"], ids=["unset", "empty", "none", "auto"])
def test_server_without_networks(networks: Any) -> None:
    """A cloud that creates no server without networks refuses it with what to do."""
    with emulator("otc") as landscape, CloudFixtures(landscape) as fixtures:
        server = fixtures.resource("Server")
        program = {"flavor": landscape.small, "image": landscape.image, "networks": networks, "tags": ["one"]}
        with pytest.raises(Failed, match="networks: list the networks or ports to connect"):
            server.up(**program)
        assert server.state is None


def test_tags_do_not_ask_for_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the cloud knows no keyword for networks, tags are set later, so that the request has none."""
    sent: list[Any] = []

    def refuse(_: Any, server: Any, *, hints: Any = None, microversion: str | None = None) -> Any:
        assert hints is None
        sent.append((server.get("networks"), server.get("tags"), microversion))
        message = "Invalid input for networks 'auto': 'auto' is not of type 'array'" if len(sent) == 1 else "no more"
        raise errors.BadRequest(400, message)

    monkeypatch.setattr(compute, "create_server", refuse)
    with emulator("otc") as landscape, CloudFixtures(landscape) as fixtures, pytest.raises(Failed, match="no more"):
        fixtures.resource("Server").up(flavor=landscape.small, image=landscape.image, tags=["one"])
    assert sent == [("auto", ["one"], "2.52"), (None, None, "2.26")]


@pytest.mark.parametrize(
    "message",
    [
        "Invalid input for name 'networks': 'networks' does not match the description",
        "Networks of this project have no room: networks and description are fine",
    ],
)
def test_words_of_a_refusal_change_no_request(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    """A refusal for another reason is not repeated without the keyword for networks, or without the owner marker."""
    sent: list[Any] = []

    def refuse(_: Any, server: Any, **__: Any) -> Any:
        sent.append(server)
        raise errors.BadRequest(400, message)

    monkeypatch.setattr(compute, "create_server", refuse)
    with (
        emulator("openstack") as landscape,
        CloudFixtures(landscape) as fixtures,
        pytest.raises(Failed, match=re.escape(message)),
    ):
        fixtures.resource("Server").up(flavor=landscape.small, image=landscape.image, tags=["one"])
    assert [each["networks"] for each in sent] == ["auto"]


def test_image_alone_on_otc(otc: CloudFixtures, new_on_otc: New) -> None:
    """The root disk of a server that is created from an image is a volume of the cloud, deleted with the server."""
    server = new_on_otc()
    server.up(**otc.server_inputs)
    assert disks_of(otc, server) == [(4, True, True)]
    assert server.outputs["image"] == otc.server_inputs["image"]
    assert_complete(server, otc.server_inputs)
    volume = server.outputs["volumes_attached"][0]["id"]
    server.destroy()
    cloud: Any = otc.cloud
    otc.wait_for(lambda: cloud.block_storage.find_volume(volume) is None)


def test_image_and_data_disk_without_local_disk(otc: CloudFixtures, new_on_otc: New) -> None:
    """With a data disk, the root disk of a flavor without a disk is a volume of the image in the same request."""
    server = new_on_otc()
    program = {**otc.server_inputs, "block_devices": [DATA]}
    server.up(**program)
    assert disks_of(otc, server) == [(1, False, True), (4, True, True)]
    assert_complete(server, program)


def test_flavor_without_disk(fixtures: CloudFixtures, new: New) -> None:
    """On a cloud that refuses to boot from an image with such a flavor, the root disk becomes a volume."""
    flavor = str(fixtures.new_flavor(ram=512, vcpus=1, disk=0).name)
    for disks in ([], [DATA]):
        server = new("Server")
        program = {**fixtures.server_inputs, "flavor": flavor, "block_devices": disks}
        server.up(**program)
        size = max(1, fixtures.cloud.image.find_image(program["image"], ignore_missing=False).min_disk)
        assert disks_of(fixtures, server) == sorted([(size, True, True), *[(1, False, True)] * len(disks)])
        assert_complete(server, program)


@pytest.mark.parametrize(
    ("field", "value", "hint"),
    [
        ("name", "a" * 129, r"name: some clouds allow at most 128 letters, digits, `_`, `-` and `\.`"),
        ("name", "my server", "name: some clouds allow at most 128 letters"),
        ("description", "d" * 86, "description: some clouds allow at most 85 characters"),
        ("description", "<b>", "description: some clouds allow at most 85 characters"),
        ("user_data", "u" * (32 * 1024 + 1), "user_data: some clouds allow at most 32 KB"),
        ("block_devices", [{**DATA, "destination_type": "local"}], "block_devices: this cloud has no local disks"),
        ("block_devices", [{**DATA, "disk_bus": "scsi"}], "block_devices: this cloud does not offer `disk_bus` there"),
        ("networks", "tag", "networks: this cloud does not offer `tag` there"),
    ],
    ids=["name", "name-space", "description", "description-markup", "user_data", "local", "disk_bus", "tag"],
)
def test_hint_after_a_refusal(otc: CloudFixtures, new_on_otc: New, field: str, value: Any, hint: str) -> None:
    """The error names the property and the limit, no server is left, and secrets are not shown."""
    value = [{"network_id": otc.network, "tag": "a"}] if value == "tag" else value
    server = new_on_otc()
    with pytest.raises(Failed, match=hint) as failed:
        server.up(**{**otc.server_inputs, field: value})
    assert server.state is None
    assert "uuuu" not in str(failed.value)


@pytest.mark.parametrize(
    ("field", "value", "hint"),
    [
        ("name", "my server", "name: some clouds allow at most 128 letters"),
        ("description", "a <b> x", "'a <b> x'.* description: some clouds allow at most 85 characters"),
        ("description", "\u00e4" * 128, "too long.* description: some clouds allow at most 85 characters"),
        (
            "tags",
            ["one", "env=prod"],
            "'env=prod'.* tags: a tag has at most 60 characters.*letters, digits, `_` and `-`",
        ),
    ],
    ids=["name", "markup", "bytes", "tags"],
)
def test_hint_after_a_refused_update(otc: CloudFixtures, new_on_otc: New, field: str, value: Any, hint: str) -> None:
    """A change to what the cloud does not keep fails with the property and the limit."""
    server = new_on_otc()
    program = otc.server_inputs | {"name": "web"}
    server.up(**program)
    with pytest.raises(Failed, match=hint):
        server.up(**program | {field: value})


def test_refusal_of_another_object_is_no_hint_about_the_name() -> None:
    """A message with the word "name" that is not about the name of the server keeps its own hint."""
    message = "Unable to find security_group with name or id 'web'"
    fault: dict[str, Any] = {"method": "POST", "path": "*/servers", "status": 400, "times": 1}
    body = {"badRequest": {"message": message, "code": 400}}
    with emulator("openstack", **fault, body=body) as landscape, CloudFixtures(landscape) as created:
        with pytest.raises(Failed, match=message) as failed:
            created.resource("Server").up(**created.server_inputs | {"name": "my server"})
        assert "name: some clouds" not in str(failed.value)


def test_refused_tag_of_a_new_server(otc: CloudFixtures, new_on_otc: New) -> None:
    """The error names the tags although they are set after the create request."""
    with pytest.raises(Failed, match="tags: a tag has at most 60 characters"):
        new_on_otc().up(**otc.server_inputs, tags=["one", "env=prod"])


def test_tag_in_a_refused_create(fixtures: CloudFixtures, new: New) -> None:
    """The error names the tags if the create request has them."""
    with pytest.raises(Failed, match=r"is too long .* tags: a tag has at most 60 characters"):
        new("Server").up(**fixtures.server_inputs, tags=["one", "x" * 61])


def test_ignored_config_drive_is_an_error(otc: CloudFixtures, new_on_otc: New) -> None:
    """If the cloud creates the server without what the program sets, the error names the property."""
    server = new_on_otc(config={"ecs:apiVersions": json.dumps({"compute": "2"})})  # drops unknown fields
    with pytest.raises(Failed, match="config_drive: the cloud created the server with False, not True; remove it"):
        server.up(**otc.server_inputs, config_drive=True)
    server.up(**otc.server_inputs)
    assert_no_changes(server, otc.server_inputs)


def test_forced_config_drive_is_an_error(fixtures: CloudFixtures, new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the cloud adds what the program rules out, as with Nova's option `force_config_drive`, the error says so."""
    to_outputs = ServerHandler.to_outputs
    monkeypatch.setattr(ServerHandler, "to_outputs", lambda *args: {**to_outputs(*args), "config_drive": True})
    with pytest.raises(Failed, match="config_drive: the cloud created the server with True, not False; remove it"):
        new("Server").up(**fixtures.server_inputs, config_drive=False)


@pytest.mark.parametrize("policy", ["affinity", "soft-anti-affinity"])
def test_policy_that_a_cloud_does_not_offer(new_on_otc: New, policy: str) -> None:
    """The error names the property."""
    with pytest.raises(Failed, match=f"policy: this cloud does not offer `{policy}`"):
        new_on_otc("ServerGroup").up(policy=policy)


def test_key_that_is_too_long(new_on_otc: New) -> None:
    """The error names the limit of the cloud."""
    with pytest.raises(Failed, match="public_key: some clouds import at most 1024 bytes"):
        new_on_otc("KeyPair").up(public_key=f"{KEYS[0]} {'c' * 1024}")
