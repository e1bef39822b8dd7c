"""The verifier page holds a bundle to each rule of the format: one breach a case."""

import pytest

from tests.audit.bundles import js_ledger as made
from tests.audit.bundles import js_verifier
from tests.audit.bundles.js_cases_chain import HEADERS, RECORDS
from tests.audit.bundles.js_cases_files import FILES, MANIFESTS
from tests.audit.bundles.js_cases_trust import CHECKPOINTS, TRUST

pytestmark = pytest.mark.browser
CASES = {case.name: case for case in [*HEADERS, *RECORDS, *CHECKPOINTS, *TRUST, *FILES, *MANIFESTS]}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bool, str]]:
    """Every case checked in one call."""
    root = tmp_path_factory.mktemp("cases")
    folders, trust = {}, {}
    for n, (name, case) in enumerate(CASES.items()):
        folders[name] = made.write(case.files, root / str(n))
        if case.trust is not None:
            trust[folders[name]] = root / f"{n}.trust"
            trust[folders[name]].write_bytes(case.trust.encode())
    found = js_verifier.run(list(folders.values()), trust)
    return {name: found[folder] for name, folder in folders.items()}


@pytest.mark.requirement("URS-AUD-085")
@pytest.mark.parametrize("name", CASES)
def test_each_rule_is_checked_and_the_breach_is_named(answers, name):
    case, (ok, text) = CASES[name], answers[name]
    assert ok is (case.says is None), text
    assert (case.says or "") in text
    for word in case.also:
        assert word in text
    if ok:
        assert text.startswith("CONSISTENT" if case.trust is None else "SOUND, ORIGIN PROVED")


@pytest.mark.requirement("URS-AUD-088")
def test_no_bundle_is_called_proved_without_trust(answers):
    untrusted = [answers[name] for name, case in CASES.items() if case.trust is None]
    assert len(untrusted) > 50
    assert not any("ORIGIN PROVED" in text for _, text in untrusted)
