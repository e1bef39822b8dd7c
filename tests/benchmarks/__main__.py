"""Measure, and print ratios: ``python -m tests.benchmarks PART [--rounds N] [--quick]``."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

PARTS = ("ledger", "desk")


def main() -> None:
    if sys.argv[1:2] == ["desk"]:
        from tests.benchmarks import desk

        return desk.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=300_000, help="to verify and export")
    parser.add_argument("--acts", type=int, default=16_000, help="acts of a measurement")
    parser.add_argument(
        "--quick", action="store_true", help="does it run: the figures mean nothing"
    )
    parser.add_argument("--only", default="", help="variants of writing whose name holds this")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table into this page")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.acts, options.records = 1, 240, 2_000
    sys.exit(run(options))


def run(options: argparse.Namespace) -> int:
    from tests.services import TestServices

    services = TestServices()
    os.environ.update(services.environment(), TWIN_PROCESS="benchmark")
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    import django

    django.setup()
    from tests.benchmarks import reading, rounds, writing
    from tests.benchmarks.site import Site

    with services.running(), tempfile.TemporaryDirectory(prefix="twin-bench-") as place:
        site = Site(services)
        rows = writing.rows(site, acts=options.acts, rounds=options.rounds, only=options.only)
        if not options.only:
            rows += reading.rows(
                site, records=options.records, rounds=options.rounds, place=Path(place)
            )
    table = rounds.as_table(rows)
    sys.stdout.write(table)
    if options.write:
        put_table(options.write, table)
    return 0


def put_table(page: Path, table: str) -> None:
    """Replace what stands between the marks of the page by the table."""
    start, end = "<!-- bench: begin -->\n", "<!-- bench: end -->"
    text = page.read_text(encoding="utf-8")
    head, found, rest = text.partition(start)
    if not found:
        raise SystemExit(f"{page} has no line {start.strip()}")
    page.write_text(head + start + table + end + rest.partition(end)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
