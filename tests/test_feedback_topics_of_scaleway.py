"""A topic of Scaleway asks once for confirmation, and gets it at Scaleway's own hosts only."""

import json
from pathlib import Path

import pytest

from app.feedback.providers.post import ProofOutOfReach
from tests import sns as servers
from tests.proofs import read

HOST = "sns.mnq.fr-par.scaleway.com"
TOPIC = "arn:scw:sns:fr-par:project-0190a0b0:bounces"
PATH = f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37fb687f"


def asking(url: str) -> bytes:
    return json.dumps({"Type": "SubscriptionConfirmation", "TopicArn": TOPIC, "SubscribeURL": url}).encode()


def test_a_topic_that_asks_is_confirmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.running(tmp_path, monkeypatch, name=HOST) as scaleway:
        scaleway.pages[PATH] = b"<ConfirmSubscriptionResponse/>"
        assert read("scaleway", asking(f"https://{HOST}{PATH}")) == []
        assert scaleway.asked == [PATH]
        scaleway.pages.clear()
        with pytest.raises(ProofOutOfReach):
            read("scaleway", asking(f"https://{HOST}{PATH}"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"http://{HOST}{PATH}",
        f"https://{HOST}:8443{PATH}",
        f"https://{HOST}.example.org{PATH}",
        f"https://{HOST}@example.org{PATH}",
        f"https://{servers.HOST}{PATH}",
        f"https://{HOST}/?Action=DeleteTopic&Action=ConfirmSubscription",
        "https://169.254.169.254/?Action=ConfirmSubscription&Token=1",
    ],
)
def test_nothing_is_asked_anywhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with servers.running(tmp_path, monkeypatch, name=HOST) as scaleway:
        assert read("scaleway", asking(url)) == []
        assert scaleway.asked == []
