"""Find a Pulumi engine, or make one; the last line on stdout is the folder to put first on PATH.

Asked in this order, the first that answers wins:

1. `pulumi` on PATH, if it is not older than `OLDEST`;
2. the engine that an earlier run left in the cache;
3. the Pulumi SDK's own installer, which downloads the official release;
4. a build from the published Go modules (`cli/go.mod`, `language-python/go.mod`), which takes minutes.

What 3 and 4 make goes to `${XDG_CACHE_HOME:-~/.cache}/ecs-pulumi/engine-<version>/bin` and is moved there
only once it is complete, so that an interrupted run leaves nothing that looks like an engine.
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

# A first byte later than this means that the download is not to be had here; a release takes longer.
REACHABLE_WITHIN = 10
DOWNLOADED_WITHIN = 300


class NoEngineError(Exception):
    """None of the ways led to an engine; the message says why and what to do."""


def say(text: str) -> None:
    """Tell the person at the terminal; stdout is kept for the answer."""
    print(text, file=sys.stderr, flush=True)


def version_of(text: str) -> tuple[int, ...]:
    """Return the first dotted version in a text as numbers, or nothing if there is none.

    Args:
        text: What a program prints when asked for its version.
    """
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def dotted(version: tuple[int, ...]) -> str:
    """Write a version the way people do."""
    return ".".join(map(str, version))


def answer(*command: str | Path, folder: Path | None = None) -> str:
    """Return what a short command prints, or an empty text where it cannot run.

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
    """Return the folder of the user's own engine, if there is one that is young enough."""
    pulumi = shutil.which("pulumi")
    if not pulumi:
        return None
    version = version_of(answer(pulumi, "version"))
    if version < OLDEST:
        found = dotted(version) or "of an unknown version"
        say(f"{pulumi} is {found}, older than {dotted(OLDEST)}: looking for another engine")
        return None
    if not shutil.which("pulumi-language-python"):
        say(f"{pulumi} has no pulumi-language-python beside it: looking for another engine")
        return None
    return Path(pulumi).parent


def cache() -> Path:
    """Return the per-user folder that engines are kept in."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecs-pulumi"


def cached() -> Path | None:
    """Return the folder of the newest engine that an earlier run left."""
    engines = sorted(cache().glob("engine-*/bin"), key=lambda found: version_of(found.parent.name))
    return engines[-1] if engines else None


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Keep two runs from making the same engine at once."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another run is making the engine: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def publish(root: Path, version: str) -> Path:
    """Give a finished engine its name in the cache.

    Args:
        root: A folder with the engine's `bin`.
        version: The engine's version.
    """
    for name in PROGRAMS:
        if not os.access(root / "bin" / name, os.X_OK):
            raise NoEngineError(f"{name} is missing from what was made in {root}")
    final = cache() / f"engine-{version}"
    # What stands there is no engine, or cached() would have returned it.
    shutil.rmtree(final, ignore_errors=True)
    root.rename(final)
    return final / "bin"


def downloaded(root: Path) -> Path | None:
    """Return the folder of the official release, fetched by the SDK's own installer.

    Args:
        root: An empty folder to install into.
    """
    say("Engine: asking the Pulumi SDK's installer")
    # In a process of its own, because the installer itself knows no deadline.
    script = (
        "import socket, sys; from pulumi.automation import PulumiCommand\n"
        f"socket.setdefaulttimeout({REACHABLE_WITHIN})\n"
        "print(PulumiCommand.install(root=sys.argv[1]).version)"
    )
    try:
        done = subprocess.run(
            (sys.executable, "-c", script, root),
            capture_output=True,
            text=True,
            check=True,
            timeout=DOWNLOADED_WITHIN,
        )
    except subprocess.TimeoutExpired:
        say(f"Engine: not downloaded within {DOWNLOADED_WITHIN} s")
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip() or "no reason given").splitlines()[-1]
        say(f"Engine: cannot be downloaded here ({reason})")
    else:
        return publish(root, dotted(version_of(done.stdout)))
    return None


class Ticker:
    """Shows that a long step is alive: one line that moves on a terminal, one line now and then elsewhere."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.began = time.monotonic()
        self.modules = self.packages = 0
        self.live = sys.stderr.isatty()
        self.shown = 0.0

    def count(self, line: str) -> None:
        """Take note of one line of `go build -v`.

        Args:
            line: Either a module that is fetched or the name of a package that was compiled.
        """
        if line.startswith("go: downloading"):
            self.modules += 1
        else:
            self.packages += 1

    def show(self, *, last: bool = False) -> None:
        """Print the state of the step, unless that was done a moment ago."""
        seconds = time.monotonic() - self.began
        if not last and seconds - self.shown < (1 if self.live else 20):
            return
        self.shown = seconds
        fetched = f"{self.modules} modules fetched, " if self.modules else ""
        text = f"Engine: {self.step}: {fetched}{self.packages} packages compiled, {seconds:.0f} s"
        if self.live:
            print(f"\r\033[K{text}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            say(text)


def compile_go(step: str, module: Path, package: str, program: Path, *flags: str) -> None:
    """Build one Go program.

    Args:
        step: What to call this in the progress lines.
        module: The folder with the go.mod that pins every version.
        package: The package to build.
        program: Where to put the result.
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
    """Follow what a build says until it ends.

    Args:
        stream: What the build says.
        ticker: Counts the lines.
        lines: Keeps them, for the case that it fails.
    """
    for line in stream or ():
        lines.append(line.rstrip())
        ticker.count(line)


def built(root: Path) -> Path:
    """Return the folder of an engine built from the published Go modules.

    Args:
        root: An empty folder to build into.
    """
    go = version_of(answer("go", "env", "GOVERSION"))
    if go < OLDEST_GO:
        found = f"Go {dotted(go)} is too old" if go else "there is no Go"
        raise NoEngineError(
            f"No Pulumi engine: no `pulumi` {dotted(OLDEST)} or newer on PATH, none to download, "
            f"and {found} to build one with.\n"
            f"Install the Pulumi CLI (or Go {dotted(OLDEST_GO)} or newer) and run this again."
        )
    version = pinned_version()
    say(f"Engine: building Pulumi {version} from its Go modules, once: 5 to 10 minutes on two cores")
    programs = root / "bin"
    programs.mkdir(parents=True)
    compile_go(
        "the command line",
        HERE / "cli",
        f"{CLI}/cmd/pulumi",
        programs / "pulumi",
        "-ldflags",
        # Without it `pulumi version` is empty and the Automation API refuses the engine.
        f"-X {SDK}/go/common/version.Version={version}",
    )
    compile_go(
        "the Python language host",
        HERE / "language-python",
        f"{SDK}/python/cmd/pulumi-language-python",
        programs / "pulumi-language-python",
    )
    scripts = Path(answer("go", "list", "-m", "-f", "{{.Dir}}", SDK, folder=HERE / "cli")) / "python"
    for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        target = programs / Path(script).name
        shutil.copyfile(scripts / script, target)
        target.chmod(0o755)
    return publish(root, version)


def pinned_version() -> str:
    """Return the version of the engine that `cli/go.mod` asks for."""
    found = re.search(rf"{re.escape(CLI)} v(\S+)", (HERE / "cli" / "go.mod").read_text())
    if not found:
        raise NoEngineError(f"{HERE}/cli/go.mod does not ask for {CLI}")
    return found.group(1)


def engine() -> Path:
    """Return the folder of an engine, making one where there is none."""
    if found := on_path() or cached():
        return found
    with only_one():
        # The run that was waited for may have made it.
        if found := cached():
            return found
        for way in (downloaded, built):
            # In the cache itself, because a rename is atomic only within one file system.
            with tempfile.TemporaryDirectory(prefix="making-", dir=cache(), ignore_cleanup_errors=True) as folder:
                if found := way(Path(folder) / "engine"):
                    return found
    raise NoEngineError("No Pulumi engine could be made")


def main() -> int:
    """Print the folder, or why there is none."""
    try:
        print(engine())
    except NoEngineError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
