"""Moving to another address: asked for from the old mailbox, confirmed from the new one, undone from the old.

    (nothing) ──ask──▶ open ──confirm──▶ confirmed ──undo──▶ undone
                         └──decline · ask anew──▶ void

Invariant: the subscriptions stay the same ones. Evidence of the move names the commitment to both addresses, so that
what was agreed to at the former one can be followed to the present one.
"""
