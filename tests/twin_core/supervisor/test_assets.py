"""The demonstration's assets: entered, configured and trusted by signatures, as far as planned."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit import api as audit
from twin_core.data import configuration, trust
from twin_core.models import Equipment
from twin_core.supervisor import assets, models, people


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until somebody sleeps."""

    class Clock:
        now = timezone.now()

        def sleep(self, seconds):
            self.now += timedelta(seconds=seconds)

    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock


@pytest.fixture
def hands(ledger_db, tmp_path, clock):
    return models.Hands(people.make(tmp_path), lambda _: None, clock.sleep)


def steps():
    """Return (what, who signed) of everything that was signed on equipment, in order."""
    rows = audit.Signature.objects.select_related("signed", "signer").order_by("id")
    return [
        (row.signed.stream, row.signed.kind.split(".")[-1], row.signer.username)
        for row in rows
        if row.signed.stream.startswith("equipment/")
    ]


@pytest.mark.requirement("URS-WBK-001")
def test_each_asset_reaches_its_level_step_by_step_by_signatures(hands):
    assets.SetUp(hands.prove, hands.say).run()
    levels = dict(Equipment.objects.values_list("tag", "trust"))
    assert levels == {"BR-101": "advise", "BR-201": "supervised_write"}
    assert steps() == [
        ("equipment/BR-101", "signed", "quinn"),
        ("equipment/BR-101", "trust_raised", "rosa"),
        ("equipment/BR-201", "signed", "rosa"),
        ("equipment/BR-201", "trust_raised", "quinn"),
        ("equipment/BR-201", "trust_raised", "rosa"),
    ]
    for equipment in Equipment.objects.all():
        assert configuration.refusals(equipment) == []
        assert equipment.configuration.count() == 4


@pytest.mark.requirement("URS-WBK-001")
def test_run_again_it_signs_nothing_and_goes_on_where_it_stopped(hands):
    set_up = assets.SetUp(hands.prove, hands.say)
    set_up.entered(assets.PLANS[0])
    set_up.run()
    done = steps()
    set_up.run()
    assert steps() == done
    assert Equipment.objects.count() == 2


@pytest.mark.requirement("URS-WBK-001")
def test_trust_that_a_person_has_lowered_is_not_raised_by_the_next_start(hands):
    set_up = assets.SetUp(hands.prove, hands.say)
    set_up.run()
    row = Equipment.objects.get(tag="BR-201")
    trust.lower_trust(row, "monitor", actor=hands.person("otto"), reason="alarm")
    set_up.run()
    row.refresh_from_db()
    assert row.trust == "monitor"


@pytest.mark.requirement("URS-WBK-009")
def test_a_file_that_was_changed_is_not_signed_by_the_next_start(hands, settings, tmp_path):
    set_up = assets.SetUp(hands.prove, hands.say)
    set_up.run()
    done, files = steps(), assets.PLANS[0].files
    for path in files.values():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((settings.BASE_DIR / path).read_bytes() + b"# changed\n")
    settings.BASE_DIR = tmp_path
    set_up.bring(assets.PLANS[0])
    assert steps() == done
    assert configuration.refusals(Equipment.objects.get(tag="BR-101"))


def test_a_code_that_is_used_elsewhere_at_the_same_time_is_followed_by_the_next(hands, clock):
    quinn, held = hands.person("quinn"), hands.everybody["quinn"]
    plain = models.Hands._next_code

    def used_meanwhile(self, signer):
        moment = plain(self, signer)
        if not taken:
            taken.append(audit.prove(quinn, password=held.password, code=held.code(moment)[0]))
        return moment

    taken = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.Hands, "_next_code", used_meanwhile)
        signer, proof = hands.prove("quinn")
    assert signer == quinn
    assert proof.record_id != taken[0].record_id
