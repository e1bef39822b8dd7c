"""Pages to read (HTML): an index to open first, and the entries in words with old and new.

Static and self-contained: no script, nothing loaded from elsewhere, all text escaped.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from audit.exports.copies import Done, lines
from audit.exports.copies.cover import facts, ledger_keys, signed_in
from audit.exports.copies.readable import Entry, Signed, Subject, entry_of, visible
from audit.exports.copies.volumes import Volume, volumes
from audit.exports.cut import Cut
from audit.exports.journal import Journal

VOLUME = 1_000  # entries a page
LISTED = 2_000  # entries up to which the index lists each one
INDEX = "copies/index.html"
STYLE = (Path(__file__).parent / "pages.css").read_text("utf-8")
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
COPIES = {
    "parquet": ("records", "parquet", 500_000, "typed tables, to sort and search with any tool"),
    "csv": ("records", "csv", 250_000, "one row a record, for spreadsheets"),
    "html": ("entries", "html", VOLUME, "entries in words, with old and new values"),
    "pdf": ("report", "pdf", 500, "signed report, entries in words"),
}


def write(journal: Journal, cut: Cut, records: int) -> Iterator[Done]:
    """Write ``copies/entries-NNNN.html``."""
    for volume in volumes(records, VOLUME):
        name = volume.name("entries", "html")
        if name not in journal.digests:
            found = list(lines.read(journal.bundle, start=volume.start, stop=volume.stop))
            signed = signed_in(cut, found)
            journal.write(name, entries_page(cut, volume, records, found, signed))
            yield Done("html", volume.stop)


def write_index(journal: Journal, cut: Cut, records: int) -> None:
    """Write ``copies/index.html``, which names every other copy."""
    journal.write(INDEX, index_page(journal, cut, records))


def entries_page(
    cut: Cut,
    volume: Volume,
    records: int,
    found: Sequence[lines.Line],
    signed: Mapping[str, list[Signed]],
) -> Iterator[bytes]:
    """Yield one page of entries."""
    title = f"Entries {volume.start + 1} to {volume.stop} of {records}"
    yield from _head(f"{title}: {cut.origin}")
    yield f"<h1>{title}</h1>{_neighbours(volume, records)}".encode()
    for line in found:
        yield _entry(entry_of(line, signed.get(line.id, ()))).encode()
    yield f"{_neighbours(volume, records)}</main></body></html>\n".encode()


def _neighbours(volume: Volume, records: int) -> str:
    links = ['<a href="index.html">Index</a>']
    if volume.number > 1:
        links.append(f'<a href="entries-{volume.number - 1:04}.html">Earlier entries</a>')
    if volume.stop < records:
        links.append(f'<a href="entries-{volume.number + 1:04}.html">Later entries</a>')
    return f'<nav aria-label="Pages">{" ".join(links)}</nav>'


def _head(title: str) -> Iterator[bytes]:
    policy = f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; base-uri 'none'"
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body><main>"
    ).encode()


def _text(text: str) -> str:
    return escape(visible(text))


def _entry(entry: Entry) -> str:
    parts = [
        f'<article id="n{entry.sequence}"><h2>No. {entry.sequence}: {_text(entry.headline)}</h2>',
        _list(entry.facts),
        *map(_subject, entry.subjects),
    ]
    if entry.data:
        parts.append(_table("Further facts", ("Member", "Value"), entry.data))
    parts += map(_signature, entry.signatures)
    return "".join(parts) + "</article>\n"


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(text)}</dd>" for name, text in pairs)
    return f"<dl>{rows}</dl>"


def _subject(subject: Subject) -> str:
    rows = "".join(
        f'<tr{"" if row.is_same else " class=changed"}><th scope="row">{_text(row.member)}'
        f"{'' if row.is_same else ' <b>changed</b>'}</th>"
        f"<td>{_text(row.old)}</td><td>{_text(row.new)}</td></tr>"
        for row in subject.changes
    )
    return (
        f"<table><caption>{_text(subject.type)} {_text(subject.id)}</caption><thead><tr>"
        '<th scope="col">Member</th><th scope="col">Old</th><th scope="col">New</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = "".join(f'<th scope="col">{_text(head)}</th>' for head in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(each)}</td>" for each in row) + "</tr>" for row in rows
    )
    return (
        f"<table><caption>{_text(caption)}</caption><thead><tr>{titles}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _signature(signed: Signed) -> str:
    flaw = f" <b>Does not count as signed: {_text(signed.flaw)}.</b>" if signed.flaw else ""
    return (
        f'<p class="signature">Signed by {_text(signed.printed_name)}, meaning: '
        f"{_text(signed.meaning)}, {_text(signed.signed_at)} ({_text(signed.signed_at_site)})."
        f" Reason: {_text(signed.reason)}.{flaw}</p>"
    )


def index_page(journal: Journal, cut: Cut, records: int) -> Iterator[bytes]:
    """Yield the page that a person opens first."""
    yield from _head(f"Records of {cut.origin}")
    yield f"<h1>Records of {_text(cut.origin)}</h1>".encode()
    evidence = journal.digests["records.jsonl"]
    yield _list(facts(cut, records, evidence, ledger_keys())).encode()
    yield (
        b"<p>These copies are for reading and searching. The evidence is "
        b"<code>records.jsonl</code> beside this folder; <code>README.txt</code> says how to check "
        b"it.</p><h2>Copies</h2>"
    )
    yield _copies_list(cut, records).encode()
    if "html" in cut.formats:
        yield from _contents(journal.bundle, records)
    yield b"</main></body></html>\n"


def _copies_list(cut: Cut, records: int) -> str:
    rows = []
    for name in cut.formats:
        stem, ending, size, what = COPIES[name]
        files = [each.name(stem, ending).removeprefix("copies/") for each in volumes(records, size)]
        if name == "csv":
            files += [file.replace("records", "changes") for file in files]
        rows += [f'<li><a href="{file}">{file}</a>: {_text(what)}</li>' for file in files]
    return f"<ul>{''.join(rows)}</ul>"


def _contents(bundle: Path, records: int) -> Iterator[bytes]:
    """Yield a list of entries, or of pages with the range of each where there are too many."""
    yield b'<h2>Entries</h2><ul class="entries">'
    for volume in volumes(records, VOLUME):
        file = volume.name("entries", "html").removeprefix("copies/")
        found = lines.read(bundle, start=volume.start, stop=volume.stop)
        if records <= LISTED:
            for line in found:
                yield _listed(file, line).encode()
        elif ends := _first_and_last(found):
            first, last = ends
            yield (
                f'<li><a href="{file}">No. {first.sequence} to {last.sequence}</a>, '
                f"recorded {first.recorded_at} to {last.recorded_at}</li>"
            ).encode()
    yield b"</ul>"


def _listed(file: str, line: lines.Line) -> str:
    entry = entry_of(line)
    return (
        f'<li><a href="{file}#n{entry.sequence}">No. {entry.sequence}: {_text(entry.headline)}</a>'
        f" {_text(entry.recorded_at)}, {_text(entry.actor)}</li>"
    )


def _first_and_last(found: Iterator[lines.Line]) -> tuple[lines.Line, lines.Line] | None:
    first = last = next(found, None)
    for line in found:
        last = line
    return (first, last) if first is not None and last is not None else None
