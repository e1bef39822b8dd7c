"""The PDF report: the same bytes for the same content, signed, and checked three ways."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from audit import exports
from audit.exports.copies import checking

FILTERS = {"filters": exports.Filters(stream="batch/B-1"), "reason": "inspection of the 24th"}


@pytest.fixture
def report(filled, tmp_path) -> Path:
    exports.export(tmp_path / "bundle", formats=("pdf",), **FILTERS)
    return tmp_path / "bundle" / "copies" / "report-0001.pdf"


def told(document, settings, **options):
    return checking.check(
        document, trust=settings.DOCUMENT_CERTIFICATE_FILE.read_bytes(), **options
    )


@pytest.mark.requirement("URS-AUD-072")
def test_a_report_is_accepted_against_the_ledger_and_against_its_bundle(report, settings):
    for options in ({}, {"bundle": report.parents[1]}):
        said = told(report.read_bytes(), settings, **options)
        assert len(said) == 3
        assert said[-1] == "the pages show what the attached records say, byte for byte"


@pytest.mark.requirement("URS-AUD-072")
def test_the_command_says_what_was_proved(report, settings):
    out = io.StringIO()
    trust = settings.DOCUMENT_CERTIFICATE_FILE
    call_command("verify_pdf", str(report), trust=trust, stdout=out)
    assert "those of this ledger" in out.getvalue()
    with pytest.raises(CommandError, match="cannot check"):
        call_command("verify_pdf", str(report), trust=report.parent / "none.pem")
