"""What people say beside an exhibit: read, printed in every format, and no longer believed when its figures move."""

from __future__ import annotations

import io
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import pptx
import pytest

from revplan.exhibits.exhibit import text
from revplan.exhibits.figures import figure, say
from revplan.ground.errors import PlanError
from revplan.printing.blocks import exhibits
from revplan.printing.page import page
from revplan.printing.slides.deck import deck
from revplan.run import commentary
from revplan.run.commentary import Commentary, comment_of, commented, read_commentary, with_commentary

HOSTILE = "=cmd|' /C calc'!A0 <script>alert(1)</script> \u202e"


def executed(chance: float) -> Any:
    """A notebook of one cell that was run, whose headline quotes a chance."""
    said = say("The chance is {chance}.", chance=figure("chance", chance, "2026"))
    output = nbformat.v4.new_output("display_data", text(said)._repr_mimebundle_())
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("outlook.landing(book)", outputs=[output])])


def said_when(chance: float, folder: Path, words: str = "Two deals slipped.") -> Commentary:
    commented(executed(chance), folder, comment_of("landing", words, "Ana", date(2026, 10, 5), "board_report"))
    return read_commentary(folder)


def told(notebook: Any) -> list[dict[str, str]]:
    return exhibits(notebook)[0].get("comments", [])


def test_a_comment_stands_under_its_exhibit_while_its_figures_stand(tmp_path: Path) -> None:
    found = said_when(0.72, tmp_path)
    line = "Two deals slipped. (Ana, 5 Oct 2026)"
    assert told(with_commentary(executed(0.72), found, "board_report")) == [{"line": line, "expired": ""}]
    assert told(with_commentary(executed(0.74), found, "board_report")) == [{"line": line, "expired": ""}]  # 2.8 % off
    assert told(with_commentary(executed(0.72), found, "annual_commit")) == []


@pytest.mark.parametrize("chance", [0.683, 0.8])
def test_it_expires_when_one_moves_by_more_than_the_stated_part(chance: float, tmp_path: Path) -> None:
    done = with_commentary(executed(chance), said_when(0.72, tmp_path), "board_report")
    now = f"{100 * chance:.1f}".removesuffix(".0")
    assert told(done)[0]["expired"] == f"Written when chance of the goal was 72% (now {now}%)."
    assert 'class="comment expired" style="opacity:.55"' in page(done, "board_report")


def test_an_expired_comment_is_refused_where_wished(tmp_path: Path) -> None:
    said_when(0.72, tmp_path)
    path = tmp_path / "commentary.yaml"
    path.write_text(f"# ours\nexpired: refuse\nexpires_when_moved: 0.2\n{path.read_text()}")
    found = read_commentary(tmp_path)
    with_commentary(executed(0.6), found, "board_report")
    with pytest.raises(PlanError, match=r"landing.*was 72% \(now 50%\).*Write it anew, or take it out"):
        with_commentary(executed(0.5), found, "board_report")
    commented(executed(0.5), tmp_path, comment_of("landing", "Newer.", "Tom", date(2026, 11, 1), "board_report"))
    assert path.read_text().startswith("# ours\n")
    assert [each.text for each in read_commentary(tmp_path).comments] == ["Two deals slipped.", "Newer."]


def test_what_strangers_write_stays_text(tmp_path: Path) -> None:
    done = with_commentary(executed(0.72), said_when(0.72, tmp_path, HOSTILE), "board_report")
    printed = page(done, "board_report")
    assert "<script>alert" not in printed
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in printed
    slides = pptx.Presentation(io.BytesIO(deck(done, "board_report"))).slides
    words = [shape.text_frame.text for slide in slides for shape in slide.shapes if shape.has_text_frame]
    assert any("alert(1)" in each for each in words)
    assert all("\u202e" not in each for each in [*words, printed])


def test_faults_are_told_with_their_lines_and_at_once(tmp_path: Path) -> None:
    (tmp_path / "commentary.yaml").write_text(
        "comments:\n- {exhibit: coverag, text: a, owner: b, date: 2026-01-01}\n"
        "- {exhibit: tornado, text: a, owner: b, date: 2026-01-01}\n- {exhibit: xyzzy, text: a, owner: b, date: 2026-01-01}\n"
    )
    with pytest.raises(PlanError) as faults:
        read_commentary(tmp_path)
    assert "line 2" in str(faults.value)
    assert "did you mean coverage?" in str(faults.value)
    assert "line 4" in str(faults.value)
    (tmp_path / "commentary.yaml").write_text("expired: maybe\ncomments:\n- {exhibit: coverage, text: a, date: soon}\n")
    with pytest.raises(PlanError) as faults:
        read_commentary(tmp_path)
    assert [str(each).partition(", ")[2].partition(" (")[0] for each in faults.value.faults] == [
        "comments[0].owner: is missing; add it",
        "comments[0].date: got 'soon'; write it like 2026-11-15",
        "expired: got 'maybe'; it must be 'grey' or 'refuse'",
    ]
    with pytest.raises(PlanError, match="text"):
        comment_of("landing", "  ", "Ana", date(2026, 1, 1), "board_report")
    with pytest.raises(PlanError, match="it shows landing"):
        commented(executed(0.5), tmp_path, comment_of("coverage", "a", "Ana", date(2026, 1, 1), "board_report"))


def test_of_many_who_write_at_the_same_instant_nobody_loses_a_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = commentary.read_commentary

    def slowly(folder: Path) -> Commentary:
        found = read(folder)
        time.sleep(0.05)  # so that whoever does not wait has read before the others write
        return found

    monkeypatch.setattr(commentary, "read_commentary", slowly)
    start, names = threading.Barrier(4), ["Ana", "Ben", "Cem", "Dia"]

    def say_it(name: str) -> None:
        start.wait()
        commented(executed(0.72), tmp_path, comment_of("landing", "Mine.", name, date(2026, 10, 5), "board_report"))

    people = [threading.Thread(target=say_it, args=[name]) for name in names]
    for each in people:
        each.start()
    for each in people:
        each.join()
    assert sorted(each.owner for each in read(tmp_path).comments) == names


def test_of_two_who_change_the_same_comment_the_second_is_told(tmp_path: Path) -> None:
    shown_to_both = said_when(0.72, tmp_path).comments[0]
    commentary.replaced(tmp_path, shown_to_both, shown_to_both.model_copy(update={"text": "Three slipped."}))
    with pytest.raises(PlanError, match="somebody changed it"):
        commentary.replaced(tmp_path, shown_to_both, shown_to_both.model_copy(update={"text": "None slipped."}))
    assert [each.text for each in read_commentary(tmp_path).comments] == ["Three slipped."]
