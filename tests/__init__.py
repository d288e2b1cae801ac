from pathlib import Path

import pytest

HELPERS = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if not path.stem.startswith("test_"))
# Else pytest explains what an assertion compared only in files that hold tests.
pytest.register_assert_rewrite(*(f"tests.{name}" for name in HELPERS if name != "conftest"))
