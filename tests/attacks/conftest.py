"""Attacks meet the service as people do."""

import pytest

from tests.features.conftest import mail_server, open_service, service, tokens

__all__ = ["mail_server", "open_service", "service", "tokens"]


@pytest.fixture
def engine() -> str:
    """What refuses these requests does not depend on the database."""
    return "sqlite"
