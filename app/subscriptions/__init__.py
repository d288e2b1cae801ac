"""The life cycle of a subscription: one address on one newsletter.

    (nothing) ──request──▶ pending ──confirm──▶ confirmed ──unsubscribe──▶ unsubscribed
                              │                     ├──────hard bounce────▶ bounced
                              │                     └──────complaint──────▶ complained
                              ├──hard bounce · complaint──▶ bounced · complained, erased soon after
                              └──decline · lapse──▶ (erased, or what it was before)

A new request of the person leads from `unsubscribed` and `bounced` back to `pending`, never from `complained`:
that becomes `unsubscribed` only where an operator lifts the complaint.
Only the person leads from `pending` to `confirmed`, by pressing a button behind a link sent to the address.

Invariant: every arrow writes one consent event in the transaction that moves the status.
"""
