"""The ``ecs:`` stack configuration: the cloud, the credentials and the connection options."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from ecs_pulumi.cloud.errors import ConfigurationError, quoted

NAMESPACE = "ecs:"
SERVICES = ("compute", "network", "block-storage", "image", "identity")
DEFAULT_RETRIES = 5
DEFAULTS = {"tags": "default_tags", "metadata": "default_metadata"}
"""The inputs to which settings add values, and the attributes with these values."""
_OF_EVERY_CLOUD = ("max_retries", "preflight", "marker", *DEFAULTS.values())
"""The settings that apply to every cloud of a program."""
_VERSION = re.compile(r"v?\d+(\.\d+)?")
_MOST_TAGS, _LONGEST_TAG, _LONGEST_VALUE = 50, 60, 255
"""The limits of Nova, the strictest of the services whose objects have tags and metadata."""
_METADATA_KEY = re.compile(r"[a-zA-Z0-9-_:. ]{1,255}")


class Settings(BaseModel):
    """The settings of the stack configuration. Unset values fall back to clouds.yaml and ``OS_*`` variables.

    The attributes are the settings of the namespace ``ecs`` in snake case: ``ecs:authUrl`` is ``auth_url``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    cloud: str | None = None
    """Entry of clouds.yaml that provides the settings below which are not set here."""
    region: str | None = None
    """Region; required only if the catalog has several. Where a token is valid in one region only, as in Open Telekom
    Cloud, another region than that of the project is the project of its name, with a token of its own.
    """
    auth_url: str | None = None
    """URL of Keystone, with or without `/v3`."""
    username: str | None = None
    """Name of the user."""
    user_id: str | None = None
    """Id of the user, instead of name and domain."""
    password: SecretStr | None = None
    """Password of the user."""
    token: SecretStr | None = None
    """A token instead of a password. It is not renewed after it expires."""
    application_credential_id: str | None = None
    """Id of an application credential."""
    application_credential_name: str | None = None
    """Name of the application credential, instead of its id; requires the user as well."""
    application_credential_secret: SecretStr | None = None
    """Secret of the application credential."""
    access_key: str | None = None
    """Id of an access key (AK), which signs every request instead of a password or token; for Open Telekom Cloud."""
    secret_key: SecretStr | None = None
    """Secret of the access key (SK)."""
    security_token: SecretStr | None = None
    """Security token of a temporary access key. It is not renewed after it expires."""
    agency_name: str | None = None
    """Agency of another account whose resources are managed; the project is one of that account."""
    agency_domain_name: str | None = None
    """Name of the account (domain) that created the agency."""
    agency_domain_id: str | None = None
    """Id of that account."""
    project_name: str | None = None
    """Name of the project."""
    project_id: str | None = None
    """Id of the project, instead of name and domain."""
    domain_name: str | None = None
    """Domain of user and project, if both are in the same domain."""
    domain_id: str | None = None
    """Id of that domain."""
    user_domain_name: str | None = None
    """Domain of the user."""
    user_domain_id: str | None = None
    """Id of the user's domain."""
    project_domain_name: str | None = None
    """Domain of the project. Default: `default`; with an agency, that of the agency."""
    project_domain_id: str | None = None
    """Id of the project's domain."""
    interface: Literal["public", "internal", "admin"] | None = None
    """Which of the catalog's URLs are used. Default: `public`."""
    cacert: str | None = None
    """File with the CA certificates that verify the cloud's certificate."""
    cert: str | None = None
    """File with a client certificate."""
    key: str | None = None
    """File with the client certificate's key, if it is not in the same file."""
    insecure: bool | None = None
    """Whether to skip the verification of certificates. An attacker on the network can then read the password."""
    endpoints: Mapping[str, str] = Field(default_factory=dict)
    """URLs that replace the catalog's. They are not used for a region that needs a token of its own."""
    api_versions: Mapping[str, str] = Field(default_factory=dict)
    """API versions, for example `2` for the old Nova API or `2.60` as the highest microversion to use.
    Default: the newest version that both the cloud and this provider support.
    """
    max_retries: int = Field(default=DEFAULT_RETRIES, ge=0, le=100)
    """How often a request is retried after a transient error."""
    preflight: bool = True
    """Whether a preview checks with the cloud that flavor, image, key and so on exist and are compatible, which
    otherwise only the create reports.
    """
    marker: bool = True
    """Whether an object without a description gets an owner marker as its description, by which an orphan is found."""
    default_tags: tuple[str, ...] = ()
    """Tags that every resource with an input `tags` has besides those of the program."""
    default_metadata: Mapping[str, str] = Field(default_factory=dict)
    """Metadata that every resource with an input `metadata` has; a value of the program for the same key has
    precedence.
    """

    @field_validator("endpoints")
    @classmethod
    def _urls(cls, endpoints: Mapping[str, str]) -> Mapping[str, str]:
        for service, url in endpoints.items():
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{service}: {quoted(url)} is not an http or https URL")
        return endpoints

    @field_validator("api_versions")
    @classmethod
    def _versions(cls, versions: Mapping[str, str]) -> Mapping[str, str]:
        for service, version in versions.items():
            if not _VERSION.fullmatch(version):
                raise ValueError(f'{service}: {quoted(version)} is not a version such as "2" or "2.1"')
        return versions

    def __hash__(self) -> int:
        """Hash some of the fields; settings are dictionary keys of connections."""
        return hash((self.cloud, self.region, self.auth_url, self.username, self.project_name, self.project_id))

    def origin(self, name: str, standard: str) -> str:  # noqa: ARG002
        """Return where the value of an option comes from, for a message.

        Args:
            name: the option's name in clouds.yaml.
            standard: the setting, and usually the variable and the place in clouds.yaml.
        """
        return standard

    def of_entry(self, cloud: str) -> "EntrySettings":
        """Return the settings for an entry of clouds.yaml that a resource or a lookup names.

        They keep what the stack sets for all clouds, and nothing that selects a cloud or logs in to one.

        Args:
            cloud: name of the entry.
        """
        shared = {name: getattr(self, name) for name in _OF_EVERY_CLOUD}
        return EntrySettings(cloud=cloud, **shared)

    @classmethod
    def from_config(cls, get: Callable[[str], str | None]) -> "Settings":
        """Read the stack configuration.

        Args:
            get: returns the text of a setting such as ``ecs:region``, or None if it is unset.

        Raises:
            ConfigurationError: a value is invalid; the message names the setting.
        """
        values: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            alias = field.alias or name
            text = get(NAMESPACE + alias)
            if text is None or text == "":
                continue
            values[name] = _PARSERS.get(name, _unparsed)(alias, text)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            detail = error.errors(include_input=False, include_url=False)[0]
            name = str(detail["loc"][0]) if detail["loc"] else "configuration"
            reason = (
                detail["msg"].removeprefix("Value error, ").replace("Input should", "must").partition(", unable")[0]
            )
            if detail["type"] == "bool_parsing":
                reason = f"{quoted(values[name])} is neither true nor false"
            raise ConfigurationError(f"{NAMESPACE}{to_camel(name)}: {reason}") from None


class EntrySettings(Settings):
    """The settings for an entry of clouds.yaml that a resource or a lookup names. ``OS_*`` variables have no effect."""

    def origin(self, name: str, standard: str) -> str:  # noqa: ARG002
        """Return the place in clouds.yaml."""
        return f"{name} of cloud {quoted(self.cloud)} in clouds.yaml"


def misspelled(names: Iterable[str]) -> list[str]:
    """Return a warning for each name in the stack configuration that is similar to the name of a setting.

    Other unknown names are accepted: they may be settings of a project that is named ``ecs`` itself.
    """
    known = {name.replace("_", ""): NAMESPACE + to_camel(name) for name in Settings.model_fields}
    warnings = []
    for name in sorted(set(names) - set(known.values())):
        normalized = re.sub("[-_]", "", name.removeprefix(NAMESPACE)).lower()
        matches = difflib.get_close_matches(normalized, known, n=1) if name.startswith(NAMESPACE) else []
        if matches:
            warnings.append(f"{name} is not a setting and has no effect; did you mean {known[matches[0]]}?")
    return warnings


def defaults(get: Callable[[str], str | None]) -> dict[str, list[str] | dict[str, str]]:
    """Return the values that the settings add to inputs of all resources, by input; only those that are set.

    Args:
        get: returns the text of a setting such as ``ecs:defaultTags``, or None if it is unset.

    Raises:
        ConfigurationError: a value is invalid; the message names the setting.
    """
    found: dict[str, list[str] | dict[str, str]] = {}
    for name, attribute in DEFAULTS.items():
        alias = to_camel(attribute)
        if (text := get(NAMESPACE + alias)) and (value := _PARSERS[attribute](alias, text)):
            found[name] = value
    return found


def _unparsed(_setting: str, text: str) -> str:
    return text


def _tags(setting: str, text: str) -> list[str]:
    """Parse a JSON list of tags, or tags that are separated by commas."""
    name, is_json = f"{NAMESPACE}{setting}", text.lstrip()[:1] in ("[", "{")
    value = _json(text) if is_json else [each.strip() for each in text.split(",")]
    if not isinstance(value, list):
        raise ConfigurationError(f'{name}: expected a list of tags, such as ["dev", "shop"] or dev,shop')
    for tag in value:
        if not isinstance(tag, str):
            raise ConfigurationError(f"{name}: each tag must be a text, got {json.dumps(tag)[:_LONGEST_TAG]}")
        if not 0 < len(tag) <= _LONGEST_TAG:
            length = f"got one of {len(tag)}" if tag else "got an empty one"
            raise ConfigurationError(f"{name}: a tag has 1 to {_LONGEST_TAG} characters, {length}")
        if not tag.isprintable() or "," in tag or "/" in tag:
            raise ConfigurationError(f'{name}: a tag cannot contain ",", "/" or a control character, got {quoted(tag)}')
    if len(tags := list(dict.fromkeys(value))) > _MOST_TAGS:
        raise ConfigurationError(f"{name}: at most {_MOST_TAGS} tags, got {len(tags)}")
    return tags


def _metadata(setting: str, text: str) -> dict[str, str]:
    name, value = f"{NAMESPACE}{setting}", _json(text)
    if not isinstance(value, dict):
        raise ConfigurationError(f'{name}: expected a map from key to text, such as {{"owner": "shop"}}')
    for key, item in value.items():
        if not _METADATA_KEY.fullmatch(key):
            allowed = "letters, digits, spaces and -_:. (1 to 255 characters)"
            raise ConfigurationError(f"{name}: a key consists of {allowed}, got {quoted(key[:_LONGEST_TAG])}")
        if not isinstance(item, str):
            raise ConfigurationError(f"{name}: the value of {quoted(key)} must be a text in quotes")
        if len(item) > _LONGEST_VALUE:
            longest = f"at most {_LONGEST_VALUE} characters"
            raise ConfigurationError(
                f"{name}: the value of {quoted(key)} has {len(item)} characters, and {longest} fit"
            )
    return value


def _json(text: str) -> Any:
    """Parse JSON with its numbers as texts; None for a text that is no JSON, or has half of a character."""
    try:
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
        json.dumps(value, ensure_ascii=False).encode()  # refuses a lone surrogate, which no request can contain
    except (ValueError, RecursionError):
        return None
    return value


def _mapping(setting: str, text: str) -> dict[str, str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ConfigurationError(f'ecs:{setting}: expected a map from service to text, such as {{"compute": "…"}}')
    # YAML parses an unquoted 2.1 as a number, which is accepted as the version "2.1".
    services = {str(name).replace("_", "-"): str(item) for name, item in value.items()}
    if unknown := sorted(set(services) - set(SERVICES)):
        raise ConfigurationError(
            f"ecs:{setting}: unknown service {', '.join(unknown)}; known services are {', '.join(SERVICES)}"
        )
    return services


_PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    "endpoints": _mapping,
    "api_versions": _mapping,
    "default_tags": _tags,
    "default_metadata": _metadata,
}
"""The parsers of the settings that are no single value, by attribute."""
