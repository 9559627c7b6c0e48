"""The executed notebook as one HTML file: no code, no script, nothing fetched from elsewhere.

Two walls keep a hostile name from acting: every text is escaped where it is set (Jinja escapes
by default here, Markdown passes no HTML through, exhibits escape their own), and the page's
content security policy allows nothing but its own styles and pictures.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from revplan.exhibits.provenance import colophon
from revplan.ground.escaping import clean, css_string
from revplan.printing.blocks import blocks, opening_of, title_of
from revplan.printing.translated import language_of, speaker

STYLE = Path(__file__).parents[1] / "exhibits" / "style"
MESSAGE = re.compile(r"(<figcaption[^>]*>|<caption[^>]*><span>)([^<]*)(</)")
AMOUNT = re.compile(r"\(?[−+]?(?:[$€£]|\b[A-Z]{3} )[\d.,]*\d[kMB]?[).,;:]*")
"""An amount in a message, with what belongs to it: no line ends within it."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(notebook: Any, name: str) -> str:
    """The page of an executed `notebook`; its first heading is the title, or else `name`.

    The same notebook gives the same bytes.
    """
    from markupsafe import Markup

    found, say = blocks(notebook), speaker(notebook)
    opening, title = opening_of(found), title_of(found, name, level=1)
    resources = {
        "policy": POLICY,
        "language": language_of(notebook),
        "title": title,
        "header": opening.get("header", ""),
        "colophon": {say(label): say(told) for label, told in colophon(notebook).items()},
        "style": Markup((STYLE / "page.css").read_text(encoding="utf-8") + _printed(title, opening)),
    }
    html = _filled(notebook, resources)
    # HTML knows the namespaces of SVG by itself; without them the page holds no address at all.
    html = re.sub(r' xmlns(:xlink)?="http[^"]*"', "", html)
    return MESSAGE.sub(
        lambda found: found[1] + AMOUNT.sub(r'<span class="amount">\g<0></span>', found[2]) + found[3], html
    )


def _printed(title: str, opening: dict[str, Any]) -> str:
    """What stands at the edges of every printed page: the message at the top, the plan below."""
    foot = " · ".join(filter(None, [title, clean(opening.get("header", ""))]))
    message = clean(opening.get("message", ""))
    return (
        f"@page {{ @top-left {{ content: {css_string(message)}; }} @bottom-left {{ content: {css_string(foot)}; }} }}\n"
        "@page :first { @top-left { content: none; } }\n"
    )


def _filled(notebook: Any, resources: dict[str, Any]) -> str:
    """Our template with an executed notebook in it; what is not marked as HTML is escaped.

    Jinja alone, because nbconvert looks for settings in the current folder and runs what they name.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"markdown": _markdown, "shown": _shown}
    template = environment.from_string((STYLE / "page.html.j2").read_text(encoding="utf-8"))
    return template.render(nb=notebook, resources=resources)


def _shown(output: Any) -> Any:
    """What of an output is printed: its HTML, Markdown or picture, else its text; streams and errors have none."""
    from markupsafe import Markup

    data = output.get("data", {})
    if "text/html" in data:
        return Markup(data["text/html"])
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    if "image/png" in data:
        return Markup('<img alt="" src="data:image/png;base64,{}">').format(data["image/png"])
    return Markup("<pre>{}</pre>").format(data["text/plain"]) if "text/plain" in data else ""


def _markdown(source: str) -> Any:
    from markupsafe import Markup

    return Markup(_renderer()(source))


@cache
def _renderer() -> Any:
    import mistune

    class Words(mistune.HTMLRenderer):
        """Markdown in which a picture from elsewhere is its words: a page loads nothing."""

        def image(self, text: str, url: str, title: str | None = None) -> str:
            if url.startswith("data:image/"):
                return super().image(text, url, title)
            return mistune.escape(text)

    return mistune.create_markdown(escape=True, renderer=Words(escape=True), plugins=["table", "strikethrough"])
