"""Intervals are measured by clocks that nobody can set; the exceptions stand here with why."""

from functools import cache
from pathlib import Path

import pytest

from tests.architecture.wall_clock import places

pytestmark = pytest.mark.requirement("URS-AUD-044")
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("audit", "models_registry", "twin_core", "validation", "iq_oq_pq")

STEADY = "its `now` is time.monotonic()"
CODE = "RFC 6238 counts time steps of the day: that is what the authenticator in the hand does"
KEPT = "outlives processes, so it is a time of day; the clock's steps are recorded"
SHOWN = "is shown to a person, nothing ends by it"
LOOKS = "it compares the clocks themselves"
PLANT = "belongs to the simulated plant, outside the product"
ALLOWED = {
    "audit/management/commands/run_sealer.py seal": STEADY,
    "audit/outside/publishing.py _late": STEADY,
    "audit/outside/witnesses.py collect": STEADY,
    "audit/verifier.py __call__": STEADY,
    "audit/outside/witnesses.py _with_line": "a witness's time must be near ours, or it is refused",
    "audit/outside/timestamps.py stamp": "an authority's time must be near ours, or it is refused",
    "audit/outside/timestamps.py is_due": f"the last token {KEPT}",
    "audit/erasure_pages.py erasure_dialog": CODE,
    "audit/guards/standing.py standing": f"an age {SHOWN}",
    "twin_core/web/health_pages.py guards": f"an age {SHOWN}",
    "audit/outside/alarms.py end": f"how long an outage lasted {SHOWN}",
    "audit/outside/readers.py note_reading": "two readings are one record; " + KEPT,
    "audit/exports/jobs.py _advance": STEADY,
    "audit/exports/jobs.py delete_old": f"an export's files {KEPT}",
    "twin_core/supervisor/secrets.py document_certificate": "validity of a certificate is of days",
    "audit/desk/as_of_pages.py clean_moment": "a moment that a person asks for",
    "audit/desk/reviews.py _check_period": "a period that a person reviews has to be over",
    "audit/desk/review_pages.py _sign_dialog": CODE,
    "audit/retention/pages.py _dialog": CODE,
    "twin_core/connect/service.py _ask": "its `now` is process time",
    "audit/credentials.py next_code_at": CODE,
    "audit/credentials.py code_now": CODE,
    "audit/proofs.py _advice": CODE,
    "audit/proofs.py _next": CODE,
    "twin_core/supervisor/models.py _next_code": CODE,
    "twin_core/supervisor/reviewers.py is_ready": CODE,
    "models_registry/version_pages.py dialog_for": CODE,
    "twin_core/web/signing.py code_ready_at": CODE,
    "audit/proofs.py _locked": f"a lock-out {KEPT}",
    "audit/signatures.py _checked_proof": f"a proof {KEPT}, and one from the future is refused",
    "audit/sessions.py end_over": f"a session {KEPT}",
    "audit/sessions.py touch": f"a session {KEPT}",
    "audit/sessions.py is_alive": f"a session {KEPT}",
    "audit/sessions.py open_sessions": f"a session {KEPT}",
    "audit/sessions.py sweep": f"a session {KEPT}",
    "audit/trail_pages.py note_look": "two looks at a page are one record; " + KEPT,
    "audit/recovery/wal.py standstill": "its `now` is the database's clock",
    "audit/recovery/clock.py require_agreement": LOOKS,
    "audit/recovery/clock.py _steps": LOOKS,
    "audit/recovery/clock.py _drift": LOOKS,
    "audit/recovery/clock.py _difference": LOOKS,
    "twin_core/web/health_pages.py clock": LOOKS,
    "iq_oq_pq/iq/iq_platform.py clocks_agree": LOOKS,
    "twin_core/web/health_pages.py sealer": f"an age {SHOWN}",
    "twin_core/web/health_pages.py checkpoint": f"an age {SHOWN}",
    "twin_core/web/health_pages.py worker": f"an age {SHOWN}",
    "twin_core/web/health_pages.py connectors": f"an age {SHOWN}",
    "twin_core/web/templatetags/desk.py age": f"an age {SHOWN}",
    "twin_core/web/templatetags/desk.py until_words": f"a time left {SHOWN}",
    "twin_core/data/harmonise.py _check_order": "source times against arrival: a plausibility",
    "twin_core/virtual_plant/access.py _is_current": PLANT,
    "twin_core/virtual_plant/bioreactor.py _receive": PLANT,
    "twin_core/virtual_plant/certificates.py _self_signed": "validity of a certificate is of days",
    "twin_core/virtual_plant/opcua_server.py run": PLANT,
    "twin_core/virtual_plant/opcua_server.py _after_last": PLANT,
}


@cache
def found() -> set[str]:
    return {
        f"{path.relative_to(ROOT).as_posix()} {function}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
        for function in places(path)
    }


def test_no_interval_is_measured_by_the_time_of_day_but_where_it_says_why():
    assert sorted(found() - set(ALLOWED)) == []


def test_no_exception_stands_for_nothing():
    assert sorted(set(ALLOWED) - found()) == []


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    start = time.time()\n    return time.time() - start > 3",
        "def f():\n    until = timezone.now() + LIMIT\n    while timezone.now() < until: pass",
        "def f(now):\n    return now - told > LIMIT",
        "def f():\n    while datetime.now(UTC) < end: pass",
    ],
)
def test_an_interval_by_the_time_of_day_would_be_found(tmp_path, text):
    (tmp_path / "late.py").write_text(text)
    assert list(places(tmp_path / "late.py")) == ["f"]


def test_a_monotonic_interval_is_none(tmp_path):
    (tmp_path / "good.py").write_text(
        "def f():\n    end = time.monotonic() + 3\n    while time.monotonic() < end: pass\n"
        "def g(row):\n    row.at = timezone.now()\n"
    )
    assert list(places(tmp_path / "good.py")) == []
