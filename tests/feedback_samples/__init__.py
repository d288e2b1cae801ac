"""What mail providers post, in the shapes of their documentation, about a letter to Ada.

A file is named for what it reports, with a word behind it where several do; `nothing` is not for us. The placeholders
ENVELOPE-SENDER, MESSAGE-ID, LETTER-ID and SIGNATURE stand for what a test has at hand. Amazon's, Scaleway's and
Mandrill's are what these put into an envelope of their own.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from app.feedback import FeedbackKind

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Sample:
    path: Path

    def __str__(self) -> str:
        return f"{self.provider}/{self.path.stem}"

    @property
    def provider(self) -> str:
        return self.path.parent.name

    @property
    def kind(self) -> FeedbackKind | None:
        name = self.path.stem.partition("-")[0]
        return None if name == "nothing" else FeedbackKind(name)

    def filled_in(
        self, *, sender: str = "news@example.org", message_id: str = "<1@example.net>", letter_id: str = ""
    ) -> str:
        text = self.path.read_text(encoding="utf-8").replace("BARE-MESSAGE-ID", message_id.strip("<>"))
        text = text.replace("MESSAGE-ID", message_id).replace("LETTER-ID", letter_id)
        return text.replace("ENVELOPE-SENDER", sender)


def posted(provider: str, text: str) -> str:
    """As the provider posts it, but without a signature."""
    if provider == "mandrill":
        return urlencode({"mandrill_events": text})
    return json.dumps({"Type": "Notification", "Message": text}) if provider in ("scaleway", "ses") else text


def sample(name: str) -> Sample:
    return Sample(FOLDER / f"{name}.json")


SAMPLES = [Sample(path) for path in sorted(FOLDER.glob("*/*.json"))]
