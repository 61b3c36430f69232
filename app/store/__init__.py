"""What outlives a call: feedback, counts of shown cards, used tokens, repeat-alert rows; no patient data."""
