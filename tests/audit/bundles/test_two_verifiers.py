"""Two verifiers, written apart from one page, give one answer: in verdict and in place.

Everything goes through one Chromium page and through the one-file verifier: the frozen vectors, the
honest bundles, the table of attacks, and the cases that break one rule each.
"""

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.audit.bundles import js_ledger, odd_values, rivals
from tests.audit.bundles.joint import CASES, Asked, everything

SEED = 20_261_124
pytestmark = [pytest.mark.browser, pytest.mark.requirement("URS-AUD-080")]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asked]:
    return everything(tmp_path_factory.mktemp("joint"))


@pytest.fixture(scope="module")
def odd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Name -> folder of the bundles with odd values: some of them, all in a campaign."""
    made = list(odd_values.bundles())
    if request.config.getoption("--campaign") is None:
        made = random.Random(SEED).sample(made, 150)
    home = tmp_path_factory.mktemp("odd")
    return {name: js_ledger.write(files(), home / str(n)) for n, (name, files) in enumerate(made)}


@pytest.fixture(scope="module")
def answers(asked: dict[str, Asked], odd: dict[str, Path]) -> dict[str, rivals.Verdicts]:
    trust = {each.folder: each.trust for each in asked.values() if each.trust}
    folders = [*(each.folder for each in asked.values()), *odd.values()]
    return {name: verify(folders, trust) for name, verify in rivals.BOTH.items()}


def test_the_two_agree_on_every_bundle(asked, answers):
    found = {
        name: rivals.apart(list(answers.values()), each.folder, each.trust)
        for name, each in asked.items()
    }
    assert {name: difference for name, difference in found.items() if difference} == {}


def test_the_two_agree_on_any_value_of_any_member(odd, answers):
    found = {
        name: rivals.apart(list(answers.values()), folder, None) for name, folder in odd.items()
    }
    assert len(found) >= 150
    assert {name: difference for name, difference in found.items() if difference} == {}


@pytest.mark.requirement("URS-AUD-081")
@pytest.mark.parametrize("verifier", rivals.BOTH)
def test_each_takes_the_sound_and_refuses_the_rest(asked, answers, verifier):
    found = {name: answers[verifier][each.folder] for name, each in asked.items()}
    wrong = {name: text for name, (ok, text) in found.items() if ok is not asked[name].is_sound}
    assert wrong == {}


@pytest.mark.requirement("URS-AUD-081")
@pytest.mark.parametrize("verifier", rivals.BOTH)
def test_each_names_the_place_of_every_attack(asked, answers, verifier):
    astray = {
        name: (text, each.place)
        for name, each in asked.items()
        if not re.search(each.place, text := answers[verifier][each.folder][1])
    }
    assert astray == {}


def test_nothing_was_left_out(asked):
    kinds = Counter(name.partition(":")[0] for name in asked)
    assert kinds["vector"] == kinds["vector alone"] == 9
    assert kinds["attack"] >= 50
    assert kinds["case"] == len(CASES) >= 137


@pytest.mark.requirement("URS-AUD-085")
@pytest.mark.parametrize("name", CASES)
def test_the_page_names_each_breach(asked, answers, name):
    case, (_, text) = CASES[name], answers["javascript"][asked[f"case: {name}"].folder]
    assert (case.says or "") in text
    if case.says is None:
        assert text.startswith("CONSISTENT" if case.trust is None else "SOUND, ORIGIN PROVED")


@pytest.mark.requirement("URS-AUD-088")
@pytest.mark.parametrize(
    ("verifier", "words"),
    [("python", "origin proved by"), ("javascript", "SOUND, ORIGIN PROVED")],
)
def test_no_bundle_is_called_proved_without_trust(asked, answers, verifier, words):
    found = [(each.trust, answers[verifier][each.folder][1]) for each in asked.values()]
    assert sum(trust is None for trust, _ in found) > 50
    assert not any(words in text for trust, text in found if trust is None)
