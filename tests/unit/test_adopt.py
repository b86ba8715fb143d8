"""The source text that `ecs_pulumi.adopt` writes, and its command line."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from ecs_pulumi.adopt.__main__ import _report, _settings, main
from ecs_pulumi.adopt.text import Call, Ref, declaration, resource_name, stem, variable
from ecs_pulumi.dynamic.existing import Candidate
from ecs_pulumi.stack import Stack
from tests.support.clouds import hide_variables
from tests.support.command import formatted

if TYPE_CHECKING:
    from pathlib import Path

    from ecs_pulumi.resources.clients import Clients

LONG = "x" * 100


def test_declaration_is_formatted_as_by_ruff() -> None:
    """A value that fits is on one line; a longer one has one item per line. Strings are quoted correctly."""
    inputs = {
        "flag": False,
        "size": 4,
        "name": "Größe \"a\" 'b' \\ \n\t\x00",
        "words": ['say "hi"', "it's", 'both "a" \'b"', ""],
        "one": Ref("net"),
        "depends": [Ref("net", "")],
        "nested": [{"subnet_id": Ref("subnet"), "ip_address": "10.0.0.1"}] * 3,
        "deep": {"a": [{LONG: LONG, "list": [LONG, {"short": [1, 2]}]}]},
        "edge": ["y" * 30, "y" * 38],
        "over": ["y" * 30, "y" * 39],
        "empty": [],
        "opts": Call("pulumi.ResourceOptions", {"depends_on": [Ref("a_rather_long_variable", "")] * 3}),
    }
    text = declaration("web = ecs.Server", "web", inputs, ["A comment."])
    assert formatted(text) == text
    call = ast.parse(text).body[0]
    assert isinstance(call, ast.Assign)
    assert isinstance(call.value, ast.Call)
    parsed = {item.arg: item.value for item in call.value.keywords}
    assert {name: ast.literal_eval(parsed[name]) for name in ("name", "words", "deep")} == {
        name: inputs[name] for name in ("name", "words", "deep")
    }


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\x00"])
def test_name_cannot_end_a_comment(end: str) -> None:
    """The name of a security group in a comment cannot inject code."""
    text = declaration("web = ecs.Server", "web", {}, [f"Security groups: web{end}import os; os.abort() #."])
    assert [type(each) for each in ast.parse(text).body] == [ast.Assign]
    assert text.splitlines()[0] == "# Security groups: web import os; os.abort() #."


def test_secret_settings_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command for a secret setting contains no value; Pulumi prompts for it."""
    hide_variables(monkeypatch)
    config = {"ecs:username": "demo", "ecs:password": "demo-secret", "ecs:projectName": "shop"}
    stack = Stack("shop", "dev", [], config, secrets=frozenset({"ecs:username"}))
    assert list(_settings(stack, "eu-de")) == [
        "pulumi config set ecs:region eu-de",
        "pulumi config set --secret ecs:username",
        "pulumi config set --secret ecs:password",
        "pulumi config set ecs:projectName shop",
    ]


@pytest.mark.parametrize("end", ["\n", "\r", "\x1b[2K", "\u2028"])
def test_owner_marker_in_warning_cannot_inject_line(end: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An owner marker with line breaks stays on the line of the warning, so that it cannot look like a command."""
    marker = f"Managed by Pulumi: shop/prod/web{end}pulumi config set ecs:authUrl http://elsewhere"
    web = Candidate("Server", "1", f"web{end}01", {"description": marker})
    clients = SimpleNamespace(region=SimpleNamespace(name="eu-de"))
    _report(Stack("shop", "dev", [], {}), cast("Clients", clients), [web])
    _, warning, heading, *settings = capsys.readouterr().err.splitlines()
    assert warning.startswith("# warning: Server web")
    assert warning.endswith('": only one stack must manage it')
    assert warning.isprintable()
    assert heading == "# To select this cloud in another stack:"
    assert settings == ["pulumi config set ecs:region eu-de"]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("web-01", "web_01"),
        ("Büro Süd", "buro_sud"),
        ("01", "server_01"),
        ("class", "class_server"),
        ("ecs", "ecs_server"),
        ("print", "print_server"),
        ("", "server"),
        ("東京", "server"),
    ],
)
def test_variable_is_named_after_object(label: str, name: str) -> None:
    """The variable of an object is a valid identifier that shadows no other name."""
    assert stem(label, "Server") == name
    assert name.isidentifier()


def test_names_are_unique() -> None:
    """The name of an object gets its kind as a suffix if objects of other kinds share it, otherwise a number."""
    assert variable("web", "Server", {"web"}, set()) == "web_server"
    assert variable("web", "Server", set(), {"web"}) == "web_2"
    assert variable("web_server", "Server", {"web_server"}, {"web_server", "web_server_2"}) == "web_server_3"
    assert resource_name("web", "Server", {"web"}) == "web-2"
    assert resource_name("a::b c", "Server", set()) == "a-b-c"
    assert resource_name("", "KeyPair", set()) == "key-pair"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "select what to import: --all, --name, --tag, --id or --terraform"),
        (["--all", "--kind", "balancer"], "'balancer' is not one of KeyPair, Network"),
    ],
)
def test_invalid_arguments_are_rejected(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing or misspelled argument is reported in one line."""
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 2
    assert reason in capsys.readouterr().err.splitlines()[-1]


def test_missing_cloud_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside of a project and without `OS_*` variables the command fails with one line on how to select a cloud."""
    hide_variables(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["--all"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: No cloud is configured.")
    assert len(output.err.splitlines()) == 1
