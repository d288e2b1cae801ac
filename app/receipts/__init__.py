"""Consent receipts: everything known about one consent, in a form that a third party can verify without us."""
