"""Settings and credentials: precedence, and errors for invalid values."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.identity import v3

from ecs_pulumi.cloud.credentials import Credentials, resolve
from ecs_pulumi.cloud.errors import ConfigurationError, MissingCredentials
from ecs_pulumi.cloud.settings import Settings, misspelled
from tests.support.clouds import write_clouds
from tests.unit.cloud.fakes import settings

CLOUDS = """
clouds:
  shop:
    auth:
      auth_url: https://shop.test/v3
      username: from-file
      password: file-password
      project_name: shop
      user_domain_name: Default
      project_domain_name: Default
    region_name: eu-file
    interface: internal
  keyed:
    auth_type: v3applicationcredential
    auth:
      auth_url: https://keyed.test
      application_credential_id: app
      application_credential_secret: app-secret
    compute_endpoint_override: https://compute.keyed.test/v2.1
    verify: false
  otc-shop:
    profile: otc
    region_name: eu-de
    auth:
      username: me
      password: pw
      project_name: eu-de_shop
      user_domain_name: OTC00000000001000000447
"""
SECURE = """
clouds:
  shop:
    auth:
      password: secure-password
"""


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a clouds.yaml that has three clouds, and an empty secure.yaml."""
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    (tmp_path / "secure.yaml").write_text("clouds: {}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(tmp_path / "secure.yaml"))
    return tmp_path


def _password(credentials: Credentials) -> Any:
    """Return the password method of the credentials' plugin."""
    assert isinstance(credentials.plugin, v3.Password)
    return credentials.plugin.auth_methods[0]


def test_all_documented_settings_are_read() -> None:
    """Every setting is read from the stack configuration by its camel case name in the namespace ``ecs``."""
    values = {
        "ecs:cloud": "c",
        "ecs:region": "r",
        "ecs:authUrl": "https://a.test",
        "ecs:username": "u",
        "ecs:userId": "ui",
        "ecs:password": "p",
        "ecs:token": "t",
        "ecs:applicationCredentialId": "aci",
        "ecs:applicationCredentialName": "acn",
        "ecs:applicationCredentialSecret": "acs",
        "ecs:accessKey": "ak",
        "ecs:secretKey": "sk",
        "ecs:securityToken": "st",
        "ecs:agencyName": "an",
        "ecs:agencyDomainName": "adn",
        "ecs:agencyDomainId": "adi",
        "ecs:projectName": "pn",
        "ecs:projectId": "pi",
        "ecs:domainName": "dn",
        "ecs:domainId": "di",
        "ecs:userDomainName": "udn",
        "ecs:userDomainId": "udi",
        "ecs:projectDomainName": "pdn",
        "ecs:projectDomainId": "pdi",
        "ecs:interface": "internal",
        "ecs:cacert": "/ca",
        "ecs:cert": "/cert",
        "ecs:key": "/key",
        "ecs:insecure": "true",
        "ecs:endpoints": '{"compute": "https://c.test"}',
        "ecs:apiVersions": '{"compute": 2.1, "block_storage": "3"}',
        "ecs:maxRetries": "7",
        "ecs:preflight": "false",
        "ecs:marker": "false",
        "ecs:defaultTags": "a,b",
        "ecs:defaultMetadata": '{"a": "b"}',
    }
    read = Settings.from_config(values.get)
    assert read.model_dump(exclude_defaults=True).keys() == Settings.model_fields.keys()
    assert read.api_versions == {"compute": "2.1", "block-storage": "3"}
    assert (read.insecure, read.max_retries, read.preflight, read.marker) == (True, 7, False, False)


@pytest.mark.parametrize("setting", ["insecure", "preflight", "marker"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("true", "True", "TRUE", "yes", "on", "1")),
        *((text, False) for text in ("false", "False", "FALSE", "no", "off", "0")),
    ],
)
def test_boolean_setting_accepts_yaml_forms(setting: str, text: str, value: bool) -> None:  # noqa: FBT001
    """A boolean is read from every form that YAML allows, because `pulumi config set` stores the text unchanged."""
    assert getattr(Settings.from_config({f"ecs:{setting}": text}.get), setting) is value


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ecs:regoin", "ecs:region"),
        ("ecs:auth_url", "ecs:authUrl"),
        ("ecs:authURL", "ecs:authUrl"),
        ("ecs:maxretry", "ecs:maxRetries"),
        ("ecs:preFlight", "ecs:preflight"),
        ("ecs:markers", "ecs:marker"),
    ],
)
def test_misspelled_setting_causes_warning(name: str, nearest: str) -> None:
    """The warning names the most similar setting."""
    assert misspelled(["ecs:region", name, "aws:regoin"]) == [
        f"{name} is not a setting and has no effect; did you mean {nearest}?"
    ]


def test_unrelated_settings_cause_no_warning() -> None:
    """Settings of another namespace, or of a project that is named `ecs` itself, cause no warning."""
    assert misspelled(["ecs:image-of-the-shop", "regoin", "shop:regoin", *(f"ecs:{n}" for n in ("key", "cert"))]) == []


def test_equal_settings_have_equal_hashes() -> None:
    """Settings are dictionary keys of connections, so equal settings must be the same key."""
    assert len({settings(), settings(), settings(region="eu-nl"), settings(endpoints={})}) == 2


def test_repr_hides_secrets() -> None:
    """The representation of settings does not contain the password."""
    assert "Test@123" not in repr(settings())


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("maxRetries", "many", "ecs:maxRetries: must be a valid integer"),
        ("maxRetries", "-1", "ecs:maxRetries: must be greater than or equal to 0"),
        ("insecure", "perhaps", "ecs:insecure: 'perhaps' is neither true nor false"),
        ("preflight", "0.5", "ecs:preflight: '0.5' is neither true nor false"),
        ("marker", "flase", "ecs:marker: 'flase' is neither true nor false"),
        ("interface", "outside", "ecs:interface: must be 'public', 'internal' or 'admin'"),
        ("endpoints", "https://c.test", "ecs:endpoints: expected a map from service to text"),
        ("endpoints", '{"computer": "https://c.test"}', "ecs:endpoints: unknown service computer; known services are "),
        ("endpoints", '{"compute": "c.test"}', "ecs:endpoints: compute: 'c.test' is not an http or https URL"),
        ("apiVersions", '{"compute": "latest"}', "ecs:apiVersions: compute: 'latest' is not a version"),
    ],
)
def test_invalid_setting_error_names_setting(setting: str, value: str, message: str) -> None:
    """The error starts with the name of the setting."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_config({f"ecs:{setting}": value}.get)
    assert str(caught.value).startswith(message)


def test_complete_settings_ignore_clouds_yaml(clouds: Path) -> None:
    """If the settings describe the cloud completely, clouds.yaml is not read."""
    modules = {name for name in sys.modules if name.startswith("openstack")}
    credentials = resolve(settings(region=None))
    assert credentials.region is None
    assert {name for name in sys.modules if name.startswith("openstack")} == modules


def test_ecs_cloud_selects_cloud_of_clouds_yaml(clouds: Path) -> None:
    """``ecs:cloud`` selects an entry of clouds.yaml; secure.yaml has precedence."""
    (clouds / "secure.yaml").write_text(SECURE)
    credentials = resolve(Settings(cloud="shop"))
    assert credentials.auth_url == "https://shop.test/v3"
    assert (credentials.region, credentials.interface) == ("eu-file", "internal")
    assert _password(credentials).username == "from-file"
    assert _password(credentials).password == "secure-password"


def test_settings_have_precedence_over_clouds_yaml(clouds: Path) -> None:
    """Settings of the stack replace those of the selected cloud."""
    overrides = Settings(cloud="shop", username="mine", project_id="p1", region="eu-mine", interface="public")
    credentials = resolve(overrides)
    assert (credentials.region, credentials.interface) == ("eu-mine", "public")
    assert _password(credentials).username == "mine"
    assert _password(credentials).password == "file-password"
    plugin = credentials.plugin
    assert isinstance(plugin, v3.Password)
    assert (plugin.project_id, plugin.project_name) == ("p1", None)


def test_os_cloud_selects_cloud_of_clouds_yaml(clouds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``OS_CLOUD`` selects an entry of clouds.yaml; ``ecs:cloud`` has precedence."""
    monkeypatch.setenv("OS_CLOUD", "keyed")
    credentials = resolve(Settings())
    assert isinstance(credentials.plugin, v3.ApplicationCredential)
    assert credentials.auth_url == "https://keyed.test/v3"
    assert credentials.endpoints == {"compute": "https://compute.keyed.test/v2.1"}
    assert credentials.verify is False
    assert resolve(Settings(cloud="shop")).auth_url == "https://shop.test/v3"


def test_vendor_profile_provides_auth_url(clouds: Path) -> None:
    """A clouds.yaml entry with ``profile: otc`` gets its URL from the vendor profile."""
    credentials = resolve(Settings(cloud="otc-shop"))
    assert credentials.auth_url == "https://iam.eu-de.otc.t-systems.com/v3"
    assert _password(credentials).user_domain_name == "OTC00000000001000000447"


@pytest.mark.parametrize(
    ("profile", "auth_url", "url"),
    [
        ("otc-swiss", None, "https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3"),
        ("otc-swiss", "iam.mirror.test", "https://iam.mirror.test/v3"),
        ("otc", None, "https://iam.eu-nl.otc.t-systems.com/v3"),
    ],
)
def test_vendor_profile_without_scheme(
    profile: str, auth_url: str | None, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL of a vendor profile may have no scheme, as that of ``otc-swiss``; then it is https."""
    auth = {"username": "me", "password": "pw", "project_name": "p", "user_domain_name": "OTC0"}
    auth |= {"auth_url": auth_url} if auth_url else {}
    region = "eu-nl" if profile == "otc" else "eu-ch2"
    entries = {"it": {"profile": profile, "region_name": region, "auth": auth}}
    for name, value in write_clouds(tmp_path, entries).items():
        monkeypatch.setenv(name, value)
    assert resolve(Settings(cloud="it")).auth_url == url


@pytest.mark.parametrize(
    ("domains", "user", "project"),
    [
        ({}, "default", "default"),
        ({"user_domain_name": "LDAP"}, "LDAP", "default"),
        ({"user_domain_id": "0a"}, "0a", "default"),
        ({"project_domain_name": "OTC0"}, "default", "OTC0"),
        ({"user_domain_name": "OTC0", "project_domain_id": "0b"}, "OTC0", "0b"),
        ({"domain_name": "OTC0"}, "OTC0", "OTC0"),
    ],
    ids=["none", "user's name", "user's id", "project's", "both", "of both"],
)
def test_domain_of_user_and_of_project(domains: dict[str, str], user: str, project: str) -> None:
    """Each of the two is `default` unless it is set, as in the openstack command."""
    bare = Settings(auth_url="https://iam.test", username="u", password="p", project_name="n")
    plugin: Any = resolve(bare.model_copy(update=domains)).plugin
    method = _password(Credentials(plugin, ""))
    assert (method.user_domain_id or method.user_domain_name) == user
    assert (plugin.project_domain_id or plugin.project_domain_name) == project


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        ({"agency_domain_name": "theirs"}, (None, "theirs")),
        ({"agency_domain_id": "0t"}, ("0t", None)),
        ({"agency_domain_name": "theirs", "domain_name": "mine"}, (None, "theirs")),
        ({"agency_domain_name": "theirs", "project_domain_name": "other"}, (None, "other")),
    ],
    ids=["name", "id", "user's", "set"],
)
def test_domain_of_project_by_agency(domains: dict[str, str], expected: tuple[str | None, str | None]) -> None:
    """The project of an agency belongs to the account that created it."""
    bare = Settings(auth_url="https://iam.test", username="u", password="p", project_name="n", agency_name="a")
    plugin: Any = resolve(bare.model_copy(update={"user_domain_name": "mine", **domains})).plugin
    assert (plugin.project_domain_id, plugin.project_domain_name) == expected


def test_os_variables_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ``OS_*`` variables of the openstack command are sufficient."""
    for name, value in {
        "OS_AUTH_URL": "https://env.test/v3",
        "OS_USERNAME": "env-user",
        "OS_PASSWORD": "env-password",
        "OS_PROJECT_NAME": "env-project",
        "OS_DOMAIN_NAME": "env-domain",
        "OS_REGION_NAME": "eu-env",
    }.items():
        monkeypatch.setenv(name, value)
    credentials = resolve(Settings())
    assert credentials.region == "eu-env"
    assert _password(credentials).user_domain_name == "env-domain"
    plugin = credentials.plugin
    assert isinstance(plugin, v3.Password)
    assert (plugin.project_name, plugin.project_domain_name) == ("env-project", "env-domain")


def test_settings_have_precedence_over_os_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in the settings replaces an id in the variables."""
    for name, value in {
        "OS_AUTH_URL": "https://env.test/v3",
        "OS_USER_ID": "env-user",
        "OS_PASSWORD": "env-password",
        "OS_PROJECT_ID": "env-project",
    }.items():
        monkeypatch.setenv(name, value)
    credentials = resolve(Settings(username="me", project_name="mine"))
    assert (_password(credentials).username, _password(credentials).user_id) == ("me", None)
    plugin = credentials.plugin
    assert isinstance(plugin, v3.Password)
    assert (plugin.project_name, plugin.project_id) == ("mine", None)


def test_login_method_of_settings_replaces_other_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application credential or token in the settings replaces user and password of the environment."""
    monkeypatch.setenv("OS_AUTH_URL", "https://env.test/v3")
    monkeypatch.setenv("OS_USERNAME", "env-user")
    monkeypatch.setenv("OS_PASSWORD", "env-password")
    with_credential = Settings(application_credential_id="a", application_credential_secret="s")
    assert isinstance(resolve(with_credential).plugin, v3.ApplicationCredential)
    assert isinstance(resolve(Settings(token="t")).plugin, v3.Token)
    assert isinstance(resolve(Settings(password="p")).plugin, v3.Password)


@pytest.mark.parametrize(
    ("auth_url", "url"),
    [
        ("https://iam.test", "https://iam.test/v3"),
        ("https://iam.test/", "https://iam.test/v3"),
        ("https://iam.test/v3/", "https://iam.test/v3"),
        ("https://iam.test/identity/v2.0", "https://iam.test/identity/v3"),
    ],
)
def test_auth_url_version_is_optional(auth_url: str, url: str) -> None:
    """The URL of the v3 API is derived from any usual form of the URL."""
    assert resolve(settings(auth_url=auth_url)).auth_url == url


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auth_url": None}, "No cloud is configured. Name a clouds.yaml entry in ecs:cloud"),
        ({"auth_url": "iam.test"}, "ecs:authUrl (or OS_AUTH_URL): 'iam.test' is not an http or https URL"),
        ({"password": None}, "ecs:password (or OS_PASSWORD, or password in clouds.yaml) is missing"),
        ({"username": None}, "ecs:username (or OS_USERNAME, or username in clouds.yaml) is missing"),
        ({"project_name": "p"}, "ecs:projectId and ecs:projectName exclude each other"),
        ({"cacert": "/no/such/file"}, "ecs:cacert (or OS_CACERT, or cacert in clouds.yaml): no file '/no/such/file'"),
        ({"application_credential_name": "n", "application_credential_secret": "s", "username": None}, "ecs:username"),
    ],
)
def test_missing_or_contradictory_setting_error_names_setting(changes: dict[str, Any], message: str) -> None:
    """The error names the setting, and the variable that can replace it."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(settings(**changes))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"auth_url": None}, "No cloud is configured"),
        ({"password": None}, "ecs:password (or OS_PASSWORD, or password in clouds.yaml) is missing"),
        (
            {"password": None, "username": None},
            (
                "ecs:username (or OS_USERNAME, or username in clouds.yaml) and "
                "ecs:password (or OS_PASSWORD, or password in clouds.yaml) are missing"
            ),
        ),
        (
            {"password": None, "username": None, "application_credential_id": "a"},
            "ecs:applicationCredentialSecret (or OS_APPLICATION_CREDENTIAL_SECRET, or",
        ),
    ],
)
def test_missing_secret_raises_missing_credentials(changes: dict[str, Any], missing: str) -> None:
    """``MissingCredentials`` is distinct from rejected credentials, so that a preview can continue without a cloud."""
    with pytest.raises(MissingCredentials) as caught:
        resolve(settings(**changes))
    assert str(caught.value).startswith(missing)


def test_password_is_used_if_application_credential_has_no_secret(clouds: Path) -> None:
    """An application credential id without a secret in clouds.yaml does not prevent a login with the password."""
    (clouds / "clouds.yaml").write_text(
        "clouds: {half: {auth: {auth_url: 'https://iam.test', username: u, password: p, project_name: p, "
        "application_credential_id: a}}}"
    )
    assert isinstance(resolve(Settings(cloud="half")).plugin, v3.Password)


def test_missing_clouds_yaml_error_lists_searched_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If ``ecs:cloud`` is set and no clouds.yaml exists, the error lists the searched locations."""
    for kind in ("CONFIG", "SECURE"):
        monkeypatch.setattr(f"openstack.config.loader.{kind}_FILES", [str(tmp_path / "none.yaml")])
    with pytest.raises(
        ConfigurationError, match=r"ecs:cloud: cannot look up cloud 'shop', because no clouds\.yaml was found in"
    ):
        resolve(Settings(cloud="shop"))


@pytest.mark.parametrize(
    "text",
    [
        *("clouds:", "clouds: [shop]", "clouds: {shop: }", "clouds: {shop: {auth: }}"),
        "clouds: {shop: {auth: {auth_url: http://a/v3, username: u, password: p}, regions: [null]}}",
        "clouds: {shop: {auth: {auth_url: http://a/v3, username: u, password: p}, cacert: true}}",
        "clouds: {shop: {auth: {auth_url: http://a/v3, username: u, password: p}, interface: true}}",
    ],
)
def test_malformed_clouds_yaml_error_names_file(clouds: Path, text: str) -> None:
    """The error names the files that were read."""
    file = clouds / "clouds.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=rf"^{file} or .*secure.yaml: invalid structure"):
        resolve(Settings(cloud="shop"))


def test_malformed_secure_yaml_error_names_file(clouds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If two files are read, the error names both, because either can be malformed."""
    secure = clouds / "secrets.yaml"
    secure.write_text("clouds: [shop]")
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(secure))
    with pytest.raises(ConfigurationError, match=rf"^{clouds / 'clouds.yaml'} or {secure}: invalid structure"):
        resolve(Settings(cloud="shop"))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("OS_AUTH_TYPE", "v3totp", "auth_type 'v3totp' .*passcode"),
        ("OS_AUTH_TYPE", "v3kerberos", "auth_type 'v3kerberos' .*: Using the kerberos authentication plugin"),
        ("OS_AUTH_TYPE", "\t", r"auth_type '\\t' .*could not be found"),
        ("OS_NETWORKS", "x", "one of the OS_"),
        ("OS_CACERT", "~nobody77/ca.pem", "OS_CACERT, .*no file '~nobody77"),
        ("OS_KEY", f"-----BEGIN PRIVATE KEY-----\n{'A' * 3000}", "OS_KEY, .*: expected the path of a file, got "),
    ],
)
def test_invalid_variable_error_without_clouds_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    """Without clouds.yaml, an invalid variable is reported in one line that names it and contains no secret."""
    for kind in ("CONFIG", "SECURE"):
        monkeypatch.setattr(f"openstack.config.loader.{kind}_FILES", [str(tmp_path / "none.yaml")])
    account = {"AUTH_URL": "http://a/v3", "USERNAME": "u", "PASSWORD": "p", "PROJECT_NAME": "n"}
    for name, part in account.items():
        monkeypatch.setenv(f"OS_{name}", part)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=message) as caught:
        resolve(Settings())
    assert "\n" not in str(caught.value)
    assert "AAA" not in str(caught.value)


def test_unreachable_vendor_profile_error_names_url(clouds: Path) -> None:
    """A profile can be a URL; if it cannot be fetched, the error names the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    file = clouds / "clouds.yaml"
    file.write_text(f"clouds: {{shop: {{profile: '{address}', auth: {{username: u}}}}}}")
    with pytest.raises(ConfigurationError, match=rf"^the profile of the cloud cannot be fetched from {address}"):
        resolve(Settings(cloud="shop"))


CONCURRENT_IMPORT = """
import sys, threading
from importlib.abc import MetaPathFinder
from ecs_pulumi.cloud.credentials import resolve
from ecs_pulumi.cloud.settings import Settings

done, results = threading.Event(), []

def program():
    import openstack
    results.append(getattr(openstack, "connect", None))
    done.set()

class StartThread(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "openstack.config.loader" and not thread.ident:
            thread.start()
            done.wait(1)  # times out if the thread is blocked by the import lock

thread = threading.Thread(target=program)
sys.meta_path.insert(0, StartThread())
print(resolve(Settings(cloud="shop")).auth_url)
thread.join()
import openstack
print(results == [openstack.connect], openstack.config.OpenStackConfig.__name__)
"""


def test_program_can_import_openstack_while_clouds_yaml_is_read(clouds: Path) -> None:
    """A thread that imports the package while a submodule is imported gets the complete package."""
    done = subprocess.run([sys.executable, "-c", CONCURRENT_IMPORT], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["https://shop.test/v3", "True", "OpenStackConfig"], done.stderr


def test_unknown_cloud_error_lists_clouds(clouds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If ``ecs:cloud`` or ``OS_CLOUD`` names an unknown cloud, the error lists the clouds of clouds.yaml."""
    message = r"no cloud 'shpo' in .*clouds\.yaml; its clouds are: keyed, otc-shop, shop"
    with pytest.raises(ConfigurationError, match=f"ecs:cloud: {message}"):
        resolve(Settings(cloud="shpo"))
    monkeypatch.setenv("OS_CLOUD", "shpo")
    with pytest.raises(ConfigurationError, match=f"OS_CLOUD: {message}"):
        resolve(Settings())


STACK = {
    "ecs:cloud": "keyed",
    "ecs:region": "stack-region",
    "ecs:username": "stack-user",
    "ecs:password": "stack-password",
    "ecs:projectId": "stack-project",
    "ecs:interface": "admin",
    "ecs:cacert": "/stack/ca",
    "ecs:insecure": "true",
    "ecs:endpoints": '{"compute": "https://stack.test"}',
    "ecs:apiVersions": '{"compute": "2"}',
    "ecs:maxRetries": "7",
    "ecs:marker": "false",
}


def test_entry_uses_no_setting_of_stack(clouds: Path) -> None:
    """An entry that a resource names has the credentials and options of clouds.yaml, and the retries of the stack."""
    entry = Settings.from_config(STACK.get).of_entry("shop")
    credentials = resolve(entry)
    method = _password(credentials)
    assert (method.username, method.password) == ("from-file", "file-password")
    assert (credentials.plugin.project_name, credentials.plugin.project_id) == ("shop", None)  # type: ignore[attr-defined]
    assert (credentials.region, credentials.interface, credentials.verify) == ("eu-file", "internal", True)
    assert (dict(credentials.endpoints), dict(entry.api_versions)) == ({}, {})
    assert (entry.max_retries, entry.marker) == (7, False)


def test_entry_uses_no_variable(clouds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ``OS_*`` variables, which describe the stack's cloud, have no effect, except those that name the files."""
    for name in ("CLOUD", "CLOUD_NAME", "AUTH_URL", "USERNAME", "PASSWORD", "PROJECT_ID", "REGION_NAME", "AUTH_TYPE"):
        monkeypatch.setenv(f"OS_{name}", "keyed")
    assert resolve(Settings().of_entry("shop")).region == "eu-file"
    assert _password(resolve(Settings().of_entry("shop"))).password == "file-password"
    assert resolve(Settings().of_entry("keyed")).region is None
    (clouds / "secure.yaml").write_text(SECURE)
    assert _password(resolve(Settings().of_entry("shop"))).password == "secure-password"


def test_entry_without_password_does_not_use_that_of_stack(clouds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the option and the entry."""
    (clouds / "clouds.yaml").write_text(CLOUDS.replace("      password: file-password\n", ""))
    monkeypatch.setenv("OS_PASSWORD", "p")
    with pytest.raises(MissingCredentials, match=r"^password of cloud 'shop' in clouds\.yaml is missing$"):
        resolve(Settings.from_config(STACK.get).of_entry("shop"))


def test_error_for_unknown_entry_names_cloud_and_entries(clouds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the input `cloud`, and it lists the entries, without the variables."""
    monkeypatch.setenv("OS_AUTH_URL", "https://a.test")
    message = r"^cloud: no cloud 'shpo' in .*/clouds\.yaml; its clouds are: keyed, otc-shop, shop$"
    with pytest.raises(ConfigurationError, match=message):
        resolve(Settings().of_entry("shpo"))
    with pytest.raises(ConfigurationError, match=r"^cloud: no cloud 'envvars' in "):
        resolve(Settings().of_entry("envvars"))


def test_error_for_entry_without_clouds_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the input `cloud` and the searched locations."""
    for kind in ("CONFIG", "SECURE"):
        monkeypatch.setattr(f"openstack.config.loader.{kind}_FILES", [str(tmp_path / "none.yaml")])
    with pytest.raises(
        ConfigurationError, match=r"^cloud: cannot look up cloud 'shop', because no clouds\.yaml was found in"
    ):
        resolve(settings().of_entry("shop"))


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ("      auth_url: https://shop.test/v3\n", r"auth_url of cloud 'shop' in clouds\.yaml is missing"),
        ("      username: from-file\n", r"username of cloud 'shop' in clouds\.yaml is missing"),
        ("https://", r"auth_url of cloud 'shop' in clouds\.yaml: 'shop\.test/v3' is not an http or https URL"),
    ],
)
def test_incomplete_entry_error_names_option(cut: str, message: str, clouds: Path) -> None:
    """An error of an entry names clouds.yaml and no setting of the stack, which would have no effect."""
    (clouds / "clouds.yaml").write_text(CLOUDS.replace(cut, ""))
    with pytest.raises(ConfigurationError, match=f"^{message}$"):
        resolve(settings().of_entry("shop"))


def test_certificate_files(tmp_path: Path) -> None:
    """CA file, client certificate and key are used, with ``~`` expanded to the home directory."""
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("")
    credentials = resolve(settings(cacert="~/ca.pem", cert="~/cert.pem", key="~/key.pem"))
    assert credentials.verify == str(tmp_path / "ca.pem")
    assert credentials.cert == (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    assert resolve(settings(cacert="~/ca.pem", insecure=True)).verify is False


TOKEN_HINT = ": the token may have expired."


@pytest.mark.parametrize(
    ("options", "variables", "hint"),
    [
        ({"token": "t"}, {"OS_AUTH_URL": "https://iam.test"}, f"Check ecs:token{TOKEN_HINT}"),
        ({}, {"OS_AUTH_URL": "https://a", "OS_TOKEN": "t", "OS_AUTH_TYPE": "token"}, f"Check OS_TOKEN{TOKEN_HINT}"),
        (
            {"application_credential_id": "a", "application_credential_secret": "s"},
            {"OS_AUTH_URL": "https://iam.test"},
            "Check ecs:applicationCredentialId, ecs:applicationCredentialSecret.",
        ),
        ({"cloud": "keyed"}, {}, "Check application_credential_id in clouds.yaml, application_credential_secret in "),
        (
            {"password": "p", "project_name": "n"},
            {"OS_AUTH_URL": "https://iam.test", "OS_USERNAME": "u"},
            "Check OS_USERNAME, ecs:password, ecs:projectName, ecs:userDomainName, which is not set.",
        ),
        (
            {"cloud": "shop", "password": "p"},
            {"OS_USERNAME": "not used"},
            "Check username in clouds.yaml, ecs:password, ",
        ),
    ],
)
def test_login_hint_names_settings_and_variables(
    options: dict[str, Any], variables: dict[str, str], hint: str, clouds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint for rejected credentials names only the settings and variables that were used."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert resolve(Settings(**options)).hint.startswith(hint)


def test_user_without_domain_uses_default_domain() -> None:
    """The default domain is `default`, as in the openstack command."""
    credentials = resolve(settings(user_domain_id=None))
    assert _password(credentials).user_domain_id == "default"
