"""Neutron's ways to refuse: an exception's name and its sentence."""

from __future__ import annotations

from typing import Any

from ecs_pulumi.emulator.errors import HttpError


def bad_request(message: str) -> HttpError:
    """400 from the layer that reads requests."""
    return HttpError(400, message, kind="HTTPBadRequest")


def invalid_input(message: str) -> HttpError:
    """400 from a value that could not be converted or makes no sense."""
    return HttpError(400, f"Invalid input for operation: {message}.", kind="InvalidInput")


def invalid_attribute(name: str, reason: str) -> HttpError:
    """400 from the validation of one attribute."""
    return bad_request(f"Invalid input for {name}. Reason: {reason}.")


def bad_resource(collection: str, message: str) -> HttpError:
    """400 for a request whose attributes contradict each other."""
    return HttpError(400, f"Bad {collection} request: {message}.", kind="BadRequest")


def conflict(kind: str, message: str) -> HttpError:
    """409: the state does not allow it."""
    return HttpError(409, message, kind=kind)


def over_quota(resource: str) -> HttpError:
    """409: the project has as many as it may."""
    return conflict("OverQuota", f"Quota exceeded for resources: ['{resource}'].")


def forbidden(action: str, *attributes: str) -> HttpError:
    """403: the policy keeps the action, or some of its attributes, to others."""
    rules = [f"rule:{action}", *(f"rule:{action}:{attribute}" for attribute in attributes)]
    rule = f"({' and '.join(rules)})" if attributes else rules[0]
    return HttpError(403, f"{rule} is disallowed by policy", kind="PolicyNotAuthorized")


def duplicates(items: list[Any]) -> str:
    """The items that occur twice, as Neutron lists them; empty if none do."""
    seen: list[Any] = []
    twice: list[Any] = []
    for item in items:
        (twice if item in seen else seen).append(item)
    return ", ".join(f"'{item}'" for item in twice)
