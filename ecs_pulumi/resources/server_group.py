"""ServerGroup: which servers share a host and which do not (Nova API reference, "Server groups")."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.dynamic.fields import (
    AlwaysSet,
    ChangedBy,
    CheckInputs,
    Inputs,
    Outputs,
    Problem,
    Replace,
    RequiresMicroversion,
)
from ecs_pulumi.dynamic.handler import Provenance, is_auto_name, owner_from_name
from ecs_pulumi.resources.catalog import catalog
from ecs_pulumi.resources.clients import Context
from ecs_pulumi.resources.handler import EcsHandler, project_of
from ecs_pulumi.resources.idempotent_create import create_or_find, created_in_this_run
from ecs_pulumi.resources.quota import QuotaNeed
from ecs_pulumi.resources.remote import RemoteObject

_SOFT_POLICIES = "2.15"


class ServerGroupInputs(Inputs):
    """A group of servers with a policy for their hosts: the same one, or different ones.

    A server joins it with `scheduler_hints={"group": group.id}`. Source: Nova API reference, "Server groups".
    """

    name: Annotated[str | None, Replace(), AlwaysSet()] = Field(None, min_length=1, max_length=255, description="Name.")
    policy: Annotated[Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"], Replace()] = Field(
        description="`affinity`: all servers on one host, `anti-affinity`: each on another one. Without such a host, a "
        "new server fails. The soft policies (compute 2.15) do without."
    )
    max_server_per_host: Annotated[
        int | None, Replace(), RequiresMicroversion("compute", compute.SERVER_GROUP_RULES)
    ] = Field(None, ge=1, description="How many servers may share a host; only with `anti-affinity`. Default: 1.")


class ServerGroupOutputs(Outputs):
    """Outputs of a server group that are not inputs."""

    project_id: Annotated[str, ChangedBy()] = Field(description="Id of the project that owns the group.")
    members: list[str] = Field(description="Ids of the servers in the group, as of its last refresh.")


class ServerGroupHandler(EcsHandler[ServerGroupInputs]):
    """Server groups. The API has no update, and several groups may have one name."""

    name = "ServerGroup"
    title = "Server groups"
    inputs = ServerGroupInputs
    outputs = ServerGroupOutputs
    encodes_owner_in_name = True  # server groups have no description for an owner marker

    def validate(self, checked: CheckInputs) -> Iterator[Problem]:
        """Only anti-affinity has a maximum."""
        policy = checked.known("policy")
        if checked.has("max_server_per_host") and policy not in (None, "anti-affinity"):
            yield Problem("max_server_per_host", f"applies only to the policy `anti-affinity`, not to `{policy}`")

    def preflight(self, context: Context, checked: CheckInputs) -> Iterator[Problem]:
        """Check that the API has the policy."""
        yield from super().preflight(context, checked)
        if str(checked.known("policy")).startswith("soft-") and checked.changed("policy"):
            try:
                context.cloud.compute.require("a soft policy", _SOFT_POLICIES)
            except errors.Unsupported as error:
                yield Problem("policy", str(error))

    def quota_needs(self, context: Context, checked: CheckInputs) -> Iterator[QuotaNeed]:  # noqa: ARG002
        """Yield one group for a create."""
        if not checked.prior:
            yield QuotaNeed("policy", "compute", {"server_groups": 1})

    def list_all(self, context: Context) -> Iterable[RemoteObject]:
        """Return the server groups of the project."""
        return compute.list_server_groups(context.cloud.compute)

    def result_evidence(self, inputs: Mapping[str, Any], remote: RemoteObject) -> str:
        """Compare the policy of a group that no server has joined yet."""
        return "policy" if not remote["members"] and inputs.get("policy") == _policy(remote) else ""

    def find_own_orphans(self, context: Context, desired: ServerGroupInputs) -> list[tuple[str, str]]:
        """Find the groups whose automatic name encodes this resource, except those that `create` deletes.

        A name that the program sets proves nothing by itself, because other groups may have it: the state has to
        confirm the orphan.
        """
        if is_auto_name(desired.name or "", context.resource):
            signed = _signed(context, desired)
            return [(each["id"], each["name"]) for each, origin in signed if origin is not Provenance.INTERRUPTED]
        found = [
            (each["id"], each["name"])
            for each in _listed(context)
            if each["name"] == desired.name
            and self.result_evidence({"policy": desired.policy}, each)
            and context.provenance(each["id"], each["name"]) is Provenance.INTERRUPTED
        ]
        return found if len(found) == 1 else []

    def create(self, context: Context, desired: ServerGroupInputs) -> RemoteObject:
        """Create the group, and delete those of killed runs: their names differ, and no server is in them yet."""
        api = context.cloud.compute
        for each, origin in _signed(context, desired):
            if origin is Provenance.INTERRUPTED:
                self.delete(context, each["id"], {})
        rules = {} if desired.max_server_per_host is None else {"max_server_per_host": desired.max_server_per_host}
        # A group has no time of creation: one that existed before the request is not the result of it.
        prior = {each["id"] for each in catalog(context.cloud.region).server_groups()}

        def candidates() -> list[RemoteObject]:
            return [
                each
                for each in self.list_all(context)
                if each["id"] not in prior and (each["name"], _policy(each)) == (desired.name, desired.policy)
            ]

        send = partial(compute.create_server_group, api, desired.name or "", desired.policy, rules)
        try:
            remote = create_or_find(context, api, send, candidates)
        except errors.BadRequest as error:
            if desired.policy in error.message:
                error.hint = f"policy: this cloud does not offer `{desired.policy}`; set another policy."
            raise
        context.record_id(remote["id"])
        return remote

    def read_cached(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the group from the list that all refreshes of server groups share."""
        return context.cloud.region.server_groups.read(id_)

    def read(self, context: Context, id_: str) -> RemoteObject | None:
        """Return the current group."""
        return context.cloud.region.server_groups.get(id_)

    def to_outputs(self, context: Context, remote: RemoteObject) -> dict[str, Any]:
        """Convert either form of the API: the newer one has `policy` and `rules`, the older one `policies`."""
        outputs = {"region": context.cloud.region.name, "name": remote["name"], "policy": _policy(remote)}
        if "rules" in remote:
            outputs["max_server_per_host"] = remote["rules"].get("max_server_per_host")
        project_id = project_of(context, remote.get("project_id"))
        return {**outputs, "project_id": project_id, "members": remote["members"]}

    def update(
        self,
        context: Context,
        id_: str,
        desired: ServerGroupInputs,
        prior: Mapping[str, Any],
    ) -> RemoteObject:
        """Read the group; no input can be changed in place."""
        return self.read_current(context, id_, desired, prior)

    def delete(self, context: Context, id_: str, prior: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Delete the group. Servers that are still in it remain."""
        with contextlib.suppress(errors.NotFound):
            compute.delete_server_group(context.cloud.compute, id_)


def _listed(context: Context) -> list[RemoteObject]:
    """Return the groups that existed before this run."""
    return [each for each in catalog(context.cloud.region).server_groups() if not created_in_this_run(each["id"])]


def _signed(context: Context, desired: ServerGroupInputs) -> Iterator[tuple[RemoteObject, Provenance]]:
    """Yield the groups with an automatic name that an earlier run generated for this resource, and their origin."""
    for each in _listed(context) if is_auto_name(desired.name or "", context.resource) else ():
        if owner_from_name(each["name"], context.signer) == context.resource:
            yield each, context.provenance(each["id"], each["name"])


def _policy(remote: RemoteObject) -> str | None:
    policy: str | None = remote.get("policy") or next(iter(remote.get("policies") or ()), None)
    return policy


HANDLER = ServerGroupHandler()
