"""Feedback that comes as mail, on standard input or by LMTP.

Invariant: a mail server is told that a mail is done with only once all that it reports is committed, or it reports
nothing. Nothing is ever refused for good: whoever refuses a mail has a bounce sent to a stranger.
"""
