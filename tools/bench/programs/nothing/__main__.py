"""Resources that do nothing and take no time, each with as much state as a server: what is left is the engine's own."""

import uuid
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider, UpdateResult
from pulumi.dynamic.dynamic import PROVIDER_KEY, serialize_provider

config = pulumi.Config()
STATE = 2000


class Nothing(ResourceProvider):
    """Answers at once."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Say that it is made."""
        return CreateResult(str(uuid.uuid4()), props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the one input."""
        return DiffResult(changes=olds["word"] != news["word"])

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Say that it is changed."""
        return UpdateResult(news)


provider = serialize_provider(Nothing())
for number in range(config.require_int("resources")):
    word = config.get("word") if number < (config.get_int("changed") or 0) else None
    props = {PROVIDER_KEY: provider, "word": word or "", "state": "." * STATE}
    pulumi.CustomResource("pulumi-python:dynamic/bench:Thing", f"nothing{number}", props)
