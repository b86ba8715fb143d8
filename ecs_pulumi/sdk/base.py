"""The base of the generated resource classes. It loads neither the schemas nor the provider."""

import functools
import inspect
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast, get_args, get_origin

import pulumi
import pulumi.dynamic
from pulumi.dynamic.dynamic import PROVIDER_KEY
from pulumi.runtime.config import is_config_secret
from typing_extensions import Self, is_typeddict

from ecs_pulumi.sdk.exclusive import is_exclusive
from ecs_pulumi.sdk.interrupt import end_requests_when_interrupted
from ecs_pulumi.sdk.outputs import LazyOutputs, await_requests_first, output_property
from ecs_pulumi.sdk.values import unsendable


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
        hints = dict(inspect.get_annotations(cls))
        cls._outputs = [name for name in hints if name not in inspect.signature(cls.__init__).parameters]
        common = inspect.get_annotations(EcsResource)
        hints |= {name: hint for name, hint in common.items() if not name.startswith("_")}
        cls._properties = list(hints)
        # Set by name, since a type checker takes an assignment for a declaration with another type.
        for name, value in (
            ("__annotations__", {}),
            ("__init__", _constructor(cls.__init__)),
            *(
                (name, output_property(name, _without_typed_dicts(hint), cls._kept.get(name)))
                for name, hint in hints.items()
            ),
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
    opts = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(additional_secret_outputs=list(self._secrets)), opts)
    is_read = opts.id is not None
    properties: dict[str, Any] = dict.fromkeys(self._properties) if is_read else {}
    for name, value in inputs.items():
        if reason := unsendable(value):
            # Pulumi prints this error without a traceback.
            raise pulumi.RunError(f"{self._kind} {resource_name}: {name}: the program passes {reason}")
        if value is not None:
            properties[name] = pulumi.Output.secret(value) if name in self._secrets else value
    if opts.import_ is not None:
        # The engine imports from the plug-in without the kind; `adopt` is an input of the program.
        properties["adopt"], opts.import_ = opts.import_, None
    if opts.delete_before_replace is None and is_exclusive(self._exclusive, inputs):
        # A forced replacement (`--replace`, `state taint`) asks no provider for the order.
        opts.delete_before_replace = True
    declared = _declared_resources()
    if not is_read:
        opts = _with_dependencies(self, opts, declared)
    properties[PROVIDER_KEY] = self._serialized_provider
    pulumi.CustomResource.__init__(self, f"pulumi-python:{self._resource_type_name}", resource_name, properties, opts)
    if is_read:
        # The engine answers the read of an existing object without its id, which the SDK takes for unknown in a
        # preview; everything that refers to it would seem to be replaced.
        self.__dict__["id"] = pulumi.Output.all(self.urn, opts.id).apply(lambda known: known[1])
    else:
        secrets = opts.additional_secret_outputs or ()
        LazyOutputs(self, self._outputs, secrets).add_to(self._properties)


_declared: weakref.WeakKeyDictionary[Any, dict[str, list[EcsResource]]] = weakref.WeakKeyDictionary()
"""The resources of each program by kind. One process can run several programs, each with its own monitor."""


def _declared_resources() -> dict[str, list[EcsResource]]:
    """The resources that this program has declared so far."""
    monitor = pulumi.runtime.settings.get_monitor()
    if monitor is None:
        return {}  # the program runs without the engine, as with `python __main__.py`: nothing is registered
    if monitor not in _declared:
        _check_settings()
        _declared[monitor] = {}
        await_requests_first()
        end_requests_when_interrupted(monitor)
    return _declared[monitor]


def _check_settings() -> None:
    """Refuse settings that must not be secret. The provider gets them decrypted."""
    for name in ("ecs:defaultTags", "ecs:defaultMetadata"):
        if is_config_secret(name):
            raise pulumi.RunError(
                f"{name}: must not be secret, because each user of the cloud and of the state can read it; "
                f"set it with `pulumi config set --plaintext {name}`"
            )


def _with_dependencies(
    self: EcsResource, opts: pulumi.ResourceOptions, declared: dict[str, list[EcsResource]]
) -> pulumi.ResourceOptions:
    """Add the dependencies that no reference expresses.

    The provider waits for such a resource as well, but meanwhile occupies a worker of the engine: with many waiting
    resources, none would be left for the one that they wait for.
    """
    declared.setdefault(self._kind, []).append(self)
    needed = [resource for kind in self._dependencies for resource in declared.get(kind, ())]
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=needed)) if needed else opts


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
