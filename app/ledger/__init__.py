"""The log of consent events: an RFC 6962 Merkle tree whose head is signed, so that nothing can be changed unseen."""
