"""Find or install a Pulumi engine; the last line on stdout is the folder to put first on PATH.

The first of these that succeeds is used:

1. `pulumi` on PATH, if it is not older than `OLDEST`;
2. an engine in the cache, installed by an earlier run;
3. the Pulumi SDK's own installer, which downloads the official release;
4. a build from the published Go modules (`cli/go.mod`, `language-python/go.mod`), which takes minutes.

3 and 4 install to `${XDG_CACHE_HOME:-~/.cache}/ecs-pulumi/engine-<version>/bin`. A complete engine is moved there, so
that an interrupted run leaves no partial engine.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = (3, 200, 0)
OLDEST_GO = (1, 25, 11)
PROGRAMS = ("pulumi", "pulumi-language-python")

HERE = Path(__file__).resolve().parent
CLI = "github.com/pulumi/pulumi/pkg/v3"
SDK = "github.com/pulumi/pulumi/sdk/v3"

# Seconds until the first byte of the download, and until its end.
CONNECT_TIMEOUT = 10
DOWNLOAD_TIMEOUT = 300


class NoEngineError(Exception):
    """No engine can be found or installed. The message says why and what to do."""


def log(text: str) -> None:
    """Print a line to stderr; stdout contains only the result."""
    print(text, file=sys.stderr, flush=True)


def version_of(text: str) -> tuple[int, ...]:
    """Return the first dotted version in a text as numbers; empty if there is none.

    Args:
        text: The output of a program that prints its version.
    """
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as text."""
    return ".".join(map(str, version))


def output_of(*command: str | Path, folder: Path | None = None) -> str:
    """Return the output of a short command; empty if it cannot run.

    Args:
        command: The program and its arguments.
        folder: The working directory.
    """
    quiet = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1", "GOWORK": "off"}
    try:
        done = subprocess.run(command, cwd=folder, env=quiet, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def on_path() -> Path | None:
    """Return the folder of the engine on PATH, if there is one that is new enough."""
    pulumi = shutil.which("pulumi")
    if not pulumi:
        return None
    version = version_of(output_of(pulumi, "version"))
    if version < OLDEST:
        found = dotted(version) or "of an unknown version"
        log(f"{pulumi} is {found}, older than {dotted(OLDEST)}: looking for another engine")
        return None
    if not shutil.which("pulumi-language-python"):
        log(f"{pulumi} has no pulumi-language-python beside it: looking for another engine")
        return None
    return Path(pulumi).parent


def cache() -> Path:
    """Return the folder of this user that contains the engines."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecs-pulumi"


def cached() -> Path | None:
    """Return the folder of the newest engine in the cache."""
    engines = sorted(cache().glob("engine-*/bin"), key=lambda found: version_of(found.parent.name))
    return engines[-1] if engines else None


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Take a lock, so that only one run installs an engine at a time."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("Another run is installing the engine: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def publish(root: Path, version: str) -> Path:
    """Move a complete engine to its place in the cache.

    Args:
        root: The folder with the `bin` folder of the engine.
        version: The version of the engine.
    """
    for name in PROGRAMS:
        if not os.access(root / "bin" / name, os.X_OK):
            raise NoEngineError(f"{name} is missing from the engine in {root}")
    final = cache() / f"engine-{version}"
    # An existing folder is not a complete engine, or cached() would have returned it.
    shutil.rmtree(final, ignore_errors=True)
    root.rename(final)
    return final / "bin"


def downloaded(root: Path) -> Path | None:
    """Install the official release with the SDK's own installer and return its folder; None if that fails.

    Args:
        root: An empty folder to install into.
    """
    log("Engine: downloading with the Pulumi SDK's installer")
    # In a separate process, because the installer itself has no timeout.
    script = (
        "import socket, sys; from pulumi.automation import PulumiCommand\n"
        f"socket.setdefaulttimeout({CONNECT_TIMEOUT})\n"
        "print(PulumiCommand.install(root=sys.argv[1]).version)"
    )
    try:
        done = subprocess.run(
            (sys.executable, "-c", script, root),
            capture_output=True,
            text=True,
            check=True,
            timeout=DOWNLOAD_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        log(f"Engine: the download did not finish within {DOWNLOAD_TIMEOUT} s")
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip() or "no reason given").splitlines()[-1]
        log(f"Engine: the download failed ({reason})")
    else:
        return publish(root, dotted(version_of(done.stdout)))
    return None


class Ticker:
    """Shows the progress of a long step: a line that is updated on a terminal, occasional lines elsewhere."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.started = time.monotonic()
        self.modules = self.packages = 0
        self.is_terminal = sys.stderr.isatty()
        self.last_shown = 0.0

    def count(self, line: str) -> None:
        """Count one line of `go build -v`.

        Args:
            line: A module that is downloaded, or the name of a package that was compiled.
        """
        if line.startswith("go: downloading"):
            self.modules += 1
        else:
            self.packages += 1

    def show(self, *, last: bool = False) -> None:
        """Print the progress of the step, unless it was printed a moment ago."""
        seconds = time.monotonic() - self.started
        if not last and seconds - self.last_shown < (1 if self.is_terminal else 20):
            return
        self.last_shown = seconds
        fetched = f"{self.modules} modules fetched, " if self.modules else ""
        text = f"Engine: {self.step}: {fetched}{self.packages} packages compiled, {seconds:.0f} s"
        if self.is_terminal:
            print(f"\r\033[K{text}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            log(text)


def compile_go(step: str, module: Path, package: str, program: Path, *flags: str) -> None:
    """Build one Go program.

    Args:
        step: The name of the step in the progress lines.
        module: The folder with the go.mod that pins every version.
        package: The package to build.
        program: The file to write.
        flags: Further flags for `go build`.
    """
    ticker = Ticker(step)
    with subprocess.Popen(
        ("go", "build", "-v", "-mod=readonly", "-trimpath", *flags, "-o", program, package),
        cwd=module,
        env={**os.environ, "GOWORK": "off"},
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        try:
            lines: list[str] = []
            reader = threading.Thread(target=lambda: watch(build.stderr, ticker, lines), daemon=True)
            reader.start()
            while reader.is_alive():
                ticker.show()
                reader.join(0.5)
        except BaseException:
            build.terminate()
            raise
    ticker.show(last=True)
    if build.returncode:
        raise NoEngineError(f"{step} failed:\n" + "\n".join(lines[-15:]))


def watch(stream: IO[str] | None, ticker: Ticker, lines: list[str]) -> None:
    """Read the output of a build until it ends.

    Args:
        stream: The output of the build.
        ticker: Counts the lines.
        lines: Receives the lines, for an error message.
    """
    for line in stream or ():
        lines.append(line.rstrip())
        ticker.count(line)


def built(root: Path) -> Path:
    """Build an engine from the published Go modules and return its folder.

    Args:
        root: An empty folder to build into.
    """
    go = version_of(output_of("go", "env", "GOVERSION"))
    if go < OLDEST_GO:
        found = f"Go {dotted(go)} is too old" if go else "there is no Go"
        raise NoEngineError(
            f"No Pulumi engine: there is no `pulumi` {dotted(OLDEST)} or newer on PATH, the download failed, "
            f"and {found} to build one.\n"
            f"Install the Pulumi CLI (or Go {dotted(OLDEST_GO)} or newer) and run this again."
        )
    version = pinned_version()
    log(f"Engine: building Pulumi {version} from its Go modules, once: 5 to 10 minutes on two cores")
    programs = root / "bin"
    programs.mkdir(parents=True)
    compile_go(
        "the command line",
        HERE / "cli",
        f"{CLI}/cmd/pulumi",
        programs / "pulumi",
        "-ldflags",
        # Without this flag `pulumi version` prints nothing and the Automation API refuses the engine.
        f"-X {SDK}/go/common/version.Version={version}",
    )
    compile_go(
        "the Python language host",
        HERE / "language-python",
        f"{SDK}/python/cmd/pulumi-language-python",
        programs / "pulumi-language-python",
    )
    scripts = Path(output_of("go", "list", "-m", "-f", "{{.Dir}}", SDK, folder=HERE / "cli")) / "python"
    for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        target = programs / Path(script).name
        shutil.copyfile(scripts / script, target)
        target.chmod(0o755)
    return publish(root, version)


def pinned_version() -> str:
    """Return the version of the engine that `cli/go.mod` requires."""
    found = re.search(rf"{re.escape(CLI)} v(\S+)", (HERE / "cli" / "go.mod").read_text())
    if not found:
        raise NoEngineError(f"{HERE}/cli/go.mod does not require {CLI}")
    return found.group(1)


def engine() -> Path:
    """Return the folder of an engine; install one if there is none."""
    if found := on_path() or cached():
        return found
    with only_one():
        # Another run may have installed it while this one waited for the lock.
        if found := cached():
            return found
        for install in (downloaded, built):
            # In the cache folder, because a rename is atomic only within one file system.
            with tempfile.TemporaryDirectory(prefix="making-", dir=cache(), ignore_cleanup_errors=True) as folder:
                if found := install(Path(folder) / "engine"):
                    return found
    raise NoEngineError("No Pulumi engine could be installed")


def main() -> int:
    """Print the folder of the engine, or the reason why there is none."""
    try:
        print(engine())
    except NoEngineError as error:
        log(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
