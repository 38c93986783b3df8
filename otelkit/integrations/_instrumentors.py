"""The instrumentors that are installed: which there are, whether they fit, how they load."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution
from importlib.metadata import entry_points as find_entry_points

from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts
from packaging.requirements import Requirement

# The instrumentor of langchain hooks into langchain_core, which provider packages
# (langchain_openai, ...) import without langchain.
_ALSO = {"langchain": ("langchain_core",)}


def installed() -> dict[str, EntryPoint]:
    """The entry points of installed instrumentors by name."""
    return {point.name: point for point in find_entry_points(group="opentelemetry_instrumentor")}


def misfit(point: EntryPoint) -> tuple[str, bool] | None:
    """Why the instrumentor cannot be used, and whether the library is there at all."""
    conflict = get_dist_dependency_conflicts(point.dist) if point.dist else None
    if conflict is None:
        return None
    wanted = [conflict.required] if conflict.required else conflict.required_any or ()
    found = [conflict.found] if conflict.found else conflict.found_any or ()
    needs = " or ".join(str(one).partition(";")[0] for one in wanted)
    return f"needs {needs}, found {', '.join(found) or 'none'}", bool(found)


def modules(point: EntryPoint) -> set[str]:
    """The modules whose import the instrumentor has to wait for; none: load it at once."""
    if point.dist is None:
        return set()
    return {module for name in _libraries(point.dist) for module in _modules_of(name)}


def load(point: EntryPoint) -> Callable[[], None]:
    """Import the instrumentor and instrument; returns what undoes it."""
    make = point.load()
    instrumentor = make()
    if instrumentor.is_instrumented_by_opentelemetry:  # by opentelemetry-instrument, or by hand
        return lambda: None
    instrumentor.instrument(skip_dep_check=True)  # misfit() has checked
    if point.name == "system_metrics" and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=make)  # the only one there is looks for its process anew
    uninstrument: Callable[[], None] = instrumentor.uninstrument
    return uninstrument


def _libraries(dist: Distribution) -> Iterator[str]:
    """The distributions that ``dist`` instruments (its extras ``instruments``, ``-any``).

    What it needs for itself, as the system metrics need psutil, is a tool and not waited for.
    """
    needs = [Requirement(text) for text in dist.requires or ()]
    tools = {need.name for need in needs if _applies(need, "")}
    for need in needs:
        if need.name not in tools and _applies(need, "instruments", "instruments-any"):
            yield need.name


def _applies(need: Requirement, *extras: str) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras)


def _modules_of(library: str) -> Iterable[str]:
    """The top-most modules of an installed distribution: ``grpc`` of grpcio, ``google.genai``."""
    try:
        files = distribution(library).read_text("RECORD") or ""
    except PackageNotFoundError:  # one of several that would do
        return ()
    packages = set(re.findall(r"^([\w/]+)/__init__\.py,", files, re.MULTILINE))
    top = {name for name in packages if not any(above in packages for above in _parents(name))}
    top |= set(re.findall(r"^(\w+)\.py,", files, re.MULTILINE))
    # An editable installation records no modules.
    found = {name.replace("/", ".") for name in top} or {library.lower().replace("-", "_")}
    return found.union(_ALSO.get(library, ()))


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
