"""What `ecs-pulumi report` shows of routers and their interfaces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_pulumi.preview_report import markdown, read


def report(kind: str, op: str, outputs: dict[str, Any], inputs: dict[str, Any] | None = None, notice: str = "") -> str:
    """Return the report of a preview with one step."""
    urn = f"urn:pulumi:dev::shop::pulumi-python:dynamic/ecs:{kind}::it"
    step = {"op": op, "urn": urn, "oldState": {"outputs": outputs, "inputs": {}}, "newState": {"inputs": inputs or {}}}
    diagnostics = [{"urn": urn, "message": notice, "severity": "info"}] if notice else []
    return markdown(read(json.dumps({"steps": [step], "diagnostics": diagnostics})))


@pytest.mark.parametrize(
    ("kind", "outputs", "line"),
    [
        ("Router", {"external_ips": ["203.0.113.5"]}, "; its external addresses are released: 203.0.113.5"),
        ("Router", {"external_ips": []}, ""),
        ("RouterInterface", {"ip_address": "10.0.0.1"}, "; the servers of its subnet lose the router 10.0.0.1"),
        ("RouterInterface", {}, ""),
    ],
)
def test_deletion(kind: str, outputs: dict[str, Any], line: str) -> None:
    """The report of a deletion shows which addresses are released and which servers are disconnected."""
    assert f"- {kind} `it`{line.replace(';', ':', 1)}\n" in report(kind, "delete", outputs)


def test_change_of_the_gateway() -> None:
    """A change of the gateway is an interruption."""
    notice = "the connections through the gateway 203.0.113.5 are interrupted [interrupts: external_network]"
    text = report("Router", "update", {"external_network": "public"}, {"external_network": "other"}, notice)
    assert "- Router `it`: `external_network` `public` → `other`; its workload is interrupted" in text


def test_import_that_is_not_checked() -> None:
    """An import that was not compared with the object may change the gateway, which interrupts connections."""
    inputs = {"adopt": "some-id", "external_network": "public", "admin_state_up": True}
    text = report("Router", "create", {}, inputs, "Nothing was checked against the cloud [not-checked]")
    assert "- Router `it`: `external_network`; `some-id` is imported (not compared with the program" in text
