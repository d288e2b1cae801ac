"""The life cycle of a subscription: one address on one newsletter.

    (nothing) ──request──▶ pending ──confirm──▶ confirmed ──unsubscribe──▶ unsubscribed
                              │                     ├──────hard bounce────▶ bounced
                              │                     └──────complaint──────▶ complained
                              ├──hard bounce · complaint──▶ bounced · complained, erased soon after
                              └──decline · lapse──▶ (erased, or its former status)

A new request by the person leads from `unsubscribed` and `bounced` back to `pending`, never from `complained`, which
becomes `unsubscribed` only if an operator lifts the complaint. Only the mailbox holder can confirm, by pressing a
button behind a link sent to the address.

Invariant: every arrow writes one consent event in the transaction that changes the status.
"""
