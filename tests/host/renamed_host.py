"""Pulumi's host with other names of its local variables. The bridge must handle it like an unknown future version."""

import concurrent.futures.thread
import importlib.util
import inspect
import re
from pathlib import Path

worker = inspect.getsource(concurrent.futures.thread._worker)
exec(  # noqa: S102  (the source is part of Python)
    re.sub(r"\bexecutor_reference\b", "owner", worker), vars(concurrent.futures.thread)
)
spec = importlib.util.find_spec("pulumi.dynamic.__main__")
assert spec is not None
assert spec.origin is not None
host = Path(spec.origin).read_text(encoding="utf-8")
exec(re.sub(r"\b(request|context)\b", r"the_\1", host))  # noqa: S102  (the source is part of Pulumi)
