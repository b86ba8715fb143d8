"""The end of the program's process when the run fails."""

from __future__ import annotations

import signal
import subprocess
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import resource_pb2

from tools.workspace import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.conftest import MakeProject

VOLUMES = """
    import atexit
    import pathlib

    import ecs_pulumi as ecs

    atexit.register(pathlib.Path("ended").touch)
    for number in range(10):
        ecs.Volume(f"disk-{number}", size=10)
"""


@dataclass(frozen=True)
class SilentEngine:
    """An engine that answers no registration of a resource, like that of a run that has failed."""

    address: str
    asked: threading.Event
    """Set when the program has sent a registration."""


@pytest.fixture
def silent() -> Iterator[SilentEngine]:
    """A silent engine."""
    asked, ended = threading.Event(), threading.Event()

    def register(request: Any, _context: Any) -> Any:
        if request.type != "pulumi:pulumi:Stack":
            asked.set()
            ended.wait()
        return resource_pb2.RegisterResourceResponse(urn="urn:pulumi:test::story::pulumi:pulumi:Stack::story-test")

    def method(answer: Any, request: Any) -> grpc.RpcMethodHandler[Any, Any]:
        return grpc.unary_unary_rpc_method_handler(answer, request.FromString, lambda sent: sent.SerializeToString())

    supported = resource_pb2.SupportsFeatureResponse(hasSupport=True)
    services = {
        "pulumirpc.Engine": {"Log": method(lambda *_: Empty(), Empty)},
        "pulumirpc.ResourceMonitor": {
            "SupportsFeature": method(lambda *_: supported, resource_pb2.SupportsFeatureRequest),
            "RegisterResourceOutputs": method(lambda *_: Empty(), Empty),
            "RegisterResource": method(register, resource_pb2.RegisterResourceRequest),
        },
    }
    server = grpc.server(ThreadPoolExecutor(32))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield SilentEngine(f"127.0.0.1:{port}", asked)
    ended.set()
    server.stop(None).wait()


@pytest.fixture
def program(engine_path: Path, tmp_path: Path, silent: SilentEngine) -> Iterator[Any]:
    """Starts a program as the engine does, on the silent engine."""
    started: list[subprocess.Popen[str]] = []

    def start(text: str) -> subprocess.Popen[str]:
        main = tmp_path / "__main__.py"
        main.write_text(textwrap.dedent(text))
        names = ("--project=story", "--stack=test", "--parallel=16", "--dry_run=true")
        addresses = (f"--monitor={silent.address}", f"--engine={silent.address}")
        started.append(
            subprocess.Popen(
                ("python", "-u", engine_path / "pulumi-language-python-exec", *names, *addresses, main),
                cwd=tmp_path,
                env=environment(engine_path, tmp_path, "test"),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_interrupted_program_ends(program: Any, silent: SilentEngine, tmp_path: Path) -> None:
    """A program that waits for the engine ends when the engine interrupts it, without output.

    Otherwise, a run that fails would take 5 seconds longer.
    """
    process = program(VOLUMES)
    assert silent.asked.wait(60)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", None)
    assert process.returncode == 128 + signal.SIGINT
    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize(
    ("before", "after", "output"),
    [
        ("", "try:\n    wait()\nexcept KeyboardInterrupt:\n    print('interrupted', flush=True)", "interrupted"),
        ("signal.signal(signal.SIGINT, lambda *_: print('handled', flush=True))", "wait()", "handled"),
    ],
    ids=["its code runs", "it handles interrupts"],
)
def test_interrupt_reaches_program(program: Any, before: str, after: str, output: str) -> None:
    """The code of a program is interrupted as without this package, and its own handler stays."""
    process = program(
        f"import signal, time\nimport ecs_pulumi as ecs\n{before}\n"
        "def wait():\n    print('waits', flush=True)\n    time.sleep(1)\n"
        f"ecs.Volume('disk', size=10)\n{after}\n"
    )
    assert process.stdout.readline() == "waits\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == f"{output}\n"


@pytest.mark.usefixtures("cloud")  # the flavors are those of the emulator
def test_failed_preview_shows_one_error(project: MakeProject) -> None:
    """A preview that fails shows the error of the resource, and nothing of the program that it interrupts."""
    story = project(VOLUMES + '\n    ecs.Server("web", flavor="s3.mediun.2", image="Standard_Debian_12_latest")\n')
    failed = story.preview(fails=True)
    (message,) = [each["message"] for each in failed.diagnostics]
    assert 'there is no flavor "s3.mediun.2"; did you mean s3.medium.2' in message
