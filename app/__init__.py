"""The service that speaks HTTP and FHIR. Imports nothing at module level, so that no import can go in circles."""
