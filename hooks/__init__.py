"""Medicine: pure functions from a patient's facts to cards. Imports nothing that can wait, fail or know the time."""
