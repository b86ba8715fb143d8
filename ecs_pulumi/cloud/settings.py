"""The ``ecs:`` stack configuration: which cloud, as whom, and how to talk to it."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from ecs_pulumi.cloud.errors import ConfigurationError

NAMESPACE = "ecs:"
SERVICES = ("compute", "network", "block-storage", "image", "identity")
DEFAULT_RETRIES = 5
_VERSION = re.compile(r"v?\d+(\.\d+)?")


class Settings(BaseModel):
    """What the stack configuration says about the cloud; unset values fall back to clouds.yaml and ``OS_*``.

    Attributes are the settings of the namespace ``ecs`` in snake case: ``ecs:authUrl`` is ``auth_url``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    cloud: str | None = None
    """Entry of clouds.yaml, with which everything below is filled in that is not set here."""
    region: str | None = None
    """Region; needed only where the catalog has several."""
    auth_url: str | None = None
    """URL of Keystone, with or without `/v3`."""
    username: str | None = None
    """Name of the user."""
    user_id: str | None = None
    """Id of the user, instead of name and domain."""
    password: SecretStr | None = None
    """Password of the user."""
    token: SecretStr | None = None
    """A token instead of a password. It ends with its own lifetime."""
    application_credential_id: str | None = None
    """Id of an application credential."""
    application_credential_name: str | None = None
    """Name of the application credential, instead of its id; the user has to be named as well."""
    application_credential_secret: SecretStr | None = None
    """Secret of the application credential."""
    project_name: str | None = None
    """Name of the project."""
    project_id: str | None = None
    """Id of the project, instead of name and domain."""
    domain_name: str | None = None
    """Domain of user and project, where both are in one."""
    domain_id: str | None = None
    """Id of that domain."""
    user_domain_name: str | None = None
    """Domain of the user."""
    user_domain_id: str | None = None
    """Id of the user's domain."""
    project_domain_name: str | None = None
    """Domain of the project."""
    project_domain_id: str | None = None
    """Id of the project's domain."""
    interface: Literal["public", "internal", "admin"] | None = None
    """Which of the catalog's URLs are used. Default: `public`."""
    cacert: str | None = None
    """File with the certificates that may sign the cloud's."""
    cert: str | None = None
    """File with a client certificate."""
    key: str | None = None
    """File with the client certificate's key, where it is not in the same file."""
    insecure: bool | None = None
    """Whether certificates go unverified. Anyone in between can then read the password."""
    endpoints: Mapping[str, str] = Field(default_factory=dict)
    """URLs that replace the catalog's."""
    api_versions: Mapping[str, str] = Field(default_factory=dict)
    """API versions, for example `2` for the old Nova API or `2.60` as the highest microversion to ask for.
    Default: the newest that both sides speak.
    """
    max_retries: int = Field(default=DEFAULT_RETRIES, ge=0, le=100)
    """How often a request that failed for no fault of its own is sent again."""
    preflight: bool = True
    """Whether a preview asks the cloud what a create would find out late: whether flavor, image, key and so on
    exist and fit.
    """
    marker: bool = True
    """Whether an object without a description gets one that says whose it is, so that it can be found again."""

    @field_validator("endpoints")
    @classmethod
    def _urls(cls, endpoints: Mapping[str, str]) -> Mapping[str, str]:
        for service, url in endpoints.items():
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{service}: {url!r} is not an http or https URL")
        return endpoints

    @field_validator("api_versions")
    @classmethod
    def _versions(cls, versions: Mapping[str, str]) -> Mapping[str, str]:
        for service, version in versions.items():
            if not _VERSION.fullmatch(version):
                raise ValueError(f'{service}: {version!r} is not a version such as "2" or "2.1"')
        return versions

    def __hash__(self) -> int:
        """Settings find their connection in a dictionary; equality decides, this only spreads."""
        return hash((self.cloud, self.region, self.auth_url, self.username, self.project_name, self.project_id))

    @classmethod
    def from_config(cls, get: Callable[[str], str | None]) -> "Settings":
        """Read the stack configuration.

        Args:
            get: answers the text of a setting such as ``ecs:region``, None where it is unset.

        Raises:
            ConfigurationError: a value cannot be understood; the message names the setting.
        """
        found: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            alias = to_camel(name)
            text = get(NAMESPACE + alias)
            if text is None or text == "":
                continue
            found[name] = _mapping(alias, text) if field.default_factory else text
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            name = str(problem["loc"][0]) if problem["loc"] else "configuration"
            reason = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "bool_parsing":
                reason = f"{found[name]!r} is neither true nor false"
            raise ConfigurationError(f"{NAMESPACE}{to_camel(name)}: {reason}") from None


def misspelled(names: Iterable[str]) -> list[str]:
    """A warning for each name in the stack configuration that is almost that of a setting.

    A name that resembles none is left alone: it may be a setting of a project that is called ``ecs`` itself.
    """
    known = {name.replace("_", ""): NAMESPACE + to_camel(name) for name in Settings.model_fields}
    warnings = []
    for name in sorted(set(names) - set(known.values())):
        plain = re.sub("[-_]", "", name.removeprefix(NAMESPACE)).lower()
        nearest = difflib.get_close_matches(plain, known, n=1) if name.startswith(NAMESPACE) else []
        if nearest:
            warnings.append(f"{name} is no setting and has no effect; did you mean {known[nearest[0]]}?")
    return warnings


def _mapping(setting: str, text: str) -> dict[str, str]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ConfigurationError(f'ecs:{setting}: a map from service to text is wanted, such as {{"compute": "…"}}')
    # The stack file writes 2.1 where "2.1" is meant; both are one version.
    services = {str(name).replace("_", "-"): str(item) for name, item in value.items()}
    if unknown := sorted(set(services) - set(SERVICES)):
        raise ConfigurationError(
            f"ecs:{setting}: unknown service {', '.join(unknown)}; known are {', '.join(SERVICES)}"
        )
    return services
