"""The catalogue: the controller, its newsletters, and every word that people were ever shown.

Invariant: a wording is never changed. New words get a new digest; the old ones stay for as long as evidence cites them.
"""
