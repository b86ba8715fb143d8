"""Arbitrary settings: stack settings, `OS_*` variables, clouds.yaml, secure.yaml and clouds-public.yaml.

A connection is opened with them, or refused with one line that contains no secret.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from ecs_pulumi.cloud.clock import Clock
from ecs_pulumi.cloud.connection import Connection
from ecs_pulumi.cloud.errors import EcsError
from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.emulator import Emulator
from tests.bad_input.requests import container, places
from tests.support.bad_values import FLOATS, LONE_SURROGATE, NUMBERS, STRUCTURES, TEXTS
from tests.support.clouds import hide_variables
from tests.support.examples import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
SECRET = "Hush-hush-5ecret"
MAX_LENGTH = 600
WRONG = re.compile(r"Traceback|object at 0x|NoneType|has no attribute|<class|pydantic|Errno|Input should")
URLS = (
    *("http://", "http://[", "http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:x/v3", "ftp://x", "//x"),
    *(
        f"http://me:{SECRET}@127.0.0.1:1/v3",
        f"ftp://me:{SECRET}@x",
        "http://a b",
        "http://\x00",
        "http://.",
        "http://a..b",
    ),
    *("http://" + "a" * 300, "localhost:5000", "HTTP://127.0.0.1:1"),
)
WORDS = (
    *(text for text in TEXTS if LONE_SURROGATE not in text and len(text) < 6000),
    *URLS,
    *("[]", "{}", '{"compute": 1}', '{"compute": null}', '{"": ""}', '{"compute": "x"}', '{"compute": "http://["}'),
    *(
        '{"compute": "2.1"}',
        '{"compute": "2.99999"}',
        '{"compute":"1"}',
        "[" * 5000,
        "yes",
        "True",
        "public",
        "publicURL",
    ),
    *(f"-----BEGIN CERTIFICATE-----\n{SECRET}\n", "/dev/null", "/etc", "/none/" + "x" * 300, "~nobody77/x", "demo"),
    *(
        "password",
        "v3password",
        "token",
        "v3oidcpassword",
        "http_basic",
        "none",
        "aksk",
        "agency",
        "kerberos",
        "v2password",
    ),
    *("envvars", "defaults", "otc", "otc-swiss", "rackspace", "RegionOne", "all", "a\n", " a"),
)
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + at)}: &{chr(98 + at)} [{', '.join([f'*{chr(97 + at)}'] * 9)}]\n" for at in range(9)
)
"""A list whose items are lists, and so on, of 9 ** 9 texts."""
FILES = (
    *(b"", b"\n", b"null\n", b"[]", b"- a\n", b"clouds\n", b"clouds:\n", b"clouds: 1\n", b"clouds:\n  demo:\n"),
    *(
        b"clouds:\n  demo: 1\n",
        b"clouds:\n\tdemo: {}\n",
        b"\xff\xfe\x00",
        b"\x00" * 10,
        b"\x89PNG\r\n",
        b"a: &a [*a]\n",
    ),
    *(b"a: &a {b: *a}\nclouds: *a\n", b"%YAML 9.9\n---\n", b"clouds: !!python/object/apply:os.abort []\n"),
    *(b"clouds: !x {}\n", b"a: 1\n---\nb: 1\n", b"clouds: *undefined\n", b"? [1]\n: 2\n", b"a: 2024-13-45\n"),
    *(b"clouds: {demo: {region_name: 2024-13-45}}\n", b"clouds: {1: {auth: {}}}", b"clouds: {null: {auth: {}}}"),
    *(b"public-clouds: []", b"client: 1", b"cache: 1\nclouds: {}", b"clouds: {demo: {profile: nope}}"),
    *(
        b"clouds: {demo: {profile: 1}}",
        b"clouds: {demo: {profile: http://127.0.0.1:1}}",
        b"[" * 3000,
        b"a: " + b"{a: " * 1500,
    ),
    f"clouds: {{demo: {{auth: {{password: {SECRET}".encode(),
    f"password: {SECRET}: x: y\n".encode(),
    *(f"clouds:\n  demo:\n    auth:\n      password: {mark}{SECRET}\n".encode() for mark in '"%@*!&`'),
    f"{BOMB}clouds: {{demo: {{auth: *j}}}}\n".encode(),
)
OPTIONS = (
    *("profile", "cloud", "regions", "region_name", "verify", "cacert", "cert", "key", "insecure", "interface", "auth"),
    *("auth_type", "compute_endpoint_override", "compute_api_version", "identity_api_version", "ak", "sk", "token"),
    *("passcode", "application_credential_id", "application_credential_secret", "endpoint_type", "agency_name"),
    *("volume_api_version", "user_id", "project_id", "user_domain_name", "networks", 1, None),
)
KEYS = [f"ecs:{to_camel(name)}" for name in Settings.model_fields]
VARIABLES = [
    *(f"OS_{name.upper()}" for name in Settings.model_fields),
    *("OS_REGION_NAME", "OS_AUTH_TYPE", "OS_PASSCODE", "OS_COMPUTE_API_VERSION", "OS_COMPUTE_ENDPOINT_OVERRIDE"),
    *("OS_TENANT_NAME", "OS_SYSTEM_SCOPE", "OS_PROFILE", "OS_ENDPOINT_TYPE", "OS_VERIFY", "OS_CLIENT_CONFIG_FILE"),
]
CONFIG_FILES = {
    "clouds.yaml": "OS_CLIENT_CONFIG_FILE",
    "secure.yaml": "OS_CLIENT_SECURE_FILE",
    "clouds-public.yaml": "OS_CLIENT_VENDOR_FILE",
}


class FastClock(Clock):
    """A clock whose sleeps take no time."""

    elapsed = 0.0

    def now(self) -> float:
        """Return the time."""
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        """Advance the time."""
        self.elapsed += seconds


COMPLETE = b"# complete"


@dataclass
class Given:
    """One combination of settings.

    Attributes:
        file: The changed file; the others are complete.
        content: Its content; None for a folder of this name, `COMPLETE` for the entries of the emulator.
        variables: The `OS_*` variables.
        config: The stack settings, in addition to those that describe the cloud if `is_complete`.
        is_complete: Whether the stack settings describe the cloud.
        entry: The entry of clouds.yaml that a resource names.
    """

    file: str = "clouds.yaml"
    content: bytes | None = COMPLETE
    variables: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    is_complete: bool = False
    entry: str = ""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulator]:
    """An emulator."""
    with Emulator(dialect="openstack", speed=1000) as running:
        yield running


def entries(url: str) -> dict[str, Any]:
    """Return the content of a complete clouds.yaml."""
    user = {"username": "demo", "password": "demo-secret", "project_name": "demo"}
    auth = {"auth_url": url, **user, "user_domain_name": "Default", "project_domain_name": "Default"}
    other = {"profile": "otc", "auth": {"username": "x", "password": SECRET}}
    return {"clouds": {"demo": {"auth": auth, "region_name": "RegionOne"}, "other": other}}


ANY_VALUE = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from((*NUMBERS, *FLOATS, None, True, False)),
    st.sampled_from(STRUCTURES).map(deepcopy),
)
URL = "http://cloud.test/v3"
"""Stands for the URL of the emulator."""


@st.composite
def contents(draw: st.DrawFn) -> bytes | None:
    """Generate the content of a clouds.yaml."""
    how = draw(st.sampled_from((*["valid"] * 6, "bom", "crlf", "latin", "utf-16", "cut", "raw", "raw", "folder")))
    if how == "folder":
        return None
    if how == "raw":
        return draw(st.sampled_from(FILES) | st.binary(max_size=30))
    document = entries(URL)
    for _ in range(draw(st.integers(0, 3))):
        inside = [place for place in places(document) if place]
        if not inside:
            break
        parent, last = container(document, draw(st.sampled_from(inside)))
        change = draw(st.sampled_from(("replace", "remove", "add")))
        if change == "remove" or not isinstance(parent, dict):
            del parent[last]
        else:
            parent[last if change == "replace" else draw(st.sampled_from(OPTIONS))] = draw(ANY_VALUE)
    try:
        text = yaml.safe_dump(document, allow_unicode=True)
    except TypeError:  # the keys cannot be sorted
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    content = text.encode("utf-8", "surrogatepass")
    changed = {
        "bom": b"\xef\xbb\xbf" + content,
        "crlf": content.replace(b"\n", b"\r\n"),
        "latin": content.replace(b"demo", b"d\xe9mo"),
        "utf-16": text.encode("utf-16", "surrogatepass"),
        "cut": content[: draw(st.integers(0, len(content)))],
    }
    return changed.get(how, content)


variable_values = st.sampled_from([word for word in WORDS if "\x00" not in word] + ["\udcff"])
combinations = st.builds(
    Given,
    file=st.sampled_from([*CONFIG_FILES, "clouds.yaml"]),
    content=contents(),
    variables=st.dictionaries(st.sampled_from(VARIABLES), variable_values, max_size=2),
    config=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(WORDS), max_size=2),
    is_complete=st.booleans(),
    entry=st.sampled_from(("", "", "demo", "nope", "\n")),
)


def outcome(cloud: Emulator, folder: Path, given_settings: Given) -> str:
    """Open a connection and return the error; empty if it succeeds."""
    complete = yaml.safe_dump(entries(cloud.auth_url)).encode()
    config = {f"ecs:{name}": value for name, value in cloud.settings.items()} if given_settings.is_complete else {}
    with pytest.MonkeyPatch.context() as patch:
        hide_variables(patch)
        patch.setenv("HOME", str(folder))
        if not given_settings.is_complete:
            patch.setenv("OS_CLOUD", "demo")
        for name, variable in CONFIG_FILES.items():
            file = folder / name
            patch.setenv(variable, str(file))
            if file.is_dir():
                file.rmdir()
            if name != given_settings.file or given_settings.content == COMPLETE:
                file.write_bytes(complete if name == "clouds.yaml" else b"{}")
            elif given_settings.content is None:
                file.unlink(missing_ok=True)
                file.mkdir()
            else:
                file.write_bytes(given_settings.content.replace(URL.encode(), cloud.auth_url.encode()))
        for name, value in given_settings.variables.items():
            patch.setenv(name, value.replace(URL, cloud.auth_url))
        try:
            settings = Settings.from_config((config | dict(given_settings.config)).get)
            if given_settings.entry:
                settings = settings.of_entry(given_settings.entry)
            connection = Connection(settings, clock=FastClock())
            texts = connection.warnings
            connection.region().compute.versions  # noqa: B018  (requests the versions)
            connection.close()
        except EcsError as error:
            return str(error)
        assert all(text.isprintable() for text in texts)
        return ""


def _config(**config: str) -> Given:
    """Return stack settings that describe the cloud, some of them changed."""
    return Given(config={f"ecs:{name}": value for name, value in config.items()}, is_complete=True)


@given(given_settings=combinations)
@examples(150)
@example(given_settings=_config(marker=f"-----BEGIN CERTIFICATE-----\n{SECRET}\n"))
@example(given_settings=_config(marker="9" * 5000))
@example(given_settings=_config(authUrl=f"ftp://me:{SECRET}@x"))
@example(given_settings=_config(key="a\x00b"))
@example(given_settings=_config(token=f"{SECRET}\n", password=""))
@example(given_settings=_config(accessKey=f"{SECRET}\n", secretKey=SECRET, password=""))
@example(given_settings=_config(accessKey="a", secretKey=SECRET, securityToken=f"{SECRET}\u2028", password=""))
@example(given_settings=_config(accessKey="a", secretKey=SECRET, projectId="\n", projectName="", password=""))
@example(given_settings=_config(maxRetries="many"))
@example(given_settings=_config(authUrl="http://["))
@example(given_settings=_config(authUrl="http://a..b"))
@example(given_settings=_config(endpoints='{"compute": "http://["}'))
@example(given_settings=_config(endpoints='{"compute": "http://a..b"}'))
@example(given_settings=_config(interface="a\n"))
@example(given_settings=_config(endpoints="[" * 50_000))
@example(given_settings=Given(content=b"a: " + b"{a: " * 1500))
@example(given_settings=Given(content=f"{BOMB}clouds: {{demo: {{auth: *j}}}}\n".encode()))
@example(given_settings=Given(content=b"clouds: {demo: {profile: nope}}"))
def test_settings_are_used_or_refused(
    cloud: Emulator, tmp_path_factory: pytest.TempPathFactory, count: Callable[[str, int], None], given_settings: Given
) -> None:
    """An error is one short line without a secret; nothing else is printed."""
    folder = tmp_path_factory.getbasetemp() / "settings"
    folder.mkdir(exist_ok=True)
    text = outcome(cloud, folder, given_settings)
    assert text.isprintable()
    assert len(text) <= MAX_LENGTH
    assert SECRET not in text
    assert "demo-secret" not in text
    assert not WRONG.search(text), text
    count("combinations of settings", 1)


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        (_config(token="a\n", password=""), "ecs:token: contains a line break, a space or another invalid character"),
        (_config(accessKey="a b", secretKey="s", password=""), "ecs:accessKey: contains a line break, a space"),
        (
            Given(variables={"OS_AUTH_URL": URL, "OS_TOKEN": "a\n", "OS_CLOUD": ""}),
            "OS_TOKEN: contains a line break, a space",
        ),
        (_config(maxRetries="many"), "ecs:maxRetries: must be a valid integer"),
        (_config(insecure="9" * 100), "ecs:insecure: a text of 100 characters is neither true nor false"),
        (_config(cacert="-----BEGIN X"), "ecs:cacert (or OS_CACERT, or cacert in clouds.yaml): expected the path of"),
        (_config(authUrl="ftp://me:pw@x"), "ecs:authUrl (or OS_AUTH_URL): 'ftp://…@x' is not an http or https URL"),
        (Given(content=b"[" * 3000), "clouds.yaml or"),
    ],
    ids=["token", "access key", "variable", "number", "long", "certificate", "password in URL", "nested"],
)
def test_message_names_setting(cloud: Emulator, tmp_path: Path, given_settings: Given, message: str) -> None:
    """The message names the setting, the variable or the file, and what is wrong with it."""
    assert message in outcome(cloud, tmp_path, given_settings)


def test_unknown_profile_is_a_warning(cloud: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that does not exist is reported in one line, not with a line of the source code of the SDK."""
    document = entries(cloud.auth_url)
    document["clouds"]["demo"]["profile"] = "nope"
    (tmp_path / "clouds.yaml").write_text(yaml.safe_dump(document))
    hide_variables(monkeypatch)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("OS_CLOUD", "demo")
    expected = "clouds.yaml: Couldn't find the vendor profile nope for the cloud demo"
    assert Connection(Settings(), clock=FastClock()).warnings == [expected]
