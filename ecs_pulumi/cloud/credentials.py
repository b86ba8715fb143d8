"""Resolve the credentials from the settings, clouds.yaml and the ``OS_*`` variables."""

import contextlib
import importlib.util
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import requests
from keystoneauth1.identity import v3
from keystoneauth1.identity.base import BaseIdentityPlugin
from pydantic import SecretStr
from requests.auth import AuthBase

from ecs_pulumi.cloud.access_key import AccessKeyAuth, AgencyMethod
from ecs_pulumi.cloud.errors import ConfigurationError, MissingCredentials, join_names, one_line, quoted, split_url
from ecs_pulumi.cloud.settings import SERVICES, EntrySettings, Settings

_USER = ("username", "user_id")
_USER_DOMAIN = ("user_domain_id", "user_domain_name")
_PASSWORD = (*_USER, "password", "user_domain_name", "user_domain_id")
_APPLICATION = (
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
)
_ACCESS_KEY = ("access_key", "secret_key", "security_token")
_AGENCY = ("agency_name", "agency_domain_name", "agency_domain_id")
_ACCOUNT = (
    *_USER,
    "user_domain_name",
    "user_domain_id",
    "application_credential_id",
    "application_credential_name",
    "access_key",
    *_AGENCY,
)
_SCOPE = (
    "project_name",
    "project_id",
    "project_domain_name",
    "project_domain_id",
    "domain_name",
    "domain_id",
)
_AUTH = ("auth_url", "token", *_PASSWORD, "passcode", *_APPLICATION, *_ACCESS_KEY, *_AGENCY, *_SCOPE)
_OTHER_NAMES = {
    "ak": "access_key",
    "sk": "secret_key",
    "target_agency_name": "agency_name",
    "target_domain_name": "agency_domain_name",
    "target_domain_id": "agency_domain_id",
    "target_project_name": "project_name",
    "target_project_id": "project_id",
}
"""The names of options in clouds.yaml that python-otcextensions uses."""
_ID_OR_NAME = (
    ("user_id", "username"),
    ("project_id", "project_name"),
    ("user_domain_id", "user_domain_name"),
    ("project_domain_id", "project_domain_name"),
    ("domain_id", "domain_name"),
    ("application_credential_id", "application_credential_name"),
    ("agency_domain_id", "agency_domain_name"),
)
_SENT_AS_HEADERS = ("token", "access_key", "security_token", "project_id")
_HEADER = re.compile("[!-~]+")
_FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
_FILE_VARIABLES = ("OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE")
_BUILT_IN_AUTH_TYPES = frozenset(
    {"", "password", "v3password", "token", "v3token", "v3applicationcredential", "aksk", "agency"}
)


@dataclass(frozen=True)
class Credentials:
    """The resolved credentials and connection options.

    Attributes:
        plugin: obtains tokens and the catalog.
        auth_url: URL of the identity service, including its version.
        region: the configured region, or None.
        interface: which of the catalog's URLs to use.
        verify: whether certificates are verified, or the CA file to verify them with.
        cert: client certificate, or certificate and key.
        endpoints: URLs that replace the catalog's, by service.
        hint: what to check if the cloud rejects the credentials; names the settings that were used.
        account: the URL and the user, in the form in which they are configured.
        signer: signs every request, if there is an access key instead of tokens.
        warnings: warnings about clouds.yaml to show to the user.
    """

    plugin: BaseIdentityPlugin
    auth_url: str
    region: str | None = None
    interface: str = "public"
    verify: bool | str = True
    cert: str | tuple[str, str] | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""
    account: tuple[str, ...] = ()
    signer: AuthBase | None = None
    warnings: tuple[str, ...] = ()


def resolve(settings: Settings, environ: Mapping[str, str] | None = None) -> Credentials:
    """Merge the settings over clouds.yaml, secure.yaml, vendor profiles and ``OS_*``; check the result.

    Args:
        settings: the stack configuration, which has precedence.
        environ: the environment variables. Default: those of the process; none for `EntrySettings`.

    Raises:
        ConfigurationError: a setting is missing or contradictory; the message names it.
    """
    if environ is None:
        environ = {} if isinstance(settings, EntrySettings) else os.environ
    if _is_complete(settings, environ):
        return _build(settings, {}, environ)
    with _name_malformed_files() as files:
        return _build(settings, _merge_config(settings, files), environ)


def _build(settings: Settings, config: Mapping[str, Any], environ: Mapping[str, str]) -> Credentials:
    options = _auth(settings, config)
    region = settings.region or config.get("region_name") or environ.get("OS_REGION_NAME") or None
    sources: dict[str, str] = {}
    if region and "access_key" in options and not {"project_id", "project_name"} & options.keys():
        # The clouds that have access keys have a project for each region, which is named like it.
        options["project_name"] = region
        sources["project_name"] = _source("region_name", settings, environ)
    auth = _domains(options)
    plugin = _plugin(auth, str(config.get("auth_type") or ""), config, settings)

    def source(name: str) -> str:
        return sources.get(name) or _source(name, settings, environ)

    for name in _SENT_AS_HEADERS:
        if name in options and not _HEADER.fullmatch(options[name]):
            raise ConfigurationError(f"{source(name)}: contains a line break, a space or another invalid character")
    if isinstance(plugin, AccessKeyAuth):
        plugin.project_setting = source("project_name")
    return Credentials(
        plugin=plugin,
        auth_url=plugin.auth_url or "",
        region=region,
        interface=_interface(settings, config),
        verify=_verify(settings, config),
        cert=_client_certificate(settings, config),
        endpoints={**config.get("endpoints", {}), **settings.endpoints},
        hint=_hint(plugin, options, source),
        account=(plugin.auth_url or "", *(auth.get(name, "") for name in _ACCOUNT)),
        signer=plugin.signer if isinstance(plugin, AccessKeyAuth) else None,
        warnings=config.get("warnings", ()),
    )


def _is_complete(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether the settings describe the cloud completely.

    In that case clouds.yaml is not read, so that the entry of a cloud that nobody selected has no effect.
    """
    variables = {name for name in environ if name.startswith("OS_")}.difference(_FILE_VARIABLES)
    if settings.cloud or variables:
        return False
    user = settings.password and (settings.username or settings.user_id)
    key = settings.access_key and settings.secret_key
    project = settings.project_id or settings.project_name
    return bool(settings.auth_url and (((user or key) and project) or settings.application_credential_secret))


@contextlib.contextmanager
def _name_malformed_files() -> Iterator[list[str]]:
    """Convert exceptions about malformed configuration files to errors that name the files.

    Neither openstack.config nor the code that uses its result validates the structure of the files.
    """
    files: list[str] = []
    try:
        yield files
    except requests.RequestException as error:
        where = error.request.url if error.request else one_line(str(error))
        raise ConfigurationError(f"the profile of the cloud cannot be fetched from {where}") from error
    except (TypeError, AttributeError, ValueError, LookupError, RecursionError) as error:
        if not files:
            names = sorted(name for name in os.environ if name.startswith("OS_"))
            raise ConfigurationError(
                f"one of the OS_* variables has an invalid value; check {join_names(names)}"
            ) from error
        raise ConfigurationError(
            f"{' or '.join(files)}: invalid structure; expected `clouds` with the names of the clouds, "
            "and `auth` in each of them"
        ) from error


def _merge_config(settings: Settings, files: list[str]) -> dict[str, Any]:
    """Return the configuration that openstack.config merges; store the names of the files it read in `files`."""
    _register_lazy("openstack")
    from openstack.config import OpenStackConfig
    from openstack.exceptions import ConfigException

    files[:] = filter(None, map(os.environ.get, _FILE_VARIABLES))
    setting = "cloud" if isinstance(settings, EntrySettings) else "ecs:cloud"
    try:
        loader = _entry_loader() if isinstance(settings, EntrySettings) else OpenStackConfig()
        files[:] = filter(None, (loader.config_filename, loader.secure_config_filename))
        name, source = (settings.cloud, setting) if settings.cloud else (os.environ.get("OS_CLOUD"), "OS_CLOUD")
        if name and name not in loader.get_cloud_names():
            known = sorted(set(loader.get_cloud_names()) - {"defaults", "envvars"})
            file = loader.config_filename
            raise ConfigurationError(
                f"{source}: no cloud {quoted(name)} in {file}; its clouds are: {join_names(known) or 'none'}"
                if file
                else f"{source}: cannot look up cloud {quoted(name)}, because no clouds.yaml was found in the "
                "project's directory, ~/.config/openstack or /etc/openstack, nor with OS_CLIENT_CONFIG_FILE",
            )
        # Python would print a warning with a line of source code.
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("default")
            try:
                region = loader.get_one(cloud=settings.cloud, validate=False, region_name=settings.region)
            except ConfigException:
                # clouds.yaml may not list every region; the catalog does, and the region is checked against it later.
                region = loader.get_one(cloud=settings.cloud, validate=False)
        overrides = {service: region.get_endpoint(service) for service in SERVICES if service != "identity"}
    except ConfigException as error:
        origin = setting if settings.cloud else "OS_CLOUD or clouds.yaml"
        raise ConfigurationError(f"{origin}: {error}") from error
    for_users = [each for each in raised if not issubclass(each.category, _FOR_DEVELOPERS)]
    shown = [f"clouds.yaml: {one_line(str(each.message))}" for each in for_users]
    endpoints = {service: url for service, url in overrides.items() if url}
    return {**region.config, "endpoints": endpoints, "warnings": tuple(dict.fromkeys(shown))}


def _entry_loader() -> Any:
    """Return a loader that ignores the variables, except those that name the files: they describe the stack's cloud."""
    from openstack.config import OpenStackConfig, loader

    usual = (loader.CONFIG_FILES, loader.SECURE_FILES)
    config_files, secure_files = (
        [*filter(None, [os.environ.get(variable)]), *paths]
        for variable, paths in zip(_FILE_VARIABLES, usual, strict=True)
    )
    return OpenStackConfig(config_files, secure_files=secure_files, load_envvars=False)


class _LazyPackage(ModuleType):
    """A package whose ``__init__`` runs at the first use of one of its names, not at the import of a submodule.

    openstacksdk has 450 modules. Importing all of them takes a fifth of a second and ten megabytes in every run, but
    only a few read clouds.yaml. Code that imports the package, in any thread, still gets the complete package.
    """

    def __getattr__(self, name: str) -> Any:
        """Return a submodule, or a name that the package's ``__init__`` defines."""
        module = f"{self.__name__}.{name}"
        if importlib.util.find_spec(module):
            return importlib.import_module(module)
        with _loading:
            if self in _unloaded:
                _unloaded.remove(self)
                if self.__spec__ and self.__spec__.loader:
                    self.__spec__.loader.exec_module(self)
        return ModuleType.__getattribute__(self, name)


_loading = threading.RLock()
_unloaded: list[_LazyPackage] = []


def _register_lazy(name: str) -> None:
    """Register a package without running its ``__init__``, unless the package is imported already."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None:
        package = _LazyPackage(name)
        package.__spec__, package.__loader__, package.__file__ = spec, spec.loader, spec.origin
        package.__path__ = list(spec.submodule_search_locations or ())
        package.__package__ = name
        _unloaded.append(package)
        sys.modules.setdefault(name, package)


def _auth(settings: Settings, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the options of the token request: those of the settings, else those of the merged configuration."""
    from_settings: dict[str, str] = {}
    for name in _AUTH:
        value = getattr(settings, name, None)
        if value:
            from_settings[name] = value.get_secret_value() if isinstance(value, SecretStr) else value
    section = config.get("auth") or {}
    section = {**section, **{name: section[other] for other, name in _OTHER_NAMES.items() if section.get(other)}}
    config = {**config, **{name: config[other] for other, name in _OTHER_NAMES.items() if config.get(other)}}
    from_config = {name: str(section.get(name) or config.get(name) or "") for name in _AUTH}
    if config.get("profile") and from_config["auth_url"] and "://" not in from_config["auth_url"]:
        from_config["auth_url"] = f"https://{from_config['auth_url']}"  # as in the OpenStack SDK's profile otc-swiss
    if settings.token or any(getattr(settings, name) for name in _APPLICATION):
        # The settings select a login method, so the options of another method in the environment are dropped.
        dropped = {"token", "passcode", *_PASSWORD, *_ACCESS_KEY}
    elif settings.access_key or settings.secret_key:
        dropped = {"token", "password", *_APPLICATION} | ({"security_token"} if settings.access_key else set())
    elif settings.password:
        dropped = {"token", *_APPLICATION, *_ACCESS_KEY}
    else:
        dropped = set()
    from_config = {name: value for name, value in from_config.items() if name not in dropped}
    for pair in _ID_OR_NAME:
        if any(name in from_settings for name in pair):
            from_config = {name: value for name, value in from_config.items() if name not in pair}
        elif all(from_config.get(name) for name in pair):
            del from_config[pair[1]]
    auth = {**{name: value for name, value in from_config.items() if value}, **from_settings}
    for one, other in _ID_OR_NAME:
        if one in auth and other in auth:
            one_name, other_name = (f"ecs:{_camel(name)}" for name in (one, other))
            raise ConfigurationError(f"{one_name} and {other_name} exclude each other; set one of them")
    return auth


def _domains(options: Mapping[str, str]) -> dict[str, str]:
    """Use ``domain_…`` as the user's domain and, if the token is scoped to a project, as the project's domain.

    Without any domain, it is `default`, as in the openstack command; the domain of a project by an agency is that of
    the agency.
    """
    auth = dict(options)
    if not any(f"project_domain_{suffix}" in auth for suffix in ("id", "name")):
        # The project is one of the account that created the agency.
        auth.update({f"project_{name.removeprefix('agency_')}": auth[name] for name in _AGENCY[1:] if name in auth})
    scoped = "project_id" in auth or "project_name" in auth
    for suffix in ("id", "name"):
        domain = auth.get(f"domain_{suffix}")
        for part in ("user", "project"):
            absent = not any(f"{part}_domain_{other}" in auth for other in ("id", "name"))
            if domain and absent and (scoped or part == "user"):
                auth[f"{part}_domain_{suffix}"] = domain
        if scoped:
            auth.pop(f"domain_{suffix}", None)
    for name, part in (("username", "user"), ("project_name", "project")):
        if name in auth and not any(f"{part}_domain_{suffix}" in auth for suffix in ("id", "name")):
            auth[f"{part}_domain_id"] = "default"
    return auth


def _plugin(auth: dict[str, str], auth_type: str, config: Mapping[str, Any], settings: Settings) -> BaseIdentityPlugin:
    if not auth.get("auth_url"):
        if isinstance(settings, EntrySettings):
            raise ConfigurationError(_missing("auth_url", settings=settings))
        raise MissingCredentials(
            "No cloud is configured. Name a clouds.yaml entry in ecs:cloud (or OS_CLOUD), or set "
            "ecs:authUrl, ecs:username, ecs:password and ecs:projectName (or OS_AUTH_URL and so on).",
        )
    if auth_type.lower() not in _BUILT_IN_AUTH_TYPES:
        return _load_plugin(auth, auth_type, config)
    url = _identity_url(auth["auth_url"], settings)
    scope: dict[str, Any] = {name: auth[name] for name in _SCOPE if name in auth}
    if auth_type == "agency" or "agency_name" in auth:
        return _agency(url, auth, auth_type, scope, settings)
    return _user_plugin(url, auth, auth_type, scope, settings)


def _agency(
    url: str, auth: Mapping[str, str], auth_type: str, scope: dict[str, Any], settings: Settings
) -> BaseIdentityPlugin:
    """Return the login through an agency, which needs a login in the user's own account before."""
    _require(auth, "agency_name", settings)
    if "agency_domain_id" not in auth:
        _require(auth, "agency_domain_name", settings)
    own_domain = {name.removeprefix("user_"): auth[name] for name in _USER_DOMAIN if name in auth}
    delegate = _user_plugin(url, auth, auth_type, own_domain, settings)
    domain = {name.removeprefix("agency_"): auth[name] for name in _AGENCY[1:] if name in auth}
    return v3.Auth(url, [AgencyMethod(delegate, auth["agency_name"], domain)], **scope)


def _user_plugin(
    url: str, auth: Mapping[str, str], auth_type: str, scope: dict[str, Any], settings: Settings
) -> BaseIdentityPlugin:
    """Return the login of a user, with the first method of which there is a secret."""
    has_key = "access_key" in auth or "secret_key" in auth
    others = {"password", "token", "application_credential_secret"} & auth.keys()
    # A password has precedence: the samples of Open Telekom Cloud have an access key beside it, for its object storage.
    if (has_key and auth_type == "aksk") or (not others and (has_key or auth_type == "aksk")):
        if missing := [name for name in ("access_key", "secret_key") if name not in auth]:
            raise MissingCredentials(_missing(*missing, settings=settings))
        project = {name: auth[name] for name in ("project_id", "project_name") if name in auth}
        if not project:
            standard = "ecs:projectName or ecs:projectId (or OS_PROJECT_NAME, OS_PROJECT_ID)"
            raise ConfigurationError(f"{settings.origin('project_name', standard)} is missing")
        return AccessKeyAuth(url, **{name: auth[name] for name in _ACCESS_KEY if name in auth}, **project)
    if "application_credential_secret" in auth:
        options: dict[str, Any] = {name: auth[name] for name in _APPLICATION if name in auth}
        if "application_credential_id" not in auth:
            _require(auth, "application_credential_name", settings)
            if "user_id" not in auth:
                _require(auth, "username", settings)
            options.update({name: auth[name] for name in _PASSWORD if name in auth and name != "password"})
        return v3.ApplicationCredential(url, **options)
    if "token" in auth and "password" not in auth:
        return v3.Token(url, auth["token"], **scope)
    if "password" not in auth:
        # For example in a pull request from a fork, whose CI run has the URL but no secrets.
        by_application = any(name in auth for name in _APPLICATION)
        without_user = [] if by_application or auth.keys() & set(_USER) else ["username"]
        secret = "application_credential_secret" if by_application else "password"
        raise MissingCredentials(_missing(*without_user, secret, settings=settings))
    if "user_id" not in auth:
        _require(auth, "username", settings)
    user: dict[str, Any] = {name: auth[name] for name in _PASSWORD if name in auth}
    plugin = v3.Password(url, **user, **scope)
    if "passcode" in auth:
        # It is valid for seconds, so it is no setting: it comes from OS_PASSCODE.
        account = {name: value for name, value in user.items() if name != "password"}
        plugin.add_method(v3.TOTPMethod(passcode=auth["passcode"], **account))
    return plugin


def _load_plugin(auth: dict[str, str], auth_type: str, config: Mapping[str, Any]) -> BaseIdentityPlugin:
    """Load a keystoneauth plugin for any other auth type that clouds.yaml supports."""
    from keystoneauth1 import exceptions, loading

    try:
        loader: loading.BaseLoader[Any] = loading.get_plugin_loader(auth_type)
        known = {option.dest for option in loader.get_options()}
        others = {name: value for name, value in config.get("auth", {}).items() if name not in _AUTH}
        offered = {**others, **auth}
        plugin = loader.load_from_options(**{name: value for name, value in offered.items() if name in known})
    except (exceptions.ClientException, ImportError, TypeError, AttributeError, ValueError) as error:
        # Some plugins fail this way if an option is missing or a package is not installed.
        reason = one_line(str(error))
        raise ConfigurationError(f"auth_type {quoted(auth_type)} (OS_AUTH_TYPE or clouds.yaml): {reason}") from error
    if not isinstance(plugin, BaseIdentityPlugin):
        raise ConfigurationError(
            f"auth_type {quoted(auth_type)} (OS_AUTH_TYPE or clouds.yaml) provides no service catalog; use another one"
        )
    return plugin


def _hint(plugin: BaseIdentityPlugin, options: Mapping[str, str], source: Callable[[str], str]) -> str:
    """Describe what to check if the cloud rejects the login.

    Args:
        plugin: the plugin that logs in.
        options: the options of the token request that are set.
        source: returns the name of the setting or variable that an option comes from.
    """
    if isinstance(plugin, v3.Token):
        return f"Check {source('token')}: the token may have expired."
    if isinstance(plugin, v3.ApplicationCredential):
        return f"Check {join_names([source(name) for name in (*_APPLICATION, *_USER) if name in options])}."
    if isinstance(plugin, AccessKeyAuth):
        used = [source(name) for name in (*_ACCESS_KEY, "project_name", "project_id") if name in options]
        return f"Check {join_names(used)}, and the clock of this machine."
    if "agency_name" in options:
        used = [source(name) for name in (*_AGENCY, *_PASSWORD, *_ACCESS_KEY, *_SCOPE) if name in options]
        return f"Check {join_names(used)}."
    if not isinstance(plugin, v3.Password):
        return "Check the credentials of auth_type (OS_AUTH_TYPE or clouds.yaml)."
    used = [source(name) for name in (*_PASSWORD, *_SCOPE) if name in options]
    if not any("domain" in name or name == "user_id" for name in options):
        used.append("ecs:userDomainName, which is not set")
    return f"Check {join_names(used)}."


def _source(name: str, settings: Settings, environ: Mapping[str, str]) -> str:
    """The name of the setting or variable that the value of an option comes from."""
    setting = "region" if name == "region_name" else name
    if getattr(settings, setting):
        return f"ecs:{_camel(setting)}"
    if isinstance(settings, EntrySettings):
        return settings.origin(name, name)
    # A cloud that is selected by name takes its credentials from clouds.yaml, not from the variables.
    is_named = settings.cloud or environ.get("OS_CLOUD")
    variable = f"OS_{name.upper()}"
    return variable if environ.get(variable) and not is_named else f"{name} in clouds.yaml"


def _require(auth: Mapping[str, str], name: str, settings: Settings) -> None:
    if name not in auth:
        raise ConfigurationError(_missing(name, settings=settings))


def _missing(*names: str, settings: Settings) -> str:
    origins = [
        settings.origin(name, f"ecs:{_camel(name)} (or OS_{name.upper()}, or {name} in clouds.yaml)") for name in names
    ]
    return f"{' and '.join(origins)} {'is' if len(names) == 1 else 'are'} missing"


def _identity_url(url: str, settings: Settings) -> str:
    """Return the URL of the v3 API for a URL with any version or none."""
    origin = settings.origin("auth_url", "ecs:authUrl (or OS_AUTH_URL)")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{origin}: {quoted(url)} is not an http or https URL")
    split_url(url, origin)
    base = url.rstrip("/")
    head, _, last = base.rpartition("/")
    return base if last == "v3" else f"{head if last == 'v2.0' else base}/v3"


def _interface(settings: Settings, config: Mapping[str, Any]) -> str:
    value = settings.interface or config.get("interface") or "public"
    first = value if isinstance(value, str) else value[0]
    return first.removesuffix("URL")


def _verify(settings: Settings, config: Mapping[str, Any]) -> bool | str:
    insecure = settings.insecure
    if insecure is None:
        insecure = _is_true(config.get("insecure")) or (
            not settings.cacert and not _is_true(config.get("verify", True))
        )
    if insecure:
        return False
    return _existing_file(settings.cacert or config.get("cacert"), "cacert", settings) or True


def _client_certificate(settings: Settings, config: Mapping[str, Any]) -> str | tuple[str, str] | None:
    from_settings = settings.cert is not None
    cert = _existing_file(settings.cert if from_settings else config.get("cert"), "cert", settings)
    key = _existing_file(settings.key if from_settings or settings.key else config.get("key"), "key", settings)
    return (cert, key) if cert and key else cert


def _existing_file(path: str | None, option: str, settings: Settings) -> str | None:
    if not path:
        return None
    name = settings.origin(option, f"ecs:{option} (or OS_{option.upper()}, or {option} in clouds.yaml)")
    if "-----BEGIN" in str(path):
        raise ConfigurationError(f"{name}: expected the path of a file, got the content of a file")
    try:
        expanded = Path(path).expanduser()
        exists = expanded.exists()
    except (OSError, RuntimeError):
        exists = False
    if not exists:
        raise ConfigurationError(f"{name}: no file {quoted(path)}")
    return str(expanded)


def _is_true(value: object) -> bool:
    return str(value).lower() in {"true", "1", "yes"}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
