"""The demo page: a small EHR that shows the cards of the service for the fixture patients.

The page runs in the browser as any client of the service would: it calls the hooks, applies suggestions to its
drafts and posts feedback. This server only renders what it shows.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import flask
import orjson

from app.demo.charts import Charts
from app.demo.ehr import order_list
from app.demo.ehr.card_view import answer_view
from app.demo.ehr.chart import chart
from app.demo.ehr.picture import PictureMissingError, can_draw, svg
from app.demo.ehr.roster import Story, stories
from app.demo.ehr.therapy import Therapy, therapy
from app.errors import BadRequestError, UnknownPathError
from app.routes.door import LOOPBACK_ORIGINS, json_body
from hooks.guidelines import Profile
from hooks.knowledge import Knowledge

_DRAFT_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_MOST_ANSWERS = 8


def blueprint(fixtures: Path, today: Callable[[], date], *, knowledge: Knowledge, guideline: str) -> flask.Blueprint:
    """The page at ``/`` and what it needs below ``/ehr``; ``guideline`` is the profile shown first."""
    charts = Charts(folder=fixtures, today=today)
    page = flask.Blueprint(
        "ehr", __name__, template_folder="templates", static_folder="static", static_url_path="/ehr/static"
    )

    @page.get("/")
    def open_list() -> flask.Response:
        return _page("welcome", _frame(charts, knowledge, guideline))

    @page.get("/ehr/patients/<patient_id>")
    def open_patient(patient_id: str) -> flask.Response:
        story = _story(charts, patient_id)
        return _page(
            "patient",
            _frame(charts, knowledge, guideline),
            story=story,
            chart=chart(charts.chart(patient_id), today()),
            therapy=_therapy(charts, patient_id, today(), knowledge, guideline),
            can_draw=can_draw(),
            groups=order_list.groups(story),
        )

    @page.get("/ehr/patients/<patient_id>/therapy.svg")
    def draw(patient_id: str) -> flask.Response:
        _story(charts, patient_id)
        try:
            drawn = svg(_therapy(charts, patient_id, today(), knowledge, guideline))
        except PictureMissingError:
            raise UnknownPathError("The library that draws the picture is not installed.") from None
        return flask.Response(drawn, content_type="image/svg+xml")

    @page.get("/ehr/patients/<patient_id>/drafts/<key>")
    def write_draft(patient_id: str, key: str) -> flask.Response:
        draft_id = flask.request.args.get("id", "")
        if not _DRAFT_ID.match(draft_id):
            raise BadRequestError("A draft needs an id of letters, digits and hyphens.")
        try:
            drafted = order_list.drafted(_story(charts, patient_id), key, draft_id=draft_id, day=today())
        except KeyError:
            raise UnknownPathError("There is no such order.") from None
        return flask.Response(orjson.dumps(drafted), mimetype="application/json")

    @page.post("/ehr/cards")
    def show_cards() -> flask.Response:
        shown = [answer_view(number, answer) for number, answer in enumerate(_answers(json_body()))]
        return flask.Response(flask.render_template("ehr/cards.html", answers=shown), mimetype="text/html")

    @page.after_request
    def close(answer: flask.Response) -> flask.Response:
        answer.headers.setdefault("Content-Security-Policy", "default-src 'none'")
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    return page


def policy(service: str) -> str:
    """The Content-Security-Policy of the page; it may call ``service`` (an origin) beside its own."""
    own = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'"
    rest = "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types cards"
    return f"{own}; connect-src 'self'{f' {service}' if service else ''}; {rest}"


def _frame(charts: Charts, knowledge: Knowledge, guideline: str) -> dict[str, Any]:
    """What every page shows: the patients, the profiles, and the service that is called."""
    profiles: Sequence[Profile] = sorted(knowledge.profiles.values(), key=lambda one: one.name != guideline)
    return {"stories": stories(charts), "profiles": profiles, "service": _service()}


def _service() -> str:
    """The origin of another service on this machine that ``?service=`` names, "" for our own."""
    named = flask.request.args.get("service", "").rstrip("/")
    if named and not LOOPBACK_ORIGINS.match(named):
        raise BadRequestError("The service must be an origin on this machine, such as http://127.0.0.1:8001.")
    return named


def _story(charts: Charts, patient_id: str) -> Story:
    found = next((story for story in stories(charts) if story.id == patient_id), None)
    if found is None:
        raise UnknownPathError("There is no such patient.")
    return found


def _therapy(charts: Charts, patient_id: str, today: date, knowledge: Knowledge, guideline: str) -> Therapy:
    return therapy(charts.chart(patient_id), patient_id, today, knowledge, knowledge.profiles[guideline])


def _answers(body: bytes) -> list[Mapping[str, Any]]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    answers = content.get("answers") if isinstance(content, dict) else None
    if not isinstance(answers, list) or len(answers) > _MOST_ANSWERS or not all(isinstance(a, dict) for a in answers):
        raise BadRequestError("The body must hold a short list of answers.")
    return answers


def _page(name: str, frame: Mapping[str, Any], **shown: object) -> flask.Response:
    answer = flask.make_response(flask.render_template(f"ehr/{name}.html", **frame, **shown))
    answer.headers["Content-Security-Policy"] = policy(frame["service"])
    return answer
