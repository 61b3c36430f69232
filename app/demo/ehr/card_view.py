"""Cards as the demo page shows them. Whatever comes from a service is taken for text, its Markdown made harmless."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import nh3
from markdown_it import MarkdownIt

from app.reading.elements import objects, string

INDICATORS = {"critical": "Critical", "warning": "Warning", "info": "Information"}
"""The word that stands beside colour and icon, the gravest first."""

_TAGS = frozenset(
    {
        "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong",
        "table", "tbody", "td", "th", "thead", "tr", "ul",
    }
)  # fmt: skip
_WEB = ("https://", "http://")
_INSIDE_A_DOSE = re.compile(r"(?<=\d) (?=\d{3}\b|(?i:IU|mg|mL|kg)\b)")
_ANSWERED = range(200, 300)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Words to follow, and where to; ``url`` is an address of the web or ""."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A suggestion: what its button says, and what pressing it does, line by line."""

    uuid: str
    label: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason for not following."""

    code: str
    system: str
    display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardView:
    """One card. ``detail`` is HTML that may be shown as it is; all else is plain text."""

    uuid: str
    indicator: str
    word: str
    summary: str
    detail: str
    source: Link
    offers: tuple[Offer, ...]
    reasons: tuple[Reason, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """What one profile answered: cards, or in ``failure`` why it could not; ``number`` is its place in the request."""

    number: int
    profile: str
    cards: tuple[CardView, ...]
    failure: str
    advice: str


def answer_view(number: int, answer: Json) -> AnswerView:
    """One answer as the browser got it: ``{"profile", "status", "body"}``; status 0 when nobody answered."""
    status, body = answer.get("status"), answer.get("body")
    said = body if isinstance(body, dict) else {}
    cards = [_card(one) for one in objects(said.get("cards"))]
    gravest_first = sorted(cards, key=lambda card: list(INDICATORS).index(card.indicator))
    failure, advice = ("", "") if status in _ANSWERED and "cards" in said else _failure(status, said)
    return AnswerView(
        number=number,
        profile=string(answer.get("profile")),
        cards=tuple(gravest_first),
        failure=failure,
        advice=advice,
    )


def markdown(text: str) -> str:
    """GitHub-flavoured Markdown as HTML without scripts, styles, images or foreign schemes."""
    html = _reader().render(whole(text))
    return nh3.clean(html, tags=set(_TAGS), attributes={"a": {"href"}}, url_schemes={"http", "https"})


def whole(text: str) -> str:
    """Text in which no end of a line can come into a dose: ``15 000 IU`` stays together."""
    return _INSIDE_A_DOSE.sub("\N{NO-BREAK SPACE}", text)


@cache
def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _failure(status: object, said: Json) -> tuple[str, str]:
    if status == 0:
        return "The decision support service cannot be reached.", "Nothing was checked."
    issue = next(iter(objects(said.get("issue"))), {})
    details = issue.get("details")
    words = string(details.get("text")) if isinstance(details, dict) else ""
    diagnostics = string(issue.get("diagnostics"))
    return words or f"The decision support service failed ({status}).", diagnostics or "Nothing was checked."


def _card(card: Json) -> CardView:
    given = string(card.get("indicator"))
    indicator = given if given in INDICATORS else "info"
    source = card.get("source")
    links = [_link(one) for one in objects(card.get("links"))]
    return CardView(
        uuid=string(card.get("uuid")),
        indicator=indicator,
        word=INDICATORS[indicator],
        summary=whole(string(card.get("summary"))),
        detail=markdown(string(card.get("detail"))),
        source=_link(source if isinstance(source, dict) else {}),
        offers=tuple(_offers(card)),
        reasons=tuple(_reason(one) for one in objects(card.get("overrideReasons"))),
        links=tuple(link for link in links if link.url),
    )


def _offers(card: Json) -> Iterator[Offer]:
    for suggestion in objects(card.get("suggestions")):
        actions = tuple(whole(string(action.get("description"))) for action in objects(suggestion.get("actions")))
        label = whole(string(suggestion.get("label")))
        yield Offer(uuid=string(suggestion.get("uuid")), label=label, actions=actions)


def _reason(reason: Json) -> Reason:
    code = string(reason.get("code"))
    return Reason(code=code, system=string(reason.get("system")), display=string(reason.get("display")) or code)


def _link(link: Json) -> Link:
    url = string(link.get("url"))
    return Link(label=string(link.get("label")) or url, url=url if url.lower().startswith(_WEB) else "")
