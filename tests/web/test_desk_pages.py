"""The pages of the desk with real data: who sees what, and what they say."""

import csv
import io
import json
import re

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from audit import api as audit
from models_registry import testing as registry
from tests.web.serving import sign_in
from twin_core.data import entry
from twin_core.insight import recommendations
from twin_core.models import LabResult
from twin_core.web import csv_files, series

ROLES = ("engineer", "reviewer", "approver", "validator", "auditor", "administrator", "operator")


def pages(desk) -> dict[str, str]:
    number = desk.batch.number
    return {
        "desk": reverse("web:desk"),
        "batches": reverse("web:batches"),
        "batch": reverse("web:batch", args=[number]),
        "recorded": reverse("web:batch", args=[desk.recorded.number]),
        "charts": reverse("web:charts", args=[number]),
        "chart csv": reverse("web:chart_csv", args=[number, "sugars"]),
        "results csv": reverse("web:results_csv", args=[number]),
        "recommendation": reverse("web:recommendation", args=[desk.feed.pk]),
        "decision": reverse("web:decision", args=[desk.feed.pk]),
        "moved": reverse("web:moved", args=[desk.feed.pk]),
        "health": reverse("web:health"),
    }


def text_of(answer) -> str:
    """Return a page's words without its marks."""
    plain = re.sub(r"<(script|style).*?</\1>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", plain)).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.requirement("URS-WEB-004")
@pytest.mark.parametrize("who", ROLES)
def test_everybody_with_a_role_reads_every_page(desk, who):
    client = desk.client(who)
    answers = {name: client.get(address).status_code for name, address in pages(desk).items()}
    assert set(answers.values()) == {200}, answers


@pytest.mark.requirement("URS-SIG-011")
def test_nobody_reads_a_page_without_signing_in(desk):
    for name, address in pages(desk).items():
        answer = Client().get(address)
        expected = 401 if address.startswith("/live/") else 302
        assert answer.status_code == expected, name


@pytest.mark.requirement("URS-SIG-011")
def test_somebody_without_a_role_reads_nothing_and_the_attempt_is_recorded(desk):
    with transaction.atomic():
        nobody = audit.create_person(
            "nora", "Nora Ries", by=audit.process_actor(), reason="no role yet"
        )
    client = sign_in(Client(), nobody)
    answers = {client.get(address).status_code for address in pages(desk).values()}
    assert answers == {403}
    assert audit.Record.objects.filter(kind__endswith=".refused").exists()


def test_the_root_leads_to_the_desk(desk):
    assert desk.client("auditor").get("/").url == reverse("web:desk")


@pytest.mark.requirement("URS-WEB-004")
def test_the_queue_puts_what_weighs_most_on_top_for_those_who_sign(desk):
    page = desk.client("reviewer").get(reverse("web:desk")).context["page"]
    assert [row.risk for row in page.mine] == ["high", "medium"]
    assert {row.waits_for for row in page.mine} == {"your signature"}
    assert all(row.expires_h == 180.0 and row.expires_at for row in page.mine)
    others = desk.client("engineer").get(reverse("web:desk")).context["page"]
    assert (len(others.mine), len(others.others)) == (0, 2)


@pytest.mark.requirement("URS-WEB-004")
def test_a_question_moves_the_item_to_the_process_engineers(desk):
    recommendations.ask(desk.feed.pk, asker=desk.site.user("reviewer"), question="Why now?")
    mine = desk.client("engineer").get(reverse("web:desk")).context["page"].mine
    assert [(row.title, row.waits_for) for row in mine] == [(desk.feed.title, "your answer")]
    waiting = desk.client("reviewer").get(reverse("web:desk")).context["page"].mine
    assert desk.feed.title not in {row.title for row in waiting}


def test_the_desk_asked_in_the_background_gives_its_lists_alone(desk):
    answer = desk.client("reviewer").get(reverse("web:desk"), headers={"X-Background": "1"})
    assert "<html" not in answer.content.decode()
    assert desk.feed.title in text_of(answer)


@pytest.mark.requirement("URS-DSK-005")
@pytest.mark.requirement("URS-WEB-003")
@pytest.mark.requirement("URS-REC-010")
def test_a_batch_shows_its_course_its_clock_and_where_its_data_come_from(desk):
    answer = desk.client("auditor").get(reverse("web:batch", args=[desk.batch.number]))
    page, words = answer.context["page"], text_of(answer)
    assert {chart["title"] for chart in page.charts} >= {"Viable cell density", "Volume", "Feed"}
    assert page.charts[0]["now"] == 168.0
    assert "simulated plant" in words and "h process" in words
    assert [event["label"] for event in page.charts[0]["events"]] == [
        "Feed rate 5.2",
        "Feed rate 6.4",
        "Temperature 34.5",
    ]
    assert {row.words for row in page.yesterday} >= {"Viable cell density", "Titer"}
    assert {row.quality for row in page.tags} >= {"good", "stale", "none yet"}
    assert "recorded culture" in text_of(
        desk.client("auditor").get(reverse("web:batch", args=[desk.recorded.number]))
    )


@pytest.mark.requirement("URS-REC-002")
def test_an_undecided_twin_says_why_and_latent_states_say_that_they_are(desk):
    answer = desk.client("engineer").get(reverse("web:batch", args=[desk.recorded.number]))
    page = answer.context["page"]
    assert page.verdict == "undecided"
    assert page.undecided == ["the last count lies outside the band"]
    kinds = {one["kind"] for chart in page.charts for one in chart["series"]}
    assert kinds == {"points"}, "an undecided forecast draws no band"
    latent = {row.words: (row.low, row.high) for row in page.states if row.is_latent}
    assert latent["Glucose"] == ("0", "120")
    assert "Viability" not in latent


@pytest.mark.requirement("URS-DSK-005")
@pytest.mark.requirement("URS-WEB-008")
def test_a_changed_file_is_said_on_the_page_and_does_not_break_it(desk, settings, tmp_path):
    settings.BASE_DIR = tmp_path  # the files are not there any more
    answer = desk.client("engineer").get(reverse("web:batch", args=[desk.batch.number]))
    assert answer.status_code == 200
    assert len(answer.context["page"].problems) == 2
    assert "is not what was signed" in text_of(answer)


@pytest.mark.requirement("URS-DSK-005")
def test_the_page_survives_a_damaged_segment_and_names_it(desk, monkeypatch):
    segment = desk.batch.segments.first()
    series._thinned.clear()
    read = series.segments.read

    def damaged(one):
        if one.pk == segment.pk:
            raise ValueError(f"segment {one.pk} is damaged: its content has another digest")
        return read(one)

    monkeypatch.setattr(series.segments, "read", damaged)
    answer = desk.client("engineer").get(reverse("web:batch", args=[desk.batch.number]))
    assert str(segment.pk) in text_of(answer)
    series._thinned.clear()


@pytest.mark.requirement("URS-REC-004")
@pytest.mark.requirement("URS-REC-001")
def test_a_recommendation_shows_what_it_rests_on_down_to_each_value(desk):
    answer = desk.client("reviewer").get(reverse("web:recommendation", args=[desk.feed.pk]))
    page = answer.context["page"]
    assert [row.words for row in page.inputs][:3] == [
        "Forecast at 168.0 h",
        "Estimate at 168.0 h",
        f"Model version {page.model}",
    ]
    laboratory = LabResult.objects.filter(batch=desk.batch).count()
    segments = desk.batch.segments.values("record").distinct().count()
    assert len(page.samples) == laboratory + segments
    assert all(row.href for row in page.samples)
    client = desk.client("reviewer")
    assert client.get(page.samples[0].href).status_code == 200
    assert client.get(page.inputs[3].href).status_code == 200, "the input document"
    effect = page.effects[0]
    assert float(effect.advised) > float(effect.untouched)
    assert page.alternatives and page.verdicts and page.confidence


@pytest.mark.requirement("URS-WEB-007")
def test_the_decision_page_is_one_page_to_print(desk):
    words = text_of(desk.client("auditor").get(reverse("web:decision", args=[desk.feed.pk])))
    assert f"Decision: {desk.feed.title}" in words
    assert str(desk.feed.pk) in words


@pytest.mark.requirement("URS-DSK-003")
def test_a_chart_is_a_csv_with_numbers_and_units(desk):
    answer = desk.client("engineer").get(
        reverse("web:chart_csv", args=[desk.batch.number, "sugars"])
    )
    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert rows[0][0] == "process time (h)"
    assert "Glucose, laboratory (mM)" in rows[0]
    assert len({len(row) for row in rows}) == 1
    assert all(float(row[0]) >= 0 for row in rows[1:])
    assert answer["Content-Disposition"] == f'attachment; filename="{desk.batch.number}-sugars.csv"'
    wrong = reverse("web:chart_csv", args=[desk.batch.number, "secrets"])
    assert desk.client("engineer").get(wrong).status_code == 404


@pytest.mark.requirement("URS-DSK-003")
def test_every_laboratory_value_is_in_the_csv_and_no_cell_is_run_by_a_spreadsheet(desk):
    last = LabResult.objects.filter(batch=desk.batch, tag="lactate").latest("sampled_h")
    entry.correct(
        last, value=1.91, person=desk.site.user("engineer"), reason="=HYPERLINK(1) mistyped"
    )
    answer = desk.client("auditor").get(reverse("web:results_csv", args=[desk.batch.number]))
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert len(rows) == LabResult.objects.filter(batch=desk.batch).count()
    corrected = next(row for row in rows if row["corrects value"])
    assert corrected["reason"] == "'=HYPERLINK(1) mistyped"
    assert (corrected["value"], corrected["corrects value"]) == ("1.91", last.value)


@pytest.mark.requirement("URS-DSK-003")
@pytest.mark.parametrize(
    ("cell", "written"),
    [("=1+1", "'=1+1"), ("+cmd", "'+cmd"), ("-a", "'-a"), ("@x", "'@x"), ("\tx", "'\tx"),
     ("-1.5e-3", "-1.5e-3"), (-2.5, "-2.5"), ("+7", "+7"), (None, ""), ("glucose", "glucose")],
)  # fmt: skip
def test_cells_are_neutral_and_numbers_stay_numbers(cell, written):
    assert csv_files.neutral(cell) == written


def test_charts_asked_for_in_the_background_are_those_of_the_page(desk):
    address = reverse("web:charts", args=[desk.batch.number])
    told = json.loads(desk.client("engineer").get(address).content)["charts"]
    page = desk.client("engineer").get(reverse("web:batch", args=[desk.batch.number]))
    assert [one["id"] for one in told] == [one["id"] for one in page.context["page"].charts]


def test_thinning_keeps_ends_extremes_and_order():
    points = [(float(at), float((at * 37) % 101)) for at in range(400)]
    kept = series.thin(points)
    assert kept[0] == points[0] and kept[-1] == points[-1]
    assert {value for _, value in kept} >= {max(v for _, v in points), min(v for _, v in points)}
    assert list(kept) == sorted(kept)
    assert len(series.spread(points * 1, 100)) <= 100
    assert series.changes([(0, 1.0), (1, 1.0), (2, 2.0)]) == [(0, 1.0), (2, 2.0)]


@pytest.mark.requirement("URS-WEB-004")
def test_a_model_version_waits_for_whom_the_registry_lets_act(desk):
    version = registry.drafted(desk.site.user("engineer"), scope="BR-201", name="v2")
    mine = desk.client("validator").get(reverse("web:desk")).context["page"].mine
    assert [(row.title, row.state) for row in mine] == [("Specify v2", "drafted")]
    assert mine[0].href == reverse("models_registry:version", args=[version.pk])
    for who in ("reviewer", "engineer", "auditor"):
        titles = {
            row.title for row in desk.client(who).get(reverse("web:desk")).context["page"].mine
        }
        assert "Specify v2" not in titles
