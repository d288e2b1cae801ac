"""Data subject rights: access, portability, erasure on request, and erasure when a retention period ends.

Invariant: evidence is erased in the transaction that writes the tombstone naming it. What the log keeps of an erased
event identifies nobody, and every other proof still verifies.
"""
