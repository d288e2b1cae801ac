"""The receipt as issued: signed as a whole, which makes every change detectable."""

import json

from app.ledger.log import Log
from app.ledger.signing import sign
from app.ledger.verifier import receipt_text
from app.receipts import document
from app.receipts.document import ReceiptIssue
from app.receipts.history import History


def issue(history: History, about: ReceiptIssue, log: Log) -> str:
    """Indented JSON. The signature covers the canonical form (RFC 8785), so the layout does not matter."""
    receipt = document.build(history, about)
    signature = sign(receipt_text(receipt), log.signers[:1])
    return json.dumps({**receipt, "signature": signature}, ensure_ascii=False, indent=2) + "\n"
