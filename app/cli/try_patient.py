"""cat-cds try: asks a running service about one patient, as an EHR would, and shows the cards."""

import re
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
import orjson
import requests
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli import card_text
from app.demo.drafts import OrderError, Wish, draft, wish

Json = dict[str, Any]

SECONDS = 10
USER = "Practitioner/example"
NOT_STARTED = (
    "Start the service with make run (or cat-cds serve --demo); "
    "if it listens elsewhere, say where: --url http://127.0.0.1:9000"
)
NO_FHIR_SERVER = "That is the FHIR server of --fhir: is it the base URL, and can this machine reach it?"
_PAGES = 20
_LISTED = 8
_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9.-]{1,64}")


@click.command("try")
@click.argument("patient", required=False)
@click.option(
    "--order",
    "orders",
    multiple=True,
    help="NAME, NAME:DOSE or NAME:DOSExTIMES, such as apixaban or enoxaparin:60x2; repeatable.",
)
@click.option(
    "--hook", help="patient-view, order-select or order-sign [default: patient-view; with --order: order-select]"
)
@click.option(
    "--url",
    default="http://127.0.0.1:8000",
    envvar="CAT_CDS_PUBLIC_URL",
    show_default=True,
    help="Address of the service, if CAT_CDS_PUBLIC_URL does not give it.",
)
@click.option("--fhir", help="FHIR server [default: URL/fhir, the demo's]")
@click.option("--prefetch/--no-prefetch", help="Send the record along, instead of naming the FHIR server.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as it came.")
@click.option("--list", "only_list", is_flag=True, help="List the patients of the FHIR server.")
def try_patient(
    *,
    patient: str | None,
    orders: tuple[str, ...],
    hook: str | None,
    url: str,
    fhir: str | None,
    prefetch: bool,
    as_json: bool,
    only_list: bool,
) -> None:
    """Ask a running service about PATIENT (an id, or a part of the name) and show its cards.

    \b
    cat-cds try --list                        the patients
    cat-cds try brief                         her chart is opened
    cat-cds try brief --order apixaban        a drug is picked
    cat-cds try brief --order dalteparin:15000 --hook order-sign
    """  # noqa: D301 - click reads the backspace
    base = url.rstrip("/")
    fhir_base = (fhir or f"{base}/fhir").rstrip("/")
    advice = NO_FHIR_SERVER if fhir else NOT_STARTED
    console = Console()
    if only_list:
        console.print(_patient_table(_patients(fhir_base, advice)))
        if fhir is None:
            click.echo(f"What each of the demo's patients is for: {base}/")
        return
    if patient is None:
        raise click.UsageError("Name a patient, or see them with: cat-cds try --list")
    try:
        wishes = [wish(order) for order in orders]
    except OrderError as unknown:
        raise click.ClickException(str(unknown)) from None
    asked = hook or ("order-select" if wishes else "patient-view")
    if asked != "patient-view" and not wishes:
        raise click.UsageError(f"{asked} is about orders: add --order, for example --order apixaban")
    service = _service(base, asked)
    patient_id = patient if _is_there(fhir_base, patient) else _patient_id(_patients(fhir_base, advice), patient)
    body = _request(service, patient_id, wishes, fhir_base)
    if prefetch:
        del body["fhirServer"]
        body["prefetch"] = _prefetch(service, body["context"], fhir_base, advice)
    started = time.perf_counter()
    answer = _asked("POST", f"{base}/cds-services/{service['id']}", body)
    milliseconds = (time.perf_counter() - started) * 1000
    if as_json:
        click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
        return
    _show(console, answer, f"{service['id']}, {patient_id}", wishes, milliseconds)


def _show(console: Console, answer: Json, about: str, wishes: list[Wish], milliseconds: float) -> None:
    cards = answer.get("cards", [])
    for content in cards:
        console.print(card_text.card(content))
    count = f"{len(cards)} card{'' if len(cards) == 1 else 's'}" if cards else "No cards: checked, nothing to say"
    ordered = "".join(f", {order}" for order in wishes)
    console.print(f"{count} ({about}{ordered}) in {milliseconds:.0f} ms", markup=False, highlight=False)


def _request(service: Json, patient_id: str, wishes: list[Wish], fhir_base: str) -> Json:
    context: Json = {"userId": USER, "patientId": patient_id}
    if service["hook"] != "patient-view":
        day = datetime.now(UTC).astimezone().date()  # noqa: TID251 - the command line is the client: it has the clock
        drafts = [
            draft(order, draft_id=f"try-{at}", patient_id=patient_id, user_id=USER, day=day)
            for at, order in enumerate(wishes, start=1)
        ]
        entries = [{"resource": resource} for resource in drafts]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        if service["hook"] == "order-select":
            context["selections"] = [f"MedicationRequest/{resource['id']}" for resource in drafts]
    instance = str(uuid.uuid4())  # noqa: TID251 - the client makes the id of a call
    return {"hook": service["hook"], "hookInstance": instance, "fhirServer": fhir_base, "context": context}


def _service(base: str, hook: str) -> Json:
    services = _asked("GET", f"{base}/cds-services").get("services", [])
    found = next((service for service in services if service.get("hook") == hook), None)
    if found is None:
        offered = ", ".join(str(service.get("hook")) for service in services) or "nothing"
        raise click.ClickException(f"No service for {hook} at {base}; it offers {offered}.")
    return dict(found)


def _prefetch(service: Json, context: Mapping[str, Any], fhir_base: str, advice: str) -> Json:
    """What an EHR would send along: each template, filled in and read from the FHIR server."""
    filled: Json = {}
    for key, template in service.get("prefetch", {}).items():
        query = template
        for name in ("patientId", "userId"):
            query = query.replace(f"{{{{context.{name}}}}}", context[name])
        filled[key] = _asked("GET", f"{fhir_base}/{query}", advice=advice)
    return filled


def _patients(fhir_base: str, advice: str) -> list[Json]:
    patients: list[Json] = []
    url: str | None = f"{fhir_base}/Patient?_count=200"
    for _ in range(_PAGES):
        if url is None:
            break
        page = _asked("GET", url, advice=advice)
        patients += [entry["resource"] for entry in page.get("entry", ()) if "resource" in entry]
        url = next((link.get("url") for link in page.get("link", ()) if link.get("relation") == "next"), None)
    return patients


def _is_there(fhir_base: str, patient: str) -> bool:
    """Whether it is the id of a patient there: public servers have too many of them to be listed for each call."""
    if not _ID.fullmatch(patient):
        return False
    try:
        return requests.get(f"{fhir_base}/Patient/{patient}", timeout=SECONDS, allow_redirects=False).ok
    except requests.RequestException:
        return False  # the next question tells what is wrong


def _patient_id(patients: list[Json], wanted: str) -> str:
    ids = [str(patient.get("id")) for patient in patients]
    if wanted in ids:
        return wanted
    named = [
        str(patient.get("id"))
        for patient in patients
        if wanted.lower() in _name(patient).lower() or wanted.lower() in str(patient.get("id")).lower()
    ]
    if len(named) == 1:
        return named[0]
    known = named or ids
    more = f", ... ({len(known)} in all: cat-cds try --list)" if len(known) > _LISTED else ""
    what = f"{wanted} could be several patients" if named else f"There is no patient {wanted}. There are"
    raise click.ClickException(f"{what}: {', '.join(known[:_LISTED]) or 'none'}{more}")


def _patient_table(patients: list[Json]) -> Table:
    table = Table("Patient", "Name", "Sex", "Born")
    for patient in patients:
        cells = (patient.get("id"), _name(patient), patient.get("gender", ""), patient.get("birthDate", ""))
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def _name(patient: Json) -> str:
    name = (patient.get("name") or [{}])[0]
    return str(name.get("text") or " ".join([*name.get("given", ()), str(name.get("family", ""))]).strip())


def _asked(method: str, url: str, body: Json | None = None, *, advice: str = NOT_STARTED) -> Json:
    """The JSON object at ``url``; every failure is one line for the person at the terminal.

    ``advice`` is what to do when nothing answers.
    """
    try:
        answer = requests.request(method, url, json=body, timeout=SECONDS, allow_redirects=False)
    except requests.ConnectionError:
        raise click.ClickException(f"Nothing answers at {url}. {advice}") from None
    except requests.Timeout:
        raise click.ClickException(f"{url} did not answer within {SECONDS} seconds.") from None
    except requests.RequestException as error:
        raise click.ClickException(f"{url} cannot be asked: {type(error).__name__}.") from None
    try:
        content = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        content = None
    if not answer.ok or not isinstance(content, dict):
        raise click.ClickException(f"{url} answered {answer.status_code}: {_told(content)}")
    return content


def _told(content: object) -> str:
    issues = content.get("issue") if isinstance(content, dict) else None
    if not isinstance(issues, list) or not issues:
        return "no JSON that I understand."
    first = issues[0]
    words = [str(first.get("details", {}).get("text", "")), str(first.get("diagnostics", ""))]
    return " ".join(word for word in words if word) or str(first.get("code"))
