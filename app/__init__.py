"""Jawel: double opt-in subscriptions with proof of consent.

Imports nothing: a command that needs no web application does not pay for one.
"""
