"""The page at the root outside demo mode: what this service is, and where to go on."""

from urllib.parse import urlsplit

import flask

from app.pages import POLICY
from hooks import rule_sheet
from hooks.knowledge import Knowledge
from hooks.services import SERVICES


def blueprint(knowledge: Knowledge, public_url: str) -> flask.Blueprint:
    """The page at ``/``."""
    page = flask.Blueprint("front", __name__)
    shared: dict[str, object] = {
        "root": urlsplit(public_url).path.rstrip("/"),
        "knowledge": knowledge,
        "profiles": rule_sheet.profiles(knowledge),
        "services": SERVICES,
    }

    @page.get("/")
    def front() -> flask.Response:
        answer = flask.make_response(flask.render_template("pages/front.html", **shared))
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    return page
