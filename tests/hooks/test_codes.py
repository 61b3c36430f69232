"""What condition and procedure codes mean: the traps of the code lists, look-alikes, several codings, names."""

import pytest

from hooks.codes import CodeBook, load_codes
from hooks.facts import Coding
from hooks.tables import SNOMED_CT
from tests.hooks.codings import icd, icd9, said, snomed

PCS = "http://www.cms.gov/Medicare/Coding/ICD10"


@pytest.fixture(scope="module")
def book() -> CodeBook:
    return load_codes()


@pytest.mark.parametrize(
    ("coding", "topic", "kind", "tags"),
    [
        (icd("I82.412"), "vte", "acute", {"dvt", "leg", "proximal"}),
        (icd("i82412"), "vte", "acute", {"dvt", "leg", "proximal"}),
        (icd("I82.442"), "vte", "acute", {"dvt", "leg", "distal"}),
        (icd("I80.11"), "vte", "acute", {"dvt", "leg", "proximal", "deep-phlebitis"}),
        (icd("I80.201"), "vte", "acute", {"dvt", "leg", "deep-phlebitis"}),
        (icd("I80.3"), "vte", "ambiguous", {"leg"}),
        (icd("I82.90"), "vte", "ambiguous", set()),
        (icd("I82.A11"), "vte", "acute", {"dvt", "arm"}),
        (icd("I26.99"), "vte", "acute", {"pe"}),
        (icd("I26.93"), "vte", "acute", {"pe", "subsegmental"}),
        (icd("I82.220"), "vte", "acute", {"caval"}),
        (icd("O22.33"), "vte", "acute", {"obstetric", "dvt"}),
        (icd("I81"), "vte", "unusual-site", {"splanchnic-or-renal"}),
        (icd("G08"), "vte", "unusual-site", {"cerebral"}),
        (icd("I82.502"), "vte", "chronic", set()),
        (icd("Z86.718"), "vte", "history", set()),
        (icd("I87.021"), "vte", "post-thrombotic", set()),
        (icd("Z79.01"), "vte", "long-term-anticoagulant", set()),
        (icd9("453.41"), "vte", "acute", {"dvt", "leg", "proximal"}),
        (icd9("45341"), "vte", "acute", {"dvt", "leg", "proximal"}),
        (snomed("128053003"), "vte", "acute", {"dvt"}),
        (snomed("132251000119101"), "vte", "acute", {"dvt", "leg", "proximal"}),
        (snomed("651000119108"), "vte", "acute", {"dvt", "leg"}),
        (snomed("297156001"), "vte", "acute", {"dvt", "arm"}),
        (snomed("285381000119104"), "vte", "acute", {"unreviewed"}),
        (snomed("710167004"), "vte", "acute", {"dvt", "recurrent"}),
        (icd("C50.911"), "malignancy", "primary", set()),
        (icd("C18.7"), "malignancy", "primary", {"luminal-gi"}),
        (icd("C67.9"), "malignancy", "primary", {"luminal-gu"}),
        (icd("C64.1"), "malignancy", "primary", {"gu-non-luminal"}),
        (icd("C25.0"), "malignancy", "primary", {"pancreas-biliary"}),
        (icd("C24.0"), "malignancy", "primary", {"pancreas-biliary"}),
        (icd("C24.1"), "malignancy", "primary", {"luminal-gi", "ampulla"}),
        (icd("C49.21"), "malignancy", "primary", {"sarcoma"}),
        (icd("C49.A2"), "malignancy", "primary", {"luminal-gi", "gist", "sarcoma"}),
        (icd("C54.1"), "malignancy", "primary", {"gynaecological"}),
        (icd("C7A.010"), "malignancy", "primary", {"luminal-gi", "neuroendocrine"}),
        (icd("C7B.01"), "malignancy", "metastatic", {"neuroendocrine"}),
        (icd("C78.5"), "malignancy", "metastatic", {"luminal-gi"}),
        (icd("C79.31"), "malignancy", "metastatic", {"cns"}),
        (icd("C71.9"), "malignancy", "primary", {"cns"}),
        (icd9("191.9"), "malignancy", "primary", {"cns"}),
        (icd("C80.1"), "malignancy", "unspecified-site", set()),
        (icd("C92.01"), "malignancy", "haematological", {"in-remission"}),
        (icd("C92.02"), "malignancy", "haematological", {"relapse"}),
        (icd("C92.00"), "malignancy", "haematological", set()),
        (icd("D47.1"), "malignancy", "haematological", {"mpn"}),
        (icd("Z85.3"), "malignancy", "history", set()),
        (icd("Z85.038"), "malignancy", "history", set()),
        (icd("Z51.11"), "malignancy", "treatment-encounter", set()),
        (icd("Z92.21"), "malignancy", "past-treatment", set()),
        (icd("Z08"), "malignancy", "follow-up", set()),
        (snomed("363346000"), "malignancy", "primary", set()),
        (snomed("128462008"), "malignancy", "metastatic", set()),
        (icd("I61.9"), "bleeding", "major", {"intracranial"}),
        (icd("S06.5X0A"), "bleeding", "major", {"intracranial", "initial-encounter-only"}),
        (icd("K92.1"), "bleeding", "major", {"gi"}),
        (icd("O72.1"), "bleeding", "major", {"obstetric"}),
        (icd("L76.21"), "bleeding", "major", {"postprocedural"}),
        (icd("R31.0"), "bleeding", "other", {"gu"}),
        (icd("R04.0"), "bleeding", "minor", set()),
        (icd("D66"), "bleeding", "diathesis", set()),
        (snomed("450379002"), "bleeding", "major", {"spinal"}),
        (icd("D75.82"), "hit", "contraindication", set()),
        (icd("D75.821"), "hit", "not-contraindication", set()),
        (icd("D75.822"), "hit", "contraindication", set()),
        (icd9("289.84"), "hit", "contraindication", set()),
        (icd("D69.6"), "thrombocytopenia", "unspecified", set()),
        (icd("Z88.8"), "allergy-status", "other-drug", set()),
        (icd("Z34.90"), "pregnancy", "state", set()),
        (icd("Z3A.20"), "pregnancy", "state", set()),
        (icd("Z32.01"), "pregnancy", "positive-test", set()),
        (icd("I48.91"), "competing-indication", "atrial-fibrillation", set()),
        (icd("Z95.2"), "competing-indication", "mechanical-valve", set()),
        (icd("D68.312"), "competing-indication", "antiphospholipid", set()),
        (icd("I27.24"), "competing-indication", "cteph", set()),
        (icd("N18.6"), "renal", "severe", {"dialysis"}),
        (icd("N17.9"), "renal", "acute", set()),
        (snomed("236434000"), "renal", "severe", set()),
        (snomed("709044004"), "renal", "ckd", set()),
        (icd("K74.60"), "hepatic", "cirrhosis-stage-unknown", set()),
        (icd("K72.10"), "hepatic", "severe", set()),
        (snomed("397913009"), "procedure", "ivc-filter", set()),
        (snomed("233439000"), "procedure", "ivc-filter-removal", set()),
        (snomed("69245005"), "procedure", "thrombolysis-arterial", set()),
        (snomed("431933001"), "procedure", "catheter-patency", set()),
        (snomed("442111003"), "procedure", "pneumatic-compression", set()),
        (snomed("169401007"), "procedure", "chemotherapy-not-for-cancer", set()),
        (snomed("367336001"), "procedure", "chemotherapy", set()),
        (snomed("108290001"), "procedure", "radiotherapy", set()),
        (snomed("23968004"), "procedure", "resection", {"luminal-gi"}),
        (snomed("108034003"), "procedure", "resection", {"luminal-gu"}),
        (Coding(system=PCS, code="06fm3z0"), "procedure", "thrombolysis", {"catheter-directed"}),
        (Coding(system=PCS, code="0DTN4ZZ"), "procedure", "resection", {"luminal-gi"}),
        (Coding(system=PCS, code="0TTB0ZZ"), "procedure", "resection", {"luminal-gu"}),
        (Coding(system="http://loinc.org", code="39420-5"), "procedure", "leg-ultrasound", set()),
        (snomed("103338009"), "disease-status", "remission", set()),
        (snomed("271299001"), "disease-status", "active", set()),
        (snomed("551001000124108"), "disease-status", "active", set()),
        (snomed("709137006"), "disease-status", "undetermined", set()),
    ],
)
def test_what_a_code_means(book: CodeBook, coding: Coding, topic: str, kind: str, tags: set[str]) -> None:
    assert said(book.meanings([coding]), topic) == [(kind, tags)]


@pytest.mark.parametrize(
    ("coding", "topic"),
    [
        (icd("I26.03"), "vte"),
        (icd("I26.95"), "vte"),
        (icd("I26.90"), "vte"),
        (icd("I80.01"), "vte"),
        (icd("I82.1"), "vte"),
        (icd("I82.611"), "vte"),
        (snomed("2477008"), "vte"),
        (icd("C44.91"), "malignancy"),
        (icd("D05.11"), "malignancy"),
        (icd("D47.2"), "malignancy"),
        (icd("D47.9"), "malignancy"),
        (icd("Z80.3"), "malignancy"),
        (icd("Z86.000"), "malignancy"),
        (icd9("173.9"), "malignancy"),
        (snomed("393573009"), "malignancy"),
        (snomed("1240414004"), "malignancy"),
        (icd("S06.5X0D"), "bleeding"),
        (icd("S06.5X0S"), "bleeding"),
        (icd("S06.5X0"), "bleeding"),
        (icd("Z86.79"), "bleeding"),
        (icd("O87.1"), "pregnancy"),
        (icd("Z39.2"), "pregnancy"),
        (icd("Z33.2"), "pregnancy"),
        (icd("Z32.02"), "pregnancy"),
        (icd("D75.8"), "hit"),
        (snomed("281900007"), "disease-status"),
        (Coding(system=PCS, code="0DBN8ZX"), "procedure"),
        (Coding(system=PCS, code="0DTJ4ZZ"), "procedure"),
        (Coding(system=PCS, code="0TT00ZZ"), "procedure"),
        (snomed("225368008"), "procedure"),
    ],
)
def test_look_alikes_mean_nothing(book: CodeBook, coding: Coding, topic: str) -> None:
    assert said(book.meanings([coding]), topic) == []


@pytest.mark.parametrize("code", ["429532005", "444216007", "703873003", "108977009", "161511005", "703779004"])
def test_wrong_codes_seen_in_public_repositories_are_unknown(book: CodeBook, code: str) -> None:
    assert book.meanings([snomed(code)]) == ()


class TestSeveralCodings:
    def test_a_look_alike_silences_the_other_codings_of_its_topic(self, book: CodeBook) -> None:
        assert said(book.meanings([icd("I26.99"), icd("I26.03")]), "vte") == []
        assert said(book.meanings([snomed("59282003"), icd("I26.03")]), "vte") == []

    def test_but_not_those_of_another_topic(self, book: CodeBook) -> None:
        meanings = book.meanings([icd("I26.03"), icd("C50.911")])
        assert said(meanings, "malignancy") == [("primary", set())]

    def test_an_arterial_lysis_is_no_thrombolysis_whatever_the_broader_code_says(self, book: CodeBook) -> None:
        meanings = book.meanings([snomed("426347000"), snomed("69245005")])
        assert said(meanings, "procedure") == [("thrombolysis-arterial", set())]

    def test_the_same_thing_said_in_two_systems_is_kept_for_each_code(self, book: CodeBook) -> None:
        meanings = book.meanings([snomed("128053003"), icd("I82.412")])
        assert [m.code for m in meanings] == ["128053003", "I82.412"]

    def test_one_code_may_belong_to_two_topics(self, book: CodeBook) -> None:
        assert {m.topic for m in book.meanings([icd("I85.01")])} == {"bleeding", "hepatic"}
        assert {m.topic for m in book.meanings([icd("D68.312")])} == {"bleeding", "competing-indication"}
        assert {m.topic for m in book.meanings([icd("I63.6")])} == {"vte", "competing-indication"}

    def test_unknown_codes_and_systems_mean_nothing(self, book: CodeBook) -> None:
        assert book.meanings([]) == ()
        assert book.meanings([icd("J45.909"), Coding(system="urn:local", code="C50"), icd("")]) == ()


def test_systems_are_read_by_any_of_their_names(book: CodeBook) -> None:
    coding = Coding(system="urn:oid:2.16.840.1.113883.6.90", code="I82.412")
    assert said(book.meanings([coding]), "vte") == [("acute", {"dvt", "leg", "proximal"})]
    assert book.canonical_system("URN:OID:2.16.840.1.113883.6.96") == SNOMED_CT
    assert book.canonical_system("http://SNOMED.info/sct") == SNOMED_CT
    assert book.canonical_system("urn:local") == "urn:local"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Place IVC filter", ["ivc-filter"]),
        ("inferior  vena cava FILTER", ["ivc-filter"]),
        ("Removal of IVC filter", ["ivc-filter-removal"]),
        ("ivc filter retrieval", ["ivc-filter-removal"]),
        ("air filter", []),
        ("Compression stockings, class II", ["stockings"]),
        ("intermittent pneumatic compression stockings", ["pneumatic-compression"]),
        ("Strict bed rest for 3 days", ["bed-rest"]),
        ("no bed rest", []),
        ("bed restraint", []),
        ("Catheter-directed thrombolysis", ["thrombolysis"]),
        ("intra-arterial thrombolysis", ["thrombolysis-arterial"]),
        ("laparoscopic hemicolectomy", ["resection"]),
        ("radical cystectomy", ["resection"]),
        ("ovarian cystectomy", []),
        ("laparoscopic cholecystectomy", []),
        ("", []),
    ],
)
def test_procedures_without_a_code_go_by_listed_names(book: CodeBook, text: str, kinds: list[str]) -> None:
    assert [m.kind for m in book.named("procedure", text)] == kinds


def test_other_topics_do_not_go_by_name(book: CodeBook) -> None:
    assert book.named("vte", "deep vein thrombosis") == ()
