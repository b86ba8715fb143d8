"""How the resource handlers use the settings of a stack."""

from __future__ import annotations

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.settings import Settings
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
