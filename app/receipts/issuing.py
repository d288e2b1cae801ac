"""The receipt as it is handed out: signed as a whole, so that no letter of it can be changed unseen."""

import json

from app.ledger.log import Log
from app.ledger.signing import sign
from app.ledger.verifier import receipt_text
from app.receipts import document
from app.receipts.document import ReceiptIssue
from app.receipts.history import History


def issue(history: History, about: ReceiptIssue, log: Log) -> str:
    """JSON, laid out for the eye. It stays the same receipt however it is laid out (RFC 8785)."""
    receipt = document.build(history, about)
    signature = sign(receipt_text(receipt), log.signers[:1])
    return json.dumps({**receipt, "signature": signature}, ensure_ascii=False, indent=2) + "\n"
