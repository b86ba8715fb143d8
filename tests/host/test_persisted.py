"""The references to this package that are stored in every state file, and therefore must not change."""

import base64
import pickletools

import dill  # type: ignore[import-untyped]
from pulumi.dynamic.dynamic import serialize_provider

from ecs_pulumi.dynamic.provider import Provider

RECORDED = (
    "gASVSAAAAAAAAACMG2Vjc19wdWx1bWkuZHluYW1pYy5wcm92aWRlcpSMCFByb3ZpZGVylJOUKYGUfZSMCWtpbmRfbmFtZZSMBlNlcnZlcpRzYi4="
)
"""The property `__provider` of a server, as version 0.1.0 stores it."""


def test_provider_of_older_version_is_unpickled() -> None:
    """This version can manage the resources in a state that an older version wrote."""
    provider = dill.loads(base64.b64decode(RECORDED))  # noqa: S301  (as Pulumi does)
    assert type(provider) is Provider
    assert vars(provider) == {"kind_name": "Server"}


def test_pickle_contains_only_class_and_kind() -> None:
    """The pickled provider contains only the reference to its class and the name of the kind."""
    assert _strings(serialize_provider(Provider("Server"))) == _strings(RECORDED)


def test_provider_is_not_serialized_as_secret() -> None:
    """`__provider` is not a secret, so that the state of a stack without secrets needs no passphrase."""
    assert Provider.serialize_as_secret_always is False


def _strings(pickled: str) -> list[str]:
    operations = pickletools.genops(base64.b64decode(pickled))
    return [argument for _, argument, _ in operations if isinstance(argument, str)]
