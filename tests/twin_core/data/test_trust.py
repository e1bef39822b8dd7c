"""Trust in an asset's twin: up by one signed step, down at once, each with its record."""

import pytest

from audit import api as audit
from tests.twin_core import factories
from twin_core.data import trust
from twin_core.lifecycle.table import TransitionRefused
from twin_core.models import Equipment

pytestmark = pytest.mark.requirement("URS-WBK-001")


def unit(tag: str = "BR-201") -> Equipment:
    return Equipment.objects.get(tag=tag)


def lower(desk, to: str, reason: str = "probe drifts", tag: str = "BR-201") -> Equipment:
    return trust.lower_trust(unit(tag), to, actor=desk.site.user("operator"), reason=reason)


def raised(desk, who: str = "reviewer", tag: str = "BR-201", **changes) -> Equipment:
    signer = desk.site.user(who)
    facts = {
        "signer": signer,
        "proof": factories.proved(signer),
        "reason": "a week of forecasts was compared",
        "shown": audit.view_digest(trust.view(unit(tag))),
    }
    return trust.raise_trust(unit(tag), **facts | changes)


def test_trust_falls_at_once_and_comes_back_step_by_step_by_signatures(desk):
    assert lower(desk, "monitor").trust == "monitor"
    assert audit.content(unit().record)["reason"] == "probe drifts"
    assert raised(desk).trust == "advise"
    found = raised(desk)
    assert found.trust == unit().trust == "supervised_write"
    (made,) = audit.signatures_of(unit().record)
    assert (made.printed_name, made.is_valid) == ("Anna Meier", True)


def test_a_step_cannot_be_skipped_nor_lowering_used_to_rise(desk):
    lower(desk, "monitor")
    assert trust.next_level(unit()) == "advise"
    for level in ("monitor", "advise", "supervised_write"):
        with pytest.raises(TransitionRefused):
            lower(desk, level)
    assert unit().trust == "monitor"


def test_lowering_needs_its_reason(desk):
    with pytest.raises(trust.TrustRefused, match="needs its reason"):
        lower(desk, "monitor", reason=" ")
    assert unit().trust == "supervised_write"


@pytest.mark.parametrize("who", ["engineer", "validator", "auditor", "administrator", "operator"])
def test_only_quality_assurance_raises_trust(desk, who):
    lower(desk, "advise")
    with pytest.raises(audit.NotEntitled):
        raised(desk, who)
    assert unit().trust == "advise"


def test_who_asked_for_the_step_does_not_sign_it_and_what_moved_is_not_signed(desk):
    lower(desk, "advise")
    with pytest.raises(audit.NotEntitled):
        raised(desk, asked_by=desk.site.user("reviewer"))
    shown = audit.view_digest(trust.view(unit()))
    lower(desk, "monitor")
    with pytest.raises(audit.ViewChanged):
        raised(desk, shown=shown)
    assert unit().trust == "monitor"


def test_nothing_rises_on_a_file_that_is_not_the_signed_one(desk, settings, tmp_path):
    lower(desk, "advise")
    settings.BASE_DIR = tmp_path  # nothing that was signed is there
    with pytest.raises(trust.TrustRefused, match="is not the file that was signed"):
        raised(desk)
    assert unit().trust == "advise"


def test_an_asset_with_nothing_to_write_to_never_reaches_writing(desk):
    with pytest.raises(trust.TrustRefused, match="names nothing that may be written"):
        raised(desk, tag="BR-101")
    assert unit("BR-101").trust == "advise"
