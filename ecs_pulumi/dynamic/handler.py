"""The contract that each module in `resources/` implements: the handler of one kind of resource.

A handler is stateless; one instance serves all resources of its kind, from many threads at once. `desired` is the
validated inputs model. A *remote object* is the value that the handler's `create`, `read_cached`, `read` and `update`
return and that its `to_outputs` accepts. All other values are plain (JSON types).
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
from ecs_pulumi.sdk.exclusive import is_exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ecs_pulumi.dynamic.existing import Candidate, ExistingObjects, Key

C = TypeVar("C")
I = TypeVar("I", bound=fields.Inputs)  # noqa: E741  (the inputs model)
R = TypeVar("R")

REGISTRY = "ecs_pulumi.resources.registry"
SUFFIX_BYTES = 4


class Provenance(Enum):
    """Origin of an object that already exists when a resource is about to be created."""

    FOREIGN = auto()
    """The state of this stack does not contain it."""
    PREDECESSOR = auto()
    """The state contains it under the same URN: the resource is being replaced."""
    RENAMED = auto()
    """The state contains it under another URN, which the program may no longer declare."""
    INTERRUPTED = auto()
    """An earlier run of this stack was killed while it created the object for this resource."""


@dataclass
class OperationContext(Generic[C]):
    """One request of the engine: the parameters and callbacks that a handler uses to serve it."""

    verb: str
    kind: str
    resource: str
    """Name of the resource in the program; empty if the engine does not send it."""
    connect: Callable[[], C]
    timeout: float
    """Seconds within which the whole operation must end."""
    report_status: Callable[[str], None] = lambda _: None
    """Shows an ephemeral status line beside the resource."""
    notify: Callable[[str], None] = lambda _: None
    """Shows a notice beside the resource, for the user to read before confirming the update. It stays visible."""
    warn: Callable[[str], None] = lambda _: None
    """Shows a warning beside the resource: data that will be deleted, or a request that the API will likely reject."""
    entry: str | None = None
    """The entry of clouds.yaml with the cloud of the object; None for the cloud of the stack."""
    stack: str = ""
    project: str = ""
    backend: str = ""
    """Fingerprint of the backend that stores the state; empty if the backend is not known."""
    claim: Callable[[str], None] = lambda _: None
    """Makes this resource the owner of the object with this id. Raises if another resource of the program owns it."""
    provenance: Callable[[str, str | None], Provenance] = lambda _, __: Provenance.FOREIGN
    """Returns the origin, according to the state, of the object with this id and this name (None: name not known)."""
    id: str = field(default="", init=False)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """The desired inputs; for `read` and `delete`, which have none, the prior outputs."""
    prior: Mapping[str, Any] = field(default_factory=dict)
    """The prior outputs; empty in a create."""
    ignore_changes: Sequence[str] = ()
    """Paths of the inputs that have the value of the remote object, or the prior one, instead of the program's."""
    added: Mapping[str, Any] = field(default_factory=dict, init=False)
    """What settings have added to the inputs, by input."""
    recorded: dict[str, Any] = field(default_factory=dict, init=False)
    """Outputs that `record_outputs` has recorded."""

    @property
    def signer(self) -> str:
        """The stack's identity, as automatic names encode it."""
        return signer(self.project, self.stack, self.backend)

    @functools.cached_property
    def cloud(self) -> C:
        """The result of the handler's `connect`, which is called on first use."""
        return self.connect()

    def record_id(self, id_: str) -> None:
        """Record the id of the object. MUST be called as soon as the API has returned it.

        A failure after this call stores the object in the state, or deletes it again; it leaves no orphan.
        """
        self.claim(id_)
        self.id = id_

    def record_outputs(self, **outputs: Any) -> None:
        """Record outputs for the state which a later read of the object may not show, also after a failure."""
        self.recorded |= outputs

    @property
    def known(self) -> dict[str, Any]:
        """The outputs as far as they are known without the remote object: the prior and the recorded ones."""
        return {**self.prior, **self.recorded}

    def clear_id(self) -> None:
        """Record that the created object no longer exists, so that a failure stores nothing in the state."""
        self.id = ""


@dataclass
class ImportedResource:
    """The resource of a program that imports an existing object without changing it."""

    inputs: dict[str, Any]
    """The inputs that the program must set, in plain form with plain ids. Those with the value None are omitted."""
    comments: list[str] = field(default_factory=list)
    """Comments on the resource in the program."""
    depends_on: list[Key] = field(default_factory=list)
    """Objects that no input refers to, and that cannot be deleted before this one."""


class ResourceHandler(ABC, Generic[C, I, R]):
    """Checks, compares, creates, reads, updates and deletes the resources of one kind."""

    name: ClassVar[str]
    """Name of the kind. Stored in every state file; MUST NOT change."""
    inputs: ClassVar[type[fields.Inputs]]
    outputs: ClassVar[type[fields.Outputs]]
    timeout: ClassVar[float] = 600.0
    alternatives: ClassVar[tuple[str, ...]] = ()
    """Alternative inputs: a program sets one of them, the outputs contain all. Setting another one is a change."""
    dependencies: ClassVar[tuple[str, ...]] = ()
    """Kinds for whose resources this waits without referring to them. It depends on those declared before it."""
    encodes_owner_in_name: ClassVar[bool] = False
    """Whether automatic names of this kind encode the owner, because the object has no place for an owner marker."""
    id_format: ClassVar[str] = "the id that the cloud assigns"
    """What the id is, for the reference."""
    id_example: ClassVar[str] = "c4a3019d-1ac0-4cfb-a838-2342eb992e6b"
    report_rules: ClassVar[str] = ""
    """The module whose `RULES` tell `ecs-pulumi report` about objects that hold data or run a workload (see
    `ecs_pulumi.report_rules`). Default: they do not."""
    default_settings: ClassVar[Mapping[str, str]] = {}
    """The inputs to which settings add values, and the settings (see `default_inputs`)."""
    title: ClassVar[str] = ""
    """Heading of the resources of this kind in a program that imports them. Default: the name."""
    import_hint: ClassVar[str] = ""
    """What an author has to know about such a program; lines of the comment that follow the heading."""

    @abstractmethod
    def connect(
        self, config: Callable[[str], str | None], region: str | None, timeout: float, cloud: str | None = None
    ) -> C:
        """Return the clients that operations need. MUST NOT send any request.

        Args:
            config: The settings of the stack.
            region: The region. Default: the configured one.
            timeout: Seconds within which the operations must end.
            cloud: An entry of clouds.yaml. Default: the cloud of the stack.
        """

    def account(self, config: Callable[[str], str | None], cloud: str | None) -> str:  # noqa: ARG002
        """Return the account of a cloud if ids of this kind are unique only in an account; empty otherwise.

        Empty as well for the account that the settings of the stack use. MUST NOT send any request.
        """
        return ""

    def stored_settings_hint(self, error: Exception) -> str | None:  # noqa: ARG002
        """Return a hint to append to this error in a run that may use the settings stored in the state.

        Such a run (`refresh` or `destroy` without the program) does not use the current stack configuration.
        """
        return None

    def preflight_disabled(self, config: Callable[[str], str | None]) -> str | None:  # noqa: ARG002
        """Return a warning, shown once per run, if the settings disable the preflight checks; None if they do not.

        Raises errors that `format_error` supports.
        """
        return None

    def default_inputs(self, config: Callable[[str], str | None]) -> Mapping[str, list[Any] | dict[str, Any]]:  # noqa: ARG002
        """Return what the settings add to inputs, lists or maps, of every resource that has them.

        Raises errors that `format_error` supports.
        """
        return {}

    def unsupported_input(self, context: OperationContext[C], name: str) -> str | None:  # noqa: ARG002
        """Return why the objects in the cloud cannot have this input; None if they can, or if that cannot be found out.

        May send requests.
        """
        return None

    def setting_warnings(self, names: Iterable[str]) -> Iterable[str]:  # noqa: ARG002
        """Return warnings about the names of the settings in the stack configuration, shown once per run."""
        return ()

    @abstractmethod
    def format_error(self, error: Exception) -> str | None:
        """Format this error as one line for the user; None for an internal error of this package."""

    def preview_warning(self, error: Exception) -> str | None:  # noqa: ARG002
        """Return a warning if this error only prevents preflight checks; None if the preview must fail.

        The warning is shown once per run, and the preview continues.
        """
        return None

    def validate(self, checked: fields.CheckInputs) -> Iterable[fields.Problem]:  # noqa: ARG002
        """Return problems of the inputs beyond their types. MUST ignore unknown values."""
        return ()

    def preflight(self, context: OperationContext[C], checked: fields.CheckInputs) -> Iterable[fields.Problem]:  # noqa: ARG002
        """Return problems that the API would report during `up`. Called if the resource is new or changed."""
        return ()

    def requires_replacement(
        self,
        context: OperationContext[C],  # noqa: ARG002
        prior: Mapping[str, Any],  # noqa: ARG002
        new: Mapping[str, Any],  # noqa: ARG002
        changed: list[str],
    ) -> list[str]:
        """Return the changed inputs that require a replacement. By default the field options decide. MUST NOT raise."""
        model = fields.fields_of(self.inputs)
        return [name for name in changed if model[name].has(fields.Replace)]

    def tainted(self, context: OperationContext[C], id_: str, prior: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Return the outputs that show that the object never became usable and has to be replaced.

        May read the remote object if the prior outputs show that the last operation was not finished.
        """
        return []

    def why_hidden(
        self,
        context: OperationContext[C],  # noqa: ARG002
        peers: Callable[[], Iterable[Mapping[str, Any]]],  # noqa: ARG002
    ) -> str | None:
        """Return why the API may hide an object that it did not find; None if the object no longer exists.

        Args:
            context: The operation; `prior` holds the prior outputs.
            peers: Returns the outputs of the resources of this stack in the same region of the same cloud, except for
                those whose owner the program sets. Reads the state.
        """
        return None

    def missed_object(self, context: OperationContext[C]) -> bool:  # noqa: ARG002
        """Whether the API answered a request of this operation that an object does not exist."""
        return False

    def failure_reason(self, context: OperationContext[C], id_: str, prior: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return why a `tainted` object never became usable, for the notice that it will be replaced."""
        return "it was never usable"

    def data_loss(self, context: OperationContext[C], prior: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Return the data that deleting or replacing the object deletes, as far as the state shows. MUST NOT raise."""
        return []

    def preflight_update(
        self, context: OperationContext[C], id_: str, new: Mapping[str, Any], changed: list[str]
    ) -> None:
        """Raise the error that an update in place would end with.

        Called in a diff, because only a diff knows the object's id and that the object is not replaced. `context.prior`
        holds the prior outputs.
        MUST send requests only if a changed input needs them.
        """

    def preflight_replacement(self, context: OperationContext[C], new: Mapping[str, Any]) -> None:
        """Warn of what a replacement does besides; raise the error that it would end with.

        Called in a diff like `preflight_update`.
        """

    def report_plan(self, context: OperationContext[C], new: Mapping[str, Any], changed: list[str]) -> None:
        """Show a notice if an update in place affects the workload or its data.

        Called like `preflight_update`, also if nothing is checked against the cloud. MUST NOT send requests.
        """

    def pending_work(self, prior: Mapping[str, Any]) -> str | None:  # noqa: ARG002
        """Return a notice if an update has to finish earlier work although no input changed; None otherwise."""
        return None

    def is_equal(self, name: str, desired: Any, prior: Mapping[str, Any]) -> bool:
        """Whether the desired value of the input `name` equals the one in `prior` (outputs)."""
        return fields.matches(fields.fields_of(self.inputs)[name], desired, prior.get(name))

    def match_set(self, name: str, desired: list[Any], prior: Mapping[str, Any]) -> list[int | None]:
        """Return, for each desired item of the set `name`, the index of the one in `prior` (outputs) that equals it.

        None for an item without an equal one.
        """
        return fields.match_set(fields.fields_of(self.inputs)[name], desired, prior[name])

    @property
    def exclusive(self) -> tuple[str, ...]:
        """The inputs that only one object can have at a time, as `sdk.exclusive.is_exclusive` takes them."""
        return fields.exclusive_paths(self.inputs)

    def is_exclusive(self, inputs: Mapping[str, Any]) -> bool:
        """Whether two objects with these inputs cannot exist at the same time.

        The values may be `pulumi.Output`s or unknown.
        """
        return is_exclusive(self.exclusive, inputs)

    def delete_orphan(self, context: OperationContext[C], id_: str) -> None:
        """Delete an object that no state contains, for `orphans`, with what belongs to it and has no owner marker."""
        self.delete(context, id_, {})

    def delete_before_replace(
        self,
        context: OperationContext[C],  # noqa: ARG002
        prior: Mapping[str, Any],  # noqa: ARG002
        new: Mapping[str, Any],
    ) -> bool:
        """Whether the old object must be deleted before its replacement is created, because both cannot coexist."""
        return self.is_exclusive(new)

    def list_all(self, context: OperationContext[C]) -> Iterable[R]:  # noqa: ARG002
        """Return the objects of the project, for the commands. A kind that the commands cannot list returns none."""
        return ()

    def list_visible(self, context: OperationContext[C]) -> Iterable[R]:
        """Return all objects that the account can list, for `adopt`: also those that other projects share."""
        return self.list_all(context)

    def id_of(self, remote: R) -> str:
        """The id of a remote object, as the state contains it."""
        return str(remote["id"])  # type: ignore[index]

    def object_id(self, id_: str) -> str:
        """The id of the object that the cloud created for the resource with this id. Usually it is the same."""
        return id_

    def owner_of(self, remote: R, project: str, stack: str, backend: str) -> str | None:  # noqa: ARG002
        """The resource of this stack for which a remote object was created, by its owner marker; None without one."""
        return None

    def attached_to(self, remote: R) -> Iterable[str]:  # noqa: ARG002
        """Return the ids of the servers that use a remote object and that do not own it."""
        return ()

    def result_evidence(self, inputs: Mapping[str, Any], remote: R) -> str:  # noqa: ARG002
        """Return the property that shows, with the name, that an interrupted create made a remote object.

        The objects of a kind without names have to differ in the property itself.

        Args:
            inputs: The inputs of the create. They contain the name of the remote object, if the kind has names.
            remote: The remote object.

        Returns:
            The property, such as `description`; empty if another create may have made the object.
        """
        return ""

    def label(self, existing: ExistingObjects[C], remote: R) -> str:  # noqa: ARG002
        """The name of a remote object, after which `adopt` names its resource; never empty."""
        return str(remote.get("name") or self.name.lower())  # type: ignore[attr-defined]

    def parts(self, existing: ExistingObjects[C]) -> Iterable[tuple[Key, Key]]:  # noqa: ARG002
        """Return the objects that are created and deleted with objects of this kind, each with the object of this kind.

        They cannot become resources of their own.
        """
        return ()

    def output_of_part(self, existing: ExistingObjects[C], remote: R, part: Key) -> str:  # noqa: ARG002
        """Return the expression for the output of an object whose value is the id of its part; empty without one."""
        return ""

    def ineligible_reason(self, existing: ExistingObjects[C], remote: R) -> str | None:  # noqa: ARG002
        """Return why a remote object cannot become a resource; None if it can."""
        return None

    def lookup(self, existing: ExistingObjects[C], remote: R) -> str:  # noqa: ARG002
        """The function that a program calls to look up an object that it must not manage; empty if it uses the id."""
        return ""

    def candidates(self, existing: ExistingObjects[C]) -> Iterable[Candidate]:
        """Return the objects of this kind that can become resources, in the order of a program."""
        from ecs_pulumi.dynamic.existing import Candidate

        found = [
            Candidate(self.name, id_, existing.label(self.name, remote), remote)
            for id_, remote in existing.of(self.name).items()
            if existing.ineligible_reason(self.name, id_) is None
        ]
        return sorted(found, key=lambda each: (each.label, each.id))

    def import_resource(
        self,
        existing: ExistingObjects[C],  # noqa: ARG002
        remote: R,  # noqa: ARG002
        outputs: Mapping[str, Any],
    ) -> ImportedResource:
        """Return the resource that imports a remote object without changing it.

        By default it sets the inputs that differ from their defaults and that the cloud does not compute.

        Args:
            existing: All existing objects.
            remote: The remote object.
            outputs: Its inputs and outputs in plain form.
        """
        return ImportedResource(fields.managed_inputs(self.inputs, outputs))

    def scope(self, context: OperationContext[C]) -> str:  # noqa: ARG002
        """Return the scope in which ids of this kind are unique, such as the region."""
        return ""

    def also_holds(self, id_: str, inputs: Mapping[str, Any]) -> Iterable[tuple[str, str]]:  # noqa: ARG002
        """Return kind and id of other objects that this resource owns and that a resource of that kind could own.

        Args:
            id_: The id of the object.
            inputs: The desired inputs and, if the object exists, the prior outputs that are no inputs.
        """
        return ()

    def find_own_orphans(self, context: OperationContext[C], desired: I) -> Iterable[tuple[str, str | None]]:  # noqa: ARG002
        """Return id and name of existing objects that carry this resource's owner marker. Called before a create.

        The name is None for a kind that has no name besides the id.
        """
        return ()

    def ownership_updates(self, context: OperationContext[C], remote: R) -> dict[str, Any]:  # noqa: ARG002
        """Return the values, by input, that an update writes to record the owner although the program sets none."""
        return {}

    @abstractmethod
    def create(self, context: OperationContext[C], desired: I) -> R:
        """Create the object and wait until it has the desired properties.

        MUST call `context.record_id` as soon as the API has returned the id.
        """

    @abstractmethod
    def read_cached(self, context: OperationContext[C], id_: str) -> R | None:
        """Return the object for a refresh, None if it does not exist. May be taken from a recently read list."""

    def read(self, context: OperationContext[C], id_: str) -> R | None:
        """Return the current object, None if it does not exist. MUST NOT use a cache."""
        return self.read_cached(context, id_)

    def settle(self, context: OperationContext[C], refusal: Exception | None = None) -> bool:  # noqa: ARG002
        """Wait until reads show all that an earlier run wrote, if the API may be late with that.

        Args:
            context: The operation.
            refusal: The error that may be due to a read which was out of date; any other one is not waited for.

        Returns:
            Whether a repeated read may show more than the last one.
        """
        return False

    @abstractmethod
    def to_outputs(self, context: OperationContext[C], remote: R) -> dict[str, Any]:
        """Return inputs and outputs of a remote object by name. Properties that the API does not return are omitted."""

    @abstractmethod
    def update(self, context: OperationContext[C], id_: str, desired: I, prior: Mapping[str, Any]) -> R:
        """Change the properties of the remote object that differ from `desired`, and no others.

        MUST read the remote object first and MUST be safe to run again after a crash: `prior` may be out of date.
        """

    @abstractmethod
    def delete(self, context: OperationContext[C], id_: str, prior: Mapping[str, Any]) -> None:
        """Delete the object and wait until it no longer exists. An object that does not exist is a success."""


def get_handler(name: str) -> ResourceHandler[Any, Any, Any]:
    """Return the handler of the kind with this name.

    The state stores only the name, so the provider has to find the handler, although `dynamic` does not depend on
    `resources` otherwise.
    """
    handler: ResourceHandler[Any, Any, Any] = importlib.import_module(REGISTRY).get_handler(name)
    return handler


def auto_name(resource: str, seed: bytes, signer: str = "") -> str:
    """Return a name for a resource without one: its name in the program and a random suffix.

    Args:
        resource: Name of the resource in the program.
        seed: Seed of the suffix; a random suffix is used if the seed is too short.
        signer: Identity of the stack (`signer()`). If set, the second half of the suffix encodes the owner.
    """
    suffix = seed[:SUFFIX_BYTES].hex() if len(seed) >= SUFFIX_BYTES else secrets.token_hex(SUFFIX_BYTES)
    if signer:
        suffix = suffix[:SUFFIX_BYTES] + _signature(signer, resource, suffix[:SUFFIX_BYTES])
    return f"{resource}-{suffix}"


def is_auto_name(name: str, resource: str) -> bool:
    """Whether `name` has the form of a name that `auto_name` returns for this resource."""
    return bool(re.fullmatch(rf"{re.escape(resource)}-[0-9a-f]{{{2 * SUFFIX_BYTES}}}", name))


def signer(project: str, stack: str, backend: str) -> str:
    """Return the identity of a stack that automatic names encode.

    Args:
        project: Name of the project.
        stack: Name of the stack.
        backend: Fingerprint of the backend that stores its state; empty if not known.
    """
    return f"{project}/{stack}" + (f" [{backend}]" if backend else "")


def owner_from_name(name: str, signer: str) -> str | None:
    """Return the resource of this stack that the name encodes as its owner; None if it encodes none.

    Args:
        name: Name of an object.
        signer: Identity of the stack (`signer()`).
    """
    resource, dash, suffix = name.rpartition("-")
    random, signature = suffix[:SUFFIX_BYTES], suffix[SUFFIX_BYTES:]
    is_signed = dash and is_auto_name(name, resource) and signature == _signature(signer, resource, random)
    return resource if is_signed else None


def _signature(signer: str, resource: str, random: str) -> str:
    return hashlib.sha256(f"{signer}/{resource}-{random}".encode()).hexdigest()[:SUFFIX_BYTES]
