"""The trace matrix of this installation as it stands now."""

from audit.api import software
from validation import requirements, results, runner, runs, trace


def current() -> list[trace.Row]:
    """Return the matrix for this build from the kept test results and the record store."""
    declared = {s.id: s.verifies for p in runner.installed().values() for s in p.steps}
    tests = results.read(requirements.ROOT / results.RESULTS)
    found = [*trace.from_tests(tests), *trace.from_steps(declared, runs.last_steps())]
    return trace.matrix(requirements.load(), found, software=software())
