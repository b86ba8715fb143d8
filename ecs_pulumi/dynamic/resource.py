"""Base of the public resource classes.

A resource class declares the signature of its constructor and its outputs for documentation and type checkers. The
actual constructor is defined here and accepts any argument. Thus a misspelled argument is reported by `check` and does
not raise a TypeError with a traceback.
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
    """A resource of the dynamic provider. Each input is an output as well, with the actual value."""

    kind: ClassVar[ResourceHandler[Any, Any, Any]]

    region: pulumi.Output[str]
    """Region the object lives in."""
    adopt: pulumi.Output[str | None]
    """Id of the existing object that was imported, if any."""

    def __init_subclass__(cls, *, kind: ResourceHandler[Any, Any, Any] | None = None) -> None:
        if kind is None:
            # A subclass that a program defines is a resource of the same kind.
            super(pulumi.dynamic.Resource, cls).__init_subclass__()
            return
        super().__init_subclass__(module="ecs", name=kind.name)
        cls.kind = kind
        erased = {name: _erased(hint) for name, hint in inspect.get_annotations(cls).items()}
        # With plain assignments, type checkers would take these as declarations with other types.
        for name, value in (("__annotations__", erased), ("__init__", _constructor(cls.__init__))):
            setattr(cls, name, value)

    @classmethod
    def get(
        cls,
        resource_name: str,
        id: pulumi.Input[str],  # noqa: A002  (the name in Pulumi's API)
        *,
        region: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> Self:
        """Read an existing object without managing it.

        Args:
            resource_name: Name of the resource in the program.
            id: Id of the object in the cloud.
            region: Region of the object. Default: the configured one.
            opts: Pulumi resource options.
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
    handler = self.kind
    input_fields = fields.fields_of(handler.inputs)
    # Outputs resolve in the program only if they are declared as properties.
    props: dict[str, Any] = dict.fromkeys((*input_fields, *fields.fields_of(handler.outputs)))
    for name, value in inputs.items():
        secret = name in input_fields and input_fields[name].has(fields.Secret) and value is not None
        props[name] = pulumi.Output.secret(value) if secret else value
    secrets = [
        name
        for model in (handler.inputs, handler.outputs)
        for name, field in fields.fields_of(model).items()
        if field.has(fields.Secret)
    ]
    opts = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(additional_secret_outputs=secrets or None), opts)
    if opts.import_ is not None:
        # The engine's own import sends no `__provider`, so the plug-in does not know the kind. Use `adopt` instead.
        props["adopt"], opts.import_ = opts.import_, None
    if opts.delete_before_replace is None and handler.is_exclusive(inputs):
        # For a forced replacement (`--replace`, `state taint`) the engine does not ask the provider for the order.
        opts.delete_before_replace = True
    props[PROVIDER_KEY] = _serialized(handler.name)
    pulumi.CustomResource.__init__(self, f"pulumi-python:{self._resource_type_name}", resource_name, props, opts)
    if opts.id is not None:
        # The engine's response to the read of an existing object has no id. In a preview the SDK treats the id as
        # unknown, and the preview would show replacements of the resources that use it.
        self.__dict__["id"] = pulumi.Output.all(self.urn, opts.id).apply(lambda known: known[1])


@functools.cache
def _serialized(kind_name: str) -> str:
    """Return the pickled provider of a kind, as the state stores it.

    It is cached for all resources of the kind. Each serialization by the SDK adds another wrapper around its pickler,
    so that later ones take longer, and a program of a thousand resources fails with a RecursionError.
    """
    text: str = serialize_provider(Provider(kind_name))
    return text


def _erased(hint: Any) -> Any:
    """Return a type hint with typed dictionaries replaced by plain mappings, because the SDK supports only these."""
    if is_typeddict(hint):
        return Mapping[str, Any]
    origin, args = get_origin(hint), get_args(hint)
    if not args:
        return hint
    if origin is pulumi.Output or origin in (list, dict, Mapping):
        return origin[tuple(_erased(arg) for arg in args)] if len(args) > 1 else origin[_erased(args[0])]
    branches = [arg for arg in args if arg is not type(None)]
    # The SDK supports no unions except with None.
    if len(branches) == 1:
        return _erased(branches[0]) | None
    return Any
