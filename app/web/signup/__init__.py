"""Signing up: what a signup has to get past, and the one way in which it is recorded and answered."""
