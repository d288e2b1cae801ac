"""What a reply of a mail server means: one table for refusals of our letters, bounces that come as mail, and webhooks.

If an existing mailbox is taken for gone, a person loses their subscriptions; if a gone one is taken for existing, a few
more letters go to nobody. So "gone" has to be said, and whatever speaks of us, of policy, rates or sizes vetoes it.
What is about the mailbox counts towards giving it up; what is about us, our sender or the letter never does.

Invariant: a reply that came before the server knew of the recipient is never about the mailbox.
"""

from app.feedback.replies.judging import ReplyVerdict, judge, vocabulary
from app.feedback.replies.meanings import About, Meaning
from app.feedback.replies.reply import Stage, has_code

__all__ = ["About", "Meaning", "ReplyVerdict", "Stage", "has_code", "judge", "vocabulary"]
