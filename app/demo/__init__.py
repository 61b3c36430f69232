"""Demo mode: a FHIR R4 server with the fixture patients and a small EHR, in the same process."""

from app.demo.charts import anchor
from app.demo.server import blueprint

__all__ = ["anchor", "blueprint"]
