"""How the demo FHIR server says no: an HTTP status and an OperationOutcome."""

from dataclasses import dataclass

from app.demo.dates import Resource


@dataclass(frozen=True, kw_only=True)
class Refusal(Exception):  # noqa: N818 - a refusal is what it is
    """A request that the demo FHIR server does not serve. ``words`` never repeat what the client sent."""

    status: int
    code: str
    words: str

    @property
    def outcome(self) -> Resource:
        """The OperationOutcome that tells the client."""
        return {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": self.code, "diagnostics": self.words}],
        }


def not_found(words: str) -> Refusal:
    """404: nothing there."""
    return Refusal(status=404, code="not-found", words=words)


def not_understood(words: str) -> Refusal:
    """400: a search that cannot be answered as asked."""
    return Refusal(status=400, code="invalid", words=words)


def read_only() -> Refusal:
    """405: the charts cannot be changed."""
    return Refusal(status=405, code="not-supported", words="this demo server is read-only: GET, or POST to _search")
