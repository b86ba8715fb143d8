"""From settings, clouds.yaml and ``OS_*`` to the one set of credentials that is used."""

import contextlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import requests
from keystoneauth1.identity import v3
from keystoneauth1.identity.base import BaseIdentityPlugin
from pydantic import SecretStr

from ecs_pulumi.cloud.errors import ConfigurationError, MissingCredentials, join_names, one_line
from ecs_pulumi.cloud.settings import SERVICES, Settings

_USER = ("username", "user_id")
_PASSWORD = (*_USER, "password", "user_domain_name", "user_domain_id")
_APPLICATION = (
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
)
_SCOPE = (
    "project_name",
    "project_id",
    "project_domain_name",
    "project_domain_id",
    "domain_name",
    "domain_id",
)
_AUTH = ("auth_url", "token", *_PASSWORD, *_APPLICATION, *_SCOPE)
_FIRST_OF_TWO = (
    ("user_id", "username"),
    ("project_id", "project_name"),
    ("user_domain_id", "user_domain_name"),
    ("project_domain_id", "project_domain_name"),
    ("domain_id", "domain_name"),
    ("application_credential_id", "application_credential_name"),
)
_OURS = frozenset({"", "password", "v3password", "token", "v3token", "v3applicationcredential"})


@dataclass(frozen=True)
class Credentials:
    """Everything that is needed before the first request.

    Attributes:
        plugin: obtains tokens and the catalog.
        auth_url: the identity service, with its version.
        region: the configured region, if one is.
        interface: which of the catalog's URLs to use.
        verify: whether and with which CA file certificates are verified.
        cert: client certificate, or certificate and key.
        endpoints: URLs that replace the catalog's, by service.
        hint: what to check where they are refused, by the names of the settings that were used.
    """

    plugin: BaseIdentityPlugin
    auth_url: str
    region: str | None = None
    interface: str = "public"
    verify: bool | str = True
    cert: str | tuple[str, str] | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""


def resolve(settings: Settings, environ: Mapping[str, str] | None = None) -> Credentials:
    """Merge the settings over clouds.yaml, secure.yaml, vendor profiles and ``OS_*``; check the result.

    Args:
        settings: the stack configuration; what it says wins.
        environ: the environment, where it is not the process's own.

    Raises:
        ConfigurationError: something is missing or contradictory; the message names the setting.
    """
    environ = os.environ if environ is None else environ
    if _sufficient(settings, environ):
        return _resolved(settings, {}, environ)
    with _blamed_on_its_files() as files:
        return _resolved(settings, _merged(settings, files), environ)


def _resolved(settings: Settings, config: Mapping[str, Any], environ: Mapping[str, str]) -> Credentials:
    given = _auth(settings, config)
    auth = _domains(given)
    plugin = _plugin(auth, str(config.get("auth_type") or ""), config)
    return Credentials(
        plugin=plugin,
        auth_url=plugin.auth_url or "",
        region=settings.region or config.get("region_name") or environ.get("OS_REGION_NAME") or None,
        interface=_interface(settings, config),
        verify=_verify(settings, config),
        cert=_client_certificate(settings, config),
        endpoints={**config.get("endpoints", {}), **settings.endpoints},
        hint=_hint(plugin, given, lambda name: _source(name, settings, environ)),
    )


def _sufficient(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether nothing outside the settings can matter.

    Then openstack.config is left alone: a clouds.yaml that nobody named does not take part in a cloud that the
    settings describe completely.
    """
    said = {name for name in environ if name.startswith("OS_")} - {"OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE"}
    if settings.cloud or said:
        return False
    user = settings.password and (settings.username or settings.user_id)
    project = settings.project_id or settings.project_name
    return bool(settings.auth_url and ((user and project) or settings.application_credential_secret))


@contextlib.contextmanager
def _blamed_on_its_files() -> Iterator[list[str]]:
    """Say that the files are wrong where something else is found in them than belongs there.

    Neither openstack.config nor what reads its result looks whether under every name there is what it takes for given.
    """
    files: list[str] = []
    try:
        yield files
    except requests.RequestException as error:
        where = error.request.url if error.request else one_line(str(error))
        raise ConfigurationError(f"the profile of the cloud cannot be fetched from {where}") from error
    except (TypeError, AttributeError, ValueError, LookupError) as error:
        if not files:
            names = sorted(name for name in os.environ if name.startswith("OS_"))
            raise ConfigurationError(
                f"one of the OS_* variables is not what it has to be; set are {join_names(names)}"
            ) from error
        raise ConfigurationError(
            f"{' or '.join(files)}: not laid out as it has to be: `clouds`, in it the names of clouds, "
            "and in each of them `auth`"
        ) from error


def _merged(settings: Settings, files: list[str]) -> dict[str, Any]:
    """The configuration as openstack.config merges it; `files` gets the names of those that it read."""
    _leave_unread("openstack")
    from openstack.config import OpenStackConfig
    from openstack.exceptions import ConfigException

    files[:] = filter(None, map(os.environ.get, ("OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE")))
    try:
        loader = OpenStackConfig()
        files[:] = filter(None, (loader.config_filename, loader.secure_config_filename))
        asked, said = (settings.cloud, "ecs:cloud") if settings.cloud else (os.environ.get("OS_CLOUD"), "OS_CLOUD")
        if asked and asked not in loader.get_cloud_names():
            known = sorted(set(loader.get_cloud_names()) - {"defaults", "envvars"})
            where = loader.config_filename
            raise ConfigurationError(
                f"{said}: no cloud {asked!r} in {where}; there is: {join_names(known) or 'none'}"
                if where
                else f"{said}: no clouds.yaml to find {asked!r} in; it is looked for in the project's "
                "directory, ~/.config/openstack, /etc/openstack and where OS_CLIENT_CONFIG_FILE says",
            )
        try:
            region = loader.get_one(cloud=settings.cloud, validate=False, region_name=settings.region)
        except ConfigException:
            # Which regions there are is for the catalog to say; clouds.yaml knows only some.
            region = loader.get_one(cloud=settings.cloud, validate=False)
        overrides = {service: region.get_endpoint(service) for service in SERVICES if service != "identity"}
    except ConfigException as error:
        source = "ecs:cloud" if settings.cloud else "OS_CLOUD or clouds.yaml"
        raise ConfigurationError(f"{source}: {error}") from error
    return {**region.config, "endpoints": {service: url for service, url in overrides.items() if url}}


class _UnreadPackage(ModuleType):
    """A package whose own code runs when something of it is used, and not when only a module in it is imported.

    openstacksdk is 450 modules: a fifth of a second and ten megabytes in every run, for the few that read clouds.yaml.
    To whoever imports the package, in whichever thread, it is the whole package.
    """

    def __getattr__(self, name: str) -> Any:
        """A module of the package, or what its own code defines."""
        module = f"{self.__name__}.{name}"
        if importlib.util.find_spec(module):
            return importlib.import_module(module)
        with _reading:
            if self in _unread:
                _unread.remove(self)
                if self.__spec__ and self.__spec__.loader:
                    self.__spec__.loader.exec_module(self)
        return ModuleType.__getattribute__(self, name)


_reading = threading.RLock()
_unread: list[_UnreadPackage] = []


def _leave_unread(name: str) -> None:
    """Let a package's own code wait until it is needed, unless it has run already."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None:
        package = _UnreadPackage(name)
        package.__spec__, package.__loader__, package.__file__ = spec, spec.loader, spec.origin
        package.__path__ = list(spec.submodule_search_locations or ())
        package.__package__ = name
        _unread.append(package)
        sys.modules.setdefault(name, package)


def _auth(settings: Settings, config: Mapping[str, Any]) -> dict[str, str]:
    """The options of the token request: the settings' own, else the merged configuration's."""
    own: dict[str, str] = {}
    for name in _AUTH:
        value = getattr(settings, name)
        if value:
            own[name] = value.get_secret_value() if isinstance(value, SecretStr) else value
    section = config.get("auth") or {}
    outer = {name: str(section.get(name) or config.get(name) or "") for name in _AUTH}
    if settings.token or any(getattr(settings, name) for name in _APPLICATION):
        # Who says how to log in here does not mean the other way of elsewhere.
        outer = {name: value for name, value in outer.items() if name not in {"token", *_PASSWORD}}
    elif settings.password:
        outer = {name: value for name, value in outer.items() if name not in {"token", *_APPLICATION}}
    for pair in _FIRST_OF_TWO:
        if any(name in own for name in pair):
            outer = {name: value for name, value in outer.items() if name not in pair}
        elif all(outer.get(name) for name in pair):
            del outer[pair[1]]
    auth = {**{name: value for name, value in outer.items() if value}, **own}
    for one, other in _FIRST_OF_TWO:
        if one in auth and other in auth:
            one_name, other_name = (f"ecs:{_camel(name)}" for name in (one, other))
            raise ConfigurationError(f"{one_name} and {other_name} exclude each other; set one of them")
    return auth


def _domains(given: Mapping[str, str]) -> dict[str, str]:
    """``domain_…`` stands for both domains where a project is the scope."""
    auth = dict(given)
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
            auth[f"{part}_domain_id"] = "default"  # what the openstack command assumes too
    return auth


def _plugin(auth: dict[str, str], auth_type: str, config: Mapping[str, Any]) -> BaseIdentityPlugin:
    if not auth.get("auth_url"):
        raise MissingCredentials(
            "No cloud is configured. Name a clouds.yaml entry in ecs:cloud (or OS_CLOUD), or set "
            "ecs:authUrl, ecs:username, ecs:password and ecs:projectName (or OS_AUTH_URL and so on).",
        )
    if auth_type.lower() not in _OURS:
        return _loaded(auth, auth_type, config)
    url = _identity_url(auth["auth_url"])
    scope: dict[str, Any] = {name: auth[name] for name in _SCOPE if name in auth}
    if "application_credential_secret" in auth:
        options: dict[str, Any] = {name: auth[name] for name in _APPLICATION if name in auth}
        if "application_credential_id" not in auth:
            _needs(auth, "application_credential_name")
            if "user_id" not in auth:
                _needs(auth, "username")
            options.update({name: auth[name] for name in _PASSWORD if name in auth and name != "password"})
        return v3.ApplicationCredential(url, **options)
    if "token" in auth and "password" not in auth:
        return v3.Token(url, auth["token"], **scope)
    if "password" not in auth:
        # As a pull request from a fork has it: where the cloud is, and nothing to log in with.
        by_application = any(name in auth for name in _APPLICATION)
        raise MissingCredentials(_missing("application_credential_secret" if by_application else "password"))
    if "user_id" not in auth:
        _needs(auth, "username")
    user: dict[str, Any] = {name: auth[name] for name in _PASSWORD if name in auth}
    return v3.Password(url, **user, **scope)


def _loaded(auth: dict[str, str], auth_type: str, config: Mapping[str, Any]) -> BaseIdentityPlugin:
    """A plugin for one of the many other ways to log in that clouds.yaml knows."""
    from keystoneauth1 import exceptions, loading

    try:
        loader: loading.BaseLoader[Any] = loading.get_plugin_loader(auth_type)
        known = {option.dest for option in loader.get_options()}
        offered = {**config.get("auth", {}), **auth}
        plugin = loader.load_from_options(**{name: value for name, value in offered.items() if name in known})
    except (exceptions.ClientException, ImportError, TypeError, AttributeError, ValueError) as error:
        # Some plugins take for given what they were not told, or a package that is not installed.
        reason = one_line(str(error))
        raise ConfigurationError(f"auth_type {auth_type} (OS_AUTH_TYPE or clouds.yaml): {reason}") from error
    if not isinstance(plugin, BaseIdentityPlugin):
        raise ConfigurationError(f"auth_type {auth_type} (OS_AUTH_TYPE or clouds.yaml) brings no service catalog")
    return plugin


def _hint(plugin: BaseIdentityPlugin, given: Mapping[str, str], source: Callable[[str], str]) -> str:
    """What to check where the cloud refuses to log in.

    Args:
        plugin: logs in.
        given: the options of the token request, as far as anybody has set them.
        source: names an option as the user calls it.
    """
    if isinstance(plugin, v3.Token):
        return f"Check {source('token')}: a token ends with its own lifetime."
    if isinstance(plugin, v3.ApplicationCredential):
        return f"Check {join_names([source(name) for name in (*_APPLICATION, *_USER) if name in given])}."
    if not isinstance(plugin, v3.Password):
        return "Check what auth_type (OS_AUTH_TYPE or clouds.yaml) logs in with."
    used = [source(name) for name in (*_PASSWORD, *_SCOPE) if name in given]
    if not any("domain" in name or name == "user_id" for name in given):
        used.append("ecs:userDomainName, which is not set")
    return f"Check {join_names(used)}."


def _source(name: str, settings: Settings, environ: Mapping[str, str]) -> str:
    """Where the value of a setting comes from, as the user calls it."""
    if getattr(settings, name):
        return f"ecs:{_camel(name)}"
    # A cloud of clouds.yaml that is named does not take part of its log-in from the variables.
    is_named = settings.cloud or environ.get("OS_CLOUD")
    variable = f"OS_{name.upper()}"
    return variable if environ.get(variable) and not is_named else f"{name} in clouds.yaml"


def _needs(auth: Mapping[str, str], name: str) -> None:
    if name not in auth:
        raise ConfigurationError(_missing(name))


def _missing(name: str) -> str:
    return f"ecs:{_camel(name)} (or OS_{name.upper()}, or {name} in clouds.yaml) is missing"


def _identity_url(url: str) -> str:
    """The v3 API, whichever version or none an old configuration names."""
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"ecs:authUrl (or OS_AUTH_URL): {url!r} is not an http or https URL")
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
        insecure = _true(config.get("insecure")) or (not settings.cacert and not _true(config.get("verify", True)))
    if insecure:
        return False
    return _file(settings.cacert or config.get("cacert"), "cacert") or True


def _client_certificate(settings: Settings, config: Mapping[str, Any]) -> str | tuple[str, str] | None:
    own = settings.cert is not None
    cert = _file(settings.cert if own else config.get("cert"), "cert")
    key = _file(settings.key if own or settings.key else config.get("key"), "key")
    return (cert, key) if cert and key else cert


def _file(path: str | None, setting: str) -> str | None:
    if not path:
        return None
    name = f"ecs:{setting} (or OS_{setting.upper()}, or {setting} in clouds.yaml)"
    if "-----BEGIN" in str(path):
        raise ConfigurationError(f"{name}: the name of a file is asked for, not what is in it")
    try:
        expanded = Path(path).expanduser()
        is_there = expanded.exists()
    except (OSError, RuntimeError):
        is_there = False
    if not is_there:
        raise ConfigurationError(f"{name}: no file {path}")
    return str(expanded)


def _true(value: object) -> bool:
    return str(value).lower() in {"true", "1", "yes"}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
