"""The summary of recorded previews (for the program of the recording see tests/engine/test_preview_report.py)."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecs_pulumi.preview_report import EFFECTS, Change, Preview, main, markdown, read
from ecs_pulumi.report_values import changes
from tests.support.command import ASCII_LOCALE

RECORDED = Path(__file__).parent / "recorded"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@pytest.fixture
def document() -> dict[str, Any]:
    """The JSON document of a preview with all effects."""
    parsed: dict[str, Any] = json.loads((RECORDED / "preview.json").read_text())
    return parsed


def step(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the step of a server."""
    found: dict[str, Any] = next(each for each in document["steps"] if each["urn"].endswith(f"Server::{name}"))
    return found


def change(document: dict[str, Any], name: str) -> Change:
    """Return the change of a server."""
    return next(each for each in read(json.dumps(document)).changes if (each.kind, each.name) == ("Server", name))


def test_preview_is_read_from_file_or_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both inputs give the same summary, and without a rule the exit status is 0."""
    file = RECORDED / "preview.json"
    assert main([str(file)]) == 0
    first = capsys.readouterr()
    assert first.out.startswith("## Preview of `shop/test`: 6 destroyed with data, 1 replaced,")
    assert first.err == ""
    monkeypatch.setattr("sys.stdin", io.StringIO(file.read_text()))
    assert main([]) == 0
    assert capsys.readouterr() == first


@pytest.mark.parametrize(
    ("rules", "status", "forbidden"),
    [
        ("replace:Server", 2, ["replaced", "replaced-local"]),
        ("destroy:Volume", 2, ["gone", "remade"]),
        ("destroy:Server", 2, ["gone", "rebuilt", "replaced", "replaced-local"]),
        ("interrupt", 2, ["rebuilt", "resized", "resized-live", "stopped"]),
        ("forget:Volume", 2, ["kept"]),
        ("delete:Network, replace:KeyPair", 0, []),
        ("replace:aws:s3/bucket:Bucket", 0, []),
    ],
)
def test_forbidden_changes_set_exit_status(
    rules: str, status: int, forbidden: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule forbids an effect for all kinds or for one. Standard error has one line for each forbidden change."""
    assert main(["--forbid", rules, str(RECORDED / "preview.json")]) == status
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1].split()[1] for line in lines] == forbidden


@pytest.mark.parametrize("rule", ["explode", "replace:Sever", "server:replace"])
def test_misspelled_rule_is_rejected(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelled rule, which would match nothing, is an error that lists the valid names."""
    with pytest.raises(SystemExit) as exited:
        main(["--forbid", rule, str(RECORDED / "preview.json")])
    assert exited.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "there is" in line


NO_PREVIEW = (
    *("", "\n", "{}", "[]", "error: no stack selected", '{"steps": [{}]}', '{"steps": 3}'),
    *('{"diagnostics": [{"severity": "error"}]}', '{"diagnostics": [{"urn": "short", "message": "no"}]}'),
)


@pytest.mark.parametrize("text", NO_PREVIEW)
def test_input_that_is_no_preview(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Input that is not a preview is an error, also in the summary, such as the empty file of a killed preview."""
    file = tmp_path / "preview.json"
    file.write_text(text)
    assert main([str(file)]) == 1
    output = capsys.readouterr()
    (line,) = output.err.splitlines()
    assert ("pulumi preview --json" if text.strip() else "the preview wrote no result") in line
    assert output.out.startswith("## The preview failed\n\nIt wrote no result")
    assert main([str(tmp_path / "none.json")]) == 1


def test_reason_of_a_preview_that_wrote_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The summary has the reason from the log of the preview, which is standard error of `pulumi`."""
    preview, log = tmp_path / "preview.json", tmp_path / "preview.log"
    preview.write_text("")
    reason = "getting stack configuration: get stack secrets manager: incorrect passphrase"
    log.write_text(f"error: {reason}\n")
    assert main(["--log", str(log), str(preview)]) == 1
    output = capsys.readouterr()
    assert output.out.endswith(f"\n- `{reason}`\n")
    assert output.err == f"error: the preview failed: {reason}\n"


TRACEBACK = """error: Program failed with an unhandled exception:
Traceback (most recent call last):
  File "/opt/pulumi/pulumi-language-python-exec", line 188, in run
    runpy.run_path(args.PROGRAM, run_name="__main__")
  File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
  File "/builds/shop/__main__.py", line 3{rest}
{error}

"""


@pytest.mark.parametrize(
    ("rest", "error"),
    [
        ("\n    x = = 3\n        ^", "SyntaxError: invalid syntax"),
        (
            ', in <module>\n    size\n  File "/v/site-packages/pulumi/x.py", line 9, in get\n    raise',
            "NameError: size",
        ),
    ],
)
def test_error_in_the_program(rest: str, error: str) -> None:
    """The summary has the line of the program, not only the exception."""
    message = TRACEBACK.format(rest=rest, error=error)
    text = markdown(read(json.dumps({"diagnostics": [{"message": message, "severity": "error"}]})))
    assert text.endswith(f"### The preview failed (1)\n\n- `__main__.py, line 3: {error}`\n")


def test_failed_preview_sets_exit_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    """The summary of a failed preview contains the errors, and the exit status is that of an error."""
    assert main(["--forbid", "destroy", str(RECORDED / "failed.json")]) == 1
    output = capsys.readouterr()
    assert output.out.startswith("## Preview of `shop/test`: failed")
    assert 'there is no flavor "s1.medum"' in output.out
    assert len(output.err.splitlines()) == 1


def test_unknown_value_counts_as_changed(document: dict[str, Any]) -> None:
    """An unknown value is shown as not known yet."""
    step(document, "resized")["newState"]["inputs"]["flavor"] = UNKNOWN
    found = change(document, "resized")
    assert found.reasons[0] == "`flavor` `s1.small` → not known yet"
    assert UNKNOWN not in markdown(read(json.dumps(document)))


def test_secrets_are_not_shown(document: dict[str, Any]) -> None:
    """Values of secret inputs, and of properties that the stack marks as secret, are not shown, only their names."""
    replaced, password = step(document, "replaced"), step(document, "password")
    replaced["newState"]["inputs"]["user_data"] = "hush"
    password["newState"]["inputs"]["admin_pass"] = "hush"
    state = step(document, "resized")["newState"]
    state["inputs"]["name"] = "hush"
    state["additionalSecretOutputs"] = ["name"]
    summary = markdown(read(json.dumps(document)))
    assert "hush" not in summary
    assert "`name` (secret)" in summary


@pytest.mark.parametrize(
    ("outputs", "effects", "note"),
    [
        ({"volumes_attached": [{"id": "v"}]}, ("destroy", "delete"), "lost: 1 volume with `delete_on_termination`"),
        ({"volumes_attached": [{"id": "v", "delete_on_termination": False}]}, ("delete",), "its disks stay"),
        ({"volumes_attached": [], "image_id": "i"}, ("destroy", "delete"), "lost: its root disk"),
    ],
)
def test_data_loss_of_deleted_server(
    document: dict[str, Any], outputs: dict[str, Any], effects: tuple[str, ...], note: str
) -> None:
    """Local disks are always lost; volumes according to Nova, or to the program if Nova does not return it."""
    step(document, "gone")["oldState"]["outputs"].update(outputs)
    found = change(document, "gone")
    assert found.effects == effects
    assert note in found.notes[0]


@pytest.mark.parametrize(
    ("op", "kind", "effects", "notes"),
    [
        (
            "delete",
            "FloatingIp",
            ("destroy", "delete", "disconnect"),
            ("lost: its address 203.0.113.7", "the port p is no longer reachable at its floating IP"),
        ),
        (
            "delete",
            "FloatingIpAssociation",
            ("delete", "disconnect"),
            ("the port p is no longer reachable at its floating IP",),
        ),
        (
            "update",
            "FloatingIp",
            ("disconnect", "update"),
            ("the port that it led to is no longer reachable at its address",),
        ),
        (
            "create",
            "FloatingIpAssociation",
            ("disconnect", "create"),
            ("the port that it led to is no longer reachable at its address",),
        ),
    ],
)
def test_port_without_its_floating_ip_is_disconnected(
    document: dict[str, Any], op: str, kind: str, effects: tuple[str, ...], notes: tuple[str, ...]
) -> None:
    """A floating IP that that is deleted, released or moved disconnects its port; a deletion also loses the address."""
    urn = f"urn:pulumi:test::shop::pulumi-python:dynamic/ecs:{kind}::web"
    prior = {"outputs": {"address": "203.0.113.7", "port_id": "p"}, "inputs": {"port_id": "p"}}
    document["steps"] = [{"op": op, "urn": urn, "oldState": prior}]
    is_moved = op != "delete"
    if is_moved:
        document["steps"][0]["newState"] = {"inputs": {"port_id": "q"}}
    message = "leads 203.0.113.7 to the port q; the port p is no longer reachable at it [disconnects: port_id]"
    document["diagnostics"] = [{"urn": urn, "message": message, "severity": "info"}] if is_moved else []
    (found,) = read(json.dumps(document)).changes
    assert (found.effects, found.notes) == (effects, notes)


@pytest.mark.parametrize("effect", EFFECTS)
def test_every_effect_is_counted_and_has_a_section(effect: str) -> None:
    """The heading counts the changes by their worst effect, and each is in the section of that effect."""
    preview = Preview("shop/test", (Change("Port", "p", (effect,)),), same=0, errors=(), warnings=())
    heading, section, *_ = markdown(preview).split("\n\n")
    assert re.fullmatch(r"## Preview of `shop/test`: 1 [a-z ]+", heading)
    assert section == f"### {EFFECTS[effect]} (1)"


def test_resource_of_another_provider_is_shown_by_type(document: dict[str, Any]) -> None:
    """A resource of another provider is shown with its full type and without an effect on its data."""
    document["steps"] = [
        {"op": "delete", "urn": "urn:pulumi:test::shop::aws:s3/bucket:Bucket::logs", "oldState": {"outputs": {}}},
        {"op": "create", "urn": "urn:pulumi:test::shop::pulumi:providers:aws::default", "newState": {}},
        {"op": "create", "urn": "urn:pulumi:test::shop::my:Web$pulumi-python:dynamic/ecs:Port::p", "newState": {}},
    ]
    bucket, port = sorted(read(json.dumps(document)).changes, key=lambda each: each.effects, reverse=True)
    assert (bucket.kind, bucket.effects) == ("aws:s3/bucket:Bucket", ("delete",))
    assert (port.kind, port.effects) == ("Port", ("create",))


def test_adopted_object_is_shown_as_imported(document: dict[str, Any]) -> None:
    """A create with `adopt` is listed as imported, with the id of the object."""
    new = next(each for each in document["steps"] if each["op"] == "create")
    new["newState"]["inputs"]["adopt"] = "some-id"
    assert "### Imported (1)\n\n- Port `new`: `some-id`" in markdown(read(json.dumps(document)))


@pytest.mark.parametrize(
    ("changes", "notice", "effects"),
    [
        ("metadata", "", ("update", "adopt")),
        ("flavor", "interrupts", ("interrupt", "update", "adopt")),
        ("name, power_state", "wakes", ("update", "adopt")),
        ("image, name", "rebuild", ("destroy", "interrupt", "update", "adopt")),
    ],
)
def test_changes_by_import_are_effects(
    document: dict[str, Any], changes: str, notice: str, effects: tuple[str, ...]
) -> None:
    """Changes by an import count as effects. The report takes them from the provider's notices."""
    server = step(document, "resized")
    server |= {"op": "create", "newState": {"inputs": {"adopt": "some-id"}}}
    messages = [f"importing some-id changes it [import-changes: {changes}]"]
    messages += [f"steps: … [{notice}: {changes}]"] if notice else []
    document["diagnostics"] = [{"urn": server["urn"], "message": text, "severity": "info"} for text in messages]
    found = change(document, "resized")
    assert found.effects == effects
    assert found.reasons == tuple(f"`{name}`" for name in changes.split(", "))
    assert "`some-id`" in found.notes[0]


@pytest.mark.parametrize(
    ("inputs", "is_checked"),
    [
        ({}, False),
        ({"adopt": UNKNOWN}, True),
        ({"image": UNKNOWN}, True),
        ({"image": UNKNOWN, "image_policy": UNKNOWN}, True),
        ({"image_policy": UNKNOWN}, False),
    ],
)
def test_unchecked_import_counts_as_rebuild(
    document: dict[str, Any], inputs: dict[str, Any], *, is_checked: bool
) -> None:
    """An import counts as a rebuild if the provider did not check it, or if its inputs are unknown."""
    server = step(document, "rebuilt")
    program = {"flavor": "s1.small", "image": "debian", "image_policy": "rebuild", "adopt": "some-id"}
    server |= {"op": "create", "newState": {"inputs": program | inputs}}
    warning = "warning: Nothing was checked against the cloud: there are no credentials. [not-checked]\n"
    document["diagnostics"] = [] if is_checked else [{"severity": "warning", "message": warning}]
    found = change(document, "rebuilt")
    assert found.effects[0] == "destroy"
    assert UNKNOWN not in str(found)
    server["newState"]["inputs"] = program | {"power_state": UNKNOWN}
    assert change(document, "rebuilt").effects[0] == ("interrupt" if is_checked else "destroy")
    server["newState"]["inputs"] = program
    document["diagnostics"] = []
    assert change(document, "rebuilt").effects == ("adopt",)


@pytest.mark.parametrize(
    ("notice", "effects", "note"),
    [
        ("rebuild", ("destroy", "interrupt", "update"), "rebuilt: the data on its root disk are lost"),
        (
            "interrupts",
            ("interrupt", "update"),
            "stopped for the resize, and started again: not reachable until the resize has ended",
        ),
        ("wakes", ("update",), "it runs meanwhile"),
        ("moves-data", ("update",), "its data may move to other storage"),
    ],
)
def test_effects_of_update_are_those_of_the_notice(
    document: dict[str, Any], notice: str, effects: tuple[str, ...], note: str
) -> None:
    """The report takes the effects of an update in place from the provider's notice, and has no rules of its own."""
    server = step(document, "resized")
    document["diagnostics"] = [{"urn": server["urn"], "message": f"steps: … [{notice}: flavor]\n", "severity": "info"}]
    found = change(document, "resized")
    assert (found.effects, found.notes) == (effects, (note,))
    document["diagnostics"] = []
    assert change(document, "resized").effects == ("update",)


def test_masked_changes_are_reasons(document: dict[str, Any]) -> None:
    """The preview masks secrets such as `personality`; the provider's notice shows that one changes."""
    server = step(document, "rebuilt")
    for state in (server["oldState"], server["newState"]):
        state["inputs"] |= {"personality": "[secret]", "admin_pass": "[secret]", "image": "one"}
        state["outputs"] = {**(state.get("outputs") or {}), "image": "one"}
    server["newState"]["inputs"]["metadata"] = {"new": "er"}
    message = "warning: steps: … [rebuild: metadata, personality]\n"
    document["diagnostics"] = [{"urn": server["urn"], "message": message, "severity": "warning"}]
    assert change(document, "rebuilt").reasons == ("`metadata.new` added: `er`", "`personality` (secret)")


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("Server", {"status": "ERROR", "image_id": "i"}),
        ("Server", {"status": "BUILD", "image_id": "i"}),
        ("Volume", {"status": "error", "size": 1}),
        ("Volume", {"status": "creating", "size": 1}),
    ],
)
def test_replacement_of_failed_create_loses_no_data(kind: str, outputs: dict[str, Any]) -> None:
    """An object that never became usable holds no data, by the provider's notice or by the prior outputs."""
    urn = f"urn:pulumi:test::shop::pulumi-python:dynamic/ecs:{kind}::failed"
    planned = {"op": "replace", "urn": urn, "oldState": {"outputs": outputs}, "newState": {"inputs": {}}}
    notice = {"urn": urn, "message": "replace: no valid host [never-usable]\n", "severity": "info"}

    def effects(op: str, *diagnostics: Any) -> tuple[str, ...]:
        (found,) = read(json.dumps({"steps": [planned | {"op": op}], "diagnostics": diagnostics})).changes
        return found.effects

    assert effects("replace", notice) == ("replace",)
    is_known = outputs["status"].lower() == "error"
    for op in ("replace", "delete"):
        assert effects(op) == ((op,) if is_known else ("destroy", op))


@pytest.mark.parametrize(
    ("op", "kind", "note"),
    [
        ("delete", "SecurityGroupRule", "connections that no other rule allows are cut"),
        ("update", "SecurityGroup", "connections that only the removed rules allow are cut"),
    ],
)
def test_removed_rules_cut_connections(op: str, kind: str, note: str) -> None:
    """The summary says so of a rule that is deleted, and of one that is removed from its group."""
    urn = f"urn:pulumi:test::shop::pulumi-python:dynamic/ecs:{kind}::ssh"
    planned = {"op": op, "urn": urn, "oldState": {"outputs": {}}, "newState": {"inputs": {"rules": []}}}
    notice = {"urn": urn, "message": "rules: remove ingress tcp 22 [cuts-connections: rules]\n", "severity": "info"}
    diagnostics = [notice] if op == "update" else []
    (found,) = read(json.dumps({"steps": [planned], "diagnostics": diagnostics})).changes
    assert (found.effects, found.notes) == ((op,), (note,))


def test_secret_size_of_deleted_volume(document: dict[str, Any]) -> None:
    """A volume whose size is secret is listed as data loss without its size."""
    volume = next(each for each in document["steps"] if each["op"] == "delete" and "Volume::gone" in each["urn"])
    volume["oldState"]["outputs"]["size"] = "[secret]"
    assert "- Volume `gone`: deleted; lost: its data" in markdown(read(json.dumps(document)))


def test_markup_in_type_is_escaped(document: dict[str, Any]) -> None:
    """The type of another provider's resource cannot add Markdown to the summary."""
    urn = "urn:pulumi:test::shop::a:b:c\n## All is well @team::web"
    document["steps"] = [{"op": "delete", "urn": urn, "oldState": {"outputs": {}}}]
    summary = markdown(read(json.dumps(document)), [("delete", read(json.dumps(document)).changes[0])])
    assert summary.count("`a:b:c ## All is well @team` `web`") == 2


def test_summary_is_utf8_in_any_locale(tmp_path: Path) -> None:
    """The summary is encoded in UTF-8 in any locale."""
    command = (sys.executable, "-m", "ecs_pulumi.preview_report", str(RECORDED / "preview.json"))
    done = subprocess.run(command, env={**os.environ, **ASCII_LOCALE}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "→" in done.stdout.decode()


def test_markup_in_name_is_escaped(document: dict[str, Any]) -> None:
    """The name of a resource cannot add Markdown to the summary."""
    server = step(document, "resized")
    server["urn"] = server["urn"].replace("resized", "web`\n## All is well <b>@team</b>")
    summary = markdown(read(json.dumps(document)))
    assert "`web' ## All is well <b>@team</b>`" in summary


def test_long_section_is_truncated(document: dict[str, Any]) -> None:
    """A section shows at most 50 lines, because the length of a comment is limited."""
    new = next(each for each in document["steps"] if each["op"] == "create")
    document["steps"] = [{**new, "urn": new["urn"].replace("::new", f"::new{number}")} for number in range(60)]
    summary = markdown(read(json.dumps(document)))
    assert "### Created (60)" in summary
    assert "- … and 10 more" in summary


@pytest.mark.parametrize(
    ("inputs", "shown"),
    [
        ({"flavor": "s3.large.2", "image": "debian", "image_policy": "replace", "stop_before_resize": True}, True),
        ({"name": "web-1f2e3d4c", "image": "debian", "flavor": "s3.large.2", "force_delete": False}, True),
        ({"flavor": "s3.large.2", "image": "debian", "networks": [{"network_id": UNKNOWN}], "key_name": None}, True),
        (
            {"flavor": "s3.large.2", "image": "debian", "networks": [{"network_id": UNKNOWN, "fixed_ip": "10.0.0.5"}]},
            False,
        ),
    ],
)
def test_new_object_is_shown_with_its_inputs(inputs: dict[str, Any], *, shown: bool) -> None:
    """The summary shows what the program sets to known values other than the defaults, but no generated name."""
    urn = "urn:pulumi:test::shop::pulumi-python:dynamic/ecs:Server::web"
    (found,) = read(json.dumps({"steps": [{"op": "create", "urn": urn, "newState": {"inputs": inputs}}]})).changes
    expected = ["`flavor` `s3.large.2`", "`image` `debian`"]
    assert list(found.reasons) == expected + ([] if shown else ["`networks` `10.0.0.5`"])


def test_secrets_of_a_new_object_are_not_shown() -> None:
    """Only their names are."""
    urn = "urn:pulumi:test::shop::pulumi-python:dynamic/ecs:Server::web"
    state = {"inputs": {"user_data": "hush", "metadata": {"a": "hush"}}, "additionalSecretOutputs": ["metadata"]}
    (found,) = read(json.dumps({"steps": [{"op": "create", "urn": urn, "newState": state}]})).changes
    assert found.reasons == ("`metadata` (secret)", "`user_data` (secret)")


@pytest.mark.parametrize(
    ("prior", "desired", "expected"),
    [
        ({"a": "1", "b": "2"}, {"b": "3", "c": "4"}, ["`x.b` `2` → `3`", "`x.c` added: `4`", "`x.a` removed"]),
        (["a", "b"], ["b", "c", "d"], ["`x` removed: `a`", "`x` added: `c`, `d`"]),
        (["a", "b"], ["b", "a"], ["`x` in another order"]),
        ([], ["a"], ["`x` added: `a`"]),
        (
            [{"protocol": "tcp", "port_range_min": 22}, {"protocol": "udp"}],
            [{"protocol": "udp"}, {"protocol": "tcp", "port_range_min": 2222}],
            ["`x[1].port_range_min` `22` → `2222`"],
        ),
        ([{"protocol": "tcp"}], [], ["`x` removed: `tcp`"]),
        (
            [{"direction": "ingress", "protocol": "tcp"}],
            [],
            ["`x` removed: `{direction: ingress, protocol: tcp}`"],
        ),
        (None, "a", ["`x` not set → `a`"]),
        ("a", None, ["`x` `a` → not set"]),
        ("a", "", ["`x` `a` → none"]),
        (["a"], UNKNOWN, ["`x` `a` → not known yet"]),
        (1.5, True, ["`x` `1.5` → `true`"]),
        ("a" * 200, "b", [f"`x` `{'a' * 79}…` → `b`"]),
        ([], list("abcdefghij"), ["`x` added: `a`, `b`, `c`, `d`, `e`, `f`, … 4 more"]),
        ({"a": "`\n## hush"}, {}, ["`x.a` removed"]),
        ({}, {"a`": "`\n## x"}, ["`x.a'` added: `' ## x`"]),
    ],
)
def test_changes_of_a_value(prior: Any, desired: Any, expected: list[str]) -> None:
    """A map and a nested object are compared key by key, a list item by item."""
    assert changes("x", prior, desired) == expected


@pytest.mark.parametrize(
    ("inputs", "outputs", "note"),
    [
        ({"power_state": "shutoff"}, {"power_state": "active"}, "stopped until its `power_state` is `active` again"),
        ({"power_state": "paused"}, {}, "paused until its `power_state` is `active` again"),
        ({}, {"power_state": None}, "its workload is interrupted"),
        ({"power_state": UNKNOWN}, {}, "its workload is interrupted, and its power state afterwards is not known yet"),
        (
            {"stop_before_resize": False},
            {"power_state": "active"},
            "restarted: not reachable until the resize has ended",
        ),
    ],
)
def test_how_long_a_server_is_interrupted(
    document: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Any], note: str
) -> None:
    """The summary shows whether the server runs again after the update."""
    server = step(document, "resized")
    server["newState"]["inputs"] |= inputs
    server["oldState"]["outputs"] |= outputs
    assert change(document, "resized").notes == (note,)


def test_replacement_for_a_value_in_an_input(document: dict[str, Any]) -> None:
    """The reasons of a replacement by `replace_on_changes` are paths; each input is shown once, key by key."""
    server = step(document, "replaced")
    server["newState"]["inputs"]["metadata"] = {"stage": "prod", "a": "1"}
    server["oldState"]["inputs"]["metadata"] = {"stage": "dev", "a": "1"}
    server["replaceReasons"] = ["metadata", "metadata.stage"]
    assert change(document, "replaced").reasons == ("`metadata.stage` `dev` → `prod`",)


def test_renamed_resource(document: dict[str, Any]) -> None:
    """A new resource with the known inputs of a deleted one of its kind could keep that object with an alias."""
    kind = "urn:pulumi:test::shop::pulumi-python:dynamic/ecs:Network"
    prior = {"inputs": {"name": "old-1f2e3d4c", "tags": ["a"], "description": "x"}, "outputs": {}}
    new = {"inputs": {"name": "new-4c3d2e1f", "tags": ["a"], "description": UNKNOWN}}
    document["steps"] = [
        {"op": "create", "urn": f"{kind}::new", "newState": new},
        {"op": "create", "urn": f"{kind}::second", "newState": new},
        {"op": "delete", "urn": f"{kind}::old", "oldState": prior},
    ]
    note = 'has the inputs of `old`, which is deleted; to rename that, add `aliases=[pulumi.Alias(name="old")]`'
    assert {each.name: each.notes for each in read(json.dumps(document)).changes} == {
        "new": (note,),
        "old": (),
        "second": (),
    }
    new["inputs"]["tags"] = ["b"]
    assert not any(each.notes for each in read(json.dumps(document)).changes)


def test_what_the_program_switches_off_is_shown() -> None:
    """An input that is false is shown unless that is its default: it may open a port, or turn off DHCP."""
    urn = "urn:pulumi:test::shop::pulumi-python:dynamic/ecs:Port::web"
    document = {"steps": [{"op": "create", "urn": urn, "newState": {"inputs": {"port_security_enabled": False}}}]}
    (created,) = read(json.dumps(document)).changes
    assert created.reasons == ("`port_security_enabled` `false`",)


def test_changed_secret_in_a_map(document: dict[str, Any]) -> None:
    """If an update shows no difference, the inputs with a secret in them are the reason."""
    server = step(document, "resized")
    inputs = {"name": "web", "metadata": {"stage": "dev", "password": "[secret]"}, "tags": ["a"]}
    server["oldState"]["inputs"], server["newState"]["inputs"] = inputs, inputs
    document["diagnostics"] = []
    assert change(document, "resized").reasons == ("`metadata` (secret)",)


def test_map_of_a_new_object_has_its_keys() -> None:
    """The only key of a map is shown; the only property of an item of a list needs no name."""
    urn = "urn:pulumi:test::shop::pulumi-python:dynamic/ecs:Server::web"
    inputs = {"metadata": {"owner": "shop"}, "networks": [{"network_id": "public"}]}
    document = {"steps": [{"op": "create", "urn": urn, "newState": {"inputs": inputs}}]}
    (created,) = read(json.dumps(document)).changes
    assert created.reasons == ("`metadata` `{owner: shop}`", "`networks` `public`")


def test_summary_fits_a_comment(document: dict[str, Any]) -> None:
    """The summary of many large changes, with a long error, has fewer lines, so that a comment can contain it."""
    kind = "urn:pulumi:test::shop::pulumi-python:dynamic/ecs:Server"
    inputs = {f"input{count}": "x" * 70 for count in range(20)}
    document["steps"] = [
        {"op": "create", "urn": f"{kind}::web{count}", "newState": {"inputs": inputs}} for count in range(70)
    ]
    document["diagnostics"] = [{"severity": "error", "message": "e" * 100_000}]
    summary = markdown(read(json.dumps(document)))
    assert 10_000 < len(summary) < 65_536
    assert "### Created (70)" in summary
    assert "- … and 50 more" in summary
    assert f"- `{'e' * 1000}…`" in summary


def test_moved_resource(document: dict[str, Any]) -> None:
    """An alias with a name applies to the present parent, so a resource that gets one needs its prior URN as alias."""
    urn = "urn:pulumi:test::shop::{}pulumi-python:dynamic/ecs:Network::net"
    inputs = {"inputs": {"name": "net"}}
    document["steps"] = [
        {"op": "delete", "urn": urn.format(""), "oldState": inputs},
        {"op": "create", "urn": urn.format("shop:index:Zone$"), "newState": inputs},
    ]
    deleted, created = sorted(read(json.dumps(document)).changes, key=lambda each: each.effects, reverse=True)
    assert deleted.effects == ("delete",)
    assert deleted.notes == ()
    alias = f'aliases=["{urn.format("")}"]'
    assert created.notes == (f"has the inputs of `net`, which is deleted; to move that, add `{alias}`",)


def test_resource_with_unknown_inputs_only_is_not_called_renamed(document: dict[str, Any]) -> None:
    """Inputs that are all unknown do not show that a new resource has those of a deleted one."""
    kind = "urn:pulumi:test::shop::pulumi-python:dynamic/ecs:VolumeAttachment"
    prior = {"inputs": {"server_id": "a", "volume_id": "b"}, "outputs": {}}
    document["steps"] = [
        {"op": "create", "urn": f"{kind}::new", "newState": {"inputs": dict.fromkeys(prior["inputs"], UNKNOWN)}},
        {"op": "delete", "urn": f"{kind}::old", "oldState": prior},
    ]
    assert not any(each.notes for each in read(json.dumps(document)).changes)


def test_import_of_another_provider() -> None:
    """A resource of another provider that Pulumi imports is in the section of the imports."""
    urn = "urn:pulumi:test::shop::openstack:dns/zone:Zone::shop"
    (found,) = read(json.dumps({"steps": [{"op": "import", "urn": urn, "newState": {"id": "a1"}}]})).changes
    assert found.effects == ("adopt",)
    assert str(found) == "`openstack:dns/zone:Zone` `shop`: `a1` is imported"


def test_warnings_are_shown(document: dict[str, Any]) -> None:
    """The summary contains the warnings of the preview."""
    warning = "warning: Nothing was checked against the cloud: no credentials [not-checked]\n"
    document["diagnostics"] = [{"severity": "warning", "message": warning}]
    assert "- `Nothing was checked against the cloud: no credentials`" in markdown(read(json.dumps(document)))
