"""How fast the service is, beside a floor: the same server and Flask with one raw statement for the same rows.

Machines differ and are noisy, so only the ratio of two things measured in turns, in one run, means anything.
"""
