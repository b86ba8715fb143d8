"""The base of the generated resource classes. It loads neither the schemas nor the provider."""

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast, get_args, get_origin
from weakref import WeakKeyDictionary

import pulumi
import pulumi.dynamic
from pulumi.dynamic.dynamic import PROVIDER_KEY
from typing_extensions import Self, is_typeddict

from ecs_pulumi.sdk.exclusive import is_exclusive


class EcsResource(pulumi.dynamic.Resource):
    """A resource of the dynamic provider. Every input is an output as well, with the value that the API returns."""

    _serialized_provider: ClassVar[str] = ""
    """The serialized provider, as Pulumi stores it in the state."""
    _properties: ClassVar[Sequence[str]] = ()
    _secrets: ClassVar[Sequence[str]] = ()
    _exclusive: ClassVar[Sequence[str]] = ()
    """The inputs that only one object can have at a time; see `is_exclusive`."""
    _precedes: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Inputs, each with the kinds whose later resources with the same output as value depend on this one."""

    region: pulumi.Output[str]
    """Region of the object."""
    adopt: pulumi.Output[str | None]
    """Id of the existing object that was imported, if any."""

    def __init_subclass__(
        cls,
        *,
        kind: str = "",
        provider: str = "",
        secrets: Sequence[str] = (),
        exclusive: Sequence[str] = (),
        precedes: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if not kind:
            # A subclass that a program declares is a resource of the same kind.
            super(pulumi.dynamic.Resource, cls).__init_subclass__()
            return
        super().__init_subclass__(module="ecs", name=kind)
        cls._serialized_provider, cls._secrets, cls._exclusive = provider, secrets, exclusive
        cls._precedes = precedes or {}
        hints = inspect.get_annotations(cls)
        cls._properties = [*hints, "region", "adopt"]
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
        opts: pulumi.ResourceOptions | None = None,
    ) -> Self:
        """Read an existing object without managing it.

        Args:
            resource_name: Name of the resource in the program.
            id: Id of the object in the cloud.
            region: Region of the object. Default: the configured one.
            opts: Pulumi's resource options.
        """
        existing = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=id))
        return cast("Any", cls)(resource_name, region=region, opts=existing)  # type: ignore[no-any-return]


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
    kind = self._resource_type_name.rpartition(":")[2]
    outputs = {name: value for name, value in inputs.items() if isinstance(value, pulumi.Output)}
    if earlier := [each for value in outputs.values() for each in _preceding.get(value, {}).get(kind, ())]:
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=earlier))
    properties[PROVIDER_KEY] = self._serialized_provider
    pulumi.CustomResource.__init__(self, f"pulumi-python:{self._resource_type_name}", resource_name, properties, opts)
    for name, kinds in self._precedes.items():
        for later in kinds if name in outputs else ():
            _preceding.setdefault(outputs[name], {}).setdefault(later, []).append(self)
    if opts.id is not None:
        # The engine answers the read of an existing object without its id, which the SDK takes for unknown in a
        # preview; everything that refers to it would seem to be replaced.
        self.__dict__["id"] = pulumi.Output.all(self.urn, opts.id).apply(lambda known: known[1])


_preceding: WeakKeyDictionary[pulumi.Output[Any], dict[str, list[EcsResource]]] = WeakKeyDictionary()
"""The resources that precede others, by the output that both have as value, and the kind of the others."""


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
