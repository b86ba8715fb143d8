"""The dynamic provider of all kinds: field options decide check and diff, the kind's handler does everything else.

Every state file contains a pickled instance: a reference to this class, and the name of the kind
(`tests/host/test_persisted.py`). Therefore this module and the class MUST NOT be renamed or moved, and the instance
MUST NOT have further attributes.
"""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.output import UNKNOWN

from ecs_pulumi.dynamic import defaults, fields, ignored, rpc_bridge, run, state
from ecs_pulumi.dynamic.changed_paths import changed_paths
from ecs_pulumi.dynamic.handler import OperationContext, Provenance, ResourceHandler, auto_name, get_handler, signer
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.dynamic.status import StatusLine, report_import
from ecs_pulumi.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

WORKERS = 64
"""Maximum of concurrent operations in one provider process. `--parallel` limits how many the engine sends."""


class Provider(ResourceProvider):
    """Serves the resources of one kind to the Pulumi engine."""

    serialize_as_secret_always = False

    def __init__(self, kind_name: str) -> None:
        super().__init__()
        self.kind_name = kind_name

    def configure(self, req: ConfigureRequest) -> None:
        """Store the settings of this run. Invalid settings raise an error when a resource uses them, not here."""
        rpc_bridge.set_max_workers(WORKERS)
        rpc_bridge.suppress_shutdown_traceback()
        rpc_bridge.end_with_engine()
        self._config = req.config.get
        for warning in self._handler.setting_warnings(rpc_bridge.setting_names(req.config)):
            rpc_bridge.warn_once(warning)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate the desired inputs and return them in their normal form, with the problems found."""
        handler, request = self._handler, rpc_bridge.current_request()
        prior, raw = _clean(_olds), _clean(news)
        run.compared(request.urn, is_new=not prior)
        is_replacement = _is_replacement(request.urn, prior) or (
            # The engine sends no prior inputs with the first check of a forced replacement.
            bool(raw.get("adopt")) and not prior and state.read(request.project, request.stack).has(request.urn)
        )
        if is_replacement:
            # The replacement of an imported object is created, not imported.
            raw.pop("adopt", None)
        if "name" in fields.fields_of(handler.inputs) and raw.get("name") is None:
            raw["name"] = self._default_name(prior, raw, exists=bool(_olds), request=request)
        inputs, problems = fields.validate(handler.inputs, raw)
        inputs |= fields.cleared_inputs(handler.inputs, inputs, prior)
        # In another cloud, a resource is checked as a new one: nothing of the prior object is there.
        comparable = prior if _entry(prior) == _entry(inputs) else {}
        program, invalid = inputs, {problem.property for problem in problems}
        inputs, added = self._with_defaults(request, inputs, comparable, invalid)
        problems += defaults.problems(handler, inputs, added)
        # Treat invalid inputs as unknown in rules.
        unknown = dict.fromkeys((problem.property for problem in problems), UNKNOWN)
        checked = fields.CheckInputs(inputs | unknown, comparable, is_replacement=is_replacement)
        own = (
            fields.CheckInputs({**program, **unknown}, comparable, is_replacement=is_replacement) if added else checked
        )
        problems += defaults.explained(handler, handler.validate(checked), added, own)
        problems += _grow_only_problems(handler, checked)
        if not problems and inputs != prior:
            problems += self._preflight(request, inputs, prior, checked, added)
        failures = [_check_failure(handler, problem, inputs) for problem in problems]
        return CheckResult(inputs | {rpc_bridge.ADDED_KEY: added} if added else inputs, failures)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare the prior outputs with the desired inputs."""
        request, prior = rpc_bridge.current_request(), _clean(_olds)
        new = self._restore_ignored(_clean(_news), prior, request.ignore_changes)
        context = self._new_context("diff", request, new, _id, prior)
        try:
            return self._compare(context, request)
        except rpc_bridge.Failure:
            raise
        except Exception as error:  # noqa: BLE001  (any error is shown as one line)
            self._fail(context, error)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the object, or import the one that `adopt` names."""
        handler, request, inputs = self._handler, rpc_bridge.current_request(), _clean(props)
        context = self._new_context("create", request, inputs)
        desired = handler.inputs.model_validate(inputs)
        rpc_bridge.retract_reason(request.urn)
        try:
            self._delete_failed_create(context, request.urn, inputs)
            if desired.adopt:
                remote = self._adopt(context, desired, inputs)
            elif orphan := self._find_orphan(context, request, desired):
                remote = self._resume_create(context, orphan, desired, inputs)
            else:
                remote = handler.create(context, desired)
            result = CreateResult(context.id, self._outputs(context, remote, inputs))
        except Exception as error:  # noqa: BLE001  (any error must store or delete the created object)
            self._keep_or_undo(context, error, inputs, undo=not desired.adopt)
        run.created(handler.name, context.id)
        context.report_status("")
        return result

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Read the object for a refresh or a `get`. The result for an object that does not exist has an empty id."""
        handler, request, prior = self._handler, rpc_bridge.current_request(), _clean(props)
        if request.has_state:
            run.refreshed(request.urn)
        else:
            run.program_seen()
        context = self._new_context("read", request, prior, id_, prior)
        try:
            remote = handler.read_cached(context, id_)
            outs = None if remote is None else self._outputs(context, remote, prior)
            # Without the object, or with another one in its place, the next update would create it anew.
            if request.has_state and self._is_lost(outs, request) and handler.settle(context):
                remote = handler.read(context, id_)
                outs = None if remote is None else self._outputs(context, remote, prior)
            if outs is None:
                if request.has_state:
                    self._require_gone(context, request)
                return ReadResult("", {})
        except Exception as error:  # noqa: BLE001
            self._fail(context, error)
        prior_inputs = _clean(request.old_inputs or {})
        inputs = self._inputs_from_outputs(prior_inputs, outs) | fields.emptied_inputs(handler.inputs, prior_inputs)
        if request.added:
            inputs[rpc_bridge.ADDED_KEY] = dict(request.added)
        return ReadResult(id_, outs, inputs or None)

    def _is_lost(self, outs: Mapping[str, Any] | None, request: rpc_bridge.RequestContext) -> bool:
        """Whether a refresh to these outputs, or to no object, makes the next update create the object anew."""
        inputs = _clean(request.old_inputs or {})
        if outs is None:
            return True
        model = fields.fields_of(self._handler.inputs)
        return any(
            field.has(fields.Replace) and not self._handler.is_equal(name, value, outs)
            for name, field in model.items()
            if name in outs and (value := inputs.get(name)) is not None
        )

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Update the remote object in place to the desired inputs."""
        handler, request, inputs = self._handler, rpc_bridge.current_request(), _clean(_news)
        prior = _clean(_olds)
        context = self._new_context("update", request, inputs, _id, prior)
        rpc_bridge.retract_reason(request.urn)
        try:
            if request.ignore_changes:
                inputs = self._ignored_from_remote(context, inputs, request.ignore_changes)
                context.inputs = inputs
            remote = self._change(context, _id, handler.inputs.model_validate(inputs), prior)
            result = UpdateResult(self._outputs(context, remote, inputs))
        except Exception as error:  # noqa: BLE001
            self._keep_or_undo(context, error, inputs, undo=False, prior=prior)
        context.report_status("")
        return result

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the object. An object that does not exist is a success."""
        handler, request, prior = self._handler, rpc_bridge.current_request(), _clean(_props)
        context = self._new_context("delete", request, prior, _id, prior)
        rpc_bridge.retract_reason(request.urn)
        key = self._object_key(context, _id) if request.urn and prior.get("region") else None
        if key and (new_owner := OWNERSHIP.other_owner(key, request.urn)):
            context.notify(f"not deleted: {handler.name} {_id} belongs to {_describe_urn(new_owner)} now")
            return
        if run.has_program():
            # Without a program (`pulumi destroy`) the engine itself lists every resource that it deletes.
            self._warn_about_data_loss(context, request.urn, "deleting", prior)
        try:
            # If the outputs show that the object may be hidden, a read decides; otherwise only a 404 does.
            suspected = handler.why_hidden(context, tuple) is not None
            if suspected and handler.read(context, _id) is None:
                self._require_gone(context, request)
            with run.deleting(handler.name, _id):
                handler.delete(context, _id, prior)
            if not suspected and handler.missed_object(context):
                self._require_gone(context, request)
        except Exception as error:  # noqa: BLE001
            self._fail(context, error)
        if key:
            OWNERSHIP.release(key, request.urn)
        context.report_status("")

    def _require_gone(self, context: OperationContext[Any], request: rpc_bridge.RequestContext) -> None:
        """Raise an error if the object that the API does not find may only be hidden from these credentials."""
        if (request.old_inputs or {}).get("project_id"):
            return  # an administrator, who sees every project
        region = context.prior.get("region")
        reason = self._handler.why_hidden(
            context, lambda: state.read(request.project, request.stack).outputs_in(region, context.entry)
        )
        if reason and not state.read(request.project, request.stack).only_reads(request.urn):
            raise ProgramError(f"not found, but may exist: {reason}")

    @property
    def _handler(self) -> ResourceHandler[Any, Any, Any]:
        return get_handler(self.kind_name)

    def _setting(self, key: str) -> str | None:
        read: Callable[[str], Any] | None = self.__dict__.get("_config")
        value = read(key) if read else None
        return None if value is None else str(value)

    def _new_context(
        self,
        verb: str,
        request: rpc_bridge.RequestContext,
        inputs: Mapping[str, Any],
        id_: str = "",
        prior: Mapping[str, Any] | None = None,
    ) -> OperationContext[Any]:
        handler = self._handler
        timeout = request.timeout or handler.timeout
        region = (prior or {}).get("region") or inputs.get("region")
        entry = _entry(inputs if prior is None else prior)
        context: OperationContext[Any] = OperationContext(
            verb=verb,
            kind=handler.name,
            resource=request.resource,
            connect=lambda: handler.connect(self._setting, region if isinstance(region, str) else None, timeout, entry),
            timeout=timeout,
            report_status=StatusLine(request.urn),
            notify=lambda line: rpc_bridge.log(request.urn, line),
            warn=lambda line: rpc_bridge.log(request.urn, line, severity="warning"),
            entry=entry,
            stack=request.stack,
            project=request.project,
            backend=state.backend_fingerprint(),
            inputs=inputs,
            prior=prior or {},
            ignore_changes=request.ignore_changes,
        )
        context.id = id_
        context.added = request.added if verb != "check" else {}
        context.claim = lambda id_: self._claim(context, request.urn, id_)
        context.provenance = lambda id_, name: self._provenance(context, request, id_, name)
        return context

    def _object_key(self, context: OperationContext[Any], id_: str) -> ObjectKey:
        handler, region = self._handler, context.prior.get("region")
        account = handler.account(self._setting, context.entry)
        return ObjectKey(handler.name, region if isinstance(region, str) else handler.scope(context), id_, account)

    def _owners(self, context: OperationContext[Any], request: rpc_bridge.RequestContext, id_: str) -> list[str]:
        """Return the URNs of the resources in the state that own an object."""
        known, key = state.read(request.project, request.stack), self._object_key(context, id_)
        return known.owners_of(key, lambda cloud: self._handler.account(self._setting, cloud))

    def _record_owner(
        self, context: OperationContext[Any], request: rpc_bridge.RequestContext, id_: str, inputs: Mapping[str, Any]
    ) -> ProgramError | None:
        """Record the resource as the owner of an object in this run; return the error if it has another owner.

        Without a region in the prior outputs nothing is recorded.
        """
        urn = request.urn
        if not (urn and isinstance(context.prior.get("region"), str)):
            return None
        known = fields.fields_of(self._handler.inputs)
        values = {name: value for name, value in context.prior.items() if name not in known} | dict(inputs)
        conflict = self._keep_all(context, urn, id_, values)
        owners = self._owners(context, request, id_) if conflict else []
        if len(owners) == 1 and urn not in owners:
            # Before a replacement that deletes first, the engine compares the dependents under their URNs in the state.
            # One of them was this resource, whose former name is now an alias.
            conflict = self._keep_all(context, urn, id_, values, former=owners)
        return conflict

    def _claim(self, context: OperationContext[Any], urn: str, id_: str) -> None:
        if urn and (conflict := self._keep_all(context, urn, id_, context.inputs)):
            raise conflict

    def _keep_all(
        self,
        context: OperationContext[Any],
        urn: str,
        id_: str,
        inputs: Mapping[str, Any],
        former: Sequence[str] = (),
    ) -> ProgramError | None:
        """Record the resource as the owner of its object, and of those that it also holds."""
        conflict = None
        for kind, held_id in ((context.kind, id_), *self._handler.also_holds(id_, inputs)):
            if other := OWNERSHIP.keep(self._object_key(context, held_id)._replace(kind=kind), urn, former):
                conflict = conflict or _duplicate_owner(kind, held_id, other)
        return conflict

    def _provenance(
        self, context: OperationContext[Any], request: rpc_bridge.RequestContext, id_: str, name: str | None
    ) -> Provenance:
        known = state.read(request.project, request.stack)
        owners = self._owners(context, request, id_)
        if request.urn in owners:
            return Provenance.PREDECESSOR
        if owners:
            return Provenance.RENAMED
        interrupted = any(
            name in (None, each.get("name")) and _entry(each) == context.entry
            for each in known.interrupted(request.urn, context.inputs if context.verb == "create" else None)
        )
        return Provenance.INTERRUPTED if interrupted else Provenance.FOREIGN

    def _find_orphan(
        self, context: OperationContext[Any], request: rpc_bridge.RequestContext, desired: Any
    ) -> str | None:
        """Return the id of the object that an interrupted run created for this resource; None if there is none.

        Raises:
            ProgramError: An object carries this resource's owner marker, but the state does not confirm that an
                interrupted run created it.
        """
        known = state.read(request.project, request.stack)
        if known.interrupted(request.urn, context.inputs):
            self._handler.settle(context)
        for id_, name in self._handler.find_own_orphans(context, desired):
            provenance = context.provenance(id_, name)
            if provenance is Provenance.INTERRUPTED:
                return id_
            # An owner marker without a backend may belong to a stack of the same name in another backend.
            if provenance is Provenance.FOREIGN and context.backend and not known.retains(request.urn):
                if self._handler.settle(context):
                    return self._find_orphan(context, request, desired)  # it may be deleted already
                which = f"{name} ({id_})" if name else id_
                raise ProgramError(
                    f"{context.kind} {which} already exists: an earlier run created it for this resource, but the "
                    "state does not contain it (interrupted run or retain_on_delete); "
                    "`ecs-pulumi orphans` shows how to import it, or deletes it"
                )
        return None

    def _delete_failed_create(self, context: OperationContext[Any], urn: str, inputs: Mapping[str, Any]) -> None:
        """Delete what a failed create of this resource has left, if an error hook lets the engine repeat it."""
        if id_ := run.failed_create(urn):
            context.id = id_  # if this fails, the state keeps the object
            self._handler.delete(context, id_, inputs)
            run.failed_create_deleted(urn)
            context.clear_id()

    def _resume_create(self, context: OperationContext[Any], id_: str, desired: Any, inputs: Mapping[str, Any]) -> Any:
        """Finish the create that an interrupted run began, with the object that it left."""
        handler = self._handler
        context.notify(f"continuing with {id_}, which an interrupted run began to create")
        remote = handler.read(context, id_)
        if remote is None:
            return handler.create(context, desired)
        actual, _, replaced = self._compare_with_remote(context, remote, inputs)
        if replaced:
            raise ProgramError(
                f"an interrupted run created {id_}, and changing its {', '.join(replaced)} to the program's value "
                "requires a replacement; delete it with `ecs-pulumi orphans --delete`"
            )
        context.record_id(id_)
        return self._change(context, id_, desired, actual)

    def _change(self, context: OperationContext[Any], id_: str, desired: Any, prior: Mapping[str, Any]) -> Any:
        """Update the object; repeat that if it is refused because the object was read in an earlier state."""
        try:
            return self._handler.update(context, id_, desired, prior)
        except Exception as error:
            if not self._handler.settle(context, error):
                raise
        return self._handler.update(context, id_, desired, prior)

    def _ignored_from_remote(
        self, context: OperationContext[Any], inputs: Mapping[str, Any], paths: Sequence[str]
    ) -> dict[str, Any]:
        """Return the inputs with the values at `ignore_changes` paths set to the remote ones, so that none changes."""
        remote = self._handler.read(context, context.id)
        if remote is None:
            return dict(inputs)
        actual = {name: fields.to_plain(value) for name, value in self._handler.to_outputs(context, remote).items()}
        return self._restore_ignored(inputs, {**context.prior, **actual}, paths)

    def _compare(self, context: OperationContext[Any], request: rpc_bridge.RequestContext) -> DiffResult:
        handler, id_, new, prior = self._handler, context.id, context.inputs, context.prior
        # If the request carries no prior inputs, assume advisory inputs are unchanged.
        prior_inputs = new if request.old_inputs is None else _clean(request.old_inputs)
        changed = [
            name
            for name, field in fields.fields_of(handler.inputs).items()
            if name != "adopt"
            and new.get(name) is not None
            and not handler.is_equal(
                name, new[name], prior_inputs if field.has(fields.Advisory) and prior_inputs.get(name) else prior
            )
        ]
        prior_alternatives = [name for name in handler.alternatives if prior_inputs.get(name) is not None]
        changed += [
            name
            for name in handler.alternatives
            if prior_alternatives and name not in (*prior_alternatives, *changed) and new.get(name) is not None
        ]
        replaced = handler.requires_replacement(context, prior, new, changed)
        if run.ends_refresh(request.urn):
            paths = changed_paths(changed, prior, new)
            return rpc_bridge.difference(DiffResult(changes=bool(changed), replaces=replaced), paths)
        # A tainted object is deleted before its replacement is created: it may hold resources that this one needs.
        try:
            tainted = handler.tainted(context, id_, prior)
            if tainted:
                reason = handler.failure_reason(context, id_, prior)
                context.notify(Notice.NEVER_USABLE.with_code(f"replace: {reason}"))
            elif replaced:
                self._warn_about_data_loss(context, request.urn, "replacing", prior)
                if not handler.preflight_disabled(self._setting):
                    handler.preflight_replacement(context, new)
            elif changed and not handler.preflight_disabled(self._setting):
                handler.preflight_update(context, id_, new, changed)
        except Exception as error:  # noqa: BLE001
            tainted = []
            self._warn_or_fail(context, error)
        replaced += tainted
        if changed and not replaced:
            handler.report_plan(context, new, changed)
        # Also set for an update in place: `replace_on_changes` may turn any change into a replacement.
        deleted_first = bool(tainted) or (bool(changed) and handler.delete_before_replace(context, prior, new))
        run.compared(request.urn, replaced=bool(replaced), deleted_first=deleted_first)
        pending = None if changed or replaced else handler.pending_work(prior)
        if pending:
            context.notify(pending)
        if not replaced and (conflict := self._record_owner(context, request, id_, new)):
            self._fail(context, conflict)
        return rpc_bridge.difference(
            DiffResult(
                changes=bool(changed or replaced or pending),
                replaces=replaced,
                delete_before_replace=deleted_first,
            ),
            changed_paths(changed, prior, new),
        )

    def _restore_ignored(
        self, inputs: Mapping[str, Any], source: Mapping[str, Any], paths: Sequence[str]
    ) -> dict[str, Any]:
        known = fields.fields_of(self._handler.inputs)
        return ignored.restore(inputs, {name: source[name] for name in known if name in source}, paths)

    def _with_defaults(
        self,
        request: rpc_bridge.RequestContext,
        inputs: dict[str, Any],
        prior: Mapping[str, Any],
        invalid: Collection[str],
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the inputs with what settings add to them, and what that is."""
        handler = self._handler
        context = self._new_context("check", request, inputs)
        is_cloud_known = not fields.is_unknown(inputs.get("cloud"))
        try:
            values = handler.default_inputs(self._setting)
            if not (values or request.added):
                return inputs, {}
            merged = {
                name: defaults.merge(inputs.get(name), values.get(name), prior.get(name), request.added.get(name))
                for name, field in fields.fields_of(handler.inputs).items()
                if name in handler.default_settings and name not in invalid and field.has(fields.InPlace)
            }
            for name, (value, _) in list(merged.items()):
                # What the object has already, it can have.
                if value in (inputs.get(name), prior.get(name)) or not is_cloud_known:
                    continue
                if reason := handler.unsupported_input(context, name):
                    del merged[name]
                    setting = handler.default_settings[name]
                    rpc_bridge.warn_once(f"{setting} is not applied to resources of kind {handler.name}: {reason}")
        except Exception as error:  # noqa: BLE001  (any error is shown as one line)
            self._fail(context, error)
        added = {name: each for name, (_, each) in merged.items() if each}
        return inputs | {name: value for name, (value, _) in merged.items() if value is not None}, added

    def _default_name(
        self, prior: Mapping[str, Any], inputs: Mapping[str, Any], *, exists: bool, request: rpc_bridge.RequestContext
    ) -> str | None:
        if exists or inputs.get("adopt"):
            # An imported object keeps its name if the program sets none.
            return prior.get("name")
        encodes_owner = self._handler.encodes_owner_in_name and request.stack
        signed = signer(request.project, request.stack, state.backend_fingerprint()) if encodes_owner else ""
        return auto_name(request.resource or "ecs", request.random_seed, signed)

    def _outputs(self, context: OperationContext[Any], remote: Any, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs of a remote object for the state.

        An input whose remote value equals the known one keeps the form of the known one (desired or prior), and so does
        each item of a set: the known items keep their order, and the others follow. An input that the API does not
        return keeps its known value.
        """
        handler = self._handler
        returned = handler.to_outputs(context, remote) | context.recorded
        actual = fields.to_plain(returned)
        outs = {name: actual.get(name) for name in fields.fields_of(handler.outputs)}
        for name, field in fields.fields_of(handler.inputs).items():
            value = known.get(name)
            if name not in returned or field.has(fields.ProviderOnly) or field.has(fields.WriteOnly):
                outs[name] = actual.get(name) if value is None else value
            elif value is not None and handler.is_equal(name, value, actual):
                outs[name] = value
            elif field.has(fields.Set) and isinstance(value, list) and isinstance(actual.get(name), list):
                places = handler.match_set(name, value, actual)
                outs[name] = [item for item, place in zip(value, places, strict=True) if place is not None]
                outs[name] += [item for place, item in enumerate(actual[name]) if place not in places]
            else:
                outs[name] = actual.get(name)
        return outs

    def _inputs_from_outputs(self, inputs: Mapping[str, Any], outs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs with their values from the outputs, so that the next preview shows drift as changes.

        Advisory inputs keep their values, because another value in the outputs is not drift.
        """
        model = fields.fields_of(self._handler.inputs)
        advisory = {name: value for name, value in inputs.items() if name in model and model[name].has(fields.Advisory)}
        return {name: outs[name] for name in inputs if name in model and outs.get(name) is not None} | advisory

    def _adopt(self, context: OperationContext[Any], desired: Any, inputs: Mapping[str, Any]) -> Any:
        handler = self._handler
        remote = handler.read(context, desired.adopt)
        if remote is None:
            raise ProgramError(f"adopt: {_nothing_to_adopt(handler.name, desired.adopt)}")
        actual, changed, replaced = self._compare_with_remote(context, remote, inputs)
        if replaced:
            listed = "; ".join(
                f"`{name}` is {fields.format_value(actual.get(name))}, "
                f"the program sets {fields.format_value(inputs[name])}"
                for name in replaced
            )
            raise ProgramError(f"adopt: {desired.adopt} cannot be imported without replacing it: {listed}")
        context.record_id(desired.adopt)
        return self._change(context, desired.adopt, desired, actual) if changed else remote

    def _check_import(self, request: rpc_bridge.RequestContext, inputs: Mapping[str, Any]) -> list[fields.Problem]:
        """Return problems that prevent the import of an object, and show a notice of the changes that it makes."""
        handler = self._handler
        known = {name: value for name, value in inputs.items() if not fields.has_unknown(value)}
        if "adopt" not in known:
            return []
        context = self._new_context("check", request, known)
        remote = handler.read_cached(context, known["adopt"])
        if owners := self._owners(context, request, known["adopt"]):
            reason = (
                f"{known['adopt']} is already managed by {_describe_urn(owners[0])} of this stack; "
                "to rename a resource, set `aliases` in its options"
            )
            return [fields.Problem("adopt", reason)]
        if remote is None:
            return [fields.Problem("adopt", _nothing_to_adopt(handler.name, known["adopt"]))]
        actual, changed, replaced = self._compare_with_remote(context, remote, known)
        if replaced:
            return [
                fields.Problem(
                    name,
                    f"it is {fields.format_value(actual.get(name))} in {known['adopt']}, "
                    "which would have to be replaced",
                )
                for name in replaced
            ]
        report_import(request.urn, handler.name, request.resource, known["adopt"])
        if changed:
            context.notify(Notice.IMPORT.with_code(f"importing {known['adopt']} changes it", changed))
            context.prior = actual
            handler.preflight_update(context, known["adopt"], inputs, changed)
            handler.report_plan(context, inputs, changed)
        # As in every other check, an input that the program does not set has no prior value.
        given = {name: inputs.get(name) for name in fields.fields_of(handler.inputs) if name not in changed}
        return list(handler.preflight(context, fields.CheckInputs(inputs, {**actual, **given})))

    def _compare_with_remote(
        self, context: OperationContext[Any], remote: Any, inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[str], list[str]]:
        """Compare the desired inputs with an existing object.

        Returns:
            The object's outputs, the inputs that would change, and those of them that require a replacement.
        """
        handler = self._handler
        actual, returned = self._outputs(context, remote, {}), handler.to_outputs(context, remote)
        model = fields.fields_of(handler.inputs)
        changed = [
            name
            for name, value in inputs.items()
            if name in returned
            and not model[name].has(fields.ProviderOnly)
            and not model[name].has(fields.WriteOnly)
            and not handler.is_equal(name, value, actual)
        ]
        changed += [name for name in handler.ownership_updates(context, remote) if name not in changed]
        return actual, changed, handler.requires_replacement(context, actual, inputs, changed)

    def _keep_or_undo(
        self,
        context: OperationContext[Any],
        error: Exception,
        inputs: Mapping[str, Any],
        *,
        undo: bool,
        prior: Mapping[str, Any] | None = None,
    ) -> NoReturn:
        """Fail the request without leaving an orphan.

        The object is stored in the state. If the bridge is missing, a created object is deleted again; if that fails,
        the error names its id.
        """
        reason = self._error_line(context, error)
        if not context.id:
            rpc_bridge.fail(reason)
        if rpc_bridge.can_keep_state():
            if undo:
                run.create_failed(rpc_bridge.current_request().urn, context.id)
            outs = self._outputs_after_failure(context, inputs, prior)
            rpc_bridge.fail_with_state(context.id, outs, self._inputs_from_outputs(inputs, outs), [reason])
        if not undo:
            rpc_bridge.fail(reason)
        try:
            self._handler.delete(context, context.id, inputs)
        except Exception as delete_error:  # noqa: BLE001
            rpc_bridge.fail(
                f"{reason} The object {context.id} was created and could not be deleted again "
                f'({self._format_error(delete_error)}): import it with adopt="{context.id}".'
            )
        rpc_bridge.fail(f"{reason} The created object was deleted again.")

    def _preflight(
        self,
        request: rpc_bridge.RequestContext,
        inputs: Mapping[str, Any],
        prior: Mapping[str, Any],
        checked: fields.CheckInputs,
        added: Mapping[str, Any],
    ) -> list[fields.Problem]:
        """Check the inputs against the cloud; warn if that is disabled or not possible."""
        if fields.is_unknown(inputs.get("cloud")):
            return []
        context = self._new_context("check", request, inputs)
        context.added = added
        is_import = inputs.get("adopt") and not prior
        try:
            if not (warning := self._handler.preflight_disabled(self._setting)):
                problems = list(
                    self._check_import(request, inputs) if is_import else self._handler.preflight(context, checked)
                )
                is_new = not (prior or checked.is_replacement or inputs.get("adopt") or fields.has_unknown(inputs))
                if problems and is_new:
                    problems = self._problems_unless_orphan(context, request, inputs, problems)
                return [replace(each, reason=f"{each.reason}{_in_cloud(context, each.reason)}") for each in problems]
            rpc_bridge.warn_once(warning)
        except Exception as error:  # noqa: BLE001  (any error is shown as one line)
            self._warn_or_fail(context, error)
        if is_import:
            report_import(request.urn, context.kind, request.resource, inputs["adopt"])
        return []

    def _problems_unless_orphan(
        self,
        context: OperationContext[Any],
        request: rpc_bridge.RequestContext,
        inputs: Mapping[str, Any],
        problems: list[fields.Problem],
    ) -> list[fields.Problem]:
        """Return the preflight problems of a new resource, unless an interrupted run already created its object.

        That object may be the cause of the problems (quota, an address in use), and the create continues with it.
        """
        try:
            orphan = self._find_orphan(context, request, self._handler.inputs.model_validate(inputs))
        except ProgramError as error:
            return [fields.Problem("", str(error))]
        if orphan is None:
            return problems
        for problem in problems:
            context.warn(f"{_with_property(problem)}; an interrupted run already created this resource")
        return []

    def _outputs_after_failure(
        self, context: OperationContext[Any], inputs: Mapping[str, Any], prior: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        try:
            remote = self._handler.read(context, context.id)
            if remote is not None:
                known = inputs if prior is None else self._without_unconfirmed(inputs, {**prior, **context.recorded})
                return self._outputs(context, remote, known)
        except Exception as error:  # noqa: BLE001  (the user is shown the first error)
            context.report_status(f"could not read it back: {self._format_error(error)}")
        return {**(prior or inputs), **context.recorded}

    def _without_unconfirmed(self, inputs: Mapping[str, Any], prior: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs of a failed update with the prior values of write-only fields.

        The API does not return these fields, so the provider cannot confirm that the update changed them. With the
        prior values in the state, the next update sends them again.
        """
        model = fields.fields_of(self._handler.inputs)
        return {name: prior.get(name) if model[name].has(fields.WriteOnly) else value for name, value in inputs.items()}

    def _warn_about_data_loss(
        self, context: OperationContext[Any], urn: str, doing: str, prior: Mapping[str, Any]
    ) -> None:
        """Warn about the data that are deleted with the object, once per run.

        A replacement calls this twice: in the diff and in the delete.
        """
        lost = [] if urn in _reported_losses else self._handler.data_loss(context, prior)
        if lost:
            _reported_losses.add(urn)
            context.warn(Notice.DATA_LOSS.with_code(f"{doing} {context.resource} deletes {' and '.join(lost)}"))

    def _warn_or_fail(self, context: OperationContext[Any], error: Exception) -> None:
        warning = self._handler.preview_warning(error)
        if warning is None:
            self._fail(context, error)
        rpc_bridge.warn_once(warning)

    def _fail(self, context: OperationContext[Any], error: Exception) -> NoReturn:
        rpc_bridge.fail(self._error_line(context, error))

    def _error_line(self, context: OperationContext[Any], error: Exception) -> str:
        name, message = context.resource or context.inputs.get("name") or context.id, self._format_error(error)
        # An entry of clouds.yaml is read on every run.
        if not (run.has_program() or context.entry) and (hint := self._handler.stored_settings_hint(error)):
            message = f"{message} {hint}"
        which = f" ({context.id})" if context.id and context.id not in f"{name} {message}" else ""
        which += _in_cloud(context, message)
        message += defaults.cause(self._handler, message, context.added)
        return fields.printable(" ".join(f"{context.verb} {context.kind} {name}{which}: {message}".split()))

    def _format_error(self, error: Exception) -> str:
        if isinstance(error, ProgramError):
            return str(error)
        message = self._handler.format_error(error)
        if message is not None:
            return message
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        return f"internal error in ecs_pulumi, please report it: {type(error).__name__} at {place}"


_existing: set[str] = set()
"""URNs of the resources that have been checked with prior inputs in this run."""
_reported_losses: set[str] = set()
"""URNs of the resources whose data loss has been reported in this run."""


def _is_replacement(urn: str, prior: Mapping[str, Any]) -> bool:
    """Whether this check is for a replacement: the engine checks a resource again, without its prior inputs."""
    if prior and urn:
        _existing.add(urn)
    return not prior and urn in _existing


def _nothing_to_adopt(kind: str, id_: str) -> str:
    """Return that there is no object to import, and what to do if somebody deleted it."""
    return f"there is no {kind} {id_} in this project and region; remove `adopt` to create a new one"


def _entry(values: Mapping[str, Any]) -> str | None:
    """Return the entry of clouds.yaml in inputs or outputs; None for the cloud of the stack, and if it is unknown."""
    cloud = values.get("cloud")
    return cloud if isinstance(cloud, str) and cloud else None


def _in_cloud(context: OperationContext[Any], message: str) -> str:
    """Return where a message applies, if the resource is in another cloud than the stack's; empty otherwise."""
    return f" (cloud {context.entry!r})" if context.entry and f"{context.entry!r}" not in message else ""


def _duplicate_owner(kind: str, id_: str, other: str) -> ProgramError:
    return ProgramError(f"{kind} {id_} is managed by {_describe_urn(other)} of this program; remove one of the two")


def _describe_urn(urn: str) -> str:
    """Return kind and name of a resource, for a message."""
    *_, type_, name = urn.split("::", 3)
    return f"{type_.rpartition(':')[2]} {name}"


class ProgramError(Exception):
    """The provider cannot do what the program asks for. The message is for the author of the program."""


def _clean(props: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: fields.to_plain(value) for name, value in props.items() if not name.startswith("__") and value is not None
    }


def _check_failure(
    handler: ResourceHandler[Any, Any, Any], problem: fields.Problem, inputs: Mapping[str, Any]
) -> CheckFailure:
    problem = replace(problem, reason=fields.printable(problem.reason))
    field = fields.fields_of(handler.inputs).get(problem.property)
    value = inputs.get(problem.property)
    is_secret = problem.hides_value or (field is not None and field.has(fields.Secret))
    is_long = isinstance(value, str) and not (len(value) <= fields.MAX_VALUE_LENGTH and value.isprintable())
    if field is not None and (is_secret or is_long or isinstance(value, (list, dict)) or fields.has_unknown(value)):
        # The engine prints the value of the property that a failure names: in clear, in full length, and as
        # "output<string>{}" if it is unknown. Therefore the failure names no property here.
        return CheckFailure("", _with_property(problem))
    return CheckFailure(problem.property, problem.reason)


def _with_property(problem: fields.Problem) -> str:
    """Format a problem with its property or its place in the property, for example `networks[0]`."""
    return f"{problem.property}{'' if problem.reason.startswith('[') else ': '}{problem.reason}"


def _grow_only_problems(handler: ResourceHandler[Any, Any, Any], checked: fields.CheckInputs) -> list[fields.Problem]:
    problems = []
    for name, field in fields.fields_of(handler.inputs).items():
        prior, desired = checked.prior.get(name), checked.known(name)
        if field.has(fields.GrowOnly) and isinstance(prior, int) and isinstance(desired, int) and desired < prior:
            reason = f"can only grow: it is {prior} and the program sets {desired}"
            problems.append(fields.Problem(name, reason))
    return problems
