"""The commands with arbitrary arguments, files, responses of `pulumi`, and environments.

Each ends with its documented exit status, and with one line on standard error if it fails.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecs_pulumi import cli, preview_report, stack
from ecs_pulumi.adopt import __main__ as adopt
from ecs_pulumi.adopt import terraform
from ecs_pulumi.dynamic.existing import Candidate
from ecs_pulumi.dynamic.handler import ImportedResource
from ecs_pulumi.resources import registry
from ecs_pulumi.stack import StackError
from tests.bad_input.requests import container, places
from tests.faults.scenes import SCENES
from tests.faults.world import EmulatedWorld
from tests.support.bad_values import LONE_SURROGATE, TEXTS, json_values
from tests.support.examples import examples
from tests.support.terraform_state import recorded
from tests.walks.cloud import caches_preserved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
REPOSITORY = Path(__file__).parents[2]
PREVIEW = json.loads((REPOSITORY / "tests" / "unit" / "recorded" / "preview.json").read_text())
TEXT_FILES = (
    *(b"", b"{", b"[]", b"null", b"1", b"\xff\xfe", b"\x00" * 100, b"[" * 100_000, b'{"a":' * 20_000, b"9" * 10_000),
    *(b"\xef\xbb\xbf{}", b'{"steps": 1}', b'{"steps": [1]}', b'"x"', b"Previewing update\nerror: x\n"),
)
# No argument of a process contains a null character.
ARGUMENTS = tuple(text for text in TEXTS if LONE_SURROGATE not in text and "\0" not in text)
WORDS = (*ARGUMENTS, "/dev/null", "/none/x", ".", "/proc/self/mem")
OPTIONS = {
    "adopt": (
        *("--all", "--name", "--tag", "--id", "--kind", "--terraform", "--cloud", "--stack", "-o", "--force"),
        "--no-protect",
    ),
    "orphans": ("--delete", "--yes", "--json", "--stack", "--state", "--region", "--cloud"),
    "report": ("--forbid", "replace", "destroy:Server", "--forbid=x", "--forbid=,,", "--forbid=replace:", "--nope"),
    "emulator": ("--port", "--speed", "--dialect", "--rule", "--state", "--host", "otc", "99999", "-1", "nan", "x=y"),
    "version": ("-h",),
}
STATUSES = {"orphans": (0, 1, 2), "report": (0, 1, 2), "emulator": (0, 1, 2)}


@st.composite
def changed(draw: st.DrawFn, document: Any) -> bytes:
    """Generate the text of a JSON document with some changes, or of something else."""
    how = draw(st.integers(0, 9))
    if how == 0:
        return draw(st.sampled_from(TEXT_FILES) | st.binary(max_size=20))
    if how == 1:
        text = json.dumps(document)
        return text[: draw(st.integers(0, len(text)))].encode()
    document = deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        inside = [place for place in places(document) if place]
        if not inside:
            break
        parent, last = container(document, draw(st.sampled_from(inside)))
        if draw(st.booleans()):
            parent[last] = draw(json_values())
        else:
            del parent[last]
    return json.dumps(document).encode()


def run(main: Callable[[list[str]], int], arguments: list[str], given_input: bytes = b"") -> tuple[Any, str, str]:
    """Run a command in this process; return its exit status, output and errors."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given_input), "utf-8"))
        try:
            status: Any = main(arguments)
        except SystemExit as exit_:
            status = exit_.code
    texts = [stream.buffer.getvalue().decode("utf-8", "replace") for stream in (output, errors)]
    return status, texts[0], texts[1]


def check_failure(status: Any, errors: str) -> None:
    """Check the exit status, and that there is one line of text, after the usage if the arguments are wrong."""
    assert status in (0, 1, 2)
    assert "Traceback" not in errors
    if status and not errors.startswith("usage:"):
        lines = [line for line in errors.splitlines() if not line.startswith(("warning:", "#", "forbidden"))]
        assert len(lines) <= 1, errors
        assert errors.strip()


@given(document=changed(PREVIEW), in_file=st.booleans())
@examples(60)
@example(document=b'{"a":' * 20_000, in_file=False)
@example(document=b"[" * 100_000, in_file=True)
@example(document=b"\xff\xfe", in_file=True)
def test_report_reads_any_file(
    tmp_path_factory: pytest.TempPathFactory,
    count: Callable[[str, int], None],
    document: bytes,
    in_file: bool,  # noqa: FBT001
) -> None:
    """The report of a preview that is broken in any way is a summary, or one line with the reason."""
    file = tmp_path_factory.getbasetemp() / "preview.json"
    file.write_bytes(document)
    arguments = [str(file)] if in_file else []
    status, output, errors = run(preview_report.main, arguments, document)
    check_failure(status, errors)
    assert output or status
    count("command lines", 1)


@given(document=changed(recorded()))
@examples(60)
def test_adopt_reads_any_terraform_state(
    tmp_path_factory: pytest.TempPathFactory, count: Callable[[str, int], None], document: bytes
) -> None:
    """A Terraform state that is broken in any way is an error of one line, or its objects have a name and an id."""
    file = tmp_path_factory.getbasetemp() / "terraform.tfstate"
    file.write_bytes(document)
    count("command lines", 1)
    try:
        state = terraform.load(str(file))
    except StackError as error:
        check_failure(2, f"error: {error}")
        return
    for item in state.items:
        assert item.kind in registry.kinds()
        assert item.ids
        candidate = Candidate(item.kind, item.ids[0], item.label, {})
        state.declarations.complete(candidate, ImportedResource({}))


@given(
    command=st.sampled_from(sorted(OPTIONS)),
    arguments=st.data(),
)
@examples(60)
def test_arguments_are_used_or_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: Callable[[str, int], None],
    command: str,
    arguments: st.DataObject,
) -> None:
    """Arbitrary arguments end with the usage or with one line, outside of a project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = st.one_of(st.sampled_from(OPTIONS[command]), st.sampled_from(OPTIONS[command]), st.sampled_from(WORDS))
    # The emulator would run until it is interrupted.
    last = ["--port", "x"] if command == "emulator" else []
    given_arguments = [command, *arguments.draw(st.lists(words, max_size=4)), *last]
    status, _, errors = run(cli.main, given_arguments)
    check_failure(status, errors)
    count("command lines", 1)


@pytest.fixture(scope="module")
def world() -> Iterator[EmulatedWorld]:
    """An emulated cloud."""
    with caches_preserved(), EmulatedWorld("openstack") as created:
        yield created


def resource(kind: str, id_: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return a resource as `pulumi stack export` writes it."""
    type_ = f"pulumi-python:dynamic/ecs:{kind}"
    return {
        "urn": f"urn:pulumi:dev::shop::{type_}::{kind.lower()}",
        "custom": True,
        "id": id_,
        "type": type_,
        "inputs": inputs,
        "outputs": {"region": "RegionOne", "name": "x"},
        "created": "2024-01-01T00:00:00Z",
    }


def responses(world: EmulatedWorld) -> dict[str, Any]:
    """Return the valid responses of `pulumi`: a stack with a resource of every kind, and two interrupted creates."""
    base = world.base
    ids = {
        "VolumeAttachment": f"{base['server']}/{base['disk']}",
        "InterfaceAttachment": f"{base['server']}/{base['port']}",
        "RouterInterface": f"{base['router']}/{base['port']}",
        "RouterRoute": f"{base['router']}/192.168.9.0/24/10.9.0.5",
    }
    resources = []
    for kind in registry.kinds():
        scene = next(each for each in SCENES if each.kind == kind and each.name.startswith("create"))
        assert scene.after
        resources.append(resource(kind, ids.get(kind, base["net"]), dict(scene.after(world))))
    begun = [{"type": "creating", "resource": resource(kind, "", {"name": "web"})} for kind in ("Server", "Network")]
    return {
        "export": {"version": 3, "deployment": {"resources": resources, "pending_operations": begun}},
        "config": {key: {"value": value, "secret": key == "ecs:password"} for key, value in world.config.items()},
        "ls": [{"name": "dev", "current": True}, {"name": "organization/shop/prod", "resourceCount": 3}],
    }


@given(data=st.data())
@examples(50)
def test_responses_of_pulumi_are_used_or_refused(
    world: EmulatedWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: Callable[[str, int], None],
    data: st.DataObject,
) -> None:
    """A state, a configuration or a list of stacks that is broken in any way leads to no traceback."""
    world.restore(world.start)
    world.connect()
    valid = responses(world)
    broken = data.draw(st.sampled_from(("export", "export", "config", "ls")))
    texts = {name: json.dumps(document) for name, document in valid.items()}
    texts[broken] = data.draw(changed(valid[broken])).decode("utf-8", "replace")
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "state.json").write_text(texts["export"], encoding="utf-8", errors="surrogatepass")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack, "_pulumi", lambda *arguments: answer(texts, arguments))
    arguments = data.draw(
        st.sampled_from(
            (
                *(
                    ["orphans"],
                    ["orphans", "--json"],
                    ["orphans", "--delete", "-y"],
                    ["orphans", "--state", "state.json"],
                ),
                *(["adopt", "--all"], ["adopt", "--id", "x"]),
            )
        )
    )
    status, _, errors = run(cli.main, arguments)
    check_failure(status, errors)
    count("command lines", 1)


def answer(texts: dict[str, str], arguments: tuple[str, ...]) -> str:
    """Return the response to a command line of `pulumi`."""
    if arguments[:2] == ("stack", "--show-name"):
        return "dev\n"
    return texts["config" if arguments[0] == "config" else arguments[1]]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("config", "", "pulumi config: returned an invalid response"),
        ("config", "[1]", "pulumi config: returned an invalid response"),
        ("config", '{"a": 1}', "pulumi config: returned an invalid response"),
        ("export", "[" * 100_000, "the state: not what `pulumi stack export` writes"),
    ],
)
def test_broken_response_of_pulumi_is_named(
    world: EmulatedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, reason: str
) -> None:
    """The line names the command of Pulumi whose response is broken."""
    texts = {key: json.dumps(document) for key, document in responses(world).items()} | {name: text}
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack, "_pulumi", lambda *arguments: answer(texts, arguments))
    assert run(adopt.main, ["--all"]) == (2, "", f"error: {reason}\n")
    assert run(cli.main, ["orphans"]) == (2, "", f"error: {reason}\n")


def test_broken_list_of_stacks_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of stacks with another structure is treated as one that cannot be read."""
    for text in ("", "[1]", "{}" * 2, "[" * 100_000):
        monkeypatch.setattr(stack, "_pulumi", lambda *_, text=text: text)
        unreadable = {"pulumi stack ls": "returned an invalid response"}
        assert stack.other_stacks() == stack.OtherStacks(unreadable=unreadable)


@pytest.mark.parametrize("command", [("version",), ("report", "--help"), ("report",), ("orphans",), ("adopt", "--all")])
@pytest.mark.parametrize(
    "env",
    [{"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "xx_YY.ISO-8859-1"}, {"PYTHONIOENCODING": "ascii"}, {"HOME": ""}],
    ids=["C locale", "unknown locale", "ascii", "no home"],
)
def test_command_in_any_environment(tmp_path: Path, env: dict[str, str], command: tuple[str, ...]) -> None:
    """The commands work without UTF-8 and without a home folder, in a folder that is no project."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "LC_", "LANG", "HOME"))}
    done = subprocess.run(
        (sys.executable, "-m", "ecs_pulumi", *command),
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(REPOSITORY), **{name: value for name, value in env.items() if value}},
        input='{"steps": [], "changeSummary": {"create": 1}, "diagnostics": [{"message": "ü☃"}]}',
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=60,
    )
    check_failure(done.returncode, done.stderr)


@pytest.mark.parametrize("command", [("version",), ("--help",), ("report", "--help"), ("adopt", "--help")])
def test_closed_output_ends_quietly(command: tuple[str, ...]) -> None:
    """A command whose reader has closed the pipe ends with the status of a shell, and prints nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        (sys.executable, "-m", "ecs_pulumi", *command),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writing)
    # argparse ignores that it cannot print the help.
    assert (done.returncode, done.stderr) == (141 if command == ("version",) else 0, "")


def test_output_file_that_cannot_be_written(
    world: EmulatedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the file and the reason."""
    texts = {key: json.dumps(document) for key, document in responses(world).items()}
    texts["export"] = json.dumps({"deployment": None})
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack, "_pulumi", lambda *arguments: answer(texts, arguments))
    for file, reason in ((tmp_path, "Is a directory"), (tmp_path / "none" / "x", "No such file or directory")):
        status, _, errors = run(adopt.main, ["--all", "--force", "-o", str(file)])
        assert (status, errors) == (2, f"error: {file}: {reason}\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", ""), (b"x" * 5000, "file is not a database"), (b"SQLite format 3\x00" + b"\xff" * 5000, "")],
    ids=["empty", "text", "broken database"],
)
def test_emulator_refuses_broken_state_file(tmp_path: Path, content: bytes, reason: str) -> None:
    """The emulator starts with an empty file, and refuses any other one in one line."""
    (tmp_path / "state").write_bytes(content)
    if not content:
        return
    status, output, errors = run(cli.main, ["emulator", "--port", "0", "--state", str(tmp_path / "state")])
    assert (status, output) == (1, "")
    assert re.fullmatch(f".*state.*{reason}.*\n", errors)
