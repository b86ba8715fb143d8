"""The base of the generated resource classes. It loads neither the schemas nor the provider."""

import asyncio
import functools
import inspect
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, cast, get_args, get_origin

import pulumi
import pulumi.dynamic
from pulumi.dynamic.dynamic import PROVIDER_KEY
from typing_extensions import Self, is_typeddict

from ecs_pulumi.sdk.exclusive import is_exclusive


class EcsResource(pulumi.dynamic.Resource):
    """A resource of the dynamic provider. Every input is an output as well, with the value that the API returns."""

    _serialized_provider: ClassVar[str] = ""
    """The serialized provider, as Pulumi stores it in the state."""
    _kind: ClassVar[str] = ""
    _properties: ClassVar[Sequence[str]] = ()
    _outputs: ClassVar[Sequence[str]] = ()
    """The properties that are no inputs."""
    _secrets: ClassVar[Sequence[str]] = ()
    _exclusive: ClassVar[Sequence[str]] = ()
    """The inputs that only one object can have at a time; see `is_exclusive`."""
    _dependencies: ClassVar[Sequence[str]] = ()
    """The kinds on whose resources, declared earlier, the resource depends although it does not refer to them."""
    _kept: ClassVar[Mapping[str, Sequence[str]]] = {}
    """The outputs that an update in place keeps unless it changes one of the inputs listed with each."""

    region: pulumi.Output[str]
    """Region of the object."""
    cloud: pulumi.Output[str | None]
    """Entry of clouds.yaml with the cloud of the object; not set for the cloud of the stack."""
    adopt: pulumi.Output[str | None]
    """Id of the existing object that was imported, if any."""

    def __init_subclass__(
        cls,
        *,
        kind: str = "",
        provider: str = "",
        secrets: Sequence[str] = (),
        exclusive: Sequence[str] = (),
        dependencies: Sequence[str] = (),
        kept: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if not kind:
            # A subclass that a program declares is a resource of the same kind.
            super(pulumi.dynamic.Resource, cls).__init_subclass__()
            return
        super().__init_subclass__(module="ecs", name=kind)
        cls._serialized_provider, cls._secrets, cls._exclusive = provider, secrets, exclusive
        cls._kind, cls._dependencies, cls._kept = kind, dependencies, kept or {}
        hints = inspect.get_annotations(cls)
        cls._properties = [*hints, "region", "cloud", "adopt"]
        cls._outputs = [name for name in hints if name not in inspect.signature(cls.__init__).parameters]
        # Set by name, since a type checker takes an assignment for a declaration with another type.
        for name, value in (
            ("__annotations__", {name: _without_typed_dicts(hint) for name, hint in hints.items()}),
            ("__init__", _constructor(cls.__init__)),
        ):
            setattr(cls, name, value)

    @classmethod
    def get(
        cls,
        resource_name: str,
        id: pulumi.Input[str],
        *,
        region: pulumi.Input[str] | None = None,
        cloud: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> Self:
        """Read an existing object without managing it.

        Args:
            resource_name: Name of the resource in the program.
            id: Id of the object in the cloud.
            region: Region of the object. Default: the configured one.
            cloud: Entry of clouds.yaml with the cloud of the object. Default: the cloud of the stack.
            opts: Pulumi's resource options.
        """
        existing = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=id))
        return cast("Any", cls)(resource_name, region=region, cloud=cloud, opts=existing)  # type: ignore[no-any-return]


def _constructor(signature: Any) -> Any:
    """A constructor with this signature that accepts any argument: `check` names a misspelled one."""

    @functools.wraps(signature)
    def construct(self: EcsResource, *args: Any, **kwargs: Any) -> None:
        _register(self, *args, **kwargs)

    return construct


def _register(
    self: EcsResource, resource_name: str, *, opts: pulumi.ResourceOptions | None = None, **inputs: Any
) -> None:
    # Outputs resolve in the program only if they are declared as properties.
    properties: dict[str, Any] = dict.fromkeys(self._properties)
    for name, value in inputs.items():
        is_secret = name in self._secrets and value is not None
        properties[name] = pulumi.Output.secret(value) if is_secret else value
    secrets = pulumi.ResourceOptions(additional_secret_outputs=list(self._secrets) or None)
    opts = pulumi.ResourceOptions.merge(secrets, opts)
    if opts.import_ is not None:
        # The engine imports from the plug-in without the kind; `adopt` is an input of the program.
        properties["adopt"], opts.import_ = opts.import_, None
    if opts.delete_before_replace is None and is_exclusive(self._exclusive, inputs):
        # A forced replacement (`--replace`, `state taint`) asks no provider for the order.
        opts.delete_before_replace = True
    if opts.id is None:
        opts = _with_dependencies(self, opts)
    properties[PROVIDER_KEY] = self._serialized_provider
    pulumi.CustomResource.__init__(self, f"pulumi-python:{self._resource_type_name}", resource_name, properties, opts)
    if opts.id is not None:
        # The engine answers the read of an existing object without its id, which the SDK takes for unknown in a
        # preview; everything that refers to it would seem to be replaced.
        self.__dict__["id"] = pulumi.Output.all(self.urn, opts.id).apply(lambda known: known[1])
    elif pulumi.runtime.is_dry_run():
        _keep_outputs(self, opts.additional_secret_outputs or ())


_declared: weakref.WeakKeyDictionary[Any, dict[str, list[EcsResource]]] = weakref.WeakKeyDictionary()
"""The resources of each program by kind. One process can run several programs, each with its own monitor."""


def _with_dependencies(self: EcsResource, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Add the dependencies that no reference expresses.

    The provider waits for such a resource as well, but meanwhile occupies a worker of the engine: with many waiting
    resources, none would be left for the one that they wait for.
    """
    declared = _declared.setdefault(pulumi.runtime.settings.get_monitor(), {})
    declared.setdefault(self._kind, []).append(self)
    needed = [resource for kind in self._dependencies for resource in declared.get(kind, ())]
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=needed)) if needed else opts


def _keep_outputs(self: EcsResource, secrets: Sequence[str]) -> None:
    """In a preview, give the outputs that an update keeps their prior values.

    The engine asks a provider of this host for no outputs in a preview, so all that are no inputs would be unknown, and
    each update of a resource would seem to change what refers to them.

    Args:
        self: The resource, registered.
        secrets: The outputs that are secret. They stay unknown, since the prior values are not marked as secret.
    """
    registered = dict(self.__dict__)

    @functools.cache
    def prior() -> asyncio.Future[Mapping[str, Any]]:
        return asyncio.ensure_future(_outputs_before_update(registered, self._outputs))

    for name, changed_by in self._kept.items():
        if name not in secrets:
            inputs = {each: registered[each] for each in changed_by}
            self.__dict__[name] = _with_prior_value(registered[name], name, inputs, prior)


def _with_prior_value(
    current: pulumi.Output[Any],
    name: str,
    inputs: Mapping[str, pulumi.Output[Any]],
    prior: Callable[[], Awaitable[Mapping[str, Any]]],
) -> pulumi.Output[Any]:
    """Return an output with its prior value if it has no value and none of these inputs changes."""

    async def resolve(value: Any) -> Any:
        # A value that is missing is None here, unlike one that is unknown because the program refers to an unknown one.
        if await current.future(with_unknowns=True) is not None:
            return value
        known = await prior()
        for each, output in inputs.items():
            # An input without a value is not managed. An unknown value equals nothing.
            if await output.future(with_unknowns=True) not in (None, known.get(each)):
                return value
        return value if known.get(name) is None else known[name]

    return current.apply(resolve, run_with_unknowns=True)


async def _outputs_before_update(registered: Mapping[str, Any], outputs: Sequence[str]) -> Mapping[str, Any]:
    """The prior outputs of a resource that will be updated in place, else none.

    Args:
        registered: The attributes of the resource.
        outputs: The outputs that are no inputs. All of them are known if the resource does not change.
    """
    is_unchanged = any([await registered[name].is_known() for name in outputs])
    # A resource that will be created or replaced has no id yet.
    if is_unchanged or not await registered["id"].is_known():
        return {}
    prior: Mapping[str, Any] = (await _prior_outputs()).get(await registered["urn"].future(), {})
    return prior


_prior: weakref.WeakKeyDictionary[Any, asyncio.Task[Mapping[str, Any]]] = weakref.WeakKeyDictionary()
"""The outputs in the state of the stack by URN, read once for each program."""


async def _prior_outputs() -> Mapping[str, Any]:
    monitor = pulumi.runtime.settings.get_monitor()
    if monitor not in _prior:
        _prior[monitor] = asyncio.ensure_future(_read_prior_outputs())
    return await _prior[monitor]


async def _read_prior_outputs() -> Mapping[str, Any]:
    """The outputs in the state; none if the engine does not return them, and then what a preview shows is unknown."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    try:
        result = await pulumi.runtime.invoke_async("pulumi:pulumi:readStackResourceOutputs", {"stackName": stack})
        return {urn: _with_integers(each.get("outputs") or {}) for urn, each in result["outputs"].items()}
    except Exception:  # noqa: BLE001  (the names of stacks differ between backends, and so do the errors)
        return {}


def _with_integers(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the outputs with integers as such: the engine sends each number as a float."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in outputs.items()
    }


def _without_typed_dicts(hint: Any) -> Any:
    """The hint with typed dictionaries as plain ones, the only kind that Pulumi's SDK can fill."""
    if is_typeddict(hint):
        return Mapping[str, Any]
    origin, args = get_origin(hint), get_args(hint)
    if not args:
        return hint
    if origin is pulumi.Output or origin in (list, dict, Mapping):
        parts = tuple(map(_without_typed_dicts, args))
        return origin[parts if len(parts) > 1 else parts[0]]
    branches = [arg for arg in args if arg is not type(None)]
    # The SDK knows no unions but that with None.
    return _without_typed_dicts(branches[0]) | None if len(branches) == 1 else Any
