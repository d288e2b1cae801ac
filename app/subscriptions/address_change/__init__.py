"""Address change: requested from the old mailbox, confirmed from the new one, undone from the old one.

    (nothing) ──ask──▶ open ──confirm──▶ confirmed ──undo──▶ undone
                         └──decline · new request──▶ void

Invariant: the subscriptions keep their ids. Evidence of the change names the commitments to both addresses, so that
consent given at the former address can be traced to the present one.
"""
