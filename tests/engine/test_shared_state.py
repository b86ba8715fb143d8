"""A state in an S3-compatible bucket that a team shares."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from tests.support.project import Project
from tools.workspace import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ecs_pulumi.emulator import Emulator

PROGRAM = """
    import ecs_pulumi as ecs

    ecs.Network("net")
    ecs.KeyPair("key")
"""
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-de"}
# Only Amazon's own servers support the checksums that its SDK sends by default.
COMPATIBLE = {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required", "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required"}


@pytest.fixture
def bucket() -> Iterator[Any]:
    """A bucket on a local server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        created = boto3.resource(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_REGION"],
        ).Bucket("team-state")
        created.create(CreateBucketConfiguration={"LocationConstraint": CREDENTIALS["AWS_REGION"]})
        yield created
    finally:
        server.stop()


def names(bucket: Any, folder: str) -> list[str]:
    """Return the names of the objects in a folder of the bucket."""
    return [found.key for found in bucket.objects.filter(Prefix=f".pulumi/{folder}/")]


def test_state_and_lock_in_a_bucket(
    bucket: Any, ecs_emulator: Emulator, engine_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket contains the state with encrypted secrets; a foreign lock blocks a run, and `cancel` removes it."""
    server = bucket.meta.client.meta.endpoint_url
    url = f"s3://{bucket.name}?endpoint={server}&s3ForcePathStyle=true&region=eu-de"
    env = environment(engine_path, tmp_path, "test") | CREDENTIALS | COMPATIBLE | ecs_emulator.environment
    folder = tmp_path / "project"
    folder.mkdir()
    shop = Project(folder, PROGRAM, env | {"PULUMI_BACKEND_URL": url}, "shop")
    shop.up()
    (state,) = (name for name in names(bucket, "stacks") if name.endswith("/test.json"))
    assert "PRIVATE KEY" not in bucket.Object(state).get()["Body"].read().decode()
    assert names(bucket, "locks") == [], "the lock was released"

    lock_content = {"pid": 1, "username": "somebody", "hostname": "elsewhere", "timestamp": "2026-01-01T00:00:00Z"}
    lock = ".pulumi/locks/organization/shop/test/00000000-0000-4000-8000-000000000000.json"
    bucket.put_object(Key=lock, Body=json.dumps(lock_content).encode())
    refused = shop.destroy(fails=True).text
    assert "locked" in refused
    assert "somebody@elsewhere" in refused

    shop.run("cancel", "--yes")
    shop.destroy()
    assert shop.state() == {}
