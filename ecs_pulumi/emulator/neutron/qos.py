"""Quality-of-service policies. Administrators create them, networks and ports refer to them; they have no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.emulator.context import Reply
from ecs_pulumi.emulator.errors import HttpError

from .collection import get_owned, new_document, not_found, render
from .refusals import conflict, forbidden
from .resources import QOS_POLICY
from .service import extensions, service

if TYPE_CHECKING:
    from ecs_pulumi.emulator.context import Call, Context
    from ecs_pulumi.emulator.store import Document


def check_policy(ctx: Context, values: Document) -> None:
    """Reject with 404 a network or port that refers to an unknown policy."""
    policy_id = values.get("qos_policy_id")
    if policy_id is not None and ctx.get("policy", policy_id) is None:
        raise not_found(QOS_POLICY, policy_id)


def _require_extension(call: Call) -> None:
    if "qos" not in extensions(call):
        raise HttpError(404, "The resource could not be found.", kind="HTTPNotFound")


@service.post("/qos/policies", otc=False)
def create_policy(call: Call) -> Reply:
    """`POST /qos/policies`: for administrators only."""
    _require_extension(call)
    values = QOS_POLICY.read_create(call, extensions(call))
    if not call.is_admin:
        raise forbidden("create_policy")
    doc = call.put("policy", new_document(call, values | {"rules": []}))
    return Reply(201, {"policy": render(call, QOS_POLICY, doc)})


@service.delete("/qos/policies/{policy_id}", otc=False)
def delete_policy(call: Call, policy_id: str) -> None:
    """`DELETE /qos/policies/{id}`: 409 if a network or port uses the policy."""
    _require_extension(call)
    get_owned(call, QOS_POLICY, policy_id, "delete")
    for kind in ("network", "port"):
        if call.count(kind, qos_policy_id=policy_id):
            message = f"QoS Policy {policy_id} is used by {kind}."
            raise conflict("QosPolicyInUse", message)
    call.remove("policy", policy_id)
