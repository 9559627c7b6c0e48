"""Figures and the registry: a report that contradicts itself is not printed, and says where."""

from __future__ import annotations

import pandas as pd
import pytest

from revplan.exhibits.exhibit import Exhibit, table, text
from revplan.exhibits.figures import MIMETYPE, ROUNDING, Figure, FigureCells, as_sentence, figure, joined, measures, say
from revplan.ground.errors import ReportError
from revplan.ground.tables import NUMERIC
from revplan.printing.registry import displayed, registry

ALL_YEAR = ("-Q1", "-Q2", "-Q3", "-Q4", "")


def raw(exhibit: Exhibit) -> dict:
    """What a notebook keeps of `exhibit`."""
    return exhibit._repr_mimebundle_()[MIMETYPE]


def arr(value: float | None, period: str = "2026", basis: str = "planned", **of: str) -> Figure:
    """New ARR."""
    return figure("new_arr", value, period, basis, "USD", **of)


def quarters(values: list[float], period: str = "2026", basis: str = "planned") -> Exhibit:
    """New ARR by quarter, with the total."""
    names = ["Q1", "Q2", "Q3", "Q4", "Year"]
    rows = [{"period": f"{period}-{name}"} for name in names[:4]] + [{"period": period}]
    columns = {"arr": {"measure": "new_arr", "basis": basis}}
    frame = pd.DataFrame({"quarter": names, "arr": values})
    made = table(
        frame, {"quarter": "text", "arr": "money"}, say("The year brings {arr}.", arr=arr(values[-1])), totals=1
    )
    return made.with_cells(FigureCells(rows=rows, columns=columns, currency="USD"))


def faults(*exhibits: Exhibit) -> list[str]:
    """What the registry says of a report of `exhibits`."""
    with pytest.raises(ReportError) as error:
        registry([raw(each) for each in exhibits])
    return [str(fault) for fault in error.value.faults]


def test_a_figure_is_named_by_what_it_is() -> None:
    assert arr(1.0, stage="sql", segment="mid").id == "new_arr [segment=mid,stage=sql] 2026 planned"
    assert arr(1.0).id == "new_arr 2026 planned"


def test_a_sentence_quotes_figures_and_names() -> None:
    said = say("{who} brought {arr}.", who="Segment <b>7</b>", arr=arr(1_234_567))
    assert said.text == "Segment <b>7</b> brought $1.23M."
    assert [each.id for each in said.figures] == ["new_arr 2026 planned"]
    both = joined(said, say("That is all."))
    assert (both.text, both.figures, both.registered) == (said.text + " That is all.", said.figures, True)


def test_a_joined_sentence_is_registered_if_all_its_parts_are() -> None:
    loose = as_sentence("There are 7.")
    assert loose is not None
    assert not joined(say("That is all."), loose).registered
    assert not joined(loose, say("That is all.")).registered


def test_a_table_of_other_rows_than_described_is_refused() -> None:
    frame = pd.DataFrame({"n": [1.0, 2.0]})
    made = table(frame, {"n": "count"}, "Some.").with_cells(
        FigureCells(rows=[{}], columns={"n": {"measure": "entries"}})
    )
    with pytest.raises(ReportError, match="table: has 2 rows, of which 1 are described"):
        raw(made)


def test_a_row_says_more_than_its_column_and_a_cell_without_a_measure_is_no_figure() -> None:
    columns = {"n": {"measure": "entries", "basis": "planned", "period": "2026"}, "m": {"period": "2026"}}
    frame = pd.DataFrame({"n": [1.0], "m": [2.0]})
    made = table(frame, {"n": "count", "m": "count"}, "Some.").with_cells(
        FigureCells(rows=[{"basis": "actual"}], columns=columns)
    )
    assert [each.id for _, _, each in made.figures] == ["entries 2026 actual"]


def test_a_sentence_states_no_number_of_its_own() -> None:
    with pytest.raises(ReportError, match="states a number itself; hand it in as a figure"):
        say("About 3 of them.")


def test_an_undefined_measure_is_refused() -> None:
    with pytest.raises(ReportError, match=r"figure 'luck': is not defined; add a row to measures\.csv"):
        figure("luck", 1.0, "2026")


def test_every_measure_is_whole() -> None:
    for each in measures().values():
        assert each.kind in NUMERIC, each.name
        assert each.kind in ROUNDING, each.name
        assert all([each.label, each.formula, each.source]), each.name


def test_a_report_that_agrees_with_itself_has_one_entry_an_id() -> None:
    found = registry([raw(quarters([1.0, 2.0, 3.0, 4.0, 10.0])), raw(text(say("It is {arr}.", arr=arr(10.0))))])
    assert sorted(found) == ["new_arr 2026 planned", *(f"new_arr 2026-Q{n} planned" for n in range(1, 5))]
    assert found["new_arr 2026-Q3 planned"]["value"] == 3.0


def test_a_report_without_figures_is_left_alone() -> None:
    assert registry([raw(text("There are 7 of them.", {"deals": "7"}))]) == {}


def test_one_id_with_two_values() -> None:
    said = faults(quarters([1.0, 2.0, 3.0, 4.0, 10.0]), text(say("The board saw {arr}.", arr=arr(11.0))))
    assert said[0] == (
        "text 'The board saw $11.', new_arr 2026 planned: is $11 (11.0) here and $10 (10.0) in "
        "table 'The year brings $10.'"
    )


def test_parts_that_do_not_add_up_to_their_total_and_to_the_year() -> None:
    assert faults(quarters([1.0, 2.0, 3.0, 5.0, 10.0])) == [
        "table 'The year brings $10.': column 'arr': the parts add up to 11, the total says 10",
        "new_arr 2026 planned: is 10, but its quarters add up to 11",
    ]


def test_a_year_is_held_against_four_quarters_of_the_same_thing_only() -> None:
    two = {"Q1": 1.0, "Q2": 2.0, "": 9.0}
    said = [say("It is {arr}.", arr=arr(value, f"2026-{name}".rstrip("-"))) for name, value in two.items()]
    assert len(registry([raw(text(each)) for each in said])) == 3
    whole = [
        arr(value, f"2026{name}", segment="a") for name, value in zip(ALL_YEAR, (1.0, 2.0, 3.0, 4.0, 10.0), strict=True)
    ]
    others = [arr(99.0, segment="b"), arr(98.0, basis="actual", segment="a"), figure("goal", 97.0, "2026", segment="a")]
    assert len(registry([raw(text(say("It is {arr}.", arr=each))) for each in (*whole, *others)])) == 8


def test_one_id_with_a_value_and_without_one() -> None:
    known, unknown = (text(say("It is {arr}.", arr=arr(value))) for value in (10.0, None))
    assert len(registry([raw(unknown), raw(unknown)])) == 1
    assert faults(known, unknown) == [
        "text 'It is –.', new_arr 2026 planned: is – (None) here and $10 (10.0) in text 'It is $10.'"
    ]


def test_a_fact_that_is_a_figure_needs_no_other_id() -> None:
    facts = text("Facts", {"New ARR": arr(10.0), "Made": "15 Nov 2026", "By": "finance"})
    assert list(registry([raw(facts)])) == ["new_arr 2026 planned"]


def test_parts_count_as_displayed() -> None:
    assert "the parts add up to 403, the total says 402" in faults(quarters([100.5, 100.5, 100.5, 100.4, 401.9]))[0]


def test_a_figure_says_its_basis_and_its_period() -> None:
    unlabelled = text(say("It is {a} or {b}.", a=arr(1.0, basis=""), b=arr(1.0, period="")))
    assert [said.split(": ", 1)[1] for said in faults(unlabelled)] == ["says no basis", "says no period"]


def test_a_share_above_one() -> None:
    said = say("Of it came {share}.", share=figure("conversion", 1.02, "2026", "actual"))
    assert faults(text(said)) == [
        "text 'Of it came 102%.', conversion 2026 actual: is a share of a whole and comes to 102%"
    ]


def test_a_number_that_is_no_figure() -> None:
    base = text(say("It is {arr}.", arr=arr(10.0)))
    loose = table(pd.DataFrame({"name": ["a"], "n": [3.0]}), {"name": "text", "n": "count"}, "Some are left.")
    assert faults(base, text("There are 7.")) == [
        "text 'There are 7.': states a number that is no figure; make the sentence with `say`"
    ]
    assert faults(base, loose) == ["table 'Some are left.': column 'n' holds numbers that are no figures"]
    assert faults(base, text("Facts", {"deals": "7", "made": "15 Nov 2026"})) == [
        "text 'Facts': deals: '7' is no figure"
    ]
    assert faults(base, text("Facts", {"made": "7 since 15 Nov 2026"})) == [
        "text 'Facts': made: '7 since 15 Nov 2026' is no figure"
    ]


@pytest.mark.parametrize(
    ("shown", "value"), [("1,234", 1234.0), ("18.5%", 18.5), ("−3.2", -3.2), ("+4", 4.0), ("–", 0.0)]
)
def test_a_displayed_number_is_read_back(shown: str, value: float) -> None:
    assert displayed(shown) == value


@pytest.mark.parametrize(
    ("measure", "value", "of", "worse"),
    [
        ("new_arr_gap", -1.0, {}, True),
        ("new_arr_gap", 1.0, {}, False),
        ("arr_term_gap", -1.0, {"term": "expansion"}, True),
        ("arr_term_gap", -1.0, {"term": "churn"}, False),
        ("arr_term_gap", 1.0, {"term": "churn"}, True),
        ("arr_term_gap", 1.0, {"term": "contraction"}, True),
        ("arr_term_gap", 0.0, {"term": "churn"}, False),
        ("remaining", -1.0, {}, False),  # more is won than was to be: no variance to the bad
    ],
)
def test_which_way_is_worse_follows_the_measure(measure: str, value: float, of: dict[str, str], worse: bool) -> None:
    assert figure(measure, value, "2026", **of).is_worse is worse


def test_every_variance_says_which_way_is_better() -> None:
    said = {each.name: each.good.partition(" ")[0] for each in measures().values()}
    assert all(said[each.name] for each in measures().values() if each.signed)
    assert set(said.values()) <= {"", "up", "down"}
