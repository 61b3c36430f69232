"""The page of numbers: per rule and client, what was shown and what clinicians did with it. For staff only."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

import flask

from app.errors import BadRequestError, UnavailableError
from app.pages import POLICY, week_bars
from app.routes.staff import admit
from app.settings import Settings
from app.store.database import Database, StoreDownError
from app.store.report import Line, lines, reason_in_words, totals
from hooks import rule_sheet
from hooks.knowledge import Knowledge


def blueprint(
    settings: Settings, knowledge: Knowledge, database: Database, now: Callable[[], float]
) -> flask.Blueprint:
    """The page at ``/feedback``; ``?client=`` and ``?since=`` (a day, UTC) choose a part of the numbers.

    ``now`` is seconds since 1970: the week in which the pictures end.
    """
    page = flask.Blueprint("feedback", __name__)
    reasons = {one.code: one.display for one in knowledge.override_reasons.values()}
    shared: dict[str, object] = {
        "root": urlsplit(settings.public_url).path.rstrip("/"),
        "knowledge": knowledge,
        "profiles": rule_sheet.profiles(knowledge),
        "rules": {row.number: row for row in knowledge.rules},
        "week_bars": week_bars,
    }

    def because(line: Line) -> list[tuple[str, int]]:
        words = ((reason_in_words(reason, frozenset(reasons)), number) for reason, number in line.given_reasons)
        return [(reasons.get(code, code), number) for code, number in words]

    @page.get("/feedback")
    def numbers() -> flask.Response:
        admit(settings, flask.request.headers.get("Authorization"))
        client, since = flask.request.args.get("client") or None, _since(flask.request.args.get("since"))
        try:
            weekly = lines(database, client=client, since=since)
        except StoreDownError:
            raise UnavailableError("The numbers cannot be read now.") from None
        charts = week_bars.charts(weekly, datetime.fromtimestamp(now(), UTC).date())
        shown = shared | {"client": client, "since": since, "because": because, "charts": charts}
        text = flask.render_template("pages/feedback.html", totals=totals(weekly), weekly=weekly, **shown)
        answer = flask.make_response(text)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    return page


def _since(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadRequestError("since must be a day such as 2026-03-01.", expression=("since",)) from None
