"""A protocol passes only what was observed and was as expected."""

import pytest

from validation.protocols import Protocol, ProtocolInvalid, perform, perform_all


def protocol_of(*actions, risk="medium"):
    protocol = Protocol("OQ-TST", title="A probe")
    for number, action in enumerate(actions, 1):
        action.__doc__ = action.__doc__ or "It shows something."
        protocol.step(f"OQ-TST-{number:03}", verifies=["URS-TST-001"], risk=risk)(action)
    return protocol


def passing(run):
    run.instruct("Look.")
    run.expect("one", 1, equals=1)


def failing(run):
    run.expect("one", 2, equals=1)
    run.expect("two", 2, equals=2)


def raising(run):
    run.expect("one", 1, equals=1)
    raise OSError("the disk is gone")


def silent(run):
    run.instruct("Look away.")


@pytest.mark.requirement("URS-VAL-003")
def test_a_step_notes_instruction_expected_and_actual():
    result = perform(protocol_of(passing).steps[0], actor="tester")
    assert result.outcome == "passed"
    seen = result.observations[0]
    assert (seen.what, seen.expected, seen.actual, seen.instruction) == ("one", "1", "1", "Look.")


@pytest.mark.requirement("URS-VAL-003")
def test_a_failed_expectation_fails_the_step_but_observation_goes_on():
    result = perform(protocol_of(failing).steps[0], actor="tester")
    assert result.outcome == "failed"
    assert [each.passed for each in result.observations] == [False, True]


@pytest.mark.requirement("URS-VAL-003")
def test_an_exception_fails_the_step_and_is_told():
    result = perform(protocol_of(raising).steps[0], actor="tester")
    assert (result.outcome, result.error) == ("failed", "OSError: the disk is gone")


@pytest.mark.requirement("URS-VAL-003")
def test_a_step_that_observes_nothing_fails():
    result = perform(protocol_of(silent).steps[0], actor="tester")
    assert result.outcome == "failed"
    assert "observed nothing" in result.error


@pytest.mark.requirement("URS-VAL-003")
@pytest.mark.parametrize(("risk", "last"), [("high", "not_run"), ("medium", "passed")])
def test_only_a_failure_of_high_risk_stops_the_run(risk, last):
    results = list(perform_all(protocol_of(failing, passing, risk=risk), actor="tester"))
    assert [each.outcome for each in results] == ["failed", last]


@pytest.mark.requirement("URS-VAL-003")
@pytest.mark.parametrize(
    ("raised", "outcome"), [(ValueError("no such thing"), "passed"), (ValueError("oh"), "failed")]
)
def test_a_refusal_has_to_name_its_reason(raised, outcome):
    def step(run):
        with run.refusal("a thing", by=ValueError, naming="no such"):
            raise raised

    assert perform(protocol_of(step).steps[0], actor="tester").outcome == outcome


@pytest.mark.requirement("URS-VAL-003")
def test_an_act_that_should_be_refused_and_is_accepted_fails_the_step():
    def step(run):
        with run.refusal("a thing", by=ValueError, naming="no"):
            pass

    result = perform(protocol_of(step).steps[0], actor="tester")
    assert (result.outcome, result.observations[0].actual) == ("failed", "accepted")


@pytest.mark.requirement("URS-VAL-003")
@pytest.mark.parametrize(("actual", "passed"), [(0.5, True), (1.5, False), (float("nan"), False)])
def test_a_limit_is_kept_and_nan_is_never_within_it(actual, passed):
    def step(run):
        run.expect("difference in s", actual, at_most=1.0)

    assert perform(protocol_of(step).steps[0], actor="tester").observations[0].passed is passed


@pytest.mark.requirement("URS-VAL-003")
def test_an_attachment_is_known_by_its_digest():
    def step(run):
        run.expect("one", 1, equals=1)
        run.attach("empty.txt", "")

    attachment = perform(protocol_of(step).steps[0], actor="tester").attachments[0]
    assert attachment.digest.startswith("e3b0c44298fc1c149afbf4c8996fb924")  # FIPS 180-4, empty


@pytest.mark.requirement("URS-VAL-003")
@pytest.mark.parametrize(
    ("identifier", "verifies", "doc", "complaint"),
    [
        ("OQ-OTHER-001", ["URS-TST-001"], "Shows.", "a step of OQ-TST"),
        ("OQ-TST-001", ["URS-TST-001"], "Shows.", "stands twice"),
        ("OQ-TST-002", ["URS-TST-001"], "", "docstring"),
        ("OQ-TST-002", [], "Shows.", "at least one requirement"),
    ],
)
def test_a_wrongly_declared_step_is_refused(identifier, verifies, doc, complaint):
    def step(run):
        pass

    step.__doc__ = doc
    protocol = protocol_of(passing)
    with pytest.raises(ProtocolInvalid, match=complaint):
        protocol.step(identifier, verifies=verifies)(step)
