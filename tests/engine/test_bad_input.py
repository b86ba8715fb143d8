"""Error messages for mistakes in the program and in the settings."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest
import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecs_pulumi.emulator import Emulator
    from tests.conftest import MakeProject

SERVER = """
    import ecs_pulumi as ecs

    ecs.Server("web", flavor="s3.medium.2", image="Standard_Debian_12_latest")
"""


PORT = 'net = ecs.Network("n"); port = ecs.Port("p", network_id=net.id)'
NICS = 'ecs.Server("web", flavor="s3.medium.2", image="Standard_Debian_12_latest", networks={nics})'


@pytest.fixture
def untrusted() -> Iterator[str]:
    """An https URL with an untrusted certificate."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(plain, server_side=True).close()
                except OSError:
                    plain.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/v3"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ('ecs.Server("web", flavour="s3.medium.2", image="x")', "no such input; did you mean `flavor`?"),
        ('ecs.Server("web", flavor="s3.medum.2", image="Standard_Debian_12_latest")', "did you mean s3.medium.2"),
        ('ecs.Subnet("s", network_id="x", cidr="10.0.0.5/24")', 'did you mean "10.0.0.0/24"?'),
        ('ecs.InterfaceAttachment("i", server_id="s", port_id="p", network_id="n")', "give only one of `port_id` or"),
        ('ecs.Volume("v", size=0)', "must be greater than or equal to 1, got 0"),
        (
            f"{PORT}; {NICS}".format(nics='[{"prt_id": port.id}]'),
            "networks[0].prt_id: no such property; did you mean `port_id`?",
        ),
        (
            f"{PORT}; {NICS}".format(nics='{"port_id": port.id}'),
            "networks: must be a list of {network_id, port_id, fixed_ip, tag, …}, or 'auto' or 'none'",
        ),
    ],
    ids=[
        "misspelled argument",
        "unknown flavor",
        "host bits",
        "port and network",
        "size 0",
        "misspelled property of an unknown value",
        "object instead of list",
    ],
)
@pytest.mark.usefixtures("cloud")
def test_preview_reports_invalid_program(project: MakeProject, program: str, message: str) -> None:
    """The preview names the property and the mistake, and shows no traceback."""
    invalid = project(f"import ecs_pulumi as ecs\n\n{program}\n")
    preview = invalid.preview(fails=True)
    assert any(message in error for error in preview.errors), preview.errors


def test_error_names_wrong_setting(project: MakeProject, cloud: Emulator, untrusted: str) -> None:
    """Wrong credentials, an unreachable endpoint and an untrusted certificate each name the setting to check."""
    program = project(SERVER)
    password = cloud.settings["password"]

    program.config("ecs:password", "Wr0ng-secret", secret=True)
    (refused,) = program.preview(fails=True).errors
    assert "HTTP 401" in refused
    assert "ecs:password" in refused
    assert "Wr0ng-secret" not in refused

    program.config("ecs:password", password, secret=True)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    program.config("ecs:authUrl", f"http://127.0.0.1:{port}/v3")
    (unreachable,) = program.preview(fails=True).errors
    assert "Cannot reach" in unreachable
    assert "ecs:authUrl" in unreachable

    program.config("ecs:authUrl", untrusted)
    (distrusted,) = program.preview(fails=True).errors
    assert "ecs:cacert" in distrusted


def test_only_refresh_and_destroy_mention_stored_settings(project: MakeProject, cloud: Emulator) -> None:
    """Without the program they use the settings of the last `up`; a preview and an `up` use the current settings."""
    stored = "Without --run-program, Pulumi uses the settings stored by the last `pulumi up`, not the current ones."
    stack = project('import ecs_pulumi as ecs\n\necs.KeyPair("key")\n')
    stack.up()
    cloud.fault(path="/v3/auth/tokens", status=401)
    for refused in (stack.refresh(fails=True), stack.destroy(fails=True)):
        assert "ecs:password" in refused.errors[0]
        assert stored in refused.errors[0]
    stack.write('import ecs_pulumi as ecs\n\necs.KeyPair("other")\n')
    (error,) = stack.preview(fails=True).errors
    assert "ecs:password" in error
    assert stored not in error
