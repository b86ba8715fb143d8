"""Resources that do nothing, each with as much state as a server, to measure the time of the engine alone."""

import uuid
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider, UpdateResult
from pulumi.dynamic.dynamic import PROVIDER_KEY, serialize_provider

config = pulumi.Config()
STATE = 2000


class Nothing(ResourceProvider):
    """Returns immediately."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Report a created resource."""
        return CreateResult(str(uuid.uuid4()), props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the only input."""
        return DiffResult(changes=olds["word"] != news["word"])

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Report an updated resource."""
        return UpdateResult(news)


provider = serialize_provider(Nothing())
for number in range(config.require_int("resources")):
    word = config.get("word") if number < (config.get_int("changed") or 0) else None
    props = {PROVIDER_KEY: provider, "word": word or "", "state": "." * STATE}
    pulumi.CustomResource("pulumi-python:dynamic/bench:Thing", f"nothing{number}", props)
