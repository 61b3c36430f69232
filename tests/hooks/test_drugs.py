"""Which drug a medication is: by code, by class, by name; what it is for, how strong, which roles it has."""

from decimal import Decimal

import pytest

from hooks.drugs import DrugBook, load_drugs
from hooks.facts import Coding, Drug
from tests.hooks.codings import atc, rx, snomed


@pytest.fixture(scope="module")
def book() -> DrugBook:
    return load_drugs()


def found(book: DrugBook, *codings: Coding, text: str = "") -> Drug:
    drug = book.match(codings, text)
    assert drug is not None
    return drug


@pytest.mark.parametrize(
    ("coding", "name", "anticoagulant", "by"),
    [
        (rx("1364430"), "apixaban", "DOAC-Xa", "RxNorm"),
        (rx("1114199"), "rivaroxaban", "DOAC-Xa", "RxNorm"),
        (rx("1037045"), "dabigatran", "DOAC-IIa", "RxNorm"),
        (rx("1599538"), "edoxaban", "DOAC-Xa", "RxNorm"),
        (rx("1927856"), "betrixaban", "DOAC-Xa", "RxNorm"),
        (rx("11289"), "warfarin", "VKA", "RxNorm"),
        (rx("67108"), "enoxaparin", "LMWH", "RxNorm"),
        (rx("5224"), "heparin", "UFH", "RxNorm"),
        (rx("321208"), "fondaparinux", "parenteral-Xa", "RxNorm"),
        (rx("15202"), "argatroban", "parenteral-DTI", "RxNorm"),
        (atc("B01AB04"), "dalteparin", "LMWH", "ATC"),
        (atc("B01AA12"), "fluindione", "VKA", "ATC"),
        (atc("B01AB09"), "danaparoid", "heparinoid", "ATC"),
        (atc("B01AF51"), "rivaroxaban", "DOAC-Xa", "ATC"),
        (atc("b01af02"), "apixaban", "DOAC-Xa", "ATC"),
        (atc("B01AA99"), "vitamin k antagonist", "VKA", "ATC"),
        (snomed("698090000"), "apixaban", "DOAC-Xa", "SNOMED CT"),
        (snomed("373294004"), "low molecular weight heparin", "LMWH", "SNOMED CT"),
        (Coding(system="urn:oid:2.16.840.1.113883.6.88", code="1364430"), "apixaban", "DOAC-Xa", "RxNorm"),
    ],
)
def test_anticoagulants_by_code(book: DrugBook, coding: Coding, name: str, anticoagulant: str, by: str) -> None:
    drug = found(book, coding)
    assert (drug.name, drug.anticoagulant, drug.matched_by) == (name, anticoagulant, by)


@pytest.mark.parametrize(
    ("code", "name", "mg"),
    [
        ("1364447", "apixaban", "5"),
        ("1232084", "rivaroxaban", "15"),
        ("1037181", "dabigatran", "75"),
        ("855290", "warfarin", "1"),
        ("855346", "warfarin", "7.5"),
        ("246019", "acenocoumarol", "4"),
        ("312380", "phenprocoumon", "3"),
    ],
)
def test_what_the_public_sandbox_offers_is_known(book: DrugBook, code: str, name: str, mg: str) -> None:
    drug = found(book, rx(code))
    assert (drug.name, drug.strength, drug.strength_unit, drug.use) == (name, Decimal(mg), "mg", "systemic")


@pytest.mark.parametrize(
    ("code", "strength", "unit"),
    [
        ("1364445", "5", "mg"),  # apixaban 5 MG Oral Tablet
        ("1364435", "2.5", "mg"),
        ("978744", "15000", "IU"),  # 0.6 ML dalteparin sodium 25000 UNT/ML Prefilled Syringe
        ("978746", "18000", "IU"),  # 0.72 ML
        ("978755", "10000", "IU"),  # 1 ML dalteparin sodium 10000 UNT/ML Prefilled Syringe
        ("978725", "2500", "IU"),
        ("854235", "40", "mg"),  # 0.4 ML enoxaparin sodium 100 MG/ML Prefilled Syringe
        ("854245", "120", "mg"),  # 0.8 ML enoxaparin sodium 150 MG/ML Prefilled Syringe
        ("861356", "10", "mg"),  # 0.8 ML fondaparinux sodium 12.5 MG/ML Prefilled Syringe
        ("1658717", "25000", "IU"),  # 250 ML heparin sodium, porcine 100 UNT/ML Injection
        ("1361853", "5000", "IU"),
        ("1804799", "100", "mg"),  # alteplase 100 MG Injection
    ],
)
def test_strength_of_one_tablet_syringe_or_bag(book: DrugBook, code: str, strength: str, unit: str) -> None:
    drug = found(book, rx(code))
    assert (drug.strength, drug.strength_unit) == (Decimal(strength), unit)


@pytest.mark.parametrize("code", ["978777", "854255", "1992427", "1549682", "2588062", "67108", "2670461", "763138"])
def test_a_vial_a_pack_a_solution_or_an_ingredient_has_no_strength(book: DrugBook, code: str) -> None:
    assert found(book, rx(code)).strength is None


@pytest.mark.parametrize(
    ("code", "use"),
    [
        ("1362060", "flush"),
        ("1658690", "line-irrigation"),
        ("1658717", "infusion-bag"),
        ("1659263", "systemic"),
        ("2670461", "catheter-lock"),
        ("2670463", "catheter-lock"),
        ("5224", ""),
        ("1364445", "systemic"),
        ("1804799", "systemic"),
    ],
)
def test_what_a_product_is_for(book: DrugBook, code: str, use: str) -> None:
    assert found(book, rx(code)).use == use


@pytest.mark.parametrize(
    ("text", "name", "use"),
    [
        ("Eliquis 5 mg", "apixaban", ""),
        ("XARELTO® 20mg", "rivaroxaban", ""),
        ("Lixiana", "edoxaban", ""),
        ("Savaysa", "edoxaban", ""),
        ("Pradaxa 150", "dabigatran", ""),
        ("Bevyxxa", "betrixaban", ""),
        ("Fragmin 15 000 IE", "dalteparin", ""),
        ("Clexane forte", "enoxaparin", ""),
        ("Inhixa", "enoxaparin", ""),
        ("innohep", "tinzaparin", ""),
        ("Fraxiparine", "nadroparin", ""),
        ("Arixtra", "fondaparinux", ""),
        ("Coumadin 5 mg tab", "warfarin", ""),
        ("Marcumar", "phenprocoumon", ""),
        ("Sintrom mitis", "acenocoumarol", ""),
        ("dalteparin sodium inj", "dalteparin", ""),
        ("Heparin sodium 5,000 units/mL", "heparin", ""),
        ("Heparin flush 100 unit/mL", "heparin", "flush"),
        ("heparin 100 units/ml lock solution", "heparin", "flush"),
        ("HEPLOCK", "heparin", "flush"),
        ("heparin 25,000 units in dextrose 5 %", "heparin", "infusion-bag"),
        ("heparin 2 units/mL irrigation", "heparin", "line-irrigation"),
        ("Heparin gel 30000", "heparin", "local"),
        ("LMWH", "low molecular weight heparin", ""),
        ("low-molecular-weight heparin", "low molecular weight heparin", ""),
        ("low molecular weight heparin (enoxaparin)", "enoxaparin", ""),
        ("Cathflo Activase", "alteplase", "catheter-clearance"),
        ("alteplase 2 mg/2 mL", "alteplase", "catheter-clearance"),
        ("alteplase 2 mg/h", "alteplase", "systemic"),
        ("alteplase 100 mg", "alteplase", ""),
        ("TNKase", "tenecteplase", ""),
        ("trastuzumab-dkst", "trastuzumab", ""),
        ("rifampin", "rifampicin", ""),
    ],
)
def test_by_name_when_there_is_no_code(book: DrugBook, text: str, name: str, use: str) -> None:
    drug = found(book, text=text)
    assert (drug.name, drug.use, drug.matched_by) == (name, use, "name")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Heparinoid cream",
        "heparin-induced thrombocytopenia",
        "non-heparin flush",
        "paracetamol",
        "coumadinol",
        "line",
    ],
)
def test_only_whole_listed_words_are_names(book: DrugBook, text: str) -> None:
    assert book.match([], text) is None


def test_dalteparin_is_not_heparin_in_any_spelling(book: DrugBook) -> None:
    for text in ("dalteparin", "Dalteparin heparin-free", "(dalteparin)", "dalteparin/saline"):
        assert found(book, text=text).anticoagulant == "LMWH"


class TestSeveralCodings:
    def test_rxnorm_wins(self, book: DrugBook) -> None:
        assert found(book, atc("B01AA03"), snomed("372756006"), rx("1364445")).name == "apixaban"

    def test_then_atc_then_snomed(self, book: DrugBook) -> None:
        assert found(book, snomed("372756006"), atc("B01AF02")).matched_by == "ATC"

    def test_a_product_wins_over_its_ingredient(self, book: DrugBook) -> None:
        assert found(book, rx("1364430"), rx("1364445")).strength == Decimal(5)

    def test_the_text_is_not_asked_when_a_code_is_known(self, book: DrugBook) -> None:
        assert found(book, rx("1364445"), text="warfarin").name == "apixaban"

    def test_the_display_of_an_unknown_code_is(self, book: DrugBook) -> None:
        assert found(book, rx("99999999", "Eliquis 5 mg tablet")).name == "apixaban"
        assert found(book, Coding(system="", code="1", display="Fragmin"), text="warfarin").name == "dalteparin"

    def test_words_of_the_presentation_tell_what_a_bare_ingredient_is_for(self, book: DrugBook) -> None:
        assert found(book, rx("5224"), text="heparin lock flush").use == "flush"
        assert found(book, rx("6135"), text="ketoconazole 2 % cream").interaction == ""
        assert found(book, rx("1659263"), text="for catheter flush").use == "systemic"


@pytest.mark.parametrize(
    "coding",
    [
        snomed("372862008", "Anticoagulant"),
        snomed("81839001"),
        atc("B01AB"),
        atc("B01AE"),
        atc("B01AX"),
        atc("B01AB02"),
    ],
)
def test_a_class_that_is_too_broad_is_no_drug(book: DrugBook, coding: Coding) -> None:
    assert book.match([coding], "") is None


def test_enzymes_that_dissolve_no_clot_are_no_thrombolytics(book: DrugBook) -> None:
    assert [book.match([atc(code)], "") for code in ("B01AD10", "B01AD12", "B01AD13")] == [None] * 3


def test_wrong_codes_seen_in_public_repositories(book: DrugBook) -> None:
    assert found(book, rx("1037045")).name == "dabigatran"
    assert found(book, rx("1364430")).name == "apixaban"
    for code in ("429532005", "444216007", "703873003", "108977009", "703779004"):
        assert book.match([snomed(code)], "") is None
    assert book.match([rx("1537033")], "") is None


@pytest.mark.parametrize(
    ("coding", "antineoplastic", "ambiguous"),
    [
        (rx("12574"), "chemotherapy", False),  # gemcitabine
        (rx("1547545"), "chemotherapy", False),  # pembrolizumab
        (rx("342369"), "chemotherapy", False),  # lenalidomide
        (atc("L04AX02"), "chemotherapy", False),  # thalidomide
        (atc("L01XX99"), "chemotherapy", False),
        (atc("L02AE99"), "endocrine", False),
        (rx("10324"), "endocrine", True),  # tamoxifen
        (rx("6851"), "chemotherapy", True),  # methotrexate
        (rx("35302"), "chemotherapy", True),  # sirolimus
        (rx("1437711"), "", False),  # mechlorethamine gel
        (rx("140587"), "", False),  # celecoxib
        (atc("L01XX33"), "", False),
        (atc("L04AX01"), None, False),  # azathioprine
    ],
)
def test_cancer_treatment(book: DrugBook, coding: Coding, antineoplastic: str | None, ambiguous: bool) -> None:
    drug = book.match([coding], "")
    assert (drug and (drug.antineoplastic, drug.ambiguous)) == (
        None if antineoplastic is None else (antineoplastic, ambiguous)
    )


@pytest.mark.parametrize(
    ("text", "interaction"),
    [
        ("rifampicin", "inducer-strong"),
        ("carbamazepine", "inducer-strong"),
        ("St. John's wort", "inducer-strong"),
        ("itraconazole", "inhibitor-combined"),
        ("ritonavir", "inhibitor-combined"),
        ("darunavir / cobicistat", "inhibitor-combined"),
        ("Paxlovid", "inhibitor-combined"),
        ("tucatinib", "inhibitor-combined"),
        ("clarithromycin", "inhibitor-moderate-or-pgp"),
        ("amiodarone", "inhibitor-moderate-or-pgp"),
        ("ticagrelor", "inhibitor-moderate-or-pgp"),
        ("dexamethasone", "inducer-moderate-or-weak"),
        ("doxorubicin", "inducer-moderate-or-weak"),
        ("aspirin", "antiplatelet-or-nsaid"),
        ("ibuprofen", "antiplatelet-or-nsaid"),
        ("ketoconazole shampoo", ""),
        ("dexamethasone eye drops", ""),
        ("diclofenac 1 % gel", ""),
        ("apixaban", ""),
    ],
)
def test_interaction_groups(book: DrugBook, text: str, interaction: str) -> None:
    assert found(book, text=text).interaction == interaction


@pytest.mark.parametrize(
    ("text", "antiplatelet"),
    [("aspirin", True), ("ticagrelor", True), ("clopidogrel", True), ("ibuprofen", False), ("celecoxib", False)],
)
def test_what_acts_on_platelets(book: DrugBook, text: str, antiplatelet: bool) -> None:
    assert found(book, text=text).antiplatelet is antiplatelet


def test_one_drug_may_treat_cancer_and_interact(book: DrugBook) -> None:
    enzalutamide = found(book, rx("1307298"))
    assert (enzalutamide.antineoplastic, enzalutamide.interaction) == ("endocrine", "inducer-strong")
    ibrutinib = found(book, rx("1442981"))
    assert (ibrutinib.antineoplastic, ibrutinib.interaction) == ("chemotherapy", "inhibitor-moderate-or-pgp")


@pytest.mark.parametrize(
    ("code", "thrombolytic"), [("8410", True), ("259280", True), ("219642", True), ("5224", False)]
)
def test_thrombolytics(book: DrugBook, code: str, thrombolytic: bool) -> None:
    assert found(book, rx(code)).thrombolytic is thrombolytic
