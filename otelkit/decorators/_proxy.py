"""A transparent proxy: to ``isinstance`` and to whoever uses it, it is the object behind it.

Imported only when one is made: the proxy library takes its time to load.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    _ObjectProxy = wrapt.ObjectProxy  # not generic before wrapt 2


class Proxy(_ObjectProxy):
    """Passes everything on. What is an attribute of its own begins with ``_self_``."""

    # The proxy library refuses all three. A copy is the object's own, without the proxy.
    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)
