"""Auto-instrumentation: what is installed and fits, through the standard entry points.

FastAPI and SQLAlchemy are served by modules of this package. Everything else comes from installed
``opentelemetry-instrumentation-*`` distributions (entry points ``opentelemetry_instrumentor``).
Nothing is imported that the application does not import itself: what instruments a library waits
until that library is there.
"""

from __future__ import annotations

import difflib
import importlib
import logging
import os
import sys
from collections.abc import Callable, Collection
from functools import partial
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from types import ModuleType

from wrapt import register_post_import_hook

from otelkit.integrations import _instrumentors, asgi

Uninstall = Callable[[], None]
Install = Callable[[], Uninstall]

_log = logging.getLogger("otelkit")
_waiting: dict[str, Install] = {}  # until a library is imported
_active: dict[str, Uninstall] = {}

_OWN = ("fastapi", "sqlalchemy")  # modules of ours, of the library's and the extra's name
_THREADING = "threading"  # makes no spans; without it the current one is lost in threads
_LOGGING = "logging"  # otelkit.logs does its work; with both, records would be sent twice
_ASKED = "OTELKIT_INSTRUMENT: "  # begins what is wrong with the selection
_ENDPOINTS = "endpoints"  # of ours in FastAPI applications: no instrumentation
_STARLETTE = "starlette"  # a FastAPI application is one, too, and would get two spans

# Entry points that an extra of otelkit brings.
_EXTRAS = {name: name for name in ("openai", "anthropic", "langchain")} | {
    "system_metrics": "system"
}

# What operators may set otherwise. The conventions' stable names; of system metrics those of the
# process (the rest is the host's, or deprecated).
_DEFAULTS = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
    "OTEL_PYTHON_SYSTEM_METRICS_EXCLUDED_METRICS": "system.*,process.runtime.*",
}


def instrument(
    selection: str | Collection[str] = "auto",
    *,
    excluded_paths: Collection[str] = (),
    trust_inbound: bool = True,
) -> list[str]:
    """Instrument what is selected, now or as soon as the application imports it.

    May be called again; what is instrumented already stays as it is. Never raises.

    Args:
        selection: ``"auto"`` (FastAPI, SQLAlchemy and every installed instrumentor that fits),
            ``"none"``, or names of entry points; a list implies ``threading``.
            ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` (names, or ``*``) is taken off.
        excluded_paths: Exact paths of FastAPI applications without spans, metrics and access
            records of what went well.
        trust_inbound: Continue the traces of callers; false links to them instead.

    Returns:
        What is wrong with the selection or could not be instrumented, one sentence each.
    """
    try:
        asgi.configure(excluded_paths=excluded_paths, trust_inbound=trust_inbound)
        for variable, value in _DEFAULTS.items():
            os.environ.setdefault(variable, value)
        return _instrument(selection)
    except Exception as error:
        _log.debug("auto-instrumentation failed", exc_info=True)
        return [f"auto-instrumentation failed: {error!r}"]


def serve_endpoints() -> None:
    """Let FastAPI applications answer health probes, instrumented or not. Never raises."""
    if _ENDPOINTS not in {*_active, *_waiting}:
        _when_imported({"fastapi"}, _ENDPOINTS, _install_endpoints)


def uninstrument() -> None:
    """Undo what :func:`instrument`, :func:`serve_endpoints`, ``instrument_fastapi`` and
    ``instrument_sqlalchemy`` did.

    Libraries that are not yet imported are no longer waited for.
    """
    _waiting.clear()
    undo = list(_active.items())
    _active.clear()
    for name in _OWN:  # also what was instrumented by hand
        module = sys.modules.get(f"{__name__}.{name}")
        if module is not None:
            undo.append((name, module.uninstall))
    for name, uninstall in undo:
        try:
            uninstall()
        except Exception:
            _log.debug("%s could not be uninstrumented", name, exc_info=True)


def active() -> list[str]:
    """The names that are instrumented now, sorted."""
    return sorted(name for name in _active if name != _ENDPOINTS)


def selected() -> list[str]:
    """The names that are instrumented now, or once the installed library is imported, sorted."""
    names = {*_active, *_waiting} - {_ENDPOINTS}
    return sorted(name for name in names if name not in _OWN or find_spec(name) is not None)


def _instrument(selection: str | Collection[str]) -> list[str]:
    words = selection.split(",") if isinstance(selection, str) else selection
    selected = [word.strip().lower().replace("-", "_") for word in words]
    variable = os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "")
    disabled = {name.strip() for name in variable.split(",")}
    if selected == ["none"] or "*" in disabled:
        return []
    auto = selected == ["auto"]
    found = _instrumentors.installed()
    if auto:
        selected = [*_OWN, *(name for name in found if name != _STARLETTE)]
    done = {_LOGGING, *disabled, *_active, *_waiting}
    names = [name for name in dict.fromkeys([_THREADING, *selected]) if name not in done]
    problems = (_add(name, found, asked=not auto) for name in names)
    return [problem for problem in problems if problem]


def _add(name: str, found: dict[str, EntryPoint], *, asked: bool) -> str | None:
    """Instrument ``name`` now or later; returns what is wrong."""
    if name in _OWN:
        if asked and find_spec(name) is None:
            return f'{_ASKED}{name} is not installed: pip install "otelkit[{name}]"'
        return _when_imported({name}, name, partial(_install_own, name))
    if name not in found:
        return _unknown(name, found)
    misfit = _instrumentors.misfit(found[name])
    if misfit is not None:
        why, library_is_there = misfit
        # An instrumentor of a library that is not there is no news unless it was asked for.
        told = f"the instrumentor of {name} {why}"
        return f"{_ASKED}{told}" if asked else told if library_is_there else None
    modules = _instrumentors.modules(found[name])
    return _when_imported(modules, name, partial(_instrumentors.load, found[name]))


def _unknown(name: str, found: dict[str, EntryPoint]) -> str:
    if name in _EXTRAS:
        extra = f'pip install "otelkit[{_EXTRAS[name]}]"'
        return f"{_ASKED}the instrumentor of {name} is not installed: {extra}"
    near = difflib.get_close_matches(name, [*_OWN, *_EXTRAS, *found], 1)
    hint = f"did you mean {near[0]}?" if near else "its instrumentor is not installed"
    return f"{_ASKED}{name} is not known: {hint}"


def _install_own(name: str) -> Uninstall:
    module = importlib.import_module(f"{__name__}.{name}")
    module.install()
    uninstall: Uninstall = module.uninstall
    return uninstall


def _install_endpoints() -> Uninstall:
    from otelkit.integrations import fastapi

    fastapi.hook()
    return fastapi.uninstall


def _when_imported(modules: Collection[str], name: str, install: Install) -> str | None:
    _waiting[name] = install
    if not modules or any(module in sys.modules for module in modules):
        return _activate(name)
    for module in modules:
        register_post_import_hook(lambda module: _imported(name, module), module)
    return None


def _imported(name: str, module: ModuleType) -> None:
    # The import system makes a submodule an attribute of its package only after this.
    package, _, submodule = module.__name__.rpartition(".")
    if package in sys.modules:
        setattr(sys.modules[package], submodule, module)
    problem = _activate(name)
    if problem:
        _log.warning("%s", problem)


def _activate(name: str) -> str | None:
    """Instrument ``name`` if it waits; returns why that failed. Never raises: it may run inside
    an application's import statement."""
    install = _waiting.pop(name, None)  # atomic: one of several threads gets it, without a lock
    if install is None:
        return None
    try:
        _active[name] = install()
    except Exception as error:
        return f"{name} could not be instrumented: {error}"
    return None
