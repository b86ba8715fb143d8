"""What a reviewer is told of a preview, on what an engine printed (see tests/engine/test_preview_report.py)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecs_pulumi import preview_report
from ecs_pulumi.preview_report import KINDS, Change, main, markdown, read
from ecs_pulumi.resources.server_fields import ServerInputs
from tests.support.command import ASCII_LOCALE

RECORDED = Path(__file__).parent / "recorded"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@pytest.fixture
def said() -> dict[str, Any]:
    """What the engine printed of a preview with every effect."""
    found: dict[str, Any] = json.loads((RECORDED / "preview.json").read_text())
    return found


def step(said: dict[str, Any], name: str) -> dict[str, Any]:
    """The step of a server."""
    found: dict[str, Any] = next(each for each in said["steps"] if each["urn"].endswith(f"Server::{name}"))
    return found


def change(said: dict[str, Any], name: str) -> Change:
    """What is made of it."""
    return next(each for each in read(json.dumps(said)).changes if (each.kind, each.name) == ("Server", name))


def test_a_preview_is_read_from_a_file_or_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both give the same summary, and without a rule nothing stops the pipeline."""
    file = RECORDED / "preview.json"
    assert main([str(file)]) == 0
    first = capsys.readouterr()
    assert first.out.startswith("## Preview of `shop/test`: 6 destroyed with data, 1 replaced,")
    assert first.err == ""
    monkeypatch.setattr("sys.stdin", io.StringIO(file.read_text()))
    assert main([]) == 0
    assert capsys.readouterr() == first


@pytest.mark.parametrize(
    ("rules", "status", "stopped"),
    [
        ("replace:Server", 2, ["replaced", "replaced-local"]),
        ("destroy:Volume", 2, ["gone", "remade"]),
        ("destroy:Server", 2, ["gone", "rebuilt", "replaced", "replaced-local"]),
        ("restart", 2, ["rebuilt", "resized", "resized-live", "stopped"]),
        ("forget:Volume", 2, ["kept"]),
        ("delete:Network, replace:KeyPair", 0, []),
        ("replace:aws:s3/bucket:Bucket", 0, []),
    ],
)
def test_what_is_forbidden_stops_the_pipeline(
    rules: str, status: int, stopped: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule is an effect, of any kind or of one; one line each says what breaks it."""
    assert main(["--forbid", rules, str(RECORDED / "preview.json")]) == status
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1].split()[1] for line in lines] == stopped


@pytest.mark.parametrize("wrong", ["explode", "replace:Sever", "server:replace"])
def test_a_misspelled_rule_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It would let everything pass; the line names what there is."""
    with pytest.raises(SystemExit) as left:
        main(["--forbid", wrong, str(RECORDED / "preview.json")])
    assert left.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "there is" in line


NO_PREVIEW = (
    *("", "{}", "[]", "error: no stack selected", '{"steps": [{}]}', '{"steps": 3}'),
    *('{"diagnostics": [{"severity": "error"}]}', '{"diagnostics": [{"urn": "short", "message": "no"}]}'),
)


@pytest.mark.parametrize("text", NO_PREVIEW)
def test_what_is_no_preview_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty file, of a preview that could not start, passes no gate."""
    file = tmp_path / "preview.json"
    file.write_text(text)
    assert main([str(file)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert "pulumi preview --json" in line
    assert main([str(tmp_path / "none.json")]) == 1


def test_a_failed_preview_passes_no_gate(capsys: pytest.CaptureFixture[str]) -> None:
    """What is known is shown under the reason, and the status is that of an error."""
    assert main(["--forbid", "destroy", str(RECORDED / "failed.json")]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("## Preview of `shop/test`: failed")
    assert 'there is no flavor "s1.medum"' in shown.out
    assert len(shown.err.splitlines()) == 1


def test_a_value_that_is_not_known_yet_is_no_value(said: dict[str, Any]) -> None:
    """A flavor that a lookup will tell may interrupt the server, and is shown as not known."""
    step(said, "resized")["newState"]["inputs"]["flavor"] = UNKNOWN
    found = change(said, "resized")
    assert found.effects == ("restart", "update")
    assert found.reasons[0] == "`flavor` `s1.small` → not known yet"
    assert UNKNOWN not in markdown(read(json.dumps(said)))


def test_no_secret_is_shown_even_where_the_engine_shows_it(said: dict[str, Any]) -> None:
    """Passwords, user data, files and whatever the stack marks as secret are named, never shown."""
    replaced, password = step(said, "replaced"), step(said, "password")
    replaced["newState"]["inputs"]["user_data"] = "hush"
    password["newState"]["inputs"]["admin_pass"] = "hush"
    named = step(said, "resized")["newState"]
    named["inputs"]["name"] = "hush"
    named["additionalSecretOutputs"] = ["name"]
    told = markdown(read(json.dumps(said)))
    assert "hush" not in told
    assert "`name` (secret)" in told


@pytest.mark.parametrize(
    ("outputs", "effects", "note"),
    [
        ({"volumes_attached": [{"id": "v"}]}, ("destroy", "delete"), "1 volume lost with it"),
        ({"volumes_attached": [{"id": "v", "delete_on_termination": False}]}, ("delete",), "its disks stay"),
        ({"volumes_attached": [], "image_id": "i"}, ("destroy", "delete"), "its local disk is lost"),
    ],
)
def test_what_goes_with_a_server(
    said: dict[str, Any], outputs: dict[str, Any], effects: tuple[str, ...], note: str
) -> None:
    """Local disks always do, volumes as Nova tells, or where it does not, as the program said."""
    step(said, "gone")["oldState"]["outputs"].update(outputs)
    found = change(said, "gone")
    assert found.effects == effects
    assert note in found.notes[0]


def test_a_resource_of_another_provider_is_told_of_by_its_type(said: dict[str, Any]) -> None:
    """Nothing is claimed about its data."""
    said["steps"] = [
        {"op": "delete", "urn": "urn:pulumi:test::shop::aws:s3/bucket:Bucket::logs", "oldState": {"outputs": {}}},
        {"op": "create", "urn": "urn:pulumi:test::shop::pulumi:providers:aws::default", "newState": {}},
        {"op": "create", "urn": "urn:pulumi:test::shop::my:Web$pulumi-python:dynamic/ecs:Port::p", "newState": {}},
    ]
    bucket, port = sorted(read(json.dumps(said)).changes, key=lambda each: each.effects, reverse=True)
    assert (bucket.kind, bucket.effects) == ("aws:s3/bucket:Bucket", ("delete",))
    assert (port.kind, port.effects) == ("Port", ("create",))


def test_an_adopted_object_is_taken_over_not_created(said: dict[str, Any]) -> None:
    """The id is shown."""
    new = next(each for each in said["steps"] if each["op"] == "create")
    new["newState"]["inputs"]["adopt"] = "some-id"
    assert "### Taken over (1)\n\n- Port `new`: `some-id`" in markdown(read(json.dumps(said)))


@pytest.mark.parametrize(
    ("changes", "inputs", "effects"),
    [
        ("metadata", {}, ("update", "adopt")),
        ("flavor", {}, ("restart", "update", "adopt")),
        ("name, power_state", {"power_state": "active"}, ("update", "adopt")),
        ("name, power_state", {"power_state": "shutoff"}, ("restart", "update", "adopt")),
        ("image, name", {"image_policy": "rebuild"}, ("destroy", "restart", "update", "adopt")),
    ],
)
def test_what_a_takeover_changes_is_an_effect_of_its_own(
    said: dict[str, Any], changes: str, inputs: dict[str, Any], effects: tuple[str, ...]
) -> None:
    """Nothing but what the provider says of it tells; a resize on the way passes no gate for restarts."""
    one = step(said, "resized")
    one |= {"op": "create", "newState": {"inputs": {**inputs, "adopt": "some-id"}}}
    message = f"importing some-id changes it [import-changes: {changes}]\n"
    said["diagnostics"] = [{"urn": one["urn"], "message": message, "severity": "info"}]
    found = change(said, "resized")
    assert found.effects == effects
    assert found.reasons == tuple(f"`{name}`" for name in changes.split(", "))
    assert "`some-id`" in found.notes[0]


@pytest.mark.parametrize(
    ("inputs", "looked"),
    [
        ({}, False),
        ({"adopt": UNKNOWN}, True),
        ({"image": UNKNOWN}, True),
        ({"image": UNKNOWN, "image_policy": UNKNOWN}, True),
        ({"image_policy": UNKNOWN}, False),
    ],
)
def test_a_takeover_that_nobody_compared_passes_no_gate(
    said: dict[str, Any], inputs: dict[str, Any], *, looked: bool
) -> None:
    """Where the cloud was not asked, or what it was to be asked is not known yet, a rebuild may come."""
    one = step(said, "rebuilt")
    program = {"flavor": "s1.small", "image": "debian", "image_policy": "rebuild", "adopt": "some-id"}
    one |= {"op": "create", "newState": {"inputs": program | inputs}}
    warning = "warning: Nothing was checked against the cloud: there are no credentials. [not-checked]\n"
    said["diagnostics"] = [] if looked else [{"severity": "warning", "message": warning}]
    found = change(said, "rebuilt")
    assert found.effects[0] == "destroy"
    assert UNKNOWN not in str(found)
    one["newState"]["inputs"] = program | {"power_state": UNKNOWN}
    assert change(said, "rebuilt").effects[0] == ("restart" if looked else "destroy")
    one["newState"]["inputs"] = program
    said["diagnostics"] = []
    assert change(said, "rebuilt").effects == ("adopt",)


def test_what_no_secret_shows_is_told_by_the_provider(said: dict[str, Any]) -> None:
    """A personality looks as it did before, changed or not: what was said decides, and where nobody looked, doubt."""
    one = step(said, "rebuilt")
    for state in (one["oldState"], one["newState"]):
        state["inputs"] |= {"personality": "[secret]", "admin_pass": "[secret]", "image": "one"}
        state["outputs"] = {**(state.get("outputs") or {}), "image": "one"}
    one["newState"]["inputs"]["metadata"] = {"new": "er"}
    assert "destroy" in change(said, "rebuilt").effects
    assert [reason.split()[0] for reason in change(said, "rebuilt").reasons] == ["`metadata`", "`personality`"]
    said["diagnostics"] = []
    assert change(said, "rebuilt").effects == ("update",)
    warning = "warning: Nothing was checked against the cloud: ecs:preflight is false [not-checked]\n"
    said["diagnostics"] = [{"severity": "warning", "message": warning}]
    assert "destroy" in change(said, "rebuilt").effects


def test_a_size_that_is_secret_is_no_number(said: dict[str, Any]) -> None:
    """The data are lost all the same."""
    one = next(each for each in said["steps"] if each["op"] == "delete" and "Volume::gone" in each["urn"])
    one["oldState"]["outputs"]["size"] = "[secret]"
    assert "- Volume `gone`: deleted; its data are lost" in markdown(read(json.dumps(said)))


def test_a_type_is_no_markup(said: dict[str, Any]) -> None:
    """That of another provider's resource is anybody's word."""
    urn = "urn:pulumi:test::shop::a:b:c\n## All is well @team::web"
    said["steps"] = [{"op": "delete", "urn": urn, "oldState": {"outputs": {}}}]
    told = markdown(read(json.dumps(said)), [("delete", read(json.dumps(said)).changes[0])])
    assert told.count("`a:b:c ## All is well @team` `web`") == 2


def test_a_report_is_utf_8_wherever_it_is_written(tmp_path: Path) -> None:
    """What reads it expects nothing else, and a name may be in any script."""
    command = (sys.executable, "-m", "ecs_pulumi.preview_report", str(RECORDED / "preview.json"))
    done = subprocess.run(command, env={**os.environ, **ASCII_LOCALE}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "→" in done.stdout.decode()


def test_a_name_is_no_markup(said: dict[str, Any]) -> None:
    """Whoever writes a pull request cannot write the reviewer's summary."""
    one = step(said, "resized")
    one["urn"] = one["urn"].replace("resized", "web`\n## All is well <b>@team</b>")
    told = markdown(read(json.dumps(said)))
    assert "`web  ## All is well <b>@team</b>`" in told


def test_a_long_list_is_cut(said: dict[str, Any]) -> None:
    """A comment has a limit, and a reader too."""
    new = next(each for each in said["steps"] if each["op"] == "create")
    said["steps"] = [{**new, "urn": new["urn"].replace("::new", f"::new{number}")} for number in range(60)]
    told = markdown(read(json.dumps(said)))
    assert "### Created (60)" in told
    assert "- … and 10 more" in told


def test_warnings_are_told(said: dict[str, Any]) -> None:
    """A preview without credentials says so to the reviewer as well."""
    warning = "warning: Nothing was checked against the cloud: no credentials [not-checked]\n"
    said["diagnostics"] = [{"severity": "warning", "message": warning}]
    assert "- `Nothing was checked against the cloud: no credentials`" in markdown(read(json.dumps(said)))


def test_the_report_knows_the_kinds_and_their_secrets() -> None:
    """It imports none of them, so that it costs nothing; what it repeats is true."""
    import ecs_pulumi
    from ecs_pulumi.dynamic import fields
    from ecs_pulumi.dynamic.resource import EcsResource

    exported = [getattr(ecs_pulumi, name) for name in ecs_pulumi.__all__]
    kinds = [each for each in exported if isinstance(each, type) and issubclass(each, EcsResource)]
    assert {each.__name__ for each in kinds} == {*KINDS}
    models = [model for each in kinds for model in (each.kind.inputs, each.kind.outputs)]
    secret = {name for model in models for name, field in fields.fields_of(model).items() if field.has(fields.Secret)}
    assert secret == {*preview_report._SECRET_PROPERTIES}
    assert ServerInputs.model_fields["stop_before_resize"].default is True
