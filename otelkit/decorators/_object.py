"""A callable object whose calls are traced, and which is otherwise the object.

Imported only when one is decorated: the proxy library takes its time to load.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    _Proxy = wrapt.ObjectProxy[Any]
else:
    _Proxy = wrapt.ObjectProxy  # not generic before wrapt 2


class TracedObject(_Proxy):
    """``called`` in a transparent proxy: same class to ``isinstance``, same attributes.

    Args:
        called: The object.
        traced: The function that calls it, and is traced.
    """

    def __init__(self, called: Any, traced: Callable[..., Any]) -> None:
        super().__init__(called)
        self._self_traced = traced

    @property
    def __call__(self) -> Callable[..., Any]:
        return self._self_traced  # a property: no frame of its own in tracebacks

    # The proxy library refuses all three. A copy is the object's own, and not traced.
    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)
