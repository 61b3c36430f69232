"""A site's own codes for a diagnosis, a drug and a laboratory test, from one CSV outside the package."""

from pathlib import Path
from typing import Any

from app import create_app
from app.settings import Settings
from tests import build

Json = dict[str, Any]
COLUMNS = "table,system,code,display,match,effect,topic,kind,tags,drug,use,strength,strength_unit,analyte,remark"
ROWS = (
    "condition,urn:site:dx,DVT1,Clot in the leg,exact,include,vte,acute,leg dvt,,,,,,",
    "condition,urn:site:dx,CA1,Cancer of the house,exact,include,malignancy,primary,,,,,,,",
    "drug,urn:site:rx,API5,Apix 5,,,,,,apixaban,systemic,5,mg,,",
    "lab,urn:site:lab,PLT,Platelets of the house,,include,,,,,,,,platelets_10e9_l,",
)


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": f"urn:site:{system}", "code": code}]}


def call() -> Json:
    values = {"platelets": ["19"], "creatinine": ["0.8"], "weight": ["70"]}
    chart = build.Chart(conditions=["I82.412 d-3", "C34.90 d-50"], values=values)
    body = build.request("order-select", chart, ["apixaban 10 mg x2"], [])
    clot, cancer = (entry["resource"] for entry in body["prefetch"]["conditions"]["entry"])
    clot["code"], cancer["code"] = coded("dx", "DVT1"), coded("dx", "CA1")
    body["prefetch"]["platelets"]["entry"][0]["resource"]["code"] = coded("lab", "PLT")
    draft = body["context"]["draftOrders"]["entry"][0]["resource"]
    draft["medicationCodeableConcept"] = coded("rx", "API5")
    return body


def rules(tmp_path: Path, local_codes: Path | None) -> list[tuple[str, list[str]]]:
    settings = Settings(demo=True, state_dir=tmp_path, local_codes=local_codes)
    app = create_app(settings, today=lambda _zone: build.TODAY, write=lambda _log: None)
    cards = app.test_client().post("/cds-services/cat-order-select", json=call()).get_json()["cards"]
    return [(card["indicator"], card["extension"]["cat-cds"]["rules"]) for card in cards]


def test_codes_of_the_site_are_understood_in_all_three_tables(tmp_path: Path) -> None:
    file = tmp_path / "site.csv"
    file.write_text("\n".join((COLUMNS, *ROWS, "")), encoding="utf-8")
    assert rules(tmp_path, file) == [("critical", ["low-platelets"])]


def test_without_the_file_they_mean_nothing(tmp_path: Path) -> None:
    assert rules(tmp_path, None) == []
