"""The page: one HTML file with its styles, without a script, that asks the network for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from markupsafe import Markup

from goldlake.workflows.report.markup import Part, badge, html, joined

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STATES = {"good": "as it should be", "bad": "refused", "warning": "look here", "plain": ""}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
<div class="page">
<nav aria-label="Sections"><ol>{links}</ol></nav>
<main id="main" tabindex="-1">
<header><h1>{title}</h1><p class="soft">{subtitle}</p></header>
{parts}
<footer><p>{footer}</p></footer>
</main>
</div>
</body>
</html>
"""


def page(title: str, subtitle: str, footer: str, parts: Sequence[Part]) -> str:
    """The whole file.

    Args:
        title: Heading of the page.
        subtitle: One line below the heading.
        footer: One line at its end.
        parts: Its sections in order.
    """
    style = files("goldlake.workflows.report").joinpath("report.css").read_text(encoding="utf-8")
    links = joined(
        html('<li><a href="#{id}">{title}</a></li>', id=part.id, title=part.title) for part in parts
    )
    return str(
        html(
            _PAGE,
            policy=POLICY,
            title=title,
            style=Markup(style),
            links=links,
            subtitle=subtitle,
            parts=joined(map(_section, parts)),
            footer=footer,
        )
    )


def _section(part: Part) -> Markup:
    state = badge(STATES[part.state], part.state) if STATES[part.state] else Markup()
    return html(
        '<section id="{id}" aria-labelledby="{id}-title"><h2 id="{id}-title">{title} {state}</h2>'
        '<p class="lead">{lead}</p>{body}</section>',
        id=part.id,
        title=part.title,
        state=state,
        lead=part.lead,
        body=part.body,
    )
