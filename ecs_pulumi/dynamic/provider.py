"""The one dynamic provider: check and diff from the facts on the fields, everything else from the kind.

Every state file names this class and a kind's name (`tests/host` pins the pickle), so neither this module
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

from ecs_pulumi.dynamic import fields, host, ignored, kind, run, state
from ecs_pulumi.dynamic.kind import Provenance
from ecs_pulumi.dynamic.ownership import OWNERSHIP, ObjectKey
from ecs_pulumi.dynamic.status import StatusLine

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
        host.widen_workers(WORKERS)
        host.end_quietly()
        host.end_with_engine()
        self._config = req.config.get
        for warning in self._kind.setting_warnings(host.setting_names(req.config)):
            host.warn_once(warning)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Normalise the inputs and say what is wrong with them, as far as they are known."""
        this, call = self._kind, host.current()
        run.compared(call.urn)
        olds, asked = _clean(_olds), _clean(news)
        successor = _is_replacement(call.urn, olds) or (
            # A forced replacement is checked without the old inputs from the start.
            bool(asked.get("adopt")) and not olds and state.read(call.project, call.stack).has(call.urn)
        )
        if successor:
            # What takes the place of an object that was taken over is a new one.
            asked.pop("adopt", None)
        if "name" in fields.facts(this.inputs) and asked.get("name") is None:
            asked["name"] = self._name(olds, asked, exists=bool(_olds), call=call)
        inputs, problems = fields.validate(this.inputs, asked)
        wrong = {problem.property for problem in problems}
        # What is wrong says as little to the rules as what is not known yet.
        given = fields.Given(inputs | dict.fromkeys(wrong, UNKNOWN), olds, successor=successor)
        problems += this.rules(given)
        problems += _shrunk(this, given)
        if not problems and inputs != olds:
            problems += self._preflight(call, inputs, olds, given)
        return CheckResult(inputs, [_failure(this, problem, inputs) for problem in problems])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare what the state holds with what the program says."""
        this, call = self._kind, host.current()
        old, new = _clean(_olds), _clean(_news)
        new = self._ignoring(new, old, call.ignore_changes)
        # Where the old inputs are not told, a wish counts as fulfilled.
        said = new if call.old_inputs is None else _clean(call.old_inputs)
        changed = [
            name
            for name, field in fields.facts(this.inputs).items()
            if name != "adopt"
            and new.get(name) is not None
            and not this.same(name, new[name], said if field.has(fields.Wish) and said.get(name) else old)
        ]
        had = [name for name in this.alternatives if said.get(name) is not None]
        changed += [
            name for name in this.alternatives if had and name not in (*had, *changed) and new.get(name) is not None
        ]
        replaced = this.replaced_by(old, new, changed)
        op = self._begin("diff", call, new, _id, old)
        # What never came to life goes first: it may hold what its successor needs.
        try:
            unwell = this.unwell(op, _id, old)
            if unwell:
                op.tell(f"replace: {this.failed_build(op, _id, old)}")
            elif replaced:
                self._report_loss(op, call.urn, "replacing", old)
            elif changed and self._is_preflight_on:
                this.preflight_update(op, _id, new, changed)
        except Exception as error:  # noqa: BLE001
            unwell = []
            self._warn_or_fail(op, error)
        replaced += [name for name in unwell if name not in replaced]
        run.compared(call.urn, replaced=bool(replaced))
        owed = None if changed or replaced else this.owed(old)
        if owed:
            op.tell(owed)
        if not replaced and (other := self._keep(op, call.urn, _id, new)):
            self._fail(op, _twice(op, _id, other))
        return host.difference(
            DiffResult(
                changes=bool(changed or replaced or owed),
                replaces=replaced,
                # Also without a replacement of ours: `replace_on_changes` may make one of any change.
                delete_before_replace=bool(unwell) or (bool(changed) and this.collides(call.resource, old, new)),
            ),
            changed,
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the object, or take over the one that `adopt` names."""
        this, call, asked = self._kind, host.current(), _clean(props)
        op = self._begin("create", call, asked)
        wanted = this.inputs.model_validate(asked)
        try:
            if wanted.adopt:
                live = self._adopt(op, wanted, asked)
            elif leftover := self._leftover(op, call, wanted):
                live = self._resume(op, leftover, wanted, asked)
            else:
                live = this.create(op, wanted)
            result = CreateResult(op.id, self._outputs(op, live, asked))
        except Exception as error:  # noqa: BLE001  (whatever it is, the object must not be lost)
            self._keep_or_undo(op, error, asked, undo=not wanted.adopt)
        op.say("")
        return result

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Read the object for a refresh or a `get`; one that is gone has an empty id."""
        this, call, known = self._kind, host.current(), _clean(props)
        if not call.has_state:
            run.program_seen()
        op = self._begin("read", call, known, id_, known)
        try:
            live = this.read(op, id_)
            if live is None:
                return ReadResult("", {})
            outs = self._outputs(op, live, known)
        except Exception as error:  # noqa: BLE001
            self._fail(op, error)
        inputs = self._following(_clean(call.old_inputs or {}), outs)
        return ReadResult(id_, outs, inputs or None)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Bring the live object to what the program says."""
        this, call, asked = self._kind, host.current(), _clean(_news)
        old = _clean(_olds)
        op = self._begin("update", call, asked, _id, old)
        try:
            if call.ignore_changes:
                asked = self._without_ignored(op, asked, call.ignore_changes)
                op.inputs = asked
            live = this.update(op, _id, this.inputs.model_validate(asked), old)
            result = UpdateResult(self._outputs(op, live, asked))
        except Exception as error:  # noqa: BLE001
            self._keep_or_undo(op, error, asked, undo=False, old=old)
        op.say("")
        return result

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the object; one that is gone already is a success."""
        this, call, old = self._kind, host.current(), _clean(_props)
        op = self._begin("delete", call, old, _id, old)
        key = self._key(op, _id) if call.urn and old.get("region") else None
        if key and (successor := OWNERSHIP.other_owner(key, call.urn)):
            op.tell(f"not deleted: {this.name} {_id} belongs to {_resource_of(successor)} now")
            return
        if run.has_program():
            # `pulumi destroy` runs no program, and lists by itself everything that goes.
            self._report_loss(op, call.urn, "deleting", old)
        try:
            this.delete(op, _id, old)
        except Exception as error:  # noqa: BLE001
            self._fail(op, error)
        if key:
            OWNERSHIP.release(key, call.urn)
        op.say("")

    @property
    def _kind(self) -> kind.Kind[Any, Any, Any]:
        return kind.find(self.kind_name)

    @property
    def _is_preflight_on(self) -> bool:
        return self._kind.preflight_enabled(self._get)

    def _get(self, key: str) -> str | None:
        read: Callable[[str], Any] | None = self.__dict__.get("_config")
        value = read(key) if read else None
        return None if value is None else str(value)

    def _begin(
        self, verb: str, call: host.Call, inputs: Mapping[str, Any], id_: str = "", old: Mapping[str, Any] | None = None
    ) -> kind.Operation[Any]:
        this = self._kind
        timeout = call.timeout or this.timeout
        region = (old or {}).get("region") or inputs.get("region")
        op: kind.Operation[Any] = kind.Operation(
            verb=verb,
            kind=this.name,
            resource=call.resource,
            connect=lambda: this.connect(self._get, region if isinstance(region, str) else None, timeout),
            timeout=timeout,
            say=StatusLine(call.urn),
            tell=lambda line: host.report(call.urn, line),
            warn=lambda line: host.report(call.urn, line, severity="warning"),
            stack=call.stack,
            project=call.project,
            backend=state.backend_fingerprint(),
            inputs=inputs,
            old=old or {},
        )
        op.id = id_
        op.claim = lambda id_: self._claim(op, call.urn, id_)
        op.provenance = lambda id_, name: self._provenance(op, call, id_, name)
        return op

    def _key(self, op: kind.Operation[Any], id_: str) -> ObjectKey:
        region = op.old.get("region")
        return ObjectKey(self._kind.name, region if isinstance(region, str) else self._kind.scope(op), id_)

    def _keep(self, op: kind.Operation[Any], urn: str, id_: str, inputs: Mapping[str, Any]) -> str | None:
        """Enter that a resource has an object in this run; the URN of another one that has it as well."""
        if not (urn and isinstance(op.old.get("region"), str)):
            return None
        for kind_, other_id in self._kind.also_holds(id_, inputs):
            OWNERSHIP.keep(self._key(op, other_id)._replace(kind=kind_), urn)
        return OWNERSHIP.keep(self._key(op, id_), urn)

    def _claim(self, op: kind.Operation[Any], urn: str, id_: str) -> None:
        if not urn:
            return
        if other := OWNERSHIP.keep(self._key(op, id_), urn):
            raise _twice(op, id_, other)
        for kind_, other_id in self._kind.also_holds(id_, op.inputs):
            OWNERSHIP.keep(self._key(op, other_id)._replace(kind=kind_), urn)

    def _provenance(self, op: kind.Operation[Any], call: host.Call, id_: str, name: str | None) -> Provenance:
        known = state.read(call.project, call.stack)
        owners = known.owners.get(self._key(op, id_), ())
        if call.urn in owners:
            return Provenance.PREDECESSOR
        if owners:
            return Provenance.RENAMED
        begun = known.interrupted(call.urn, op.inputs if op.verb == "create" else None)
        return Provenance.INTERRUPTED if any(name in (None, each.get("name")) for each in begun) else Provenance.FOREIGN

    def _leftover(self, op: kind.Operation[Any], call: host.Call, wanted: Any) -> str | None:
        """The id of what a killed run left of this resource.

        Raises:
            Refusal: an object says that it is this resource's, and the state does not prove it.
        """
        for id_, name in self._kind.leftovers(op, wanted):
            provenance = op.provenance(id_, name)
            if provenance is Provenance.INTERRUPTED:
                return id_
            # Without the backend in its marker it may belong to a stack of the same name elsewhere.
            if (
                provenance is Provenance.FOREIGN
                and op.backend
                and not state.read(call.project, call.stack).retains(call.urn)
            ):
                which = f"{name} ({id_})" if name else id_
                raise Refusal(
                    f"{op.kind} {which} exists, which an earlier run created for this resource: the state has lost it, "
                    "or retain_on_delete kept it; `python -m ecs_pulumi.orphans` shows how to import it, or deletes it"
                )
        return None

    def _resume(self, op: kind.Operation[Any], id_: str, wanted: Any, asked: Mapping[str, Any]) -> Any:
        """Finish what a killed run began to create."""
        this = self._kind
        op.tell(f"continuing with {id_}, which an interrupted run began to create")
        live = this.fetch(op, id_)
        if live is None:
            return this.create(op, wanted)
        found, _, refused = self._differing(op, live, asked)
        if refused:
            raise Refusal(
                f"an interrupted run created {id_}, which cannot get the {', '.join(refused)} of the program without "
                "being replaced: `python -m ecs_pulumi.orphans --delete` deletes it"
            )
        op.created(id_)
        return this.update(op, id_, wanted, found)

    def _without_ignored(
        self, op: kind.Operation[Any], asked: Mapping[str, Any], paths: Sequence[str]
    ) -> dict[str, Any]:
        """The inputs with what `ignore_changes` names as the remote object has it: an update leaves it alone."""
        live = self._kind.fetch(op, op.id)
        if live is None:
            return dict(asked)
        observed = {name: fields.plain(value) for name, value in self._kind.observe(op, live).items()}
        return self._ignoring(asked, {**op.old, **observed}, paths)

    def _ignoring(self, inputs: Mapping[str, Any], source: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
        known = fields.facts(self._kind.inputs)
        return ignored.restore(inputs, {name: source[name] for name in known if name in source}, paths)

    def _name(self, olds: Mapping[str, Any], asked: Mapping[str, Any], *, exists: bool, call: host.Call) -> str | None:
        if exists or asked.get("adopt"):
            # An object that was taken over without a name in the program keeps the one it has.
            return olds.get("name")
        signs = self._kind.signs_names and call.stack
        signer = kind.signer(call.project, call.stack, state.backend_fingerprint()) if signs else ""
        return kind.automatic_name(call.resource or "ecs", call.random_seed, signer)

    def _outputs(self, op: kind.Operation[Any], live: Any, known: Mapping[str, Any]) -> dict[str, Any]:
        """What goes into the state: observed values, in the program's own words where these still hold."""
        this = self._kind
        told = this.observe(op, live)
        observed = fields.plain(told)
        outs = {name: observed.get(name) for name in fields.facts(this.outputs)}
        for name, field in fields.facts(this.inputs).items():
            said = known.get(name)
            if name not in told or field.has(fields.Local) or field.has(fields.WriteOnly):
                outs[name] = observed.get(name) if said is None else said
            elif said is not None and this.same(name, said, observed):
                outs[name] = said
            else:
                outs[name] = observed.get(name)
        return outs

    def _following(self, inputs: Mapping[str, Any], outs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs as the object fulfils them, so that the next preview shows what differs as their change."""
        facts = fields.facts(self._kind.inputs)
        wishes = {name: value for name, value in inputs.items() if name in facts and facts[name].has(fields.Wish)}
        return {name: outs[name] for name in inputs if name in facts and outs.get(name) is not None} | wishes

    def _adopt(self, op: kind.Operation[Any], wanted: Any, asked: Mapping[str, Any]) -> Any:
        this = self._kind
        live = this.fetch(op, wanted.adopt)
        if live is None:
            raise Refusal(f"adopt: there is no {this.name} {wanted.adopt} in this project and region")
        found, changed, refused = self._differing(op, live, asked)
        if refused:
            listed = "; ".join(f"`{name}` is {found.get(name)!r}, the program says {asked[name]!r}" for name in refused)
            raise Refusal(f"adopt: {wanted.adopt} cannot become what the program says without being replaced: {listed}")
        op.created(wanted.adopt)
        return this.update(op, wanted.adopt, wanted, found) if changed else live

    def _takeover(self, call: host.Call, inputs: Mapping[str, Any]) -> list[fields.Problem]:
        """What keeps an object from being taken over; what will be changed in it is said."""
        this = self._kind
        known = {name: value for name, value in inputs.items() if not fields.has_unknown(value)}
        if "adopt" not in known:
            return []
        op = self._begin("check", call, known)
        live = this.read(op, known["adopt"])
        owners = state.read(call.project, call.stack).owners.get(self._key(op, known["adopt"]), ())
        if owners:
            reason = (
                f"{known['adopt']} is managed by {_resource_of(owners[0])} of this stack already; "
                "a renamed resource keeps its object with `aliases` in its options"
            )
            return [fields.Problem("adopt", reason)]
        if live is None:
            return [fields.Problem("adopt", f"there is no {this.name} {known['adopt']} in this project and region")]
        found, changed, refused = self._differing(op, live, known)
        if refused:
            return [
                fields.Problem(name, f"{known['adopt']} has {found.get(name)!r} and would have to be replaced")
                for name in refused
            ]
        if changed:
            op.tell(f"taking over {known['adopt']} changes its {', '.join(changed)}")
            op.old = found
            this.preflight_update(op, known["adopt"], inputs, changed)
        unchanged = {name: value for name, value in inputs.items() if name not in changed}
        return list(this.preflight(op, fields.Given(inputs, {**found, **unchanged})))

    def _differing(
        self, op: kind.Operation[Any], live: Any, asked: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[str], list[str]]:
        """The outputs of an object to take over, the inputs that it does not fulfil, and those that replace it."""
        this = self._kind
        found, told = self._outputs(op, live, {}), this.observe(op, live)
        facts = fields.facts(this.inputs)
        changed = [
            name
            for name, value in asked.items()
            if name in told
            and not facts[name].has(fields.Local)
            and not facts[name].has(fields.WriteOnly)
            and not this.same(name, value, found)
        ]
        changed += [name for name in this.claims(op, live) if name not in changed]
        return found, changed, this.replaced_by(found, asked, changed)

    def _keep_or_undo(
        self,
        op: kind.Operation[Any],
        error: Exception,
        asked: Mapping[str, Any],
        *,
        undo: bool,
        old: Mapping[str, Any] | None = None,
    ) -> NoReturn:
        """Fail without losing the object: keep it in the state, or else delete it again, or else name it."""
        reason = self._line(op, error)
        if not op.id:
            host.fail(reason)
        if host.can_keep_state():
            outs = self._as_it_stands(op, asked, old)
            host.fail_with_state(op.id, outs, self._following(asked, outs), [reason])
        if not undo:
            host.fail(reason)
        try:
            self._kind.delete(op, op.id, asked)
        except Exception as again:  # noqa: BLE001
            host.fail(
                f"{reason} It exists as {op.id} and could not be deleted again ({self._words(again)}): "
                f'take it over with adopt="{op.id}".'
            )
        host.fail(f"{reason} What was created has been deleted again.")

    def _preflight(
        self, call: host.Call, inputs: Mapping[str, Any], olds: Mapping[str, Any], given: fields.Given
    ) -> list[fields.Problem]:
        """What the cloud says to the inputs, or a warning that it was not asked."""
        op = self._begin("check", call, inputs)
        try:
            if not self._is_preflight_on:
                host.warn_once("Nothing was checked against the cloud: ecs:preflight is false.")
                return []
            taken_over = inputs.get("adopt") and not olds
            problems = list(self._takeover(call, inputs) if taken_over else self._kind.preflight(op, given))
            is_new = not (olds or given.successor or inputs.get("adopt") or fields.has_unknown(inputs))
            return self._unless_leftover(op, call, inputs, problems) if problems and is_new else problems
        except Exception as error:  # noqa: BLE001  (whatever it is, the user gets one line)
            self._warn_or_fail(op, error)
            return []

    def _unless_leftover(
        self, op: kind.Operation[Any], call: host.Call, inputs: Mapping[str, Any], problems: list[fields.Problem]
    ) -> list[fields.Problem]:
        """What the cloud says to a new resource; what a killed run left of it may be all that is in its way."""
        try:
            leftover = self._leftover(op, call, self._kind.inputs.model_validate(inputs))
        except Refusal as refusal:
            return [fields.Problem("", str(refusal))]
        if leftover is None:
            return problems
        # The create continues with it.
        for problem in problems:
            op.warn(f"{_named(problem)}; an interrupted run has begun to create this one")
        return []

    def _as_it_stands(
        self, op: kind.Operation[Any], asked: Mapping[str, Any], old: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        try:
            live = self._kind.fetch(op, op.id)
            if live is not None:
                return self._outputs(op, live, asked if old is None else self._as_far_as_told(asked, old))
        except Exception as error:  # noqa: BLE001  (the first error is the one to tell)
            op.say(f"could not read it back: {self._words(error)}")
        remembered = {name: op.memo[name] for name in fields.facts(self._kind.outputs) if name in op.memo}
        return {**(old or asked), **remembered}

    def _as_far_as_told(self, asked: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
        """What a failed update was asked for, but for what nobody can tell: that it has to do again."""
        facts = fields.facts(self._kind.inputs)
        return {name: old.get(name) if facts[name].has(fields.WriteOnly) else value for name, value in asked.items()}

    def _report_loss(self, op: kind.Operation[Any], urn: str, doing: str, old: Mapping[str, Any]) -> None:
        """Warn of the data that go with the object, once in a run: a replacement is a comparison and a deletion."""
        lost = [] if urn in _reported_losses else self._kind.data_loss(op, old)
        if lost:
            _reported_losses.add(urn)
            op.warn(f"{doing} {op.resource} deletes {' and '.join(lost)}")

    def _warn_or_fail(self, op: kind.Operation[Any], error: Exception) -> None:
        warning = self._kind.unverified(error)
        if warning is None:
            self._fail(op, error)
        host.warn_once(warning)

    def _fail(self, op: kind.Operation[Any], error: Exception) -> NoReturn:
        host.fail(self._line(op, error))

    def _line(self, op: kind.Operation[Any], error: Exception) -> str:
        name, said = op.resource or op.inputs.get("name") or op.id, self._words(error)
        if not run.has_program() and (hint := self._kind.stored_settings_hint(error)):
            said = f"{said} {hint}"
        which = f" ({op.id})" if op.id and op.id not in f"{name} {said}" else ""
        return " ".join(f"{op.verb} {op.kind} {name}{which}: {said}".split())

    def _words(self, error: Exception) -> str:
        if isinstance(error, Refusal):
            return str(error)
        said = self._kind.explain(error)
        if said is not None:
            return said
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        return f"a defect of ecs_pulumi, please report it: {type(error).__name__} at {place}"


_existing: set[str] = set()
_reported_losses: set[str] = set()
"""The resources whose loss of data has been reported in this run."""


def _is_replacement(urn: str, olds: Mapping[str, Any]) -> bool:
    """Whether this check is for the successor of a resource: the engine asks a second time, without the old inputs."""
    if olds and urn:
        _existing.add(urn)
    return not olds and urn in _existing


def _twice(op: kind.Operation[Any], id_: str, other: str) -> Refusal:
    return Refusal(f"{op.kind} {id_} is managed by {_resource_of(other)} of this program; remove one of the two")


def _resource_of(urn: str) -> str:
    """Kind and name of a resource, for a message."""
    *_, type_, name = urn.split("::", 3)
    return f"{type_.rpartition(':')[2]} {name}"


class Refusal(Exception):  # noqa: N818  (it is the program that asks for what cannot be)
    """What the program asks cannot be done, in words for its author."""


def _clean(props: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: fields.plain(value) for name, value in props.items() if not name.startswith("__") and value is not None
    }


def _failure(this: kind.Kind[Any, Any, Any], problem: fields.Problem, inputs: Mapping[str, Any]) -> CheckFailure:
    field = fields.facts(this.inputs).get(problem.property)
    value = inputs.get(problem.property)
    is_secret = problem.hides_value or (field is not None and field.has(fields.Secret))
    if field is not None and (is_secret or isinstance(value, (list, dict)) or fields.has_unknown(value)):
        # The engine shows the value of the property that a failure names: in clear, however long it is, and as
        # "output<string>{}" where it is not known.
        return CheckFailure("", _named(problem))
    return CheckFailure(problem.property, problem.reason)


def _named(problem: fields.Problem) -> str:
    """A problem with its property, or with its place in it, such as `networks[0]`."""
    return f"{problem.property}{'' if problem.reason.startswith('[') else ': '}{problem.reason}"


def _shrunk(this: kind.Kind[Any, Any, Any], given: fields.Given) -> list[fields.Problem]:
    problems = []
    for name, field in fields.facts(this.inputs).items():
        before, now = given.before.get(name), given.known(name)
        if field.has(fields.GrowOnly) and isinstance(before, int) and isinstance(now, int) and now < before:
            reason = f"can only grow: it is {before} and the program says {now}"
            problems.append(fields.Problem(name, reason))
    return problems
