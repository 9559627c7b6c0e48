"""Sentences of a person that quote figures: linked ones follow the registry, of others is told where a number moved."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from revplan.ground.errors import shown
from revplan.ground.formats import MINUS
from revplan.printing.slides.record import WORD_JOINER

LINK = re.compile(r"\s*figures?:\s*(.+)", re.IGNORECASE)
MONTH = re.compile(r"\s(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)")
TO_DATE = " to date"
"""What the period of a figure is told by as long as some of it is still to come."""


@dataclass(frozen=True, kw_only=True)
class DeckFinding:
    """Something that a person should look at after a refresh."""

    kind: str
    """stale, gone, kept, overwritten, new or room."""
    message: str
    slide: int | None = None
    text: str = ""
    """The sentence or the cell it is about."""
    figure: str = ""
    was: str = ""
    now: str = ""

    def __str__(self) -> str:
        place = f"slide {self.slide}: " if self.slide else ""
        return place + (f"{shown(self.text)!r}: " if self.text else "") + self.message


@dataclass(frozen=True, kw_only=True)
class DeckFigures:
    """How figures were displayed when a deck was made, and how they are today, by their ids."""

    before: Mapping[str, Sequence[str]]
    now: Mapping[str, Sequence[str]]
    earlier: Mapping[str, Sequence[str]]
    """Numbers of still earlier decks that a sentence quotes on, with the ids of the figures they were."""

    def ids(self) -> set[str]:
        return {*self.before, *self.now, *(each for ids in self.earlier.values() for each in ids)}

    def was(self, figure: str) -> Sequence[str]:
        return self.before.get(figure) or self.before.get(_over(figure)) or ()

    def today(self, figure: str) -> Sequence[str]:
        """How a figure is displayed today, one of a quarter to date as that of the quarter once it is over; empty if it went."""
        return self.now.get(figure) or self.now.get(_over(figure)) or ()

    def moved(self) -> dict[str, list[tuple[str, str]]]:
        """Displayed numbers that are no longer those of their figures, each with the figures and what these say today.

        Those that went say nothing, and come last.
        """
        found: dict[str, list[tuple[str, str]]] = {}
        for each, was in self.before.items():
            now = self.today(each)
            for form, becomes in changed_forms(was, now) if now else [(form, "") for form in was]:
                found.setdefault(form, []).append((each, becomes))
        for form, ids in self.earlier.items():
            for each in ids:
                now = self.today(each)
                if form not in now:
                    found.setdefault(form, []).append((each, now[0] if now else ""))
        told = {form: list(dict.fromkeys(each)) for form, each in found.items() if re.search(r"\d", form)}
        return {form: sorted(each, key=lambda pair: not pair[1]) for form, each in told.items()}


def _over(figure: str) -> str:
    return figure.replace(TO_DATE, "")


def relinked(texts: Sequence[str], links: Sequence[str], figures: DeckFigures) -> tuple[list[str], list[str]]:
    """The sentences with the numbers of today in the place of those of the figures they are linked with; what is wrong.

    Two figures that were displayed alike are told apart by the order in which they are linked and quoted.
    """
    changes: dict[str, list[str]] = {}
    for each in links:
        for was, now in changed_forms(figures.was(each), figures.today(each)):
            changes.setdefault(was, []).append(now)
    quoted: dict[str, int] = {}
    told, faults = [], []
    for text in texts:
        new, end = "", 0
        for first, stop, form in quotes(text, changes):
            ready = changes[form]
            number = quoted[form] = quoted.get(form, 0) + 1
            if len(set(ready)) > 1 and number > len(ready):
                faults.append(f"quotes {form} more often than figures are linked with it; write the numbers of today")
            new += text[end:first] + ready[min(number, len(ready)) - 1]
            end = stop
        told.append(new + text[end:])
    whole = " ".join(told)
    for each in links:
        forms = figures.today(each)
        if not any(spans(whole, form) for form in forms):
            told_so = f"is linked with the figure {each}, which is {forms[0]}, and does not say so"
            faults.append(f"{told_so}; write {forms[0]} there")
    return told, faults


def stale(sentences: Iterable[tuple[int, str]], figures: DeckFigures) -> tuple[list[DeckFinding], dict[str, list[str]]]:
    """The sentences that quote a number which was a figure's and is no more, by their slides; and what they quote, of what.

    A number that some figure still shows is not told of where it may well be that one: if it is a small count, or if
    the figure that it was has gone.
    """
    forms = figures.moved()
    still = {form for texts in figures.now.values() for form in texts}
    found: dict[DeckFinding, None] = {}
    earlier: dict[str, list[str]] = {}
    for slide, text in sentences:
        for _, _, form in quotes(text, forms):
            (figure, now), more = forms[form][0], len(forms[form]) - 1
            if form in still and (not now or re.fullmatch(r"\d{1,2}", form)):
                continue
            earlier[form] = [each for each, _ in forms[form]]
            others = f" (and {more} more)" if more else ""
            named = figure if figure in figures.now else _over(figure)
            tail = f"{now} now; to have it follow, write `figure: {named}` into the alternative text or the name of its shape"
            message = f"{form} was {figure}{others}, which is {tail if now else 'in the report no more'}"
            found[
                DeckFinding(kind="stale", message=message, slide=slide, text=text, figure=figure, was=form, now=now)
            ] = None
    return list(found), earlier


def spans(text: str, form: str) -> list[tuple[int, int]]:
    """Where `text` quotes the displayed number `form`: as a whole, not as part of a longer one or of a date."""
    signed = re.escape(form).replace(MINUS, f"[{MINUS}-]{WORD_JOINER}?").replace("\\ ", r"\s")
    found = []
    for match in re.finditer(rf"(?<![\w.,$€£¥{MINUS}+{WORD_JOINER}]){signed}(?![\w%]|[.,]\d)", text):
        hyphen = text[: match.start()].endswith("-") and not text[: match.start() - 1][-1:].isalnum()
        dated = form.isdigit() and len(form) <= 2 and MONTH.match(text, match.end())
        if not hyphen and not dated:
            found.append(match.span())
    return found


def changed_forms(was: Sequence[str], now: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The displayed forms of a figure that are others now, each with what it has become."""
    alike = len(was) == len(now)
    for at, form in enumerate(was):
        becomes = now[at] if at < 2 or alike else now[1]
        if form not in now and becomes != form:
            yield form, becomes


def quotes(text: str, forms: Iterable[str]) -> list[tuple[int, int, str]]:
    """Where a text quotes which of the displayed numbers, in its order."""
    return sorted((first, end, form) for form in forms for first, end in spans(text, form))


def links_in(text: str, ids: Collection[str]) -> Iterator[str]:
    """The figures that an alternative text or a name names: `figure: ID`, a line each, or several with semicolons between."""
    for line in text.replace("_x000a_", "\n").splitlines():
        found = LINK.fullmatch(line.rstrip())
        if found:
            whole = found[1].strip()
            yield from [whole] if whole in ids else filter(None, (each.strip() for each in whole.split(";")))
