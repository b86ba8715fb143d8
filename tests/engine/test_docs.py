"""The documentation: its commands and programs run, and print the output that the pages show."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ecs_pulumi.resources.registry import kinds
from tests.support.command import printed
from tests.support.installation import FRESH, clone
from tests.support.landscape import client
from tests.support.pages import Block, blocks, missing, script
from tools.workspace import CHECKOUT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ecs_pulumi.emulator import Emulator

EXAMPLES = CHECKOUT / "examples"
PAGES = {str(path.relative_to(CHECKOUT)): path for path in (CHECKOUT / "docs").rglob("*.md")} | {
    "README.md": CHECKOUT / "README.md"
}
TESTED_ELSEWHERE = {
    "docs/how-to/two-clouds.md": "test_two_clouds.py, with two emulated clouds",
    "docs/how-to/import.md": "test_adopt.py, with existing objects to import",
    "docs/how-to/terraform.md": "test_adopt.py, with the objects of a recorded Terraform state",
    "docs/how-to/testing.md": "test_users_tests.py, in the folder of the example",
    "docs/how-to/failures.md": "test_killed.py, after an `up` that was killed",
} | {f"docs/reference/{kind}.md": "test_adopt_program.py, with existing objects to import" for kind in kinds()}
"""Pages whose commands another test runs, and where."""

PROJECT = "printf 'name: shop\\nruntime: python\\n' > Pulumi.yaml\npulumi stack init dev\n"
URN = "\"$(pulumi stack --show-urns | grep -o 'urn:.*ecs:Server::[^ ]*' | head -1)\""


@dataclass(frozen=True)
class Scene:
    """The environment in which the commands of a page run.

    Attributes:
        example: The example whose folder is the working directory; an empty folder if unset.
        before: Commands to run before those of the page.
        after: Commands to run after those of the page.
        words: Placeholders on the page with their replacements.
        typed: The standard input of the commands.
        clone: Whether the working directory is a clone of the repository, instead of a project.
        first: How the block begins that runs before all others.
    """

    example: str = ""
    before: str = ""
    after: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    typed: str = ""
    clone: bool = False
    first: str = ""


POLICY_HOST = f"PULUMI_PYTHON_CMD={CHECKOUT}/tests/support/policy-host POLICY_PACK=examples/policy"

KEY = 'test "$(stat -c %a key)" = 600\ngrep -q "^-----END" key\n'
"""Check the file of a private key."""

INSTALLED = "python -c 'import ecs_pulumi; print(ecs_pulumi.__file__)' | grep -q /venv/\n"
"""Check that the package is the one that the page installs."""

EMULATOR = r"""timeout 600 ecs-pulumi emulator --port 0 --speed 200 > emulator.log &
emulator=$!
trap 'kill $emulator' EXIT
timeout 60 sh -c 'until grep -q Ctrl-C emulator.log; do sleep 0.1; done'
port=$(sed -n 's|.*Keystone at http://127.0.0.1:\([0-9]*\)/v3|\1|p' emulator.log)
sed "s/$port/9876/g" emulator.log
"""
"""Run the emulator until the end of the commands, as in a second terminal, but on a free port."""

SCENES = {
    "README.md": Scene(
        clone=True, first="make wheel\n", after=KEY + INSTALLED + "pulumi preview --expect-no-changes\n"
    ),
    "docs/tutorial.md": Scene(
        clone=True,
        before="unset ${!OS_*}\n",
        words={
            "ecs-pulumi emulator\n": EMULATOR,
            ":9876/v3": ":$port/v3",
            "deactivate\n": KEY + INSTALLED + "deactivate\n",
        },
    ),
    "docs/how-to/own-cloud.md": Scene(
        before="cp $WHEEL .\n",
        after=INSTALLED,
        words={
            "https://keystone.example.com/v3": "{auth_url}",
            "username: me": "username: demo",
            "from-a-password-manager": "demo-secret",
            "project_name: shop": "project_name: eu-de",
            "user_domain_name: Default": "user_domain_name: OTC-EU-DE-00000000001000000001",
        },
    ),
    "docs/reference/settings.md": Scene(before=PROJECT),
    "docs/how-to/reach.md": Scene(before=PROJECT, after=KEY + "pulumi destroy\n"),
    "docs/clouds/open-telekom-cloud.md": Scene(
        before=PROJECT,
        words={"pulumi stack output\n": "pulumi stack output | tee -a outputs\n"},
        # Both lists of the outputs are the same, with two lines of headings.
        after='test "$(sort -u outputs | wc -l)" = 4\npulumi preview --expect-no-changes\npulumi destroy\n',
    ),
    "docs/how-to/resize.md": Scene(before=PROJECT),
    "docs/how-to/boot-from-volume.md": Scene(before=PROJECT),
    "docs/how-to/large-stacks.md": Scene(
        before=PROJECT + "echo 'import ecs_pulumi as ecs; ecs.Network(\"net\")' > __main__.py\n"
    ),
    "docs/how-to/ci.md": Scene(
        example="ci",
        before=FRESH + "mkdir wheels\ncp $WHEEL wheels/\nexport PULUMI_STACK=prod\npulumi stack init prod\n",
    ),
    "docs/how-to/pulumi-features.md": Scene(
        words={
            "../ecs_pulumi": str(CHECKOUT),
            # The tests answer each question with yes, which this command refuses.
            "pulumi refresh --preview-only": "env -u PULUMI_SKIP_CONFIRMATIONS pulumi refresh --preview-only",
            # The package is installed, without dependencies.
            "pip install pulumi-policy": "pip install --no-deps pulumi-policy",
            "pulumi preview --policy-pack": f"{POLICY_HOST} pulumi preview --policy-pack",
        },
        # A failure of the script is one line.
        after="cd examples/automation\nif (unset ${!OS_*}; python deploy.py) 2> failure; then exit 1; fi\n"
        'test "$(grep -vc ^+ failure)" = 1\ngrep "^error: create .*: No cloud is configured" failure\n',
    ),
    "docs/how-to/environments.md": Scene(
        example="environments",
        words={
            "'<urn>'": URN,
            # test_environments.py moves one.
            "pulumi state move --source staging --dest canary '<urn of the port>' '<urn of the server>'": "true",
            # test_shared_state.py has such a bucket.
            "'s3://team-state?endpoint=https://obs.example.com&s3ForcePathStyle=true&region=eu-de'": '"file://$PWD"',
        },
        typed="Hush-dev\n",
    ),
}


def test_make_targets_are_phony() -> None:
    """Every target is phony, so that a folder of the same name does not disable it, and every phony target exists."""
    text = (CHECKOUT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)", text, re.MULTILINE)
    assert sorted(phony.split()) == sorted(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def commands(page: str) -> list[Block]:
    """Return the command blocks of a page."""
    return [block for block in blocks(PAGES[page]) if block.language == "bash"]


def test_every_page_with_commands_is_tested() -> None:
    """Every page with commands has a scene, or is named in TESTED_ELSEWHERE."""
    assert {page for page in PAGES if commands(page)} <= SCENES.keys() | TESTED_ELSEWHERE.keys()


@pytest.fixture
def other_cloud() -> Iterator[Mapping[str, str]]:
    """The variables of a cloud of another dialect."""
    from ecs_pulumi.emulator import Emulator

    with Emulator(speed=200, dialect="openstack") as running:
        yield running.environment


@pytest.mark.parametrize("page", SCENES)
def test_commands_of_a_page(
    page: str,
    ecs_emulator: Emulator,
    other_cloud: Mapping[str, str],
    engine_path: Path,
    tmp_path: Path,
    pip_offline: Mapping[str, str],
    wheel: Path,
) -> None:
    """The commands succeed in their order, or fail if marked so, and print the output that the page shows."""
    scene, page_blocks = SCENES[page], blocks(PAGES[page])
    page_blocks.sort(key=lambda block: not (scene.first and block.text.startswith(scene.first)))
    home = tmp_path / "home"
    if scene.clone:
        clone(home)
    else:
        shutil.copytree(EXAMPLES / scene.example, home) if scene.example else home.mkdir()
    cloud = ecs_emulator.environment
    words = {word: value.format(auth_url=ecs_emulator.auth_url) for word, value in scene.words.items()}
    env = environment(engine_path, tmp_path, "unused") | cloud
    env["OS_CLIENT_CONFIG_FILE"] = clouds(tmp_path, mycloud=cloud, **{"shop-dev": other_cloud, "shop-prod": cloud})
    for name in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE"):
        del env[name]  # a page selects its own
    env |= {"WHEEL": str(wheel), **pip_offline}
    env |= {"PULUMI_SKIP_CONFIRMATIONS": "true", "PULUMI_OPTION_NON_INTERACTIVE": "true"}
    command = ("bash", "-euxo", "pipefail", "-c", scene.before + script(page_blocks, words) + scene.after)
    output = printed(command, folder=home, env=env, typed=scene.typed, timeout=600)
    assert "Traceback" not in output
    assert missing(page_blocks, output) == []


def clouds(folder: Path, **entries: Mapping[str, str]) -> str:
    """Write the clouds.yaml that the pages use, and return its path.

    Args:
        folder: The folder of the file.
        entries: The `OS_*` variables of the cloud of each entry.
    """
    content = {}
    for name, variables in entries.items():
        auth = {key.removeprefix("OS_").lower(): value for key, value in variables.items()}
        del auth["identity_api_version"]
        content[name] = {"region_name": auth.pop("region_name"), "auth": auth}
    file = folder / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": content}))
    return str(file)


def test_python_fragments(ecs_emulator: Emulator) -> None:
    """Python blocks that are not files run after the blocks before them."""
    with client(ecs_emulator.settings) as cloud:
        create_objects_to_find(cloud)
    pages = [str(path) for path in PAGES.values() if "design" not in path.parts]
    command = (sys.executable, "-m", "tests.support.fragments", *pages)
    assert "reference/Server.md" in printed(command, folder=CHECKOUT)


def create_objects_to_find(cloud: Any) -> None:
    """Create the objects that the examples of the lookups name.

    Args:
        cloud: A connection to the cloud.
    """
    network = cloud.network.find_network("demo-net")
    cloud.network.create_port(network_id=network.id, name="gateway")
    cloud.network.create_router(name="shared")
    external = next(iter(cloud.network.networks(is_router_external=True)))
    cloud.network.create_ip(floating_network_id=external.id, floating_ip_address="203.0.113.10")
    cloud.compute.create_keypair(name="me")
    cloud.block_storage.create_volume(name="archive", size=10, availability_zone="eu-de-01")
    cloud.compute.create_server_group(name="web", policies=["anti-affinity"])
    flavor, image = cloud.compute.find_flavor("s3.medium.2"), cloud.image.find_image("Standard_Debian_12_latest")
    networks = [{"uuid": network.id}]
    cloud.compute.create_server(name="bastion", flavor_id=flavor.id, image_id=image.id, networks=networks)


@pytest.mark.parametrize("page", PAGES)
def test_languages_of_blocks(page: str) -> None:
    """YAML blocks are valid, and no block has a language that no test checks."""
    known = {"bash", "python", "text", "yaml", "markdown", "", "{toctree}"}
    for block in blocks(PAGES[page]):
        assert block.language in known, block.line
        if block.language == "yaml":
            yaml.safe_load(block.text)


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"])
def test_links_of_pages_outside_the_site(page: str) -> None:
    """Every link to a file of the repository leads to a file, and to one of its headings if it names one."""
    for link in re.findall(r"\]\((?!https?:)([^)]*)\)", (CHECKOUT / page).read_text()):
        path, _, heading = link.partition("#")
        target = (CHECKOUT / page).parent / path if path else CHECKOUT / page
        assert target.exists(), link
        headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE) if heading else ()
        assert not heading or heading in {
            re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings
        }, link


def test_names_of_open_telekom_cloud() -> None:
    """The emulated cloud has the zones, flavors, images, volume types and networks that its page names."""
    from ecs_pulumi.emulator import Emulator

    rows = re.findall(
        r"^\| ([\w ]+) \| (`.*) \|$", PAGES["docs/clouds/open-telekom-cloud.md"].read_text(), re.MULTILINE
    )
    listed = {what: set(re.findall(r"`([^`]+)`", names)) for what, names in rows}
    with Emulator() as emulated, client(emulated.settings) as it:
        found = {
            "zones": {each.name for each in it.compute.availability_zones()},
            "flavors": {each.name for each in it.compute.flavors()},
            "images": {each.name for each in it.image.images()},
            "volume types": {each.name for each in it.block_storage.types()},
            "external network": {each.name for each in it.network.networks(is_router_external=True)},
        }
    named = {what: {name for name in listed[what] if len(name) > 1} - found[what] for what in found}
    assert not any(named.values()), named
