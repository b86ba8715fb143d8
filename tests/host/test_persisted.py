"""What every state file says about this package, so that it holds for as long as there are state files."""

import base64
import pickletools
import subprocess
import sys
import textwrap

import dill  # type: ignore[import-untyped]
from pulumi.dynamic.dynamic import serialize_provider

from ecs_pulumi.dynamic.provider import Provider
from tools.workspace import CHECKOUT

RECORDED = (
    "gASVSAAAAAAAAACMG2Vjc19wdWx1bWkuZHluYW1pYy5wcm92aWRlcpSMCFByb3ZpZGVylJOUKYGUfZSMCWtpbmRfbmFtZZSMBlNlcnZlcpRzYi4="
)
"""`__provider` of a server, as version 0.1.0 wrote it."""


def test_a_recorded_provider_is_still_found() -> None:
    """What an older version of this package manages, this one manages."""
    provider = dill.loads(base64.b64decode(RECORDED))  # noqa: S301  (as Pulumi does)
    assert type(provider) is Provider
    assert vars(provider) == {"kind_name": "Server"}


def test_the_provider_carries_its_place_and_its_kind_alone() -> None:
    """Anything else would be written into every state file, and have to be read back for ever."""
    assert _words(serialize_provider(Provider("Server"))) == _words(RECORDED)


def test_the_provider_is_no_secret() -> None:
    """A stack without secrets can be read without a passphrase."""
    assert Provider.serialize_as_secret_always is False


def test_a_program_can_have_any_number_of_resources() -> None:
    """The SDK's own way of storing the provider goes one call deeper with each, until there is no deeper."""
    script = """
        import sys, pulumi
        import ecs_pulumi as ecs
        from tests.support.fragments import Nothing

        pulumi.runtime.set_mocks(Nothing())
        depth = 150

        @pulumi.runtime.test
        def declare():
            sys.setrecursionlimit(depth)
            for number in range(2 * depth):
                ecs.KeyPair(f"key{number}")
            sys.setrecursionlimit(1000)

        declare()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=CHECKOUT, timeout=120, check=True)


def _words(pickled: str) -> list[str]:
    operations = pickletools.genops(base64.b64decode(pickled))
    return [argument for _, argument, _ in operations if isinstance(argument, str)]
