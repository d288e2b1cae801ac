"""Evidence: its text is RFC 8785, so that anyone can recompute the hash that the log holds."""

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app import consent
from app.consent import JsonValue
from app.ledger import verifier

names = st.text(st.characters(max_codepoint=127), max_size=12)
# Text reaches us decoded, so it never holds half of a surrogate pair.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)


@given(evidence=st.dictionaries(names, values, max_size=8))
def test_the_text_is_the_one_that_another_implementation_writes(evidence: JsonValue) -> None:
    assert consent.canonical(evidence) == rfc8785.dumps(evidence)


@given(text=texts, salt=st.binary(min_size=32, max_size=32))
def test_service_and_verifier_reckon_the_same_hash(text: str, salt: bytes) -> None:
    assert consent.evidence_hash(text.encode(), salt) == verifier.evidence_hash(text, salt).hex()
