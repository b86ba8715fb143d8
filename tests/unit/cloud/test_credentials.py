"""Which options of the settings and of clouds.yaml log in, with which method, and what a missing one is called."""

from __future__ import annotations

from typing import Any

import pytest
from keystoneauth1.identity import v3

from ecs_pulumi.cloud import credentials
from ecs_pulumi.cloud.access_key import AccessKeyAuth
from ecs_pulumi.cloud.errors import ConfigurationError, MissingCredentials
from ecs_pulumi.cloud.settings import Settings

URL = "https://iam.test/v3"
ALL = {
    "token": "t",
    "username": "u",
    "password": "p",
    "application_credential_id": "ai",
    "application_credential_secret": "as",
    "access_key": "ak",
    "secret_key": "sk",
    "security_token": "st",
    "project_name": "shop",
}


@pytest.mark.parametrize(
    ("settings", "dropped"),
    [
        ({}, set()),
        ({"token": "x"}, {"username", "password", "access_key", "secret_key", "security_token"}),
        (
            {"application_credential_name": "x"},
            {"token", "username", "password", "access_key", "secret_key", "security_token"},
        ),
        (
            {"access_key": "x"},
            {"token", "password", "application_credential_id", "application_credential_secret", "security_token"},
        ),
        ({"secret_key": "x"}, {"token", "password", "application_credential_id", "application_credential_secret"}),
        (
            {"password": "x"},
            {
                "token",
                "application_credential_id",
                "application_credential_secret",
                "access_key",
                "secret_key",
                "security_token",
            },
        ),
        ({"project_id": "x"}, {"project_name"}),
        ({"user_id": "x"}, {"username"}),
    ],
)
def test_settings_that_select_a_login_drop_the_others(settings: dict[str, str], dropped: set[str]) -> None:
    """The options of another method in clouds.yaml or the environment do not mix with those of the settings."""
    found = credentials._auth(Settings(**settings), {"auth": {**ALL, "auth_url": URL}})
    expected = {**{name: value for name, value in ALL.items() if name not in dropped}, "auth_url": URL, **settings}
    if "application_credential_name" in settings:
        del expected["application_credential_id"]
    assert found == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"auth": {"ak": "a", "sk": "s"}}, {"access_key": "a", "secret_key": "s"}),
        ({"ak": "a", "sk": "s"}, {"access_key": "a", "secret_key": "s"}),
        (
            {"auth": {"target_agency_name": "g", "target_domain_id": "d", "target_project_name": "p"}},
            {"agency_name": "g", "agency_domain_id": "d", "project_name": "p"},
        ),
        ({"auth": {"project_id": "i", "project_name": "n"}}, {"project_id": "i"}),
        ({"auth": {"username": "a"}, "username": "b"}, {"username": "a"}),
        ({"username": "b"}, {"username": "b"}),
        ({"profile": "x", "auth": {"auth_url": "iam.test"}}, {"auth_url": "https://iam.test"}),
        ({"profile": "x", "auth": {"auth_url": "http://iam.test"}}, {"auth_url": "http://iam.test"}),
        ({"auth": {"auth_url": "iam.test"}}, {"auth_url": "iam.test"}),
        ({"profile": "x"}, {}),
        ({"auth": None}, {}),
        ({"auth": {"password": ""}}, {}),
    ],
)
def test_options_of_clouds_yaml(config: dict[str, Any], expected: dict[str, str]) -> None:
    """Options have the names of OpenStack or of Open Telekom Cloud, in the section `auth` or outside of it."""
    assert credentials._auth(Settings(), config) == expected


USER = {"username": "u", "password": "p", "user_domain_id": "d"}
PROJECT = {"project_id": "p"}


@pytest.mark.parametrize(
    ("auth", "auth_type", "plugin"),
    [
        (USER, "", v3.Password),
        ({"user_id": "u", "password": "p"}, "", v3.Password),
        ({"token": "t"}, "", v3.Token),
        ({"token": "t", **USER}, "", v3.Password),
        ({"application_credential_id": "i", "application_credential_secret": "s"}, "", v3.ApplicationCredential),
        (
            {"application_credential_name": "n", "application_credential_secret": "s", "username": "u"},
            "",
            v3.ApplicationCredential,
        ),
        (
            {"application_credential_name": "n", "application_credential_secret": "s", "user_id": "u"},
            "",
            v3.ApplicationCredential,
        ),
        ({"access_key": "a", "secret_key": "s", **PROJECT}, "", AccessKeyAuth),
        ({"access_key": "a", "secret_key": "s", **PROJECT, **USER}, "", v3.Password),
        ({"access_key": "a", "secret_key": "s", **PROJECT, **USER}, "aksk", AccessKeyAuth),
        ({"access_key": "a", "secret_key": "s", "token": "t", **PROJECT}, "", v3.Token),
    ],
)
def test_login_method(auth: dict[str, str], auth_type: str, plugin: type) -> None:
    """The first method of which there is a secret logs in; a password has precedence over an access key beside it."""
    found = credentials._user_plugin(URL, auth, auth_type, {}, Settings())
    assert type(found) is plugin


@pytest.mark.parametrize(
    ("auth", "auth_type", "error", "message"),
    [
        ({"password": "p"}, "", ConfigurationError, "ecs:username (or OS_USERNAME, or username in clouds.yaml) is"),
        ({"username": "u"}, "", MissingCredentials, "ecs:password (or OS_PASSWORD, or password in clouds.yaml) is"),
        ({}, "", MissingCredentials, "ecs:username (or OS_USERNAME, or username in clouds.yaml) and ecs:password (or"),
        ({"user_id": "u"}, "", MissingCredentials, "ecs:password (or OS_PASSWORD, or password in clouds.yaml) is"),
        (
            {"application_credential_id": "i"},
            "",
            MissingCredentials,
            "ecs:applicationCredentialSecret (or OS_APPLICATION_CREDENTIAL_SECRET, or application_credential_secret in",
        ),
        (
            {"application_credential_secret": "s"},
            "",
            ConfigurationError,
            "ecs:applicationCredentialName (or OS_APPLICATION_CREDENTIAL_NAME, or application_credential_name in",
        ),
        (
            {"application_credential_secret": "s", "application_credential_name": "n"},
            "",
            ConfigurationError,
            "ecs:username (or OS_USERNAME, or username in clouds.yaml) is missing",
        ),
        ({"access_key": "a", **PROJECT}, "", MissingCredentials, "ecs:secretKey (or OS_SECRET_KEY, or secret_key in"),
        ({"secret_key": "s", **PROJECT}, "", MissingCredentials, "ecs:accessKey (or OS_ACCESS_KEY, or access_key in"),
        (PROJECT, "aksk", MissingCredentials, "ecs:accessKey (or OS_ACCESS_KEY, or access_key in clouds.yaml) and ecs"),
        (
            {"access_key": "a", "secret_key": "s"},
            "",
            ConfigurationError,
            "ecs:projectName or ecs:projectId (or OS_PROJECT_NAME, OS_PROJECT_ID) is missing",
        ),
    ],
)
def test_missing_option(auth: dict[str, str], auth_type: str, error: type[Exception], message: str) -> None:
    """The error names what is missing in each place where it can be set.

    Without a secret, the credentials are missing, for example in a pull request from a fork: that ends no preview.
    """
    with pytest.raises(error) as caught:
        credentials._user_plugin(URL, auth, auth_type, {}, Settings())
    assert type(caught.value) is error
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("settings", "environ", "source"),
    [
        ({"username": "u"}, {"OS_USERNAME": "v"}, "ecs:username"),
        ({}, {"OS_USERNAME": "v"}, "OS_USERNAME"),
        ({}, {}, "username in clouds.yaml"),
        ({}, {"OS_USERNAME": "v", "OS_CLOUD": "shop"}, "username in clouds.yaml"),
        ({"cloud": "shop"}, {"OS_USERNAME": "v"}, "username in clouds.yaml"),
        ({}, {"OS_CLOUD": "shop"}, "username in clouds.yaml"),
    ],
)
def test_source_of_an_option(settings: dict[str, str], environ: dict[str, str], source: str) -> None:
    """A hint names the setting, the variable or the file that an option comes from."""
    assert credentials._source("username", Settings(**settings), environ) == source


def test_source_of_the_region() -> None:
    """Its setting has another name than the option in clouds.yaml."""
    assert credentials._source("region_name", Settings(region="eu"), {}) == "ecs:region"
    assert credentials._source("region_name", Settings(), {"OS_REGION_NAME": "eu"}) == "OS_REGION_NAME"
