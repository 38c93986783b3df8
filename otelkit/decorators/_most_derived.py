"""Classes decorated together with a class they derive from: a call is traced once.

The most derived class that is decorated traces the call, whether it inherits the method or calls
the base's from its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from otelkit.decorators._call import Call
    from otelkit.decorators._wrap import Begin

_traced: WeakKeyDictionary[type, set[str]] = WeakKeyDictionary()  # classes, and their methods


def only(owner: type, method: str, begin: Begin) -> Begin:
    """``begin`` for calls of ``method`` that no class derived from ``owner`` traces already."""
    _traced.setdefault(owner, set()).add(method)

    def begin_once(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call | None:
        kind = type(args[0]) if args else owner
        if kind is not owner and _traced_below(kind, owner, method):
            return None
        return begin(args, dict(kwargs))

    return begin_once


def _traced_below(kind: type, owner: type, method: str) -> bool:
    for one in kind.__mro__:
        if one is owner:
            return False
        if method in _traced.get(one, ()):
            return True
    return False
