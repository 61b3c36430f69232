"""The table of services: everything that discovery offers, in its order."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: ``id`` is the last segment of its address, ``hook`` what it answers."""

    id: str
    hook: str
    title: str
    description: str


SERVICES = (
    Service(
        id="cat-patient-view",
        hook="patient-view",
        title="Cancer-associated thrombosis: patient overview",
        description=(
            "When the record of a patient with cancer-associated venous thromboembolism is opened: anticoagulation "
            "that is missing, ends too early, is due for review, or does not fit bleeding, platelets, kidney function "
            "or pregnancy."
        ),
    ),
    Service(
        id="cat-order-select",
        hook="order-select",
        title="Cancer-associated thrombosis: orders being chosen",
        description=(
            "When an anticoagulant, thrombolytic, vena cava filter, compression stocking or bed rest is chosen for a "
            "patient with cancer-associated venous thromboembolism: choice of drug, interactions, contraindications, "
            "alternatives."
        ),
    ),
    Service(
        id="cat-order-sign",
        hook="order-sign",
        title="Cancer-associated thrombosis: orders being signed",
        description=(
            "When such orders are signed: choice of drug, dose, duration, interactions and contraindications in "
            "cancer-associated venous thromboembolism."
        ),
    ),
)


def with_id(service_id: str, services: tuple[Service, ...] = SERVICES) -> tuple[Service, ...]:
    """The services at one address: none when it is unknown, several when it answers several hooks."""
    return tuple(service for service in services if service.id == service_id)
