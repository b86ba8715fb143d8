"""Where an API has the objects of one kind."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Collection:
    """The objects of one kind in an API, such as Neutron's ports: their path, and their keys in bodies.

    Attributes:
        path: the path of the list; that of an object is this path and its id.
        key: the key of one object in a body.
        list_key: the key of a list of objects in a body.
    """

    path: str
    key: str
    list_key: str
