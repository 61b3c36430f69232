"""What is for the staff of the deployment only: who they are, and the metrics."""

import base64
import hmac

import flask

from app.errors import NotAuthenticatedError, UnknownPathError
from app.metrics import CONTENT_TYPE, Metrics
from app.settings import Settings


class NotOfTheStaffError(NotAuthenticatedError):
    """No staff token came, or a wrong one. Browsers ask for it as a password."""

    @property
    def headers(self) -> dict[str, str]:
        """Both ways to send the token."""
        return {"WWW-Authenticate": 'Basic realm="cat-cds staff", charset="UTF-8", Bearer'}


def admit(settings: Settings, header: str | None) -> None:
    """Let staff in: ``Authorization: Bearer <staff token>``, or Basic with the token as the password.

    A demo without a staff token is open to everybody.

    Raises:
        UnknownPathError: there is no staff token, so nothing is for staff.
        NotOfTheStaffError: the header does not hold it.
    """
    if settings.staff_token is None:
        if settings.demo:
            return
        raise UnknownPathError("Nothing is served at this address.")
    expected = settings.staff_token.get_secret_value().encode()
    if not hmac.compare_digest(_given(header or ""), expected):
        raise NotOfTheStaffError("staff")


def _given(header: str) -> bytes:
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value.strip().encode("utf-8", "replace")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except ValueError:
            return b""
    return b""


def blueprint(settings: Settings, metrics: Metrics) -> flask.Blueprint:
    """The addresses for staff."""
    routes = flask.Blueprint("staff", __name__)

    @routes.get("/metrics")
    def tell() -> flask.Response:
        admit(settings, flask.request.headers.get("Authorization"))
        return flask.Response(metrics.text(), content_type=CONTENT_TYPE)

    return routes
