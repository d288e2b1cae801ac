"""Bodies of requests: the types that the service takes, and one that is nested without end."""

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
DEEP = "[" * 15_000
