"""Looks at objects without running any code of theirs.

``obj.attribute``, ``isinstance(obj, …)``, ``len(obj)`` and even ``hash(type(obj))`` may run code of
the object's class or metaclass. The functions here reach the interpreter's own getters instead.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import GetSetDescriptorType, MappingProxyType, MemberDescriptorType, ModuleType
from typing import Any, cast

MISSING = object()

# Classes from a class on, in method resolution order; and what its body defines.
mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
namespace: Callable[[type], MappingProxyType[str, Any]] = type.__dict__["__dict__"].__get__

_module: Callable[[type], object] = type.__dict__["__module__"].__get__
_name: Callable[[type], object] = type.__dict__["__name__"].__get__
_qualname: Callable[[type], object] = type.__dict__["__qualname__"].__get__
_module_names: Callable[[Any], dict[str, Any]] = vars(ModuleType)["__dict__"].__get__


def module_of(cls: type) -> str:
    """The name of the module of ``cls``; empty where it is no plain string."""
    try:
        module = _module(cls)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


def name_of(cls: type) -> str:
    """The name of ``cls``; empty where it is no plain string."""
    name = _name(cls)
    return name if type(name) is str else ""


def type_name(cls: type) -> str:
    """The qualified name of ``cls``, for built-in classes without a module."""
    qualname = _qualname(cls)
    name = qualname if type(qualname) is str else "object"
    module = module_of(cls)
    return f"{module}.{name}" if module and module != "builtins" else name


def is_genuine(cls: type, module: str, name: str) -> bool:
    """Whether ``cls`` is what the loaded module ``module`` calls ``name``. Imports nothing."""
    loaded: Any = sys.modules.get(module)
    return issubclass(type(loaded), ModuleType) and _module_names(loaded).get(name) is cls


def attributes(obj: object) -> dict[str, Any]:
    """The instance ``__dict__``; empty where there is none."""
    for cls in mro(type(obj)):
        getter = namespace(cls).get("__dict__")
        # A property of that name is code of the object's.
        if type(getter) is GetSetDescriptorType:
            return cast("dict[str, Any]", getter.__get__(obj))
    return {}


def attribute(obj: object, name: str) -> Any:
    """What the instance holds under ``name``, in its ``__dict__`` or a slot; else ``MISSING``."""
    found = dict.get(attributes(obj), name, MISSING)
    if found is not MISSING:
        return found
    for cls in mro(type(obj)):
        slot = namespace(cls).get(name)
        if type(slot) is MemberDescriptorType:
            try:
                return slot.__get__(obj)
            except AttributeError:
                return MISSING
    return MISSING


def record(obj: object, names: Iterable[object]) -> dict[str, Any]:
    """What the instance holds under ``names``; those without a value are left out."""
    found = ((name, attribute(obj, name)) for name in names if type(name) is str)
    return {name: value for name, value in found if value is not MISSING}
