"""A Pulumi engine in this process, which plans the same steps in the same order as the real one, without concurrency.

    stack = Stack(config, chance, start_process=world.start_process)
    steps = stack.preview(program)
    assert stack.up(program) == steps
    stack.refresh()
    stack.destroy()

It follows `pkg/resource/deploy/step_generator.go` of pulumi/pulumi: check, diff, then create, update or replace; a
replacement that deletes first also deletes the dependents that it replaces; everything else is deleted at the end,
dependents first. It knows the resource options of a `Declaration` and `--target`. Requests and responses are serialized
in the wire format, and the provider finds the current request in its stack frames.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import grpc
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.runtime.proto import provider_pb2

from ecs_pulumi import stack as ecs_stack
from ecs_pulumi.dynamic import rpc_bridge, run
from ecs_pulumi.dynamic.provider import Provider
from tests.support.steps import UNKNOWN, Failed, Refused, _dict, _struct
from tests.walks.programs import Declaration, Program, Ref, refs, resolve

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

PROJECT, STACK, BACKEND = "walks", "test", "file:///walks"
NO_ID = ""
Seed = bytes


@dataclass
class Record:
    """The entry of a resource in the state.

    Attributes:
        urn: The URN.
        id: The id of the object.
        inputs: The inputs.
        outputs: The outputs.
        dependencies: The URNs of the resources that it depends on.
        dependencies_of: These URNs by input.
        failures: Why the last operation failed.
        delete: Whether its replacement is created, and the delete of its object is pending.
        pending: Whether its object is deleted, and the create of its replacement is pending.
        options: The declaration with its resource options.
        deleted_with: The URN of the resource of the option `deleted_with`; empty for none.
    """

    urn: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    dependencies: set[str] = field(default_factory=set)
    dependencies_of: dict[str, set[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    delete: bool = False
    pending: bool = False
    options: Declaration = field(default_factory=lambda: Declaration("", "", {}))
    deleted_with: str = ""

    @property
    def kind(self) -> str:
        """The kind of the resource."""
        return self.urn.split("::")[2].rpartition(":")[2]

    @property
    def name(self) -> str:
        """The name of the resource in the program."""
        return self.urn.rpartition("::")[2]

    @property
    def exported(self) -> dict[str, Any]:
        """The entry in the format of `pulumi stack export`."""
        type_ = self.urn.split("::")[2]
        entry = {"urn": self.urn, "type": type_, "id": self.id, "inputs": self.inputs, "outputs": self.outputs}
        flags = {"delete": self.delete, "protect": self.options.protect, "retainOnDelete": self.options.retain}
        return entry | {name: True for name, is_set in flags.items() if is_set}

    @property
    def title(self) -> str:
        """The kind and the name."""
        return f"{self.kind} {self.name}"

    @property
    def timeout(self) -> float:
        """The timeout of an operation in seconds; 0 for the default."""
        return self.options.minutes * 60.0


class Protected(Refused):
    """The engine refuses to delete or replace a resource with the option `protect`."""

    def __init__(self, record: Record) -> None:
        super().__init__([(record.name, "is protected")])


def urn_of(kind: str, name: str) -> str:
    """Return the URN of a resource."""
    return f"urn:pulumi:{STACK}::{PROJECT}::pulumi-python:dynamic/ecs:{kind}::{name}"


class Plugin:
    """The provider process of one run, with the RPCs of the engine for plain values."""

    def __init__(
        self, config: Mapping[str, str], read_state: Callable[[], Sequence[Record]], targets: Collection[str] = ()
    ) -> None:
        """Start the provider.

        Args:
            config: The settings of the stack.
            read_state: Returns the current state.
            targets: The URNs of `--target`.
        """
        self._config = Config(raw_config=dict(config), project_name=PROJECT)
        self._providers: dict[str, Provider] = {}
        self._read_state = read_state
        # The provider reads the command line of the engine; this one is `pulumi up` without concurrency.
        self._command = ["up", "--parallel=1", *(f"--target={urn}" for urn in targets)]
        self._context = mock.NonCallableMock(spec=grpc.ServicerContext)

    def check(self, urn: str, olds: Mapping[str, Any] | None, news: Mapping[str, Any], seed: Seed) -> dict[str, Any]:
        """Return the checked inputs. Raises Refused."""
        request = provider_pb2.CheckRequest(
            urn=urn, olds=None if olds is None else _struct(olds), news=_struct(news), randomSeed=seed
        )
        prior = {} if olds is None else _dict(request.olds, unknowns=True)
        result = self._serve(lambda provider: provider.check(prior, _dict(request.news, unknowns=True)), request)
        if result.failures:
            name = urn.rpartition("::")[2]
            raise Refused([(f"{name}.{failure.property}", failure.reason) for failure in result.failures])
        return _dict(_struct(result.inputs), unknowns=True)

    def diff(self, prior: Record, urn: str, news: Mapping[str, Any], ignored: Sequence[str] = ()) -> Any:
        """Return the diff."""
        request = provider_pb2.DiffRequest(
            id=prior.id,
            urn=urn,
            olds=_struct(prior.outputs),
            news=_struct(news),
            old_inputs=_struct(prior.inputs),
            ignoreChanges=ignored,
        )
        desired = _dict(request.news, unknowns=True)
        return self._serve(
            lambda provider: provider.diff(prior.id, _dict(request.olds, unknowns=True), desired), request
        )

    def create(self, new: Record) -> None:
        """Create the object of `new`, and set its id and outputs. Raises Failed."""
        request = provider_pb2.CreateRequest(urn=new.urn, properties=_struct(new.inputs), timeout=new.timeout)
        result = self._serve(lambda provider: provider.create(_dict(request.properties)), request, new)
        new.id, new.outputs = result.id, _dict(_struct(result.outs))

    def update(self, prior: Record, new: Record) -> None:
        """Update the object of `prior` to `new`. Raises Failed."""
        new.id, new.outputs = prior.id, prior.outputs
        request = provider_pb2.UpdateRequest(
            id=prior.id,
            urn=new.urn,
            olds=_struct(prior.outputs),
            news=_struct(new.inputs),
            old_inputs=_struct(prior.inputs),
            ignoreChanges=new.options.ignored,
            timeout=new.timeout,
        )
        result = self._serve(
            lambda provider: provider.update(prior.id, _dict(request.olds), _dict(request.news)), request, new
        )
        new.outputs = _dict(_struct(result.outs))

    def delete(self, prior: Record) -> None:
        """Delete the object. Raises Failed."""
        request = provider_pb2.DeleteRequest(
            id=prior.id,
            urn=prior.urn,
            properties=_struct(prior.outputs),
            old_inputs=_struct(prior.inputs),
            timeout=prior.timeout,
        )
        self._serve(lambda provider: provider.delete(prior.id, _dict(request.properties)), request)

    def read(self, prior: Record) -> bool:
        """Refresh inputs and outputs; return whether the object exists. Raises Failed."""
        request = provider_pb2.ReadRequest(
            id=prior.id, urn=prior.urn, properties=_struct(prior.outputs), inputs=_struct(prior.inputs)
        )
        result = self._serve(lambda provider: provider.read(prior.id, _dict(request.properties)), request)
        if result.id:
            prior.outputs = _dict(_struct(result.outs))
            prior.inputs = _dict(_struct(result.inputs)) if result.inputs else prior.inputs
        return bool(result.id)

    def _provider(self, urn: str) -> Provider:
        kind = urn.split("::")[2].rpartition(":")[2]
        if kind not in self._providers:
            self._providers[kind] = Provider(kind)
            self._providers[kind].configure(ConfigureRequest(config=self._config))
        return self._providers[kind]

    def _serve(self, call: Callable[[Provider], Any], request: Any, new: Record | None = None) -> Any:
        """Call the provider as the host does, with `request` and `context` in the calling frame."""
        context = self._context
        context.reset_mock()
        pending_creates = [new] if isinstance(request, provider_pb2.CreateRequest) and new else []
        exported = [record.exported for record in self._read_state()], [record.exported for record in pending_creates]
        try:
            with (
                mock.patch.object(ecs_stack, "export", return_value=exported),
                mock.patch.dict(os.environ, PULUMI_BACKEND_URL=BACKEND),
                mock.patch.object(run, "engine", return_value=(None, self._command)),
            ):
                return call(self._provider(request.urn))
        except rpc_bridge.Failure as failure:
            if new is not None:
                _record_failure(new, context)
            raise Failed(str(failure)) from failure


def _record_failure(new: Record, context: mock.NonCallableMock) -> None:
    """Write the partial result of a failed operation into the record."""
    for _, value in context.set_trailing_metadata.call_args.args[0]:
        for detail in status_pb2.Status.FromString(value).details:
            partial = provider_pb2.ErrorResourceInitFailed()
            if detail.Unpack(partial):
                new.id, new.inputs, new.outputs = partial.id, _dict(partial.inputs), _dict(partial.properties)
                new.failures = list(partial.reasons)


class Stack:
    """A stack and its state.

    Attributes:
        state: The records of its resources, in the order of the state file.
    """

    def __init__(
        self,
        config: Mapping[str, str],
        chance: random.Random,
        start_process: Callable[[], None],
        *,
        cascades: bool = False,
    ) -> None:
        """Create a stack without resources.

        Args:
            config: Its settings, by full key.
            chance: The generator of the random seeds.
            start_process: Clears the caches of this process, as in a new provider process.
            cascades: Whether the engine replaces a resource together with the one that it is deleted with.
        """
        self.state: list[Record] = []
        self._config = config
        self._chance = chance
        self._start_process = start_process
        self._cascades = cascades

    def preview(self, program: Program, targets: Collection[str] = ()) -> dict[str, str]:
        """Return the step of each resource: create, same, update, replace or delete. Raises Refused or Failed.

        Args:
            program: The program.
            targets: The names of the resources of `--target`; empty for all.
        """
        saved = self.copy_state()
        try:
            return self._deploy(program, targets, preview=True)
        finally:
            self.state = saved

    def up(self, program: Program, targets: Collection[str] = ()) -> dict[str, str]:
        """Apply the program like `preview`. Raises Refused or Failed."""
        return self._deploy(program, targets, preview=False)

    def refresh(self) -> list[str]:
        """Read every object; return the titles of the resources whose object is gone. Raises Failed."""
        self._start_process()
        plugin = Plugin(self._config, lambda: self.state)
        gone = [record for record in self.state if not plugin.read(record)]
        self.state = [record for record in self.state if record not in gone]
        return [record.title for record in gone]

    def destroy(self, *, preview: bool = False) -> dict[str, str]:
        """Delete all resources, and return the steps. Raises Protected or Failed."""
        return self.preview(()) if preview else self.up(())

    def unprotect(self) -> None:
        """Remove the protection of all resources, as `pulumi state unprotect --all` does."""
        for record in self.state:
            record.options = replace(record.options, protect=False)

    def copy_state(self) -> list[Record]:
        """Return a copy of the state."""
        return [replace(record) for record in self.state]

    @property
    def records_by_name(self) -> dict[str, Record]:
        """The records by resource name, without those whose delete is pending."""
        return {record.name: record for record in self.state if not record.delete}

    def _deploy(self, program: Program, targets: Collection[str], *, preview: bool) -> dict[str, str]:
        self._start_process()
        deployment = Deployment(
            self.state,
            self._config,
            self._chance,
            cascades=self._cascades,
            targets=self._urns(program, targets),
            preview=preview,
        )
        with self._saved(deployment):
            for declaration in program:
                deployment.register(declaration)
            deployment.delete_the_rest()
        return deployment.steps

    def _urns(self, program: Program, names: Collection[str]) -> set[str]:
        declared = {urn_of(each.kind, each.name) for each in program if each.name in names}
        return declared | {record.urn for record in self.state if record.name in names}

    @contextmanager
    def _saved(self, deployment: Deployment) -> Iterator[None]:
        """Save the state at the end of the deployment, even if it fails."""
        try:
            yield
        finally:
            self.state = deployment.state()


class Deployment:
    """One `up` or preview.

    Attributes:
        steps: The step of each resource, by kind and name.
    """

    def __init__(
        self,
        before: Sequence[Record],
        config: Mapping[str, str],
        chance: random.Random,
        *,
        cascades: bool,
        targets: Collection[str] = (),
        preview: bool,
    ) -> None:
        """Start a deployment.

        Args:
            before: The state.
            config: The settings of the stack.
            chance: The generator of the random seeds.
            cascades: Whether the engine replaces a resource together with the one that it is deleted with.
            targets: The URNs of `--target`; empty for all.
            preview: Whether it is a preview.
        """
        self.steps: dict[str, str] = {}
        self._before = list(before)
        # A preview does not write the state.
        self._plugin = Plugin(config, lambda: before if preview else self.state(), targets)
        self._chance = chance
        self._cascades = cascades
        self._targets = targets
        self._preview = preview
        self._prior_records = {record.urn: record for record in before if not record.delete}
        self._new: list[Record] = []
        self._by_name: dict[str, Record] = {}
        self._done: list[Record] = []
        """The records of `_before` that are no longer in the state."""
        self._aliased: dict[str, str] = {}
        self._operated_on: set[str] = set()
        self._deleted: set[str] = set()
        """The URNs of the resources that a replacement deleted first."""
        self._also_deleted: set[str] = set()
        """The URNs of the resources whose delete includes that of the resources that are deleted with them."""
        self._replaced: set[str] = set()
        self._skipped: set[str] = set()
        """The URNs of the resources that are not created, because they are no targets."""

    def state(self) -> list[Record]:
        """Return the current state: the records of this deployment, then the remaining prior records.

        References to an aliased resource have its new URN. The records of this deployment keep the prior one, by which
        the deletes at its end are sorted.
        """
        remaining = [record for record in self._before if not any(record is done for done in self._done)]
        return [self._with_new_urns(record) for record in (*self._new, *remaining)]

    def _with_new_urns(self, record: Record) -> Record:
        def renamed(urns: set[str]) -> set[str]:
            return {self._aliased.get(urn, urn) for urn in urns}

        return replace(
            record,
            deleted_with=self._aliased.get(record.deleted_with, record.deleted_with),
            dependencies=renamed(record.dependencies),
            dependencies_of={name: renamed(urns) for name, urns in record.dependencies_of.items()},
        )

    def register(self, declaration: Declaration) -> None:
        """Plan the step of a resource of the program, and run it."""
        urn = urn_of(declaration.kind, declaration.name)
        prior = self._find_prior(urn, declaration)
        recreating = urn in self._deleted
        if self._targets and urn not in self._targets and not recreating:
            self._skip(Record(urn, NO_ID, {}, {}), prior)
            return
        if skipped := {name for name in declaration.refers_to() if self._by_name[name].urn in self._skipped}:
            raise Refused([(declaration.name, f"depends on {skipped}, which is not specified in the target list")])
        goal = resolve(declaration.inputs, self._value)
        seed = self._chance.randbytes(32)
        olds = prior.inputs if prior and not recreating else None
        desired = goal if olds is None else _with_ignored(goal, olds, declaration.ignored)
        new = Record(urn, NO_ID, self._plugin.check(urn, olds, desired, seed), {}, options=declaration)
        if declaration.deleted_with:
            new.deleted_with = self._by_name[declaration.inputs[declaration.deleted_with].name].urn
        new.dependencies = {self._by_name[name].urn for name in declaration.refers_to()}
        new.dependencies_of = {
            name: {self._by_name[ref.name].urn for ref in refs(value)} for name, value in declaration.inputs.items()
        }
        if prior is None:
            self._create(new, "create")
        elif recreating:
            self._deleted.discard(urn)
            self._also_deleted.discard(urn)
            self._replaced.add(urn)
            self._create(new, "replace", prior)
        else:
            self._compare(prior, new, goal, seed)

    def delete_the_rest(self) -> None:
        """Delete replaced resources and resources that are not in the program, dependents first."""
        to_delete = [
            record
            for record in self._before
            if not any(record is done for done in self._done)
            and (record.delete or self._aliased.get(record.urn, record.urn) not in self._operated_on)
            and record.urn in self._included()
        ]
        if self._targets and (others := [each.title for each in to_delete if each.urn not in self._targets]):
            raise Refused([(name, "is not specified in the target list") for name in others])
        self._also_deleted |= {record.urn for record in to_delete}
        for record in to_delete:
            if not record.delete:
                self.steps[record.title] = "delete"
        while to_delete:
            leaves = [each for each in to_delete if not any(each.urn in other.dependencies for other in to_delete)]
            for record in leaves:
                if not record.pending:
                    self._delete(record, is_replaced=record.delete)
                self._done.append(record)
                to_delete.remove(record)

    def _included(self) -> set[str]:
        """Return the URNs of the targets and of the resources that depend on them."""
        if not self._targets:
            return {record.urn for record in self._before}
        found = set(self._targets)
        for record in self._before:
            if record.dependencies & found:
                found.add(record.urn)
        return found

    def _skip(self, new: Record, prior: Record | None) -> None:
        """Keep a resource that is no target as it is."""
        if prior is None:
            self._skipped.add(new.urn)
            self._by_name[new.name] = new
        else:
            self._write(replace(prior), "same", prior)

    def _find_prior(self, urn: str, declaration: Declaration) -> Record | None:
        if urn in self._prior_records:
            return self._prior_records[urn]
        prior_urn = urn_of(declaration.kind, declaration.alias)
        if not declaration.alias or prior_urn not in self._prior_records:
            return None
        self._aliased[prior_urn] = urn
        return self._prior_records[prior_urn]

    def _value(self, ref: Ref) -> Any:
        """Return the value of an output of another resource."""
        record = self._by_name[ref.name]
        if ref.output == "id":
            return record.id or UNKNOWN
        value: Any = record.outputs.get(ref.output, UNKNOWN if self._preview else None)
        for key in ref.path:
            value = value if value is UNKNOWN else value[key]
        return value

    def _compare(self, prior: Record, new: Record, goal: Mapping[str, Any], seed: Seed) -> None:
        is_dependent = self._cascades and new.deleted_with in self._replaced
        diff = None if is_dependent else self._plugin.diff(prior, new.urn, new.inputs, new.options.ignored)
        if diff is None or diff.replaces or prior.pending:
            if new.options.protect and prior.options.protect:
                raise Protected(prior)
            self._replaced.add(new.urn)
            # The engine checks the inputs of a replacement without the prior ones, so computed names change.
            new.inputs = self._plugin.check(new.urn, None, goal, seed)
            if new.deleted_with or (diff and diff.delete_before_replace):
                self._delete_dependents(prior)
                if not prior.pending:
                    self._delete(prior, is_replaced=True)
                    prior.pending = True
                self._create(new, "replace", prior)
            else:
                self._create(new, "replace", prior, keep=True)
        elif diff.changes or prior.failures:
            self._update(prior, new)
        else:
            new.id, new.outputs = prior.id, prior.outputs
            self._write(new, "same", prior)

    def _delete_dependents(self, root: Record) -> None:
        """Delete the dependents that are replaced together with a resource that is deleted first, last one first."""
        replaced, to_delete = {root.urn}, []
        reached = {root.urn}
        for record in self._before:
            impossible = record.urn in self._operated_on or record.urn in self._deleted
            if impossible or not record.dependencies & reached or record is root:
                continue
            reached.add(record.urn)
            affected = {
                name for name, urns in record.dependencies_of.items() if urns & replaced and name in record.inputs
            }
            unknown = {**record.inputs, **dict.fromkeys(affected, UNKNOWN)}
            is_dependent = self._cascades and record.deleted_with in replaced
            if is_dependent or (
                affected and self._plugin.diff(record, record.urn, unknown, record.options.ignored).replaces
            ):
                if record.options.protect and not record.delete:
                    raise Protected(record)
                replaced.add(record.urn)
                to_delete.append(record)
        self._deleted |= {record.urn for record in to_delete}
        self._also_deleted |= {record.urn for record in to_delete} | ({root.urn} if self._cascades else set())
        for record in reversed(to_delete):
            if not record.pending:
                self._delete(record, is_replaced=True)
            if record.delete:
                self._done.append(record)
            record.pending = True

    def _create(self, new: Record, step: str, prior: Record | None = None, *, keep: bool = False) -> None:
        """Create an object; with `keep` the delete of the prior object is pending, otherwise it is deleted already."""
        try:
            if self._preview:
                new.outputs = dict(new.inputs)
            else:
                self._plugin.create(new)
        finally:
            # A failed create may have a partial result.
            if new.id or new.outputs:
                if prior and keep:
                    prior.delete = True
                self._write(new, step, None if keep else prior)

    def _update(self, prior: Record, new: Record) -> None:
        failed = False
        try:
            if self._preview:
                new.id, new.outputs = prior.id, dict(new.inputs)
            else:
                self._plugin.update(prior, new)
        except Failed:
            failed = True
            raise
        finally:
            if not failed or new.failures:
                self._write(new, "update", prior)

    def _delete(self, record: Record, *, is_replaced: bool) -> None:
        if record.options.protect and not is_replaced:
            raise Protected(record)
        if not (self._preview or record.options.retain or record.deleted_with in self._also_deleted):
            self._plugin.delete(record)

    def _write(self, new: Record, step: str, prior: Record | None) -> None:
        """Write a record into the state, in place of the prior one."""
        if prior is not None:
            self._done.append(prior)
        self._new.append(new)
        self._operated_on.add(new.urn)
        self._by_name[new.name] = new
        self.steps[new.title] = step


def _with_ignored(goal: Mapping[str, Any], prior: Mapping[str, Any], ignored: Collection[str]) -> dict[str, Any]:
    """Return the desired inputs with the prior values of the ignored ones."""
    desired = {name: value for name, value in goal.items() if name not in ignored}
    return desired | {name: prior[name] for name in ignored if name in prior}
