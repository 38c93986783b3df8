"""`otelkit rules`: the alias families as recording rules, for metrics that come by a collector."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from otelkit import instruments
from otelkit._parse import metric_namespace
from otelkit.errors import ConfigError
from otelkit.prometheus import rules


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `otelkit rules`."""
    parser.add_argument(
        "--namespace",
        metavar="N",
        required=True,
        type=_namespace,
        help="first word of the names, as OTELKIT_METRICS_NAMESPACE",
    )
    parser.add_argument(
        "--aliases",
        choices=["instrumentator"],
        action="append",
        default=[],
        help="further names, as OTELKIT_METRICS_ALIASES",
    )
    parser.add_argument(
        "modules",
        metavar="MODULE",
        nargs="*",
        help="module to import, so that the metrics it makes itself are named, too",
    )


def run(args: argparse.Namespace) -> int:
    """Prints the rules.

    Raises:
        ConfigError: A module cannot be imported.
    """
    sys.path.insert(0, "")
    os.environ["OTEL_SDK_DISABLED"] = "true"  # what is imported may call setup()
    for module in args.modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise ConfigError(f"{module} cannot be imported: {error}") from error
    print(rules.write(args.namespace, args.aliases, instruments.made()), end="")
    return 0


def _namespace(text: str) -> str:
    try:
        return metric_namespace(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
