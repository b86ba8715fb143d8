"""The end of a program whose run has failed.

When a resource fails, the engine answers none of the requests that the program is waiting for, and interrupts the
program. Pulumi's SDK waits for the answers even then, until the engine kills the program 5 seconds later.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import grpc
from pulumi.runtime import stack as _sdk

if TYPE_CHECKING:
    from types import FrameType

_CLOSED = (grpc.StatusCode.CANCELLED.value[0], "the program was interrupted")


def end_requests_when_interrupted(monitor: Any) -> None:
    """End the requests to the engine when this process is interrupted while it only waits for them.

    Has no effect while code of the program runs, if the process handles interrupts in its own way, in another thread
    than the main one, as in a program that another program runs, or without an engine.

    Args:
        monitor: The stub through which Pulumi's SDK sends its requests.
    """
    # These are not public. With a version of gRPC or of the SDK without them, the engine kills the program, as above.
    channel: Any = getattr(getattr(monitor, "RegisterResource", None), "_channel", None)
    run, wait = (getattr(_sdk, name, None) for name in ("run_pulumi_func", "wait_for_rpcs"))
    if (
        not (hasattr(channel, "close") and run and wait)
        or threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        return

    def handle(number: int, frame: FrameType | None) -> None:
        caller = frame
        while caller is not None and caller.f_code is not wait.__code__:
            if caller.f_code is run.__code__:
                # The SDK catches what the program raises, and shows the errors of the requests that it then waits for.
                signal.default_int_handler(number, frame)
            caller = caller.f_back
        # In a thread, because the interrupted code may hold a lock of the channel.
        with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
            threading.Thread(target=channel.close, args=_CLOSED, daemon=True).start()
        # Like KeyboardInterrupt, but without a traceback in the output of the run, and without one for each coroutine
        # of the SDK that has not ended.
        sys.unraisablehook = lambda _: None
        raise SystemExit(128 + number)

    signal.signal(signal.SIGINT, handle)
