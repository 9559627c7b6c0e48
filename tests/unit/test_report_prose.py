"""Markdown as plain data."""

from __future__ import annotations

from revplan.printing.blocks import paragraphs, runs, words


def shown(nodes: list[dict]) -> list[object]:
    """The pieces, each text with the first letters of its looks."""
    return [(node["kind"], looks(node.get("runs", []))) for node in nodes]


def looks(parts: list[dict]) -> str:
    """Texts, marked b(old), i(talic), m(ono)."""
    marks = ["".join(look[0] for look in ("bold", "italic", "mono") if part[look]) for part in parts]
    return "|".join(f"{mark}:{part['text']}" if mark else part["text"] for mark, part in zip(marks, parts, strict=True))


def test_looks_are_nested() -> None:
    (node,) = paragraphs("plain **bold *both*** `code`")
    assert looks(node["runs"]) == "plain |b:bold |b:|bi:both| |m:code"


def test_html_and_entities_are_text_and_a_link_shows_its_address() -> None:
    assert words("<b>x</b> &amp; [site](https://example.com/a) <https://example.com/b>") == (
        "<b>x</b> & site (https://example.com/a) https://example.com/b"
    )


def test_a_heading_that_begins_with_a_number_is_no_list() -> None:
    assert looks(runs("1. The *goal*")) == "1. The |i:goal"


def test_blocks() -> None:
    (bullets, quote, code, rule) = paragraphs("- one\n- two\n  1. three\n\n> said\n\n```\nif x:\n\ty\n```\n\n---")
    assert [bullets["ordered"], quote["kind"], rule["kind"]] == [False, "quote", "rule"]
    assert shown(bullets["items"][0]) == [("paragraph", "one")]
    assert shown(bullets["items"][1]) == [("paragraph", "two"), ("list", "")]
    assert shown(quote["nodes"]) == [("paragraph", "said")]
    assert code["lines"] == [{"indent": 0, "text": "if x:"}, {"indent": 4, "text": "    y"}]


def test_a_list_counts_from_where_it_says() -> None:
    (counted,) = paragraphs("3. three\n4. four")
    assert (counted["ordered"], counted["start"], len(counted["items"])) == (True, 3, 2)


def test_tables_and_what_is_unknown() -> None:
    (grid, html) = paragraphs("| a | b |\n|---|---|\n| 1 | ~~2~~ |\n\n<div>#x</div>")
    assert [[looks(cell) for cell in row] for row in grid["rows"]] == [["a", "b"], ["1", "2"]]
    assert looks(html["runs"]).strip() == "<div>#x</div>"
