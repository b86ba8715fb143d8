"""How the resource handlers use the settings of a stack."""

from __future__ import annotations

import json

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.dynamic import rpc_bridge
from ecs_pulumi.dynamic.provider import Provider
from ecs_pulumi.resources import clients
from ecs_pulumi.resources.volume import HANDLER

ACCOUNT = {
    "ecs:authUrl": "https://iam.test/v3",
    "ecs:username": "u",
    "ecs:password": "p",
    "ecs:projectName": "shop",
}


@pytest.mark.parametrize(("text", "enabled"), [("False", False), ("no", False), ("0", False), ("yes", True)])
def test_preflight_and_marker_accept_all_spellings_of_a_boolean(
    text: str,
    enabled: bool,  # noqa: FBT001
) -> None:
    """`ecs:preflight` and `ecs:marker` accept `False`, `no` and `0` as well as `false`."""
    warning = "Nothing was checked against the cloud: ecs:preflight is false [not-checked]"
    assert HANDLER.preflight_disabled({"ecs:preflight": text}.get) == (None if enabled else warning)
    assert HANDLER.connect({**ACCOUNT, "ecs:marker": text}.get, None, 60.0).marker is enabled


@pytest.mark.parametrize("setting", ["preflight", "marker"])
def test_invalid_boolean_setting_is_an_error(setting: str) -> None:
    """A misspelled `false` is an error, and does not count as `true`."""
    with pytest.raises(errors.ConfigurationError, match=f"^ecs:{setting}: 'flase' is neither true nor false$"):
        HANDLER.preflight_disabled({f"ecs:{setting}": "flase"}.get)


@pytest.mark.parametrize("secret", ["password", "token", "applicationCredentialSecret", "secretKey", "securityToken"])
def test_unauthorized_hint_mentions_stored_secrets(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint appears only if a setting contains the secret: secrets in variables and files are not stored."""
    monkeypatch.setattr(clients, "_connections", {Settings.from_config({f"ecs:{secret}": "s"}.get): None})
    assert "--run-program" in str(HANDLER.stored_settings_hint(errors.Unauthorized(401, "no")))
    assert HANDLER.stored_settings_hint(errors.Forbidden(403, "no")) is None
    monkeypatch.setattr(clients, "_connections", {Settings(cloud="shop"): None})
    assert HANDLER.stored_settings_hint(errors.Unauthorized(401, "no")) is None


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("dev", ["dev"]),
        ("dev, shop,dev", ["dev", "shop"]),
        ("2026", ["2026"]),
        ("true", ["true"]),
        ('["dev", 4.50, 7]', ["dev", "4.50", "7"]),
        ("[]", None),
    ],
)
def test_default_tags(text: str, tags: list[str] | None) -> None:
    """`ecs:defaultTags` is a list, whose numbers are texts, or separated by commas."""
    found = HANDLER.default_inputs({"ecs:defaultTags": text}.get)
    assert found == ({"tags": tags} if tags else {})


def test_default_metadata() -> None:
    """`ecs:defaultMetadata` is a map, whose numbers are texts."""
    assert HANDLER.default_inputs({"ecs:defaultMetadata": '{"owner": "shop", "cost": 42.10}'}.get) == {
        "metadata": {"owner": "shop", "cost": "42.10"}
    }
    assert HANDLER.default_inputs({"ecs:defaultMetadata": "{}"}.get) == {}


INVALID = {
    "defaultTags": {
        "[1": "expected a list of tags",
        "{}": "expected a list of tags",
        "[true]": "each tag must be a text, got true",
        '[["a"]]': "each tag must be a text",
        "a,,b": "a tag has 1 to 60 characters, got an empty one",
        "x" * 61: "a tag has 1 to 60 characters, got one of 61",
        '["a,b"]': "a tag cannot contain",
        "team/shop": "a tag cannot contain .* got 'team/shop'",
        '["a\\u0000b"]': "a tag cannot contain",
        ",".join(map(str, range(51))): "at most 50 tags, got 51",
    },
    "defaultMetadata": {
        "owner": "expected a map from key to text",
        "[]": "expected a map from key to text",
        '{"": "x"}': "a key consists of letters",
        '{"a/b": "x"}': "a key consists of letters, .* got 'a/b'",
        '{"a": true}': "the value of 'a' must be a text in quotes",
        '{"a": {"b": "c"}}': "the value of 'a' must be a text in quotes",
        '{"a": "\\ud800"}': "expected a map from key to text",
        '{"a": null}': "the value of 'a' must be a text in quotes",
        json.dumps({"a": "x" * 256}): "the value of 'a' has 256 characters, and at most 255 characters fit",
    },
}


@pytest.mark.parametrize(
    ("setting", "text", "message"),
    [
        pytest.param(name, text, message, id=f"{name}-{at}")
        for name, each in INVALID.items()
        for at, (text, message) in enumerate(each.items())
    ],
)
def test_invalid_defaults(setting: str, text: str, message: str) -> None:
    """A preview of any kind reports an invalid setting in one line that names it."""
    for kind in ("Server", "KeyPair"):
        provider = Provider(kind)
        config = Config({f"ecs:{setting}": text, "ecs:preflight": "false"}, "shop")
        provider.configure(ConfigureRequest(config=config))
        with pytest.raises(rpc_bridge.Failure, match=f"^check {kind} [^\n]*: ecs:{setting}: {message}[^\n]*$"):
            provider.check({}, {"name": "it", "flavor": "s1", "image": "debian"})
