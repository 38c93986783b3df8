"""Where the files of the stack are, and which of them go together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from otelkit.errors import OtelkitError

SUMS = Path("collector/.exported")  # of the files of a copy, as sha256sum writes them

_STAYS = {"__pycache__", "secrets", SUMS.name}  # what belongs to where it is


def locate() -> Path:
    """Return the folder of ``docker-compose.yml`` and ``collector/``.

    Raises:
        OtelkitError: They are not part of this installation.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "_stack", package.parent):
        if (folder / "docker-compose.yml").is_file() and (folder / "collector").is_dir():
            return folder
    raise OtelkitError("the stack is not part of this installation of otelkit")


def files(source: Path) -> Iterator[Path]:
    """What a copy of the stack in ``source`` consists of, relative to it."""
    yield from (Path("docker-compose.yml"), Path(".env"), Path(".dockerignore"))
    for path in sorted((source / "collector").rglob("*")):
        relative = path.relative_to(source)
        if path.is_file() and not _STAYS & set(relative.parts):
            yield relative


def combinations(collector: Path) -> list[list[Path]]:
    """The files that are meant to be used together, each a list for ``otelcol --config``."""
    base = [collector / "config.yaml", collector / "extras.yaml"]
    overlays = sorted((collector / "overlays").glob("*.yaml"))
    scale = collector / "scale"
    roles = []
    for name in ("agent", "gateway"):
        role = [scale / f"{name}.yaml"]
        roles += [role, *([*role, one] for one in sorted(scale.glob(f"{name}-*.yaml")))]
    return [base, *([*base, one] for one in overlays), [*base, *overlays]] + [
        [*base, *role] for role in roles
    ]
