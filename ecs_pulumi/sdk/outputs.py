"""The outputs of a resource that the program does not set, requested from the engine when the program uses one.

Pulumi's SDK creates several tasks for each property that a resource declares, and a server has fifty. Programs use few
of them, so a program declares only the inputs that it sets.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi._types import resource_types
from pulumi.output import UNKNOWN
from pulumi.runtime.rpc import translate_output_properties

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping, Sequence

_ATTRIBUTE = "_lazy_outputs"


def output_property(name: str, hint: Any, changed_by: Sequence[str] | None) -> property:
    """Return a property for an output of a class of resources.

    It is an annotated getter, because Pulumi's SDK evaluates class annotations again for each resource.

    Args:
        name: The name of the output.
        hint: Its type.
        changed_by: If an update in place keeps this output unless it changes certain inputs: these inputs; else None.
    """

    def read(resource: pulumi.CustomResource) -> Any:
        attributes = resource.__dict__
        if name not in attributes:
            raise AttributeError(name)
        outputs: LazyOutputs | None = attributes.get(_ATTRIBUTE)
        return outputs.get(name, changed_by) if outputs else attributes[name]

    def write(resource: pulumi.CustomResource, value: Any) -> None:
        resource.__dict__[name] = value

    read.__name__, read.__annotations__ = name, {"return": hint}
    return property(pulumi.getter(read), write)


class LazyOutputs:
    """The outputs of a registered resource.

    Args:
        resource: The resource.
        names: The outputs that are no inputs.
        secrets: The outputs that are secret. They have no prior values, since these are not marked as secret.
    """

    def __init__(self, resource: pulumi.CustomResource, names: Iterable[str], secrets: Collection[str]) -> None:
        self._resource = resource
        self._names = names
        self._secrets = secrets
        self._outputs: dict[str, pulumi.Output[Any]] = {}
        self._registered: asyncio.Future[Mapping[str, Any]] | None = None
        self._before_update: asyncio.Future[Mapping[str, Any]] | None = None

    def add_to(self, properties: Iterable[str]) -> None:
        """Make these properties of the resource, which it does not declare, outputs of it."""
        attributes = self._resource.__dict__
        attributes[_ATTRIBUTE] = self
        for name in properties:
            attributes.setdefault(name, _Later(self._resource, name))

    def get(self, name: str, changed_by: Sequence[str] | None) -> pulumi.Output[Any]:
        """Return an output.

        The engine asks a provider of this host for no outputs in the preview of an update, so all that are no inputs
        would be unknown, and each update of a resource would seem to change what refers to them. Therefore an output
        that the update keeps has its prior value.

        Args:
            name: Its name.
            changed_by: The inputs whose change may change it; None if any update may change it.
        """
        declared = self._resource.__dict__[name]
        if name in self._outputs:
            return self._outputs[name]
        is_kept = changed_by is not None and name not in self._secrets and pulumi.runtime.is_dry_run()
        if isinstance(declared, _Later):
            value = asyncio.ensure_future(self._value(name, changed_by if is_kept else None))
            output = pulumi.Output({self._resource}, value, self._is_known(value), self._is_secret(name))
        elif is_kept:
            output = declared.apply(lambda _: self._value(name, changed_by), run_with_unknowns=True)
        else:
            output = declared
        self._outputs[name] = output
        return output

    async def _is_known(self, value: asyncio.Future[Any]) -> bool:
        # In a preview, a value that is missing may still be set. A resource that an `up` skips has no id.
        is_final = not pulumi.runtime.is_dry_run() and await self._resource.id.is_known()
        return await value is not None or is_final

    async def _is_secret(self, name: str) -> bool:
        return name in self._secrets

    async def _value(self, name: str, changed_by: Sequence[str] | None) -> Any:
        value = await self._registered_value(name)
        # A value that is missing is None here, unlike one that is unknown because the program refers to an unknown one.
        if value is not None or changed_by is None:
            return value
        if self._before_update is None:
            self._before_update = asyncio.ensure_future(self._outputs_before_update())
        known = await self._before_update
        for each in changed_by:
            # An input without a value is not managed. An unknown value equals nothing.
            if await self._registered_value(each) not in (None, known.get(each)):
                return value
        return known.get(name)

    async def _registered_value(self, name: str) -> Any:
        declared = self._resource.__dict__[name]
        if isinstance(declared, pulumi.Output):
            return await declared.future(with_unknowns=True)
        if self._registered is None:
            self._registered = asyncio.ensure_future(_registered(self._resource))
        return (await self._registered).get(name)

    async def _outputs_before_update(self) -> Mapping[str, Any]:
        """The prior outputs of a resource that will be updated in place, else none."""
        # All of them are known if the resource does not change.
        is_unchanged = any([await self._registered_value(name) is not None for name in self._names])
        # A resource that will be created or replaced has no id yet.
        if is_unchanged or not await self._resource.id.is_known():
            return {}
        prior: Mapping[str, Any] = (await _prior_outputs()).get(str(await self._resource.urn.future()), {})
        return prior


def await_requests_first() -> None:
    """Let the SDK wait for the requests of the program, of which there is one for each resource, before its outputs.

    The SDK does so if a request has begun when the program ends, and its requests begin only after that. Otherwise it
    waits for all outputs at once, and each time that one is there, again for all others: with a thousand resources that
    takes half of the processor time of the program.
    """
    settings = pulumi.runtime.settings
    if manager := getattr(settings, "_get_rpc_manager", None):
        manager().rpcs.append(asyncio.ensure_future(asyncio.sleep(0)))


class _Later:
    """The place of an output in the attributes of its resource, for an export of the resource as a whole."""

    def __init__(self, resource: pulumi.CustomResource, name: str) -> None:
        self._resource = resource
        self._name = name

    def __await__(self) -> Generator[Any, None, Any]:
        return self._read().__await__()

    async def _read(self) -> Any:
        output: pulumi.Output[Any] = getattr(self._resource, self._name)
        return await output.future(with_unknowns=True) if await output.is_known() else UNKNOWN


async def _registered(resource: pulumi.CustomResource) -> Mapping[str, Any]:
    """The properties with which the engine answered the registration of a resource."""
    urn = await resource.urn.future()
    answer = await pulumi.runtime.invoke_async("pulumi:pulumi:getResource", {"urn": urn})
    types = resource_types(type(resource))
    return {
        name: translate_output_properties(value, resource.translate_output_property, types.get(name))
        for name, value in answer["state"].items()
    }


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
