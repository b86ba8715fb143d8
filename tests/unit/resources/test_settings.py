"""What the settings of a stack mean to the kinds."""

from __future__ import annotations

import pytest

from ecs_pulumi.cloud import errors
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.resources import common
from ecs_pulumi.resources.volume import HANDLER

ACCOUNT = {
    "ecs:authUrl": "https://iam.test/v3",
    "ecs:username": "u",
    "ecs:password": "p",
    "ecs:projectName": "shop",
}


@pytest.mark.parametrize(("text", "enabled"), [("False", False), ("no", False), ("0", False), ("yes", True)])
def test_preflight_and_marker_are_switched_off_by_any_word_for_it(
    text: str,
    enabled: bool,  # noqa: FBT001
) -> None:
    """`pulumi config set ecs:marker False` is not `false`, and means it all the same."""
    assert HANDLER.preflight_enabled({"ecs:preflight": text}.get) is enabled
    assert HANDLER.connect({**ACCOUNT, "ecs:marker": text}.get, None, 60.0).marker is enabled


@pytest.mark.parametrize("setting", ["preflight", "marker"])
def test_any_other_word_is_an_error(setting: str) -> None:
    """A misspelled `false` does not silently mean `true`."""
    with pytest.raises(errors.ConfigurationError, match=f"^ecs:{setting}: 'flase' is neither true nor false$"):
        HANDLER.preflight_enabled({f"ecs:{setting}": "flase"}.get)


@pytest.mark.parametrize("secret", ["password", "token", "applicationCredentialSecret"])
def test_a_stored_secret_may_be_an_old_one(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in the stack's settings is stored with the state; one in a variable or a file is not."""
    monkeypatch.setattr(common, "_connections", {Settings.from_config({f"ecs:{secret}": "s"}.get): None})
    assert "--run-program" in str(HANDLER.stored_settings_hint(errors.Unauthorized(401, "no")))
    assert HANDLER.stored_settings_hint(errors.Forbidden(403, "no")) is None
    monkeypatch.setattr(common, "_connections", {Settings(cloud="shop"): None})
    assert HANDLER.stored_settings_hint(errors.Unauthorized(401, "no")) is None
