"""The arithmetic of the benchmarks, and the page that their table is put into."""

import pytest

from tests.benchmarks.__main__ import put_table
from tests.benchmarks.rounds import Goal, Rounds, as_table, made


def test_every_variant_runs_once_a_round_and_each_round_begins_with_another():
    seen: list[str] = []

    def measure(name: str):
        return lambda: seen.append(name) or {"rate": float(len(seen))}

    rounds = Rounds()
    rounds.run({"a": measure("a"), "b": measure("b")}, 3, say=lambda _: None)
    assert seen == ["a", "b", "b", "a", "a", "b"]
    assert [len(each) for each in rounds.seen.values()] == [3, 3]


def test_a_ratio_is_taken_inside_a_round_and_its_median_is_quoted():
    rounds = Rounds({"ours": [{"rate": 9.0}, {"rate": 80.0}, {"rate": 5.0}]})
    rounds.seen["raw"] = [{"rate": 10.0}, {"rate": 100.0}, {"rate": 10.0}]
    row = rounds.row("ours", "raw", goal=Goal(0.75))
    assert (row.ratio, row.least, row.most, row.rounds) == (0.8, 0.5, 0.9, 3)
    assert row.verdict == "met"


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [(Goal(90.0, at_least=False), "missed"), (Goal(110.0, at_least=False), "met"), (None, "")],
)
def test_a_goal_may_be_a_ceiling(goal, verdict):
    assert made("lag", "ms", [100.0], goal=goal).verdict == verdict


def test_the_table_replaces_the_one_before_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n")
    put_table(page, as_table([made("lag", "ms", [1.0])]))
    text = page.read_text()
    assert text.startswith("before\n<!-- bench: begin -->\n| measured |")
    assert text.endswith("| lag | ms | 1 | 1 to 1 | 1 |  |  |\n<!-- bench: end -->\nafter\n")
    assert "old" not in text


def test_a_page_without_a_place_for_the_table_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing here")
    with pytest.raises(SystemExit, match="has no line"):
        put_table(page, "table")
