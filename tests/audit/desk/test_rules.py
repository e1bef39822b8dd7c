"""The rules of the review by exception: read strictly, applied by pure code, in order."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from audit.desk import ranking, rules
from audit.desk.rules import Entry, Matcher, RulesRefused

pytestmark = pytest.mark.requirement("URS-WEB-035")
TUESDAY = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Zurich")
ANNA = {"kind": "person", "id": "anna", "name": "Anna"}
HEAD = b"threshold: 3\nhours: {from: 6, to: 20, weekdays: [1, 2, 3, 4, 5]}\nrules:\n"
RULE = b"  - {id: a, title: A, weight: 4, why: because, when: {kind: ['*.refused']}}\n"


def entry(kind: str = "tests.probe.taken", *, at: datetime = TUESDAY, **told: Any) -> Entry:
    payload = {
        "actor": ANNA,
        "changes": [],
        "data": None,
        "reason": None,
        "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        **told,
    }
    return Entry("id", 1, kind, at, payload)


def changed(old: Any, new: Any) -> list[dict[str, Any]]:
    return [{"subject": {"type": "t", "id": "1"}, "old": old, "new": new}]


def met(*entries: Entry) -> list[list[str]]:
    matcher = Matcher(rules.load(), ZONE)
    return [[rule.id for rule in matcher.met(each)] for each in entries]


def test_the_rules_in_force_can_be_read_and_each_says_why():
    found = rules.load()
    assert len(found.digest) == 64
    assert all(rule.why and rule.title for rule in found.rules)
    assert set(found.by_id()) >= {
        *("erased", "signature-refused", "locked", "out-of-hours", "advice-overridden"),
        *("corrected", "deviation", "clock", "late", "many", "export-of-all", "configuration"),
    }


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("audit.personal.erased", "erased"),
        ("audit.partition.dropped", "ledger-event"),
        ("audit.ledger.forked", "ledger-event"),
        ("audit.guards.changed", "ledger-event"),
        ("audit.clock.stepped", "clock"),
        ("audit.session.locked", "locked"),
        ("audit.signature.refused", "signature-refused"),
        ("twin_core.recommendation.rejected", "advice-overridden"),
        ("twin_core.setpoint_write.deviation", "deviation"),
        ("audit.role.granted", "rights"),
        ("twin_core.configuration.signed", "configuration"),
        ("twin_core.sample.released", "quarantine-released"),
    ],
)
def test_a_kind_of_event_meets_its_rule(kind, rule):
    assert rule in met(entry(kind))[0]


def test_an_ordinary_act_meets_no_rule():
    assert met(entry(), entry("audit.session.opened"), entry("twin_core.forecast.made")) == [
        [],
        [],
        [],
    ]


@pytest.mark.parametrize(
    ("at", "is_out"),
    [
        (datetime(2026, 3, 3, 18, 59, tzinfo=UTC), False),  # 19:59 in Zurich
        (datetime(2026, 3, 3, 19, 0, tzinfo=UTC), True),  # 20:00
        (datetime(2026, 3, 3, 4, 59, tzinfo=UTC), True),  # 05:59
        (datetime(2026, 3, 3, 5, 0, tzinfo=UTC), False),  # 06:00
        (datetime(2026, 7, 3, 4, 0, tzinfo=UTC), False),  # 06:00 in summer
        (datetime(2026, 3, 8, 10, 0, tzinfo=UTC), True),  # a Sunday
    ],
)
def test_a_change_out_of_hours_is_told_by_the_sites_own_time(at, is_out):
    change = changed({"a": 1}, {"a": 2})
    assert ("out-of-hours" in met(entry(at=at, changes=change, reason="why"))[0]) is is_out
    assert "out-of-hours" not in met(entry(at=at, changes=changed(None, {"a": 2})))[0]


def test_a_correction_is_a_value_that_became_another():
    kind = "twin_core.lab_result.corrected"
    first, second = changed(None, {"v": 1}), changed({"v": 1}, {"v": 2})
    found = met(entry(kind, changes=first), entry(kind, changes=second, reason="typing error"))
    assert ["corrected" in each for each in found] == [False, True]


def test_a_late_entry_is_one_recorded_an_hour_after_it_occurred():
    late = (TUESDAY - timedelta(seconds=3600)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    nearly = (TUESDAY - timedelta(seconds=3599)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    found = met(entry(occurred_at=late), entry(occurred_at=nearly))
    assert ["late" in each for each in found] == [True, False]


def test_a_burst_is_flagged_once_and_only_within_its_time():
    quick = [entry(at=TUESDAY + timedelta(seconds=n)) for n in range(85)]
    assert ["many" in each for each in met(*quick)].count(True) == 2
    slow = [entry(at=TUESDAY + timedelta(seconds=20 * n)) for n in range(85)]
    assert not any("many" in each for each in met(*slow))
    two = [
        entry(at=TUESDAY + timedelta(seconds=n), actor={**ANNA, "id": f"p{n % 3}"})
        for n in range(85)
    ]
    assert not any("many" in each for each in met(*two))


def test_a_whole_export_weighs_more_than_a_selection():
    whole, part = met(
        entry("audit.export.made", data={"records": "all"}),
        entry("audit.export.made", data={"records": 3}),
    )
    assert whole == ["export", "export-of-all"]
    assert part == ["export"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + RULE + RULE, "there twice"),
        (HEAD + RULE.replace(b"because", b"' '"), "says not why"),
        (HEAD + RULE.replace(b"weight: 4", b"weight: 0"), "no whole number"),
        (HEAD + RULE.replace(b"weight: 4", b"weight: true"), "no whole number"),
        (HEAD + RULE.replace(b"kind:", b"sort:"), "unknown tests"),
        (HEAD + RULE.replace(b"{kind: ['*.refused']}", b"{}"), "tests nothing"),
        (HEAD + RULE.replace(b"['*.refused']", b"'*.refused'"), "kind is a list"),
        (HEAD + RULE.replace(b"kind: ['*.refused']", b"actor: robot"), "no kind of actor"),
        (HEAD + b"  - {id: a}\n", "cannot be read"),
        (b"rules: [", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_rules_that_are_not_right_are_refused_by_name(text, words):
    with pytest.raises(RulesRefused, match=words):
        rules.load(text)


def test_another_text_has_another_digest():
    assert rules.load(HEAD + RULE).digest != rules.load(HEAD + RULE + b"# a word\n").digest


def test_entries_are_ranked_by_weight_and_the_rest_is_counted_by_kind():
    entries = [
        Entry(str(n), n, kind, TUESDAY, {**entry().told, "actor": {**ANNA, "id": who}})
        for n, (kind, who) in enumerate(
            [
                ("tests.probe.taken", "ben"),
                ("audit.session.locked", "ben"),
                ("audit.ledger.forked", "ben"),
                ("audit.ledger.forked", "anna"),
                ("tests.probe.taken", "ben"),
                ("audit.clock.stepped", "ben"),
            ]
        )
    ]
    made = ranking.rank(entries, rules.load(), reviewer="anna", zone=ZONE)
    assert [each.sequence for each in made.ranked] == [2, 1, 5]
    assert dict(made.below) == {"tests.probe.taken": 2}
    assert (made.own_acts, made.seen) == (1, 5)
    rest = ranking.rank(entries, rules.load(), reviewer="ben", of_person="anna", zone=ZONE)
    assert [each.sequence for each in rest.ranked] == [3]
    assert (rest.own_acts, rest.seen) == (0, 1)


def test_more_ranked_entries_than_anybody_reads_are_refused(monkeypatch):
    monkeypatch.setattr(ranking, "MOST", 3)
    entries = [entry("audit.clock.stepped") for _ in range(4)]
    with pytest.raises(ranking.RankingRefused, match="nobody reads so many"):
        ranking.rank(entries, rules.load(), reviewer="ben", zone=ZONE)
    assert ranking.rank(entries[:3], rules.load(), reviewer="ben", zone=ZONE).seen == 3
