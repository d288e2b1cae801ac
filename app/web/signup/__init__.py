"""Signup: the abuse checks, and the one way in which a signup is recorded and answered."""
