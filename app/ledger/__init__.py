"""The log of consent events: an RFC 6962 Merkle tree with a signed head, which makes every change detectable."""
