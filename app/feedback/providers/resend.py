"""Resend: webhooks for bounces and complaints, one event each, in the terms of Amazon SES, which delivers for it.

With a signing secret each post has to be signed (Svix): HMAC-SHA256 over an id, a timestamp and the raw body. The age
is not checked: Resend repeats what was not answered, and a repeated report has no effect. `email_id` is Resend's own,
so that a report is matched by address; of several recipients it does not say which one, so none is taken.

https://resend.com/docs/webhooks/emails/bounced, …/complained, https://docs.svix.com/receiving/verifying-payloads/how-manual
"""

import base64
import hmac
from collections.abc import Iterator

from app.feedback import FeedbackKind
from app.feedback.providers import ses
from app.feedback.providers.claims import EventKind
from app.feedback.providers.post import Event, Forged, JsonNode, Post, Provider
from config import FeedbackChannels


def prove(post: Post, channels: FeedbackChannels) -> None:
    if channels.resend_signing_secret is None:
        return
    key = base64.b64decode(channels.resend_signing_secret.removeprefix("whsec_"))
    headers = [post.headers.get(f"svix-{name}", "").encode() for name in ("id", "timestamp")]
    expected = base64.b64encode(hmac.digest(key, b".".join([*headers, post.body]), "sha256"))
    versions = (each.partition(",") for each in post.headers.get("svix-signature", "").split())
    given = [signature.encode() for version, _comma, signature in versions if version == "v1"]
    if not any(hmac.compare_digest(each, expected) for each in given):
        raise Forged("Resend's signature does not fit")


def events(posted: JsonNode) -> Iterator[Event]:
    for each in posted:
        data, to = each["data"], list(each["data"]["to"])
        if len(to) == 1 and (kind := _kind(each)):
            tried = data["bounce"]["subType"].text not in ses.SUPPRESSED
            yield Event(
                kind=kind,
                ids=(each["type"].text, each["created_at"].text, data["email_id"].text),
                address=to[0].text,
                words=" ".join(reply.text for reply in data["bounce"]["diagnosticCode"]) if tried else "",
            )


def _kind(event: JsonNode) -> EventKind | None:
    if event["type"].text == "email.complained":
        return FeedbackKind.COMPLAINT
    return ses.claim(event["data"]["bounce"], "type", "subType") if event["type"].text == "email.bounced" else None


RESEND = Provider(prove, events)
