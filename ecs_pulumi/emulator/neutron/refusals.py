"""The errors of Neutron, each with the name of the exception and its message."""

from __future__ import annotations

from typing import Any

from ecs_pulumi.emulator.errors import HttpError


def bad_request(message: str) -> HttpError:
    """Return a 400 error for a request that cannot be parsed."""
    return HttpError(400, message, kind="HTTPBadRequest")


def invalid_input(message: str) -> HttpError:
    """Return a 400 error for a value that cannot be converted or is inconsistent."""
    return HttpError(400, f"Invalid input for operation: {message}.", kind="InvalidInput")


def invalid_attribute(name: str, reason: str) -> HttpError:
    """Return a 400 error for an attribute that fails its validation."""
    return bad_request(f"Invalid input for {name}. Reason: {reason}.")


def bad_resource(collection: str, message: str) -> HttpError:
    """Return a 400 error for a request whose attributes contradict each other."""
    return HttpError(400, f"Bad {collection} request: {message}.", kind="BadRequest")


def conflict(kind: str, message: str) -> HttpError:
    """Return a 409 error for a request that conflicts with the current state."""
    return HttpError(409, message, kind=kind)


def over_quota(resource: str) -> HttpError:
    """Return a 409 error for a resource whose quota is exhausted."""
    return conflict("OverQuota", f"Quota exceeded for resources: ['{resource}'].")


def forbidden(action: str, *attributes: str) -> HttpError:
    """Return a 403 error for an action, or for attributes of it, that the policy does not allow."""
    rules = [f"rule:{action}", *(f"rule:{action}:{attribute}" for attribute in attributes)]
    rule = f"({' and '.join(rules)})" if attributes else rules[0]
    return HttpError(403, f"{rule} is disallowed by policy", kind="PolicyNotAuthorized")


def duplicates(items: list[Any]) -> str:
    """Return the repeated items, formatted as in Neutron's messages; empty if there are none."""
    unique: list[Any] = []
    repeated: list[Any] = []
    for item in items:
        (repeated if item in unique else unique).append(item)
    return ", ".join(f"'{item}'" for item in repeated)
