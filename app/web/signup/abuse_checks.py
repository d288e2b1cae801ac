"""Abuse checks of a signup: the age of its form, and proof of work if asked for.

They cost an honest person a moment at most, and never the signup. A person who was too quick gets the form again. A
browser without scripts gets through by our own form, and the letter waits for a small throttle. Invariant: without
proof of work a program gets no further than that throttle, whatever it sends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from flask_babel import gettext as _
from sqlalchemy import Connection

from app.abuse import proof_of_work
from app.abuse.proof_of_work import Proof
from app.abuse.rate_limit import Limit
from app.consent import JsonValue
from app.newsletters.definitions import Newsletter
from app.web import current, rate_limits
from app.web.negotiation import is_form_of_a_person
from app.web.parsing import SignupForm
from app.web.problem_texts import CodedMessage
from app.web.problems import FieldErrors, InvalidFields
from app.web.signup import form_age
from app.web.signup.form_age import Shown

UNPROVEN_BY_A_FORM = Limit("unproven", 5, seconds=3600)


class Work(StrEnum):
    """The proof of work of a signup, as recorded in evidence."""

    NOT_ASKED = "not asked"
    SOLVED = "solved"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the checks for a signup that passed them."""

    form_age: int | None
    """Whole seconds; None if the form is not ours."""
    work: Work
    proof: Proof | None = None

    @property
    def evidence(self) -> dict[str, JsonValue]:
        age = "none" if self.form_age is None else self.form_age
        return {"honeypot": "empty", "form_age": age, "proof_of_work": str(self.work)}


UNCHECKED = Verdict(form_age=None, work=Work.NOT_ASKED)
"""For a client that is identified by a key or by a link from a letter."""


def asks_for_work(newsletters: Sequence[Newsletter], crowded: frozenset[str] = frozenset()) -> bool:
    """Whether a signup for them must prove work now: by policy, in an attack, or beyond a rate limit (`crowded`)."""
    attacked = current.catalogue().attacked | crowded
    return any(
        each.proof_of_work == "always" or (each.proof_of_work == "when attacked" and each.slug in attacked)
        for each in newsletters
    )


def judge(form: SignupForm, newsletters: Sequence[Newsletter]) -> Verdict:
    """Call once per signup. Raises InvalidFields, TooManyRequests.

    A proof that was not asked for is not checked, and so can be used later.
    """
    shown = form_age.check(form.rendered)
    seconds = int(shown.age.total_seconds()) if shown else None
    if not asks_for_work(newsletters, rate_limits.crowded(newsletters)):
        return Verdict(seconds, Work.NOT_ASKED)
    if not form.proof_of_work:
        _let_through_unproven(shown)
        return Verdict(seconds, Work.NONE)
    proof = proof_of_work.proof(current.settings().secret_keys, form.proof_of_work)
    if proof is None:
        raise _not_accepted()
    return Verdict(seconds, Work.SOLVED, proof)


def spend(connection: Connection, verdict: Verdict) -> None:
    """Raises InvalidFields if the proof was used before, so call it before any other write."""
    if verdict.proof and not proof_of_work.spend(connection, verdict.proof):
        raise _not_accepted()


def form_token(given: str | None, errors: FieldErrors, *, asks_for_work: bool) -> str:
    """For a form that is shown. A new one after an error of the proof of work, as the old one may be used up."""
    kept = None if "proof_of_work" in errors else given
    return form_age.kept_or_new(kept, asks_for_work=asks_for_work)


def _let_through_unproven(shown: Shown | None) -> None:
    """Accepts, up to a limit, our own form that asked for work: its browser runs no scripts. Raises InvalidFields."""
    if not is_form_of_a_person():
        text = _("Prove some work first: solve a puzzle of GET /challenge, and send the solution here.")
        raise InvalidFields({"proof_of_work": [CodedMessage.of("proof_of_work", text)]})
    if not (shown and shown.asked_for_work and current.resources().limiter.hit(UNPROVEN_BY_A_FORM, str(shown.form))):
        raise InvalidFields({"proof_of_work": [CodedMessage.of("proof_of_work", _once_more())]})


def _not_accepted() -> InvalidFields:
    if is_form_of_a_person():
        return InvalidFields({"proof_of_work": [CodedMessage.of("proof_of_work", _once_more())]})
    text = _("This proof of work is wrong, too old, or used. Solve another puzzle of GET /challenge.")
    return InvalidFields({"proof_of_work": [CodedMessage.of("proof_of_work", text)]})


def _once_more() -> str:
    text: str = _("One more step against robots: please tick your choice and press the button once more.")
    return text
