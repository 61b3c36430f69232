"""What demo mode adds to the service: the FHIR server, the page, and the services once more under each profile."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import flask

from app import auth, routes
from app.demo import ehr, server
from app.routes import Parts


def join(app: flask.Flask, parts: Parts, fixtures: Path) -> None:
    """Add the demo to ``app``.

    Under ``/profiles/<name>/cds-services`` every guideline profile answers at an address of its own, so that two of
    them can be compared. No request chooses its profile in any other way, and outside demo mode none at all.
    """
    settings, knowledge = parts.settings, parts.knowledge

    def today() -> date:
        return parts.today(settings.timezone)

    app.register_blueprint(server.blueprint(fixtures, today))
    app.register_blueprint(ehr.blueprint(fixtures, today, knowledge=knowledge, guideline=settings.guideline))
    for name in knowledge.profiles:
        under = replace(parts, verify=auth.demo(settings.model_copy(update={"guideline": name})))
        app.register_blueprint(routes.blueprint(under), name=f"cds-{name}", url_prefix=f"/profiles/{name}")
