"""The one dynamic provider: check and diff from the facts on the fields, everything else from the kind.

Every state file names this class and a kind's name (`tests/rpc_bridge` pins the pickle), so neither this module
nor the class may move, and the instance carries nothing but that name.
"""

from __future__ import annotations

import traceback
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

from ecs_pulumi.dynamic import fields, ignored, kind, rpc_bridge, run, state
from ecs_pulumi.dynamic.kind import Provenance
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.dynamic.status import StatusLine
from ecs_pulumi.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WORKERS = 64
"""Operations at a time in one provider process; `--parallel` decides how many of them the engine uses."""


class Provider(ResourceProvider):
    """Serves one kind of resource to Pulumi's engine."""

    serialize_as_secret_always = False

    def __init__(self, kind_name: str) -> None:
        super().__init__()
        self.kind_name = kind_name

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the settings of this run. Nothing can fail here: a failure is told where a resource asks."""
        rpc_bridge.set_max_workers(WORKERS)
        rpc_bridge.suppress_shutdown_traceback()
        rpc_bridge.end_with_engine()
        self._config = req.config.get
        for warning in self._kind.setting_warnings(rpc_bridge.setting_names(req.config)):
            rpc_bridge.warn_once(warning)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Normalise the inputs and say what is wrong with them, as far as they are known."""
        this, call = self._kind, rpc_bridge.current_request()
        run.compared(call.urn)
        prior, asked = _clean(_olds), _clean(news)
        successor = _is_replacement(call.urn, prior) or (
            # A forced replacement is checked without the old inputs from the start.
            bool(asked.get("adopt")) and not prior and state.read(call.project, call.stack).has(call.urn)
        )
        if successor:
            # What takes the place of an object that was taken over is a new one.
            asked.pop("adopt", None)
        if "name" in fields.fields_of(this.inputs) and asked.get("name") is None:
            asked["name"] = self._name(prior, asked, exists=bool(_olds), call=call)
        inputs, problems = fields.validate(this.inputs, asked)
        wrong = {problem.property for problem in problems}
        # What is wrong says as little to the rules as what is not known yet.
        checked = fields.CheckInputs(inputs | dict.fromkeys(wrong, UNKNOWN), prior, is_replacement=successor)
        problems += this.validate(checked)
        problems += _shrunk(this, checked)
        if not problems and inputs != prior:
            problems += self._preflight(call, inputs, prior, checked)
        return CheckResult(inputs, [_failure(this, problem, inputs) for problem in problems])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare what the state holds with what the program says."""
        this, call = self._kind, rpc_bridge.current_request()
        prior, new = _clean(_olds), _clean(_news)
        new = self._ignoring(new, prior, call.ignore_changes)
        # Where the old inputs are not told, a wish counts as fulfilled.
        said = new if call.old_inputs is None else _clean(call.old_inputs)
        changed = [
            name
            for name, field in fields.fields_of(this.inputs).items()
            if name != "adopt"
            and new.get(name) is not None
            and not this.is_equal(name, new[name], said if field.has(fields.Advisory) and said.get(name) else prior)
        ]
        had = [name for name in this.alternatives if said.get(name) is not None]
        changed += [
            name for name in this.alternatives if had and name not in (*had, *changed) and new.get(name) is not None
        ]
        replaced = this.requires_replacement(prior, new, changed)
        context = self._begin("diff", call, new, _id, prior)
        # What never came to life goes first: it may hold what its successor needs.
        try:
            unwell = this.tainted(context, _id, prior)
            if unwell:
                context.notify(f"replace: {this.failure_reason(context, _id, prior)}")
            elif replaced:
                self._report_loss(context, call.urn, "replacing", prior)
            elif changed and self._is_preflight_on:
                this.preflight_update(context, _id, new, changed)
        except Exception as error:  # noqa: BLE001
            unwell = []
            self._warn_or_fail(context, error)
        replaced += [name for name in unwell if name not in replaced]
        run.compared(call.urn, replaced=bool(replaced))
        owed = None if changed or replaced else this.pending_work(prior)
        if owed:
            context.notify(owed)
        if not replaced and (other := self._keep(context, call.urn, _id, new)):
            self._fail(context, _twice(context, _id, other))
        return rpc_bridge.difference(
            DiffResult(
                changes=bool(changed or replaced or owed),
                replaces=replaced,
                # Also without a replacement of ours: `replace_on_changes` may make one of any change.
                delete_before_replace=bool(unwell)
                or (bool(changed) and this.delete_before_replace(call.resource, prior, new)),
            ),
            changed,
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the object, or take over the one that `adopt` names."""
        this, call, asked = self._kind, rpc_bridge.current_request(), _clean(props)
        context = self._begin("create", call, asked)
        desired = this.inputs.model_validate(asked)
        try:
            if desired.adopt:
                remote = self._adopt(context, desired, asked)
            elif leftover := self._leftover(context, call, desired):
                remote = self._resume(context, leftover, desired, asked)
            else:
                remote = this.create(context, desired)
            result = CreateResult(context.id, self._outputs(context, remote, asked))
        except Exception as error:  # noqa: BLE001  (whatever it is, the object must not be lost)
            self._keep_or_undo(context, error, asked, undo=not desired.adopt)
        context.report_status("")
        return result

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Read the object for a refresh or a `get`; one that is gone has an empty id."""
        this, call, known = self._kind, rpc_bridge.current_request(), _clean(props)
        if not call.has_state:
            run.program_seen()
        context = self._begin("read", call, known, id_, known)
        try:
            remote = this.read_cached(context, id_)
            if remote is None:
                return ReadResult("", {})
            outs = self._outputs(context, remote, known)
        except Exception as error:  # noqa: BLE001
            self._fail(context, error)
        inputs = self._following(_clean(call.old_inputs or {}), outs)
        return ReadResult(id_, outs, inputs or None)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Bring the live object to what the program says."""
        this, call, asked = self._kind, rpc_bridge.current_request(), _clean(_news)
        prior = _clean(_olds)
        context = self._begin("update", call, asked, _id, prior)
        try:
            if call.ignore_changes:
                asked = self._without_ignored(context, asked, call.ignore_changes)
                context.inputs = asked
            remote = this.update(context, _id, this.inputs.model_validate(asked), prior)
            result = UpdateResult(self._outputs(context, remote, asked))
        except Exception as error:  # noqa: BLE001
            self._keep_or_undo(context, error, asked, undo=False, prior=prior)
        context.report_status("")
        return result

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the object; one that is gone already is a success."""
        this, call, prior = self._kind, rpc_bridge.current_request(), _clean(_props)
        context = self._begin("delete", call, prior, _id, prior)
        key = self._key(context, _id) if call.urn and prior.get("region") else None
        if key and (successor := OWNERSHIP.other_owner(key, call.urn)):
            context.notify(f"not deleted: {this.name} {_id} belongs to {_resource_of(successor)} now")
            return
        if run.has_program():
            # `pulumi destroy` runs no program, and lists by itself everything that goes.
            self._report_loss(context, call.urn, "deleting", prior)
        try:
            this.delete(context, _id, prior)
        except Exception as error:  # noqa: BLE001
            self._fail(context, error)
        if key:
            OWNERSHIP.release(key, call.urn)
        context.report_status("")

    @property
    def _kind(self) -> kind.ResourceHandler[Any, Any, Any]:
        return kind.get_handler(self.kind_name)

    @property
    def _is_preflight_on(self) -> bool:
        return self._kind.preflight_enabled(self._get)

    def _get(self, key: str) -> str | None:
        read: Callable[[str], Any] | None = self.__dict__.get("_config")
        value = read(key) if read else None
        return None if value is None else str(value)

    def _begin(
        self,
        verb: str,
        call: rpc_bridge.RequestContext,
        inputs: Mapping[str, Any],
        id_: str = "",
        prior: Mapping[str, Any] | None = None,
    ) -> kind.OperationContext[Any]:
        this = self._kind
        timeout = call.timeout or this.timeout
        region = (prior or {}).get("region") or inputs.get("region")
        context: kind.OperationContext[Any] = kind.OperationContext(
            verb=verb,
            kind=this.name,
            resource=call.resource,
            connect=lambda: this.connect(self._get, region if isinstance(region, str) else None, timeout),
            timeout=timeout,
            report_status=StatusLine(call.urn),
            notify=lambda line: rpc_bridge.log(call.urn, line),
            warn=lambda line: rpc_bridge.log(call.urn, line, severity="warning"),
            stack=call.stack,
            project=call.project,
            backend=state.backend_fingerprint(),
            inputs=inputs,
            prior=prior or {},
        )
        context.id = id_
        context.claim = lambda id_: self._claim(context, call.urn, id_)
        context.provenance = lambda id_, name: self._provenance(context, call, id_, name)
        return context

    def _key(self, context: kind.OperationContext[Any], id_: str) -> ObjectKey:
        region = context.prior.get("region")
        return ObjectKey(self._kind.name, region if isinstance(region, str) else self._kind.scope(context), id_)

    def _keep(self, context: kind.OperationContext[Any], urn: str, id_: str, inputs: Mapping[str, Any]) -> str | None:
        """Enter that a resource has an object in this run; the URN of another one that has it as well."""
        if not (urn and isinstance(context.prior.get("region"), str)):
            return None
        for kind_, other_id in self._kind.also_holds(id_, inputs):
            OWNERSHIP.keep(self._key(context, other_id)._replace(kind=kind_), urn)
        return OWNERSHIP.keep(self._key(context, id_), urn)

    def _claim(self, context: kind.OperationContext[Any], urn: str, id_: str) -> None:
        if not urn:
            return
        if other := OWNERSHIP.keep(self._key(context, id_), urn):
            raise _twice(context, id_, other)
        for kind_, other_id in self._kind.also_holds(id_, context.inputs):
            OWNERSHIP.keep(self._key(context, other_id)._replace(kind=kind_), urn)

    def _provenance(
        self, context: kind.OperationContext[Any], call: rpc_bridge.RequestContext, id_: str, name: str | None
    ) -> Provenance:
        known = state.read(call.project, call.stack)
        owners = known.owners.get(self._key(context, id_), ())
        if call.urn in owners:
            return Provenance.PREDECESSOR
        if owners:
            return Provenance.RENAMED
        begun = known.interrupted(call.urn, context.inputs if context.verb == "create" else None)
        return Provenance.INTERRUPTED if any(name in (None, each.get("name")) for each in begun) else Provenance.FOREIGN

    def _leftover(
        self, context: kind.OperationContext[Any], call: rpc_bridge.RequestContext, desired: Any
    ) -> str | None:
        """The id of what a killed run left of this resource.

        Raises:
            ProgramError: an object says that it is this resource's, and the state does not prove it.
        """
        for id_, name in self._kind.find_own_orphans(context, desired):
            provenance = context.provenance(id_, name)
            if provenance is Provenance.INTERRUPTED:
                return id_
            # Without the backend in its marker it may belong to a stack of the same name elsewhere.
            if (
                provenance is Provenance.FOREIGN
                and context.backend
                and not state.read(call.project, call.stack).retains(call.urn)
            ):
                which = f"{name} ({id_})" if name else id_
                raise ProgramError(
                    f"{context.kind} {which} exists, which an earlier run created for this resource: the state has "
                    "lost it, or retain_on_delete kept it; `python -m ecs_pulumi.orphans` shows how to import it, "
                    "or deletes it"
                )
        return None

    def _resume(self, context: kind.OperationContext[Any], id_: str, desired: Any, asked: Mapping[str, Any]) -> Any:
        """Finish what a killed run began to create."""
        this = self._kind
        context.notify(f"continuing with {id_}, which an interrupted run began to create")
        remote = this.read(context, id_)
        if remote is None:
            return this.create(context, desired)
        found, _, refused = self._differing(context, remote, asked)
        if refused:
            raise ProgramError(
                f"an interrupted run created {id_}, which cannot get the {', '.join(refused)} of the program without "
                "being replaced: `python -m ecs_pulumi.orphans --delete` deletes it"
            )
        context.record_id(id_)
        return this.update(context, id_, desired, found)

    def _without_ignored(
        self, context: kind.OperationContext[Any], asked: Mapping[str, Any], paths: Sequence[str]
    ) -> dict[str, Any]:
        """The inputs with what `ignore_changes` names as the remote object has it: an update leaves it alone."""
        remote = self._kind.read(context, context.id)
        if remote is None:
            return dict(asked)
        observed = {name: fields.to_plain(value) for name, value in self._kind.to_outputs(context, remote).items()}
        return self._ignoring(asked, {**context.prior, **observed}, paths)

    def _ignoring(self, inputs: Mapping[str, Any], source: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
        known = fields.fields_of(self._kind.inputs)
        return ignored.restore(inputs, {name: source[name] for name in known if name in source}, paths)

    def _name(
        self, prior: Mapping[str, Any], asked: Mapping[str, Any], *, exists: bool, call: rpc_bridge.RequestContext
    ) -> str | None:
        if exists or asked.get("adopt"):
            # An object that was taken over without a name in the program keeps the one it has.
            return prior.get("name")
        signs = self._kind.encodes_owner_in_name and call.stack
        signer = kind.signer(call.project, call.stack, state.backend_fingerprint()) if signs else ""
        return kind.auto_name(call.resource or "ecs", call.random_seed, signer)

    def _outputs(self, context: kind.OperationContext[Any], remote: Any, known: Mapping[str, Any]) -> dict[str, Any]:
        """What goes into the state: observed values, in the program's own words where these still hold."""
        this = self._kind
        told = this.to_outputs(context, remote)
        observed = fields.to_plain(told)
        outs = {name: observed.get(name) for name in fields.fields_of(this.outputs)}
        for name, field in fields.fields_of(this.inputs).items():
            said = known.get(name)
            if name not in told or field.has(fields.ProviderOnly) or field.has(fields.WriteOnly):
                outs[name] = observed.get(name) if said is None else said
            elif said is not None and this.is_equal(name, said, observed):
                outs[name] = said
            else:
                outs[name] = observed.get(name)
        return outs

    def _following(self, inputs: Mapping[str, Any], outs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs as the object fulfils them, so that the next preview shows what differs as their change."""
        facts = fields.fields_of(self._kind.inputs)
        wishes = {name: value for name, value in inputs.items() if name in facts and facts[name].has(fields.Advisory)}
        return {name: outs[name] for name in inputs if name in facts and outs.get(name) is not None} | wishes

    def _adopt(self, context: kind.OperationContext[Any], desired: Any, asked: Mapping[str, Any]) -> Any:
        this = self._kind
        remote = this.read(context, desired.adopt)
        if remote is None:
            raise ProgramError(f"adopt: there is no {this.name} {desired.adopt} in this project and region")
        found, changed, refused = self._differing(context, remote, asked)
        if refused:
            listed = "; ".join(f"`{name}` is {found.get(name)!r}, the program says {asked[name]!r}" for name in refused)
            raise ProgramError(
                f"adopt: {desired.adopt} cannot become what the program says without being replaced: {listed}"
            )
        context.record_id(desired.adopt)
        return this.update(context, desired.adopt, desired, found) if changed else remote

    def _takeover(self, call: rpc_bridge.RequestContext, inputs: Mapping[str, Any]) -> list[fields.Problem]:
        """What keeps an object from being taken over; what will be changed in it is said."""
        this = self._kind
        known = {name: value for name, value in inputs.items() if not fields.has_unknown(value)}
        if "adopt" not in known:
            return []
        context = self._begin("check", call, known)
        remote = this.read_cached(context, known["adopt"])
        owners = state.read(call.project, call.stack).owners.get(self._key(context, known["adopt"]), ())
        if owners:
            reason = (
                f"{known['adopt']} is managed by {_resource_of(owners[0])} of this stack already; "
                "a renamed resource keeps its object with `aliases` in its options"
            )
            return [fields.Problem("adopt", reason)]
        if remote is None:
            return [fields.Problem("adopt", f"there is no {this.name} {known['adopt']} in this project and region")]
        found, changed, refused = self._differing(context, remote, known)
        if refused:
            return [
                fields.Problem(name, f"{known['adopt']} has {found.get(name)!r} and would have to be replaced")
                for name in refused
            ]
        if changed:
            context.notify(Notice.IMPORT.mark(f"importing {known['adopt']} changes it", changed))
            context.prior = found
            this.preflight_update(context, known["adopt"], inputs, changed)
        unchanged = {name: value for name, value in inputs.items() if name not in changed}
        return list(this.preflight(context, fields.CheckInputs(inputs, {**found, **unchanged})))

    def _differing(
        self, context: kind.OperationContext[Any], remote: Any, asked: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[str], list[str]]:
        """The outputs of an object to take over, the inputs that it does not fulfil, and those that replace it."""
        this = self._kind
        found, told = self._outputs(context, remote, {}), this.to_outputs(context, remote)
        facts = fields.fields_of(this.inputs)
        changed = [
            name
            for name, value in asked.items()
            if name in told
            and not facts[name].has(fields.ProviderOnly)
            and not facts[name].has(fields.WriteOnly)
            and not this.is_equal(name, value, found)
        ]
        changed += [name for name in this.ownership_updates(context, remote) if name not in changed]
        return found, changed, this.requires_replacement(found, asked, changed)

    def _keep_or_undo(
        self,
        context: kind.OperationContext[Any],
        error: Exception,
        asked: Mapping[str, Any],
        *,
        undo: bool,
        prior: Mapping[str, Any] | None = None,
    ) -> NoReturn:
        """Fail without losing the object: keep it in the state, or else delete it again, or else name it."""
        reason = self._line(context, error)
        if not context.id:
            rpc_bridge.fail(reason)
        if rpc_bridge.can_keep_state():
            outs = self._as_it_stands(context, asked, prior)
            rpc_bridge.fail_with_state(context.id, outs, self._following(asked, outs), [reason])
        if not undo:
            rpc_bridge.fail(reason)
        try:
            self._kind.delete(context, context.id, asked)
        except Exception as again:  # noqa: BLE001
            rpc_bridge.fail(
                f"{reason} It exists as {context.id} and could not be deleted again ({self._words(again)}): "
                f'take it over with adopt="{context.id}".'
            )
        rpc_bridge.fail(f"{reason} What was created has been deleted again.")

    def _preflight(
        self,
        call: rpc_bridge.RequestContext,
        inputs: Mapping[str, Any],
        prior: Mapping[str, Any],
        checked: fields.CheckInputs,
    ) -> list[fields.Problem]:
        """What the cloud says to the inputs, or a warning that it was not asked."""
        context = self._begin("check", call, inputs)
        try:
            if not self._is_preflight_on:
                rpc_bridge.warn_once(
                    Notice.NOT_CHECKED.mark("Nothing was checked against the cloud: ecs:preflight is false")
                )
                return []
            taken_over = inputs.get("adopt") and not prior
            problems = list(self._takeover(call, inputs) if taken_over else self._kind.preflight(context, checked))
            is_new = not (prior or checked.is_replacement or inputs.get("adopt") or fields.has_unknown(inputs))
            return self._unless_leftover(context, call, inputs, problems) if problems and is_new else problems
        except Exception as error:  # noqa: BLE001  (whatever it is, the user gets one line)
            self._warn_or_fail(context, error)
            return []

    def _unless_leftover(
        self,
        context: kind.OperationContext[Any],
        call: rpc_bridge.RequestContext,
        inputs: Mapping[str, Any],
        problems: list[fields.Problem],
    ) -> list[fields.Problem]:
        """What the cloud says to a new resource; what a killed run left of it may be all that is in its way."""
        try:
            leftover = self._leftover(context, call, self._kind.inputs.model_validate(inputs))
        except ProgramError as refusal:
            return [fields.Problem("", str(refusal))]
        if leftover is None:
            return problems
        # The create continues with it.
        for problem in problems:
            context.warn(f"{problem.property}: {problem.reason}; an interrupted run has begun to create this one")
        return []

    def _as_it_stands(
        self, context: kind.OperationContext[Any], asked: Mapping[str, Any], prior: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        try:
            remote = self._kind.read(context, context.id)
            if remote is not None:
                return self._outputs(context, remote, asked if prior is None else self._as_far_as_told(asked, prior))
        except Exception as error:  # noqa: BLE001  (the first error is the one to tell)
            context.report_status(f"could not read it back: {self._words(error)}")
        remembered = {name: context.memo[name] for name in fields.fields_of(self._kind.outputs) if name in context.memo}
        return {**(prior or asked), **remembered}

    def _as_far_as_told(self, asked: Mapping[str, Any], prior: Mapping[str, Any]) -> dict[str, Any]:
        """What a failed update was asked for, but for what nobody can tell: that it has to do again."""
        facts = fields.fields_of(self._kind.inputs)
        return {name: prior.get(name) if facts[name].has(fields.WriteOnly) else value for name, value in asked.items()}

    def _report_loss(self, context: kind.OperationContext[Any], urn: str, doing: str, prior: Mapping[str, Any]) -> None:
        """Warn of the data that go with the object, once in a run: a replacement is a comparison and a deletion."""
        lost = [] if urn in _reported_losses else self._kind.data_loss(context, prior)
        if lost:
            _reported_losses.add(urn)
            context.warn(Notice.DATA_LOSS.mark(f"{doing} {context.resource} deletes {' and '.join(lost)}"))

    def _warn_or_fail(self, context: kind.OperationContext[Any], error: Exception) -> None:
        warning = self._kind.preview_warning(error)
        if warning is None:
            self._fail(context, error)
        rpc_bridge.warn_once(warning)

    def _fail(self, context: kind.OperationContext[Any], error: Exception) -> NoReturn:
        rpc_bridge.fail(self._line(context, error))

    def _line(self, context: kind.OperationContext[Any], error: Exception) -> str:
        name, said = context.resource or context.inputs.get("name") or context.id, self._words(error)
        if not run.has_program() and (hint := self._kind.stored_settings_hint(error)):
            said = f"{said} {hint}"
        which = f" ({context.id})" if context.id and context.id not in f"{name} {said}" else ""
        return " ".join(f"{context.verb} {context.kind} {name}{which}: {said}".split())

    def _words(self, error: Exception) -> str:
        if isinstance(error, ProgramError):
            return str(error)
        said = self._kind.format_error(error)
        if said is not None:
            return said
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        return f"a defect of ecs_pulumi, please report it: {type(error).__name__} at {place}"


_existing: set[str] = set()
_reported_losses: set[str] = set()
"""The resources whose loss of data has been reported in this run."""


def _is_replacement(urn: str, prior: Mapping[str, Any]) -> bool:
    """Whether this check is for the successor of a resource: the engine asks a second time, without the old inputs."""
    if prior and urn:
        _existing.add(urn)
    return not prior and urn in _existing


def _twice(context: kind.OperationContext[Any], id_: str, other: str) -> ProgramError:
    return ProgramError(
        f"{context.kind} {id_} is managed by {_resource_of(other)} of this program; remove one of the two"
    )


def _resource_of(urn: str) -> str:
    """Kind and name of a resource, for a message."""
    *_, type_, name = urn.split("::", 3)
    return f"{type_.rpartition(':')[2]} {name}"


class ProgramError(Exception):
    """What the program asks cannot be done, in words for its author."""


def _clean(props: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: fields.to_plain(value) for name, value in props.items() if not name.startswith("__") and value is not None
    }


def _failure(
    this: kind.ResourceHandler[Any, Any, Any], problem: fields.Problem, inputs: Mapping[str, Any]
) -> CheckFailure:
    field = fields.fields_of(this.inputs).get(problem.property)
    value = inputs.get(problem.property)
    is_secret = problem.hides_value or (field is not None and field.has(fields.Secret))
    if field is not None and (is_secret or isinstance(value, (list, dict)) or fields.has_unknown(value)):
        # The engine shows the value of the property that a failure names: in clear, however long it is, and as
        # "output<string>{}" where it is not known.
        between = "" if problem.reason.startswith("[") else ": "
        return CheckFailure("", f"{problem.property}{between}{problem.reason}")
    return CheckFailure(problem.property, problem.reason)


def _shrunk(this: kind.ResourceHandler[Any, Any, Any], checked: fields.CheckInputs) -> list[fields.Problem]:
    problems = []
    for name, field in fields.fields_of(this.inputs).items():
        before, now = checked.prior.get(name), checked.known(name)
        if field.has(fields.GrowOnly) and isinstance(before, int) and isinstance(now, int) and now < before:
            reason = f"can only grow: it is {before} and the program says {now}"
            problems.append(fields.Problem(name, reason))
    return problems
