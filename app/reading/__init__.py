"""FHIR as plain JSON -> hooks.facts, element by element. Nothing here raises on odd data."""
