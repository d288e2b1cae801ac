"""Marks of tests that run on one database only, as they are about it, or learn nothing more from the other."""

import pytest

on_sqlite = pytest.mark.parametrize("engine", ["sqlite"])
on_postgresql = pytest.mark.parametrize("engine", ["postgresql"])
