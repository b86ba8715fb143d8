"""What the pages say is done: their commands run, their programs work, and what they show as printed is printed."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.command import printed
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
ELSEWHERE = {
    "docs/how-to/take-over.md": "test_adopt.py, on a landscape to take over",
    "docs/how-to/failures.md": "test_killed.py, after an `up` that was killed",
}
"""Pages whose commands another test runs."""

PROJECT = "printf 'name: shop\\nruntime: python\\n' > Pulumi.yaml\npulumi stack init dev\n"
URN = "\"$(pulumi stack --show-urns | grep -o 'urn:.*ecs:Server::[^ ]*' | head -1)\""


@dataclass(frozen=True)
class Scene:
    """What a reader has before a page begins.

    Attributes:
        example: The example whose folder the reader is in; else an empty folder.
        before: Commands that the reader has run.
        after: Commands that take down what the page leaves.
        words: What stands on the page for something of the reader's.
        typed: What the reader types when asked.
    """

    example: str = ""
    before: str = ""
    after: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    typed: str = ""


SCENES = {
    "README.md": Scene(before=PROJECT, after="pulumi preview\n"),
    # The emulator runs already, on a port of its own.
    "docs/tutorial.md": Scene(
        words={"python -m ecs_pulumi.emulator\n": "", "http://127.0.0.1:9876/v3": "{auth_url}"},
    ),
    "docs/how-to/own-cloud.md": Scene(
        words={
            "https://keystone.example.com/v3": "{auth_url}",
            "username: me": "username: demo",
            "from-a-password-manager": "demo-secret",
            "project_name: shop": "project_name: demo",
        }
    ),
    "docs/how-to/resize.md": Scene(before=PROJECT),
    "docs/how-to/boot-from-volume.md": Scene(before=PROJECT),
    "docs/how-to/ci.md": Scene(
        example="ci",
        before=f"cp -r {EXAMPLES} .\nexport PULUMI_STACK=prod\npulumi stack init prod\n",
        # test_users_tests.py runs them.
        words={"pytest examples/testing": "pytest -q --collect-only examples/testing"},
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


def test_make_has_what_it_names() -> None:
    """Every target is there, and none is mistaken for the folder of its name."""
    text = (CHECKOUT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)", text, re.MULTILINE)
    assert sorted(phony.split()) == sorted(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def commands(page: str) -> list[Block]:
    """The blocks of a page that a reader runs."""
    return [block for block in blocks(PAGES[page]) if block.language == "bash"]


def test_no_page_is_forgotten() -> None:
    """A page with commands has a scene to run them in."""
    assert {page for page in PAGES if commands(page)} <= SCENES.keys() | ELSEWHERE.keys()


@pytest.fixture
def other_cloud() -> Iterator[Mapping[str, str]]:
    """The variables that lead to a cloud of another kind."""
    from ecs_pulumi.emulator import Emulator

    with Emulator(speed=200, dialect="openstack") as running:
        yield running.environment


@pytest.mark.parametrize("page", SCENES)
def test_the_commands_of_a_page(
    page: str, ecs_emulator: Emulator, other_cloud: Mapping[str, str], engine_path: Path, tmp_path: Path
) -> None:
    """Typed one after the other they succeed, or fail where the page says so, and print what it shows."""
    scene, found = SCENES[page], blocks(PAGES[page])
    home = tmp_path / "home"
    shutil.copytree(EXAMPLES / scene.example, home) if scene.example else home.mkdir()
    cloud = ecs_emulator.environment
    words = {written: meant.format(auth_url=ecs_emulator.auth_url) for written, meant in scene.words.items()}
    env = environment(engine_path, tmp_path, "unused") | cloud
    env["OS_CLIENT_CONFIG_FILE"] = clouds(tmp_path, mycloud=cloud, **{"shop-dev": other_cloud, "shop-prod": cloud})
    for name in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE"):
        del env[name]  # a page selects its own
    # What is to be installed is.
    env |= {"PIP_NO_INDEX": "1", "PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    env |= {"PULUMI_SKIP_CONFIRMATIONS": "true", "PULUMI_OPTION_NON_INTERACTIVE": "true"}
    command = ("bash", "-euxo", "pipefail", "-c", scene.before + script(found, words) + scene.after)
    said = printed(command, folder=home, env=env, typed=scene.typed, timeout=600)
    assert "Traceback" not in said
    assert missing(found, said) == []


def clouds(folder: Path, **entries: Mapping[str, str]) -> str:
    """Write the clouds.yaml that the pages speak of, and return its path.

    Args:
        folder: Where to.
        entries: The variables that lead to the cloud of each entry.
    """
    written = {}
    for name, variables in entries.items():
        auth = {key.removeprefix("OS_").lower(): value for key, value in variables.items()}
        del auth["identity_api_version"]
        written[name] = {"region_name": auth.pop("region_name"), "auth": auth}
    file = folder / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": written}))
    return str(file)


def test_the_fragments(ecs_emulator: Emulator) -> None:
    """Python that is no file is a part of a program: it runs, after what its page has before it."""
    del ecs_emulator  # the variables lead to it
    pages = [str(path) for path in PAGES.values() if "design" not in path.parts]
    command = (sys.executable, "-m", "tests.support.fragments", *pages)
    assert "reference/Server.md" in printed(command, folder=CHECKOUT)


@pytest.mark.parametrize("page", PAGES)
def test_the_data_of_a_page(page: str) -> None:
    """What is shown as YAML is YAML, and no block is of a kind that nobody looks at."""
    known = {"bash", "python", "text", "yaml", "markdown", "", "{toctree}"}
    for block in blocks(PAGES[page]):
        assert block.language in known, block.line
        if block.language == "yaml":
            yaml.safe_load(block.text)


def test_the_site(tmp_path: Path) -> None:
    """`make docs` has no complaint: no link leads nowhere, no page is left out; and it can be searched."""
    command = (sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "doctrees"))
    printed((*command, str(CHECKOUT / "docs"), str(tmp_path / "site")), folder=CHECKOUT)
    assert "s3.medium" in (tmp_path / "site" / "tutorial.html").read_text()
    assert "resize" in (tmp_path / "site" / "searchindex.js").read_text()
