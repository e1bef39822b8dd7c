"""The card: what a version is for, where it holds, what it must reach."""

import json

import pytest

from models_registry import cards, testing
from models_registry.cards import CardRefused


@pytest.mark.requirement("URS-REG-006")
def test_a_sound_card_reads_back_as_it_was_told():
    card = cards.read(json.dumps(testing.card()))
    assert cards.read(cards.as_told(card)) == card


CRITERION = testing.card()["criteria"][0]
FLAWS = [
    ({"intended_use": " "}, "intended_use is empty"),
    ({"impact": "huge"}, "impact must be one of low, medium, high"),
    ({"impact": 3}, "impact must be a text"),
    ({"inputs": "all"}, "inputs must be a list"),
    ({"inputs": [{"tag": "x"}]}, r"inputs\[0\] must be an object of tag, unit, low, high"),
    (
        {"inputs": [{"tag": "x", "unit": "L", "low": "2", "high": "1"}]},
        "low 2 is above high 1",
    ),
    (
        {"inputs": [{"tag": "x", "unit": "L", "low": "nan", "high": "1"}]},
        "must be decimal texts",
    ),
    ({"inputs": [{"tag": "x", "unit": "L", "low": 0, "high": "1"}]}, "low must be a text"),
    ({"outputs": [1]}, "outputs must hold texts"),
    ({"assumptions": [""]}, "assumptions must hold texts"),
    ({"criteria": [CRITERION | {"comparison": "about"}]}, "comparison must be one of"),
    ({"criteria": [CRITERION | {"limit": "low"}]}, "limit must be a decimal text"),
    ({"credibility": {}}, r"credibility\.question must be a text"),
    ({"credibility": "high"}, "credibility must be an object"),
    ({"colour": "red"}, "colour is not known"),
]


@pytest.mark.requirement("URS-REG-006")
@pytest.mark.parametrize(("changes", "reason"), FLAWS)
def test_each_flaw_of_a_card_is_named(changes, reason):
    with pytest.raises(CardRefused, match=reason):
        cards.read(testing.card(**changes))


@pytest.mark.requirement("URS-REG-006")
def test_every_flaw_is_named_at_once():
    with pytest.raises(CardRefused) as refused:
        cards.read(testing.card(impact="huge", outputs=[""]))
    assert "impact" in str(refused.value) and "outputs" in str(refused.value)


@pytest.mark.requirement("URS-REG-006")
@pytest.mark.parametrize("text", ["{", "[]", '{"x": "' + "x" * 9000 + '"}', {"x": "x" * 9000}])
def test_what_is_no_small_json_object_is_refused(text):
    with pytest.raises(CardRefused):
        cards.read(text)


@pytest.mark.requirement("URS-REG-006")
@pytest.mark.parametrize(
    ("value", "is_outside"),
    [(0.0, False), (40.0, False), (40.1, True), (-0.1, True), (float("nan"), True)],
)
def test_an_input_outside_the_valid_space_is_named(value, is_outside):
    reasons = cards.outside(cards.read(testing.card()), {"viable_cell_density": value})
    assert bool(reasons) is is_outside
    assert all("viable_cell_density" in reason for reason in reasons)


def with_limit(comparison, limit, unit="of range"):
    criterion = CRITERION | {"comparison": comparison, "limit": limit, "unit": unit}
    return cards.read(testing.card(criteria=[criterion]))


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize(
    ("comparison", "limit", "is_met"),
    [
        ("at_most", "0.07", True),
        ("at_most", "0.0699", False),
        ("at_least", "0.07", True),
        ("at_least", "0.0701", False),
    ],
)
def test_a_criterion_is_met_up_to_its_limit(comparison, limit, is_met):
    (verdict,) = cards.judge(with_limit(comparison, limit), testing.SCORES)
    assert verdict.is_met is is_met


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize("scores", [None, {"metrics": {}}])
def test_what_was_not_computed_is_not_met(scores):
    (verdict,) = cards.judge(cards.read(testing.card()), scores)
    assert not verdict.is_met and "was not computed" in str(verdict)


@pytest.mark.requirement("URS-REG-003")
def test_a_score_in_another_unit_is_not_met():
    (verdict,) = cards.judge(with_limit("at_most", "1", unit="%"), testing.SCORES)
    assert not verdict.is_met


@pytest.mark.requirement("URS-REG-007")
@pytest.mark.parametrize(
    "changes",
    [
        {"data_set": "short"},
        {"batches": 0},
        {"metrics": {}},
        {"metrics": {"x": {"value": 0.1, "unit": "1"}}},
        {"metrics": {"x": {"value": "inf", "unit": "1"}}},
        {"metrics": {"x": {"value": "1"}}},
        {"metrics": {"x": {"value": "1", "unit": "1", "baselines": {"persistence": "?"}}}},
    ],
)
def test_scores_without_their_data_or_numbers_are_refused(changes):
    with pytest.raises(CardRefused, match="scores"):
        cards.read_scores(testing.SCORES | changes)
