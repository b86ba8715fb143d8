"""Which settings win, and what a wrong one is told."""

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
    """A folder with a clouds.yaml of three clouds, and a secure.yaml without secrets yet."""
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    (tmp_path / "secure.yaml").write_text("clouds: {}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(tmp_path / "secure.yaml"))
    return tmp_path


def _password(credentials: Credentials) -> Any:
    """The password method of a credential."""
    assert isinstance(credentials.plugin, v3.Password)
    return credentials.plugin.auth_methods[0]


def test_every_documented_setting_is_read() -> None:
    """The names of the stack configuration are the interface's, in camel case under ``ecs:``."""
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
def test_a_boolean_is_read_as_yaml_and_pulumi_write_it(setting: str, text: str, value: bool) -> None:  # noqa: FBT001
    """`pulumi config set` keeps what the user typed, and YAML knows several words."""
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
def test_a_misspelled_setting_is_warned_about(name: str, nearest: str) -> None:
    """The warning names the setting that was probably meant."""
    assert misspelled(["ecs:region", name, "aws:regoin"]) == [
        f"{name} is no setting and has no effect; did you mean {nearest}?"
    ]


def test_settings_of_others_are_no_misspelled_ones() -> None:
    """Those of another namespace, and those of a project that is called `ecs` itself."""
    assert misspelled(["ecs:image-of-the-shop", "regoin", "shop:regoin", *(f"ecs:{n}" for n in ("key", "cert"))]) == []


def test_equal_settings_are_one_key() -> None:
    """A process finds its one connection by its settings."""
    assert len({settings(), settings(), settings(region="eu-nl"), settings(endpoints={})}) == 2


def test_secrets_do_not_show() -> None:
    """Settings can be printed."""
    assert "Test@123" not in repr(settings())


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("maxRetries", "many", "ecs:maxRetries: Input should be a valid integer"),
        ("maxRetries", "-1", "ecs:maxRetries: Input should be greater than or equal to 0"),
        ("insecure", "perhaps", "ecs:insecure: 'perhaps' is neither true nor false"),
        ("preflight", "0.5", "ecs:preflight: '0.5' is neither true nor false"),
        ("marker", "flase", "ecs:marker: 'flase' is neither true nor false"),
        ("interface", "outside", "ecs:interface: Input should be 'public', 'internal' or 'admin'"),
        ("endpoints", "https://c.test", "ecs:endpoints: a map from service to text is wanted"),
        ("endpoints", '{"computer": "https://c.test"}', "ecs:endpoints: unknown service computer; known are compute"),
        ("endpoints", '{"compute": "c.test"}', "ecs:endpoints: compute: 'c.test' is not an http or https URL"),
        ("apiVersions", '{"compute": "latest"}', "ecs:apiVersions: compute: 'latest' is not a version"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, value: str, message: str) -> None:
    """The error begins with the setting as the user wrote it."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_config({f"ecs:{setting}": value}.get)
    assert str(caught.value).startswith(message)


def test_complete_settings_need_nothing_from_outside(clouds: Path) -> None:
    """A cloud that the settings describe in full is not mixed with a clouds.yaml that nobody named."""
    loaded = {name for name in sys.modules if name.startswith("openstack")}
    credentials = resolve(settings(region=None))
    assert credentials.region is None
    assert {name for name in sys.modules if name.startswith("openstack")} == loaded


def test_a_named_cloud_comes_from_clouds_yaml(clouds: Path) -> None:
    """``ecs:cloud`` reads clouds.yaml, secure.yaml over it."""
    (clouds / "secure.yaml").write_text(SECURE)
    credentials = resolve(Settings(cloud="shop"))
    assert credentials.auth_url == "https://shop.test/v3"
    assert (credentials.region, credentials.interface) == ("eu-file", "internal")
    assert _password(credentials).username == "from-file"
    assert _password(credentials).password == "secure-password"


def test_settings_win_over_clouds_yaml(clouds: Path) -> None:
    """What the stack says is used; the rest comes from the cloud it names."""
    chosen = Settings(cloud="shop", username="mine", project_id="p1", region="eu-mine", interface="public")
    credentials = resolve(chosen)
    assert (credentials.region, credentials.interface) == ("eu-mine", "public")
    assert _password(credentials).username == "mine"
    assert _password(credentials).password == "file-password"
    plugin = credentials.plugin
    assert isinstance(plugin, v3.Password)
    assert (plugin.project_id, plugin.project_name) == ("p1", None)


def test_os_cloud_names_a_cloud_too(clouds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every OpenStack client; the stack's own choice wins."""
    monkeypatch.setenv("OS_CLOUD", "keyed")
    credentials = resolve(Settings())
    assert isinstance(credentials.plugin, v3.ApplicationCredential)
    assert credentials.auth_url == "https://keyed.test/v3"
    assert credentials.endpoints == {"compute": "https://compute.keyed.test/v2.1"}
    assert credentials.verify is False
    assert resolve(Settings(cloud="shop")).auth_url == "https://shop.test/v3"


def test_vendor_profiles_are_known(clouds: Path) -> None:
    """A clouds.yaml entry with ``profile: otc`` needs no URL."""
    credentials = resolve(Settings(cloud="otc-shop"))
    assert credentials.auth_url == "https://iam.eu-de.otc.t-systems.com/v3"
    assert _password(credentials).user_domain_name == "OTC00000000001000000447"


def test_os_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell prepared for the openstack command is prepared for this."""
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


def test_settings_win_over_os_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the variables say the same thing another way."""
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


def test_a_way_to_log_in_replaces_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application credential or token in the settings is not mixed with a user from outside."""
    monkeypatch.setenv("OS_AUTH_URL", "https://env.test/v3")
    monkeypatch.setenv("OS_USERNAME", "env-user")
    monkeypatch.setenv("OS_PASSWORD", "env-password")
    by_key = Settings(application_credential_id="a", application_credential_secret="s")
    assert isinstance(resolve(by_key).plugin, v3.ApplicationCredential)
    assert isinstance(resolve(Settings(token="t")).plugin, v3.Token)
    assert isinstance(resolve(Settings(password="p")).plugin, v3.Password)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://iam.test", "https://iam.test/v3"),
        ("https://iam.test/", "https://iam.test/v3"),
        ("https://iam.test/v3/", "https://iam.test/v3"),
        ("https://iam.test/identity/v2.0", "https://iam.test/identity/v3"),
    ],
)
def test_the_auth_url_needs_no_version(given: str, url: str) -> None:
    """The v3 API is found behind any usual form of the URL."""
    assert resolve(settings(auth_url=given)).auth_url == url


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auth_url": None}, "No cloud is configured. Name a clouds.yaml entry in ecs:cloud"),
        ({"auth_url": "iam.test"}, "ecs:authUrl (or OS_AUTH_URL): 'iam.test' is not an http or https URL"),
        ({"password": None}, "ecs:password (or OS_PASSWORD, or password in clouds.yaml) is missing"),
        ({"username": None}, "ecs:username (or OS_USERNAME, or username in clouds.yaml) is missing"),
        ({"project_name": "p"}, "ecs:projectId and ecs:projectName exclude each other"),
        ({"cacert": "/no/such/file"}, "ecs:cacert (or OS_CACERT, or cacert in clouds.yaml): no file /no/such/file"),
        ({"application_credential_name": "n", "application_credential_secret": "s", "username": None}, "ecs:username"),
    ],
)
def test_what_is_missing_or_contradictory_is_named(changes: dict[str, Any], message: str) -> None:
    """The message names the setting, and the variable that could stand in."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(settings(**changes))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"auth_url": None}, "No cloud is configured"),
        ({"password": None}, "ecs:password (or OS_PASSWORD, or password in clouds.yaml) is missing"),
        ({"password": None, "username": None}, "ecs:password (or OS_PASSWORD, or password in clouds.yaml) is missing"),
        (
            {"password": None, "username": None, "application_credential_id": "a"},
            "ecs:applicationCredentialSecret (or OS_APPLICATION_CREDENTIAL_SECRET, or",
        ),
    ],
)
def test_without_a_secret_there_are_no_credentials(changes: dict[str, Any], missing: str) -> None:
    """Which is told apart from wrong ones: a preview without any goes on, as for a pull request from a fork."""
    with pytest.raises(MissingCredentials) as caught:
        resolve(settings(**changes))
    assert str(caught.value).startswith(missing)


def test_a_password_serves_beside_a_credential_without_its_secret(clouds: Path) -> None:
    """What clouds.yaml has of an application credential does not hide the password that logs in."""
    (clouds / "clouds.yaml").write_text(
        "clouds: {half: {auth: {auth_url: 'https://iam.test', username: u, password: p, project_name: p, "
        "application_credential_id: a}}}"
    )
    assert isinstance(resolve(Settings(cloud="half")).plugin, v3.Password)


def test_a_cloud_without_clouds_yaml_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever forgot the file learns where it goes."""
    for kind in ("CONFIG", "SECURE"):
        monkeypatch.setattr(f"openstack.config.loader.{kind}_FILES", [str(tmp_path / "none.yaml")])
    with pytest.raises(ConfigurationError, match=r"ecs:cloud: no clouds\.yaml to find 'shop' in; it is looked for in"):
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
def test_a_clouds_yaml_with_something_missing_is_named(clouds: Path, text: str) -> None:
    """It is the file's fault, and the line says which file."""
    file = clouds / "clouds.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=rf"^{file} or .*secure.yaml: not laid out as it has to be"):
        resolve(Settings(cloud="shop"))


def test_a_wrong_secure_yaml_is_named_too(clouds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two files are read, either may be the one that is wrong."""
    secure = clouds / "secrets.yaml"
    secure.write_text("clouds: [shop]")
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(secure))
    with pytest.raises(ConfigurationError, match=rf"^{clouds / 'clouds.yaml'} or {secure}: not laid out"):
        resolve(Settings(cloud="shop"))


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OS_AUTH_TYPE", "v3totp", "auth_type v3totp .*passcode"),
        ("OS_AUTH_TYPE", "v3kerberos", "auth_type v3kerberos .*: Using the kerberos authentication plugin"),
        ("OS_NETWORKS", "x", "one of the OS_"),
        ("OS_CACERT", "~nobody77/ca.pem", "OS_CACERT, .*no file ~nobody77"),
        ("OS_KEY", f"-----BEGIN PRIVATE KEY-----\n{'A' * 3000}", "OS_KEY, .*: the name of a file is asked for, not "),
    ],
)
def test_without_clouds_yaml_none_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """What a variable says wrong is said of the variable, in one line and without a secret."""
    for kind in ("CONFIG", "SECURE"):
        monkeypatch.setattr(f"openstack.config.loader.{kind}_FILES", [str(tmp_path / "none.yaml")])
    account = {"AUTH_URL": "http://a/v3", "USERNAME": "u", "PASSWORD": "p", "PROJECT_NAME": "n"}
    for name, part in account.items():
        monkeypatch.setenv(f"OS_{name}", part)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=said) as told:
        resolve(Settings())
    assert "\n" not in str(told.value)
    assert "AAA" not in str(told.value)


def test_a_profile_that_cannot_be_fetched_is_named(clouds: Path) -> None:
    """A profile may be an address; one that does not answer is no defect of this package."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    file = clouds / "clouds.yaml"
    file.write_text(f"clouds: {{shop: {{profile: '{address}', auth: {{username: u}}}}}}")
    with pytest.raises(ConfigurationError, match=rf"^the profile of the cloud cannot be fetched from {address}"):
        resolve(Settings(cloud="shop"))


WHILE_OTHERS_IMPORT = """
import sys, threading
from importlib.abc import MetaPathFinder
from ecs_pulumi.cloud.credentials import resolve
from ecs_pulumi.cloud.settings import Settings

done, found = threading.Event(), []

def program():
    import openstack
    found.append(getattr(openstack, "connect", None))
    done.set()

class Meanwhile(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "openstack.config.loader" and not thread.ident:
            thread.start()
            done.wait(1)  # for ever, where it waits for what is being imported here

thread = threading.Thread(target=program)
sys.meta_path.insert(0, Meanwhile())
print(resolve(Settings(cloud="shop")).auth_url)
thread.join()
import openstack
print(found == [openstack.connect], openstack.config.OpenStackConfig.__name__)
"""


def test_a_program_imports_openstack_while_clouds_yaml_is_read(clouds: Path) -> None:
    """A thread of the program's gets the whole package, in the middle of the import of a part of it."""
    done = subprocess.run([sys.executable, "-c", WHILE_OTHERS_IMPORT], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["https://shop.test/v3", "True", "OpenStackConfig"], done.stderr


def test_an_unknown_cloud_lists_the_known(clouds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelled ``ecs:cloud`` or ``OS_CLOUD`` is easy to correct."""
    said = r"no cloud 'shpo' in .*clouds\.yaml; there is: keyed, otc-shop, shop"
    with pytest.raises(ConfigurationError, match=f"ecs:cloud: {said}"):
        resolve(Settings(cloud="shpo"))
    monkeypatch.setenv("OS_CLOUD", "shpo")
    with pytest.raises(ConfigurationError, match=f"OS_CLOUD: {said}"):
        resolve(Settings())


def test_files_of_certificates_are_found(tmp_path: Path) -> None:
    """A CA and a client's pair, with ``~`` for the home directory."""
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("")
    credentials = resolve(settings(cacert="~/ca.pem", cert="~/cert.pem", key="~/key.pem"))
    assert credentials.verify == str(tmp_path / "ca.pem")
    assert credentials.cert == (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    assert resolve(settings(cacert="~/ca.pem", insecure=True)).verify is False


TOKEN_HINT = ": a token ends with its own lifetime."


@pytest.mark.parametrize(
    ("given", "variables", "hint"),
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
def test_the_hint_names_the_settings_that_were_used(
    given: dict[str, Any], variables: dict[str, str], hint: str, clouds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that has ended is no wrong user name, and a variable no setting of the stack."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert resolve(Settings(**given)).hint.startswith(hint)


def test_a_user_without_a_domain_is_in_the_default_one() -> None:
    """As the openstack command has it."""
    credentials = resolve(settings(user_domain_id=None))
    assert _password(credentials).user_domain_id == "default"
