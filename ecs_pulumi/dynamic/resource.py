"""Base of the public resource classes: what a program constructs.

A class declares its signature and its outputs for the reader and the type checker; the constructor itself is
the one below. So a misspelled argument reaches `check`, which names it, instead of ending in a traceback.
"""

import functools
import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, cast, get_args, get_origin

import pulumi
import pulumi.dynamic
from pulumi.dynamic.dynamic import PROVIDER_KEY, serialize_provider
from typing_extensions import Self, is_typeddict

from ecs_pulumi.dynamic import fields
from ecs_pulumi.dynamic.kind import ResourceHandler
from ecs_pulumi.dynamic.provider import Provider


class EcsResource(pulumi.dynamic.Resource):
    """A resource served by the dynamic provider. Inputs are outputs as well, with the observed value."""

    kind: ClassVar[ResourceHandler[Any, Any, Any]]

    region: pulumi.Output[str]
    """Region the object lives in."""
    adopt: pulumi.Output[str | None]
    """Id of the existing object that was taken over, if any."""

    def __init_subclass__(cls, *, kind: ResourceHandler[Any, Any, Any] | None = None) -> None:
        if kind is None:
            # A program's own subclass of a kind is still that kind.
            super(pulumi.dynamic.Resource, cls).__init_subclass__()
            return
        super().__init_subclass__(module="ecs", name=kind.name)
        cls.kind = kind
        erased = {name: _erased(hint) for name, hint in inspect.get_annotations(cls).items()}
        # Assigned, they would count as declared here, with types that every checker infers otherwise.
        for name, value in (("__annotations__", erased), ("__init__", _constructor(cls.__init__))):
            setattr(cls, name, value)

    @classmethod
    def get(
        cls,
        resource_name: str,
        id: pulumi.Input[str],  # noqa: A002  (Pulumi's own name for it)
        *,
        region: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> Self:
        """Read an object that exists, without managing it.

        Args:
            resource_name: Name of the resource in the program.
            id: Id of the object in the cloud.
            region: Region it lives in. Default: the configured one.
            opts: Pulumi's resource options.
        """
        existing = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=id))
        return cast("Any", cls)(resource_name, region=region, opts=existing)  # type: ignore[no-any-return]


def _constructor(signature: Any) -> Any:
    @functools.wraps(signature)
    def construct(self: EcsResource, *args: Any, **kwargs: Any) -> None:
        _register(self, *args, **kwargs)

    return construct


def _register(
    self: EcsResource, resource_name: str, *, opts: pulumi.ResourceOptions | None = None, **inputs: Any
) -> None:
    kind = self.kind
    facts = fields.fields_of(kind.inputs)
    # Outputs resolve in the program only if they are declared as properties.
    props: dict[str, Any] = dict.fromkeys((*facts, *fields.fields_of(kind.outputs)))
    for name, value in inputs.items():
        secret = name in facts and facts[name].has(fields.Secret) and value is not None
        props[name] = pulumi.Output.secret(value) if secret else value
    secrets = [
        name
        for model in (kind.inputs, kind.outputs)
        for name, field in fields.fields_of(model).items()
        if field.has(fields.Secret)
    ]
    opts = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(additional_secret_outputs=secrets or None), opts)
    if opts.import_ is not None:
        # The engine imports from the plug-in without saying which kind it is; `adopt` goes through the program.
        props["adopt"], opts.import_ = opts.import_, None
    if opts.delete_before_replace is None and kind.is_exclusive(inputs):
        # A replacement that is forced (`--replace`, `state taint`) asks no provider for the order.
        opts.delete_before_replace = True
    props[PROVIDER_KEY] = _serialized(kind.name)
    pulumi.CustomResource.__init__(self, f"pulumi-python:{self._resource_type_name}", resource_name, props, opts)
    if opts.id is not None:
        # The engine answers the read of an existing object without its id, which the SDK takes for unknown in a
        # preview; everything that refers to it would seem to be replaced.
        self.__dict__["id"] = pulumi.Output.all(self.urn, opts.id).apply(lambda known: known[1])


@functools.cache
def _serialized(kind_name: str) -> str:
    """The provider of a kind, as the state keeps it.

    Once for all resources of the kind: each time that the SDK does it, it leaves one more wrapper around its pickler,
    which costs every later time more and ends a program of a thousand resources in a RecursionError.
    """
    text: str = serialize_provider(Provider(kind_name))
    return text


def _erased(hint: Any) -> Any:
    """The hint with typed dictionaries as plain ones, the only kind that Pulumi's SDK can fill."""
    if is_typeddict(hint):
        return Mapping[str, Any]
    origin, args = get_origin(hint), get_args(hint)
    if not args:
        return hint
    if origin is pulumi.Output or origin in (list, dict, Mapping):
        return origin[tuple(_erased(arg) for arg in args)] if len(args) > 1 else origin[_erased(args[0])]
    branches = [arg for arg in args if arg is not type(None)]
    # The SDK knows no unions but that with None.
    if len(branches) == 1:
        return _erased(branches[0]) | None
    return Any
