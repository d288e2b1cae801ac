"""Consent receipts: all that is known of one consent, so put that a stranger can check it without us."""
