"""The contract that a file in `resources/` fulfils: one kind of resource and how it lives.

A kind is stateless; one instance serves all its resources, from many threads at once. It speaks in plain
values: `desired` is its validated inputs model, a *live object* is whatever its own `create`, `fetch` and
`update` return and its own `observe` understands.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import re
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ecs_pulumi.dynamic import fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

C = TypeVar("C")
I = TypeVar("I", bound=fields.Inputs)  # noqa: E741  (the inputs model; the letter is this contract's own)
L = TypeVar("L")

KINDS = "ecs_pulumi.resources"
SUFFIX_BYTES = 4


class Provenance(Enum):
    """Where an object comes from that exists before a resource is created."""

    FOREIGN = auto()
    """Not known to this stack."""
    PREDECESSOR = auto()
    """The state has it under the same URN: the resource is being replaced."""
    RENAMED = auto()
    """The state has it under another URN, which the program may have dropped."""
    INTERRUPTED = auto()
    """A run of this stack had begun to create it for this resource when it was killed."""


@dataclass
class OperationContext(Generic[C]):
    """One request of the engine: what a kind may use and must tell while it works."""

    verb: str
    kind: str
    resource: str
    """The resource's name in the program; empty where the engine does not tell."""
    connect: Callable[[], C]
    timeout: float
    """Seconds the engine grants the whole operation."""
    report_status: Callable[[str], None] = lambda _: None
    """Shows a status line beside the resource."""
    notify: Callable[[str], None] = lambda _: None
    """Tells what a person should have read before pressing enter; it stays on the screen."""
    warn: Callable[[str], None] = lambda _: None
    """Warns beside the resource: of what is lost, and of what the cloud is likely to refuse."""
    stack: str = ""
    project: str = ""
    backend: str = ""
    """Stands for the backend that keeps the state; empty where it is not known."""
    claim: Callable[[str], None] = lambda _: None
    """Raises where another resource of the program has the object of this id; otherwise it is this one's from now."""
    provenance: Callable[[str, str | None], Provenance] = lambda _, __: Provenance.FOREIGN
    """Where the object with this id and this name, None if that is not known, comes from, by the state."""
    id: str = field(default="", init=False)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """What the program says; where the verb has no program (read, delete), the outputs in the state."""
    prior: Mapping[str, Any] = field(default_factory=dict)
    """The outputs in the state; empty in a create."""
    memo: dict[str, Any] = field(default_factory=dict)
    """What a kind has to remember until it observes."""

    @property
    def signer(self) -> str:
        """What stands for the stack in automatic names."""
        return signer(self.project, self.stack, self.backend)

    @functools.cached_property
    def cloud(self) -> C:
        """What the kind's own `connect` returned; opened when it is first used."""
        return self.connect()

    def record_id(self, id_: str) -> None:
        """Record the id of the object. MUST be called as soon as the API has answered with it.

        From then on a failure leaves the object in the state (or deletes it again), never an orphan.
        """
        self.claim(id_)
        self.id = id_

    def clear_id(self) -> None:
        """Record that what was created is no longer there, so that a failure leaves nothing in the state."""
        self.id = ""


class ResourceHandler(ABC, Generic[C, I, L]):
    """How one kind of resource is checked, compared, created, read, updated and deleted."""

    name: ClassVar[str]
    """Persisted in every state file. MUST NOT change."""
    inputs: ClassVar[type[fields.Inputs]]
    outputs: ClassVar[type[fields.Outputs]]
    timeout: ClassVar[float] = 600.0
    alternatives: ClassVar[tuple[str, ...]] = ()
    """Inputs of which a program sets one and the object has all: setting another one is a change."""
    encodes_owner_in_name: ClassVar[bool] = False
    """Whether an automatic name tells whose the object is, as nothing else about it can."""

    @abstractmethod
    def connect(self, config: Callable[[str], str | None], region: str | None, timeout: float) -> C:
        """Open what operations in `region` need. Nothing may go over the wire yet."""

    def stored_settings_hint(self, error: Exception) -> str | None:  # noqa: ARG002
        """What to add to this error in a run that may use the settings stored in the state, not the present ones."""
        return None

    def preflight_enabled(self, config: Callable[[str], str | None]) -> bool:  # noqa: ARG002
        """Whether the settings let a preview ask the cloud. Raises what `explain` has words for."""
        return True

    def setting_warnings(self, names: Iterable[str]) -> Iterable[str]:  # noqa: ARG002
        """What a run says once about the names of the settings in the stack configuration."""
        return ()

    @abstractmethod
    def format_error(self, error: Exception) -> str | None:
        """The one line that a user is shown for this error; None for a defect of this package."""

    def preview_warning(self, error: Exception) -> str | None:  # noqa: ARG002
        """What a preview says once per run and goes on, where this error only keeps it from looking at the cloud."""
        return None

    def validate(self, checked: fields.CheckInputs) -> Iterable[fields.Problem]:  # noqa: ARG002
        """What is wrong with the inputs beyond their types. MUST be silent about what is not known yet."""
        return ()

    def preflight(self, context: OperationContext[C], checked: fields.CheckInputs) -> Iterable[fields.Problem]:  # noqa: ARG002
        """What the cloud would refuse later, found out in the preview. Called only where something changes."""
        return ()

    def requires_replacement(self, prior: Mapping[str, Any], new: Mapping[str, Any], changed: list[str]) -> list[str]:
        """Those of the changed inputs that make a replacement. The facts on the fields decide unless overridden."""
        model = fields.fields_of(self.inputs)
        del prior, new
        return [name for name in changed if model[name].has(fields.Replace)]

    def tainted(self, context: OperationContext[C], id_: str, prior: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """The outputs that tell that the object never came to life and has to be replaced as a whole.

        May look at the live object where the state says that the last operation did not end.
        """
        return []

    def failure_reason(self, context: OperationContext[C], id_: str, prior: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Why an object that is `unwell` never came to life, for the notice that it will be replaced."""
        return "it was never usable"

    def data_loss(self, context: OperationContext[C], prior: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """What data a deletion or a replacement of the object deletes, as far as the state shows. MUST NOT raise."""
        return []

    def preflight_update(
        self, context: OperationContext[C], id_: str, new: Mapping[str, Any], changed: list[str]
    ) -> None:
        """Raise what an update in place would fail with, and report what it does to the workload and its data.

        Called in a diff, which alone knows the object's id and that it is not replaced; `context.prior` holds the prior
        outputs.
        MUST ask the cloud only where a changed input needs it.
        """

    def pending_work(self, prior: Mapping[str, Any]) -> str | None:  # noqa: ARG002
        """What an update has to finish though the program says nothing new, in words for its author."""
        return None

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Whether the input `name` asks for what `prior` (the outputs in the state) already has."""
        return fields.matches(fields.fields_of(self.inputs)[name], desired, prior.get(name))

    def is_exclusive(self, inputs: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Whether two objects with these inputs cannot exist at the same time. Values may be outputs or unknown."""
        return False

    def delete_before_replace(self, resource: str, prior: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Whether the replacement cannot stand beside the old object, so that the old one is deleted first."""
        return self.is_exclusive(new)

    def scope(self, context: OperationContext[C]) -> str:  # noqa: ARG002
        """Where the ids of this kind are unique, such as the region."""
        return ""

    def also_holds(self, id_: str, inputs: Mapping[str, Any]) -> Iterable[tuple[str, str]]:  # noqa: ARG002
        """Kind and id of what this object has that a resource of another kind could have instead."""
        return ()

    def find_own_orphans(self, context: OperationContext[C], desired: I) -> Iterable[tuple[str, str | None]]:  # noqa: ARG002
        """Id and, where the kind has one, name of what carries this resource's owner marker before it is created."""
        return ()

    def ownership_updates(self, context: OperationContext[C], remote: L) -> dict[str, Any]:  # noqa: ARG002
        """What an update brings up to date in the object although the program does not say it, by input."""
        return {}

    @abstractmethod
    def create(self, context: OperationContext[C], desired: I) -> L:
        """Create the object and wait until it is as wanted. MUST call `context.record_id` as soon as there is an id."""

    @abstractmethod
    def read_cached(self, context: OperationContext[C], id_: str) -> L | None:
        """The object for a refresh, None if it is gone. May come from a list that was read a moment ago."""

    def read(self, context: OperationContext[C], id_: str) -> L | None:
        """The object as it is this moment."""
        return self.read_cached(context, id_)

    @abstractmethod
    def to_outputs(self, context: OperationContext[C], remote: L) -> dict[str, Any]:
        """The observed values of inputs and outputs by their names. What the API does not tell is left out."""

    @abstractmethod
    def update(self, context: OperationContext[C], id_: str, desired: I, prior: Mapping[str, Any]) -> L:
        """Do what differs between the live object and `desired`, and nothing else.

        MUST read the live object first and MUST be safe to run again after a crash: `prior` may be out of date.
        """

    @abstractmethod
    def delete(self, context: OperationContext[C], id_: str, prior: Mapping[str, Any]) -> None:
        """Delete the object and wait until it is gone. An object that is gone already is a success."""


def get_handler(name: str) -> ResourceHandler[Any, Any, Any]:
    """The kind of this name.

    The state stores a name only, so this one arrow points from here up to the kinds, by convention:
    `HANDLER` in the module of `resources/` that is named like the kind.
    """
    module = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    kind: ResourceHandler[Any, Any, Any] = importlib.import_module(f"{KINDS}.{module}").HANDLER
    return kind


def auto_name(resource: str, seed: bytes, signer: str = "") -> str:
    """A name for a resource that has none: its name in the program and a random suffix.

    Args:
        resource: Its name in the program.
        seed: What the suffix follows from; random if too short.
        signer: The stack, if the second half of the suffix is to tell whose the object is.
    """
    suffix = seed[:SUFFIX_BYTES].hex() if len(seed) >= SUFFIX_BYTES else secrets.token_hex(SUFFIX_BYTES)
    if signer:
        suffix = suffix[:SUFFIX_BYTES] + _signature(signer, resource, suffix[:SUFFIX_BYTES])
    return f"{resource}-{suffix}"


def is_auto_name(name: str, resource: str) -> bool:
    """Whether `name` was made by `automatic_name` for this resource."""
    return bool(re.fullmatch(rf"{re.escape(resource)}-[0-9a-f]{{{2 * SUFFIX_BYTES}}}", name))


def signer(project: str, stack: str, backend: str) -> str:
    """What stands for a stack in the automatic names that it signs.

    Args:
        project: Name of the project.
        stack: Name of the stack.
        backend: The fingerprint of the backend that keeps its state; empty where it is not known.
    """
    return f"{project}/{stack}" + (f" [{backend}]" if backend else "")


def owner_from_name(name: str, signer: str) -> str | None:
    """The resource of this stack that `automatic_name` signed the name for; None where it did not."""
    resource, dash, suffix = name.rpartition("-")
    random, signature = suffix[:SUFFIX_BYTES], suffix[SUFFIX_BYTES:]
    is_signed = dash and is_auto_name(name, resource) and signature == _signature(signer, resource, random)
    return resource if is_signed else None


def _signature(signer: str, resource: str, random: str) -> str:
    return hashlib.sha256(f"{signer}/{resource}-{random}".encode()).hexdigest()[:SUFFIX_BYTES]
