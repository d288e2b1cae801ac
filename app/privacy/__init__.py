"""What is owed to people about their data: erasure on request, and erasure of whatever is kept no longer.

Invariant: evidence goes in the transaction that writes the tombstone naming it. What the log holds of an erased event
says nothing about anyone, and every other proof still verifies.
"""
