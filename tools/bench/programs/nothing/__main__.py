"""Resources that do nothing, each with the inputs and outputs of a server, to measure the time of the engine alone."""

import pulumi
from nothing import SERIALIZED  # type: ignore[import-not-found]

TYPE = "pulumi-python:dynamic/bench:Thing"
INPUTS = {"flavor": "s1.small", "image": "cirros-peer"}

config = pulumi.Config()
first = pulumi.CustomResource(TYPE, "first", {"__provider": SERIALIZED, **INPUTS, "word": ""})
for number in range(config.require_int("resources")):
    word = config.get("word") if number < (config.get_int("changed") or 0) else None
    props = {"__provider": SERIALIZED, **INPUTS, "networks": [{"network_id": first.id}], "word": word or ""}
    pulumi.CustomResource(TYPE, f"nothing{number}", props, pulumi.ResourceOptions(depends_on=[first]))
