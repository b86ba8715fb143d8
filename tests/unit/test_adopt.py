"""The text of the programs that `ecs_pulumi.adopt` writes, and what its command line refuses."""

from __future__ import annotations

import ast
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from ecs_pulumi.adopt.__main__ import _report, _settings, main
from ecs_pulumi.adopt.landscape import Candidate
from ecs_pulumi.adopt.text import Call, Ref, declaration, resource_name, stem, variable
from ecs_pulumi.stack import Stack
from tests.support.command import formatted

if TYPE_CHECKING:
    from pathlib import Path

    from ecs_pulumi.resources.common import Clients

LONG = "x" * 100


def test_a_declaration_is_formatted_as_ruff_would() -> None:
    """Short values stay on a line, long ones get one item on each, whatever is in the strings."""
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
    read = {item.arg: item.value for item in call.value.keywords}
    assert {name: ast.literal_eval(read[name]) for name in ("name", "words", "deep")} == {
        name: inputs[name] for name in ("name", "words", "deep")
    }


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\x00"])
def test_no_name_gets_out_of_its_comment(end: str) -> None:
    """Whatever a group is called, none of it is run."""
    text = declaration("web = ecs.Server", "web", {}, [f"Security groups: web{end}import os; os.abort() #."])
    assert [type(each) for each in ast.parse(text).body] == [ast.Assign]
    assert text.splitlines()[0] == "# Security groups: web import os; os.abort() #."


def test_what_a_stack_keeps_secret_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever setting it is, it is asked for when the command is run."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    config = {"ecs:username": "demo", "ecs:password": "demo-secret", "ecs:projectName": "shop"}
    stack = Stack("shop", "dev", [], config, secrets=frozenset({"ecs:username"}))
    assert list(_settings(stack, "eu-de")) == [
        "pulumi config set ecs:region eu-de",
        "pulumi config set --secret ecs:username",
        "pulumi config set --secret ecs:password",
        "pulumi config set ecs:projectName shop",
    ]


@pytest.mark.parametrize("end", ["\n", "\r", "\x1b[2K", "\u2028"])
def test_a_mark_says_no_more_than_itself(end: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What another stack's mark is, whoever wrote it, is no command that somebody would copy."""
    mark = f"Managed by Pulumi: shop/prod/web{end}pulumi config set ecs:authUrl http://elsewhere"
    web = Candidate("Server", "1", f"web{end}01", {"description": mark})
    elsewhere = SimpleNamespace(region=SimpleNamespace(name="eu-de"))
    _report(Stack("shop", "dev", [], {}), cast("Clients", elsewhere), [web])
    _, warning, *settings = capsys.readouterr().err.splitlines()
    assert warning.startswith("# warning: Server web")
    assert warning.endswith('": no two stacks should manage it')
    assert warning.isprintable()
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
def test_a_variable_is_named_like_the_object(label: str, name: str) -> None:
    """Whatever an object is called, its variable is an identifier that hides nothing."""
    assert stem(label, "Server") == name
    assert name.isidentifier()


def test_names_are_unique() -> None:
    """Objects of one name get their kind behind it where they differ in that, and else a number."""
    assert variable("web", "Server", {"web"}, set()) == "web_server"
    assert variable("web", "Server", set(), {"web"}) == "web_2"
    assert variable("web_server", "Server", {"web_server"}, {"web_server", "web_server_2"}) == "web_server_3"
    assert resource_name("web", "Server", {"web"}) == "web-2"
    assert resource_name("a::b c", "Server", set()) == "a-b-c"
    assert resource_name("", "KeyPair", set()) == "key-pair"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "say what to take over: --all, --name, --tag or --id"),
        (["--all", "--kind", "router"], "'router' is not one of KeyPair, Network"),
    ],
)
def test_a_command_line_that_says_nothing_is_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing or misspelled is said in one line."""
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 2
    assert reason in capsys.readouterr().err.splitlines()[-1]


def test_no_cloud_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside of a project and without OS_* variables it says how to name a cloud."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["--all"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: No cloud is configured.")
    assert len(shown.err.splitlines()) == 1
