"""Pages for clinicians: the rules that cards link to, and the reasons for not following. Never a patient's data."""

from collections.abc import Callable, Mapping
from datetime import date
from urllib.parse import urlsplit

import flask

from app.errors import UnknownPathError
from hooks import rule_sheet
from hooks.knowledge import Knowledge
from hooks.shared_tables import shared_tables
from hooks.threshold_words import load_words

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Nothing but our own style sheet: no script, no image, no form, no frame around the page."""


def blueprint(knowledge: Knowledge, public_url: str, today: Callable[[], date]) -> flask.Blueprint:
    """The pages, made from ``knowledge`` alone. ``today`` tells which reviews are overdue."""
    words = load_words()
    pages = flask.Blueprint(
        "pages", __name__, template_folder="templates", static_folder="static", static_url_path="/static"
    )
    root = urlsplit(public_url).path.rstrip("/")
    shared: dict[str, object] = {"root": root, "knowledge": knowledge, "profiles": rule_sheet.profiles(knowledge)}

    @pages.get("/rules")
    def rules() -> flask.Response:
        rows = [rule_sheet.sheet(knowledge, rule.code, words) for rule in knowledge.rules]
        listed = [(row, rule_sheet.indicators(row)) for row in rows]
        shown = rule_sheet.definitions(knowledge, words)
        overdue = {one.name for one in knowledge.profiles.values() if rule_sheet.is_overdue(one, today())}
        tables = shared_tables(knowledge, words)
        return _page("rules", shared | {"rules": listed, "definitions": shown, "overdue": overdue, "tables": tables})

    @pages.get("/rules/<code>")
    def rule(code: str) -> flask.Response:
        try:
            shown = rule_sheet.sheet(knowledge, code, words, today())
        except KeyError:
            if not _prefers_html():
                raise UnknownPathError("There is no rule of this code.") from None
            return _page("no_rule", shared, 404)
        return _page("rule", shared | {"sheet": shown})

    @pages.get("/override-reasons")
    def override_reasons() -> flask.Response:
        return _page("override_reasons", shared | {"rules_of": rule_sheet.rules_of_reasons(knowledge)})

    @pages.after_request
    def close(answer: flask.Response) -> flask.Response:
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    return pages


def _page(name: str, shown: Mapping[str, object], status: int = 200) -> flask.Response:
    answer = flask.make_response(flask.render_template(f"pages/{name}.html", **shown), status)
    answer.add_etag()
    answer.make_conditional(flask.request)
    return answer


def _prefers_html() -> bool:
    """Whether the client takes HTML at least as gladly as JSON; one that says nothing does."""
    accepted = flask.request.accept_mimetypes
    return not accepted or (accepted["text/html"] > 0 and accepted["text/html"] >= accepted["application/fhir+json"])
