"""Calibrate and replay from files, without a record store: for study, not for advice.

    python -m twin_core.equipment.bioreactor.offline calibrate PACKAGE --name N --out V.json
        [--group-by condition] [--without condition=C]
    python -m twin_core.equipment.bioreactor.offline replay PACKAGE --version V.json --out DIR
        [--only condition=C]

A version made here is a draft like any other: it advises only after it has been registered,
verified and signed into force.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from twin_core.equipment.bioreactor.twin import TWIN
from twin_core.science.calibration import calibrate
from twin_core.science.packages import Package, PackageError, read_package
from twin_core.science.replay import replay
from twin_core.science.versions import VersionRefused, thaw


def chosen(package: Package, without: str | None, only: str | None) -> Package:
    """Return the package less or with the batches of ``attribute=value``."""
    if without:
        package = package.without(*without.split("=", 1))
    if only:
        package = package.only(*only.split("=", 1))
    if not package.batches:
        raise PackageError("no batch is left: check --without and --only")
    return package


def run_calibrate(options: argparse.Namespace) -> str:
    """Write a version and return its digest."""
    package = chosen(read_package(options.package), options.without, options.only)
    with tqdm(unit=" steps", disable=None) as bar:

        def progress(text: str) -> None:
            bar.set_description(text)
            bar.update()

        frozen = calibrate(
            package,
            TWIN.model(options.template),
            name=options.name,
            group_by=options.group_by,
            progress=progress,
        )
    options.out.write_text(frozen.text, encoding="utf-8")
    return f"{frozen.digest}  {options.out}"


def run_replay(options: argparse.Namespace) -> str:
    """Write forecasts.csv and scores.json and return where."""
    package = chosen(read_package(options.package), options.without, options.only)
    text = options.version.read_text(encoding="utf-8")
    version = thaw(text, TWIN.model(options.template))
    with tqdm(total=len(package.batches), unit=" batches", disable=None) as bar:

        def progress(batch_id: str) -> None:
            bar.set_description(batch_id)
            bar.update()

        replay(package, version, options.out, progress=progress)
    return f"{options.out}/forecasts.csv and scores.json"


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="offline")
    commands = parser.add_subparsers(required=True)
    for name, run in (("calibrate", run_calibrate), ("replay", run_replay)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("package", type=Path)
        command.add_argument("--template", default="cho_fed_batch")
        command.add_argument("--out", type=Path, required=True)
        command.add_argument("--without", metavar="ATTRIBUTE=VALUE")
        command.add_argument("--only", metavar="ATTRIBUTE=VALUE")
        if name == "calibrate":
            command.add_argument("--name", required=True)
            command.add_argument("--group-by", default="batch_id")
        else:
            command.add_argument("--version", type=Path, required=True)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parsed(arguments)
    try:
        print(options.run(options))
    except (PackageError, VersionRefused, ValueError, OSError) as flaw:
        print(flaw, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
