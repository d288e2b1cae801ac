"""Whatever can be read of the service, by its address."""

from tests.service import ADA, Service


def urls(service: Service, tokens: dict[str, str]) -> list[str]:
    """Every route that answers GET, with genuine values for all that it asks for."""
    people = service.rows("SELECT id FROM subscribers")
    values: dict[str, list[str]] = {
        "/static/<path:filename>": ["/static/jawel.css"],
        "/confirm/<token>": [tokens["open"], tokens["done"]],
        "/confirm/<token>/decline": [f"{tokens['open']}/decline", f"{tokens['done']}/decline"],
        "/address/<token>": [tokens["address"]],
        "/address/<token>/decline": [f"{tokens['address']}/decline"],
        "/address/undo/<token>": [tokens["undo"]],
        "/unsubscribe/<token>": [tokens["unsubscribe"]],
        "/preferences/<token>": [tokens["preferences"], tokens["fresh"]],
        "/preferences/<token>/data": [f"{tokens['fresh']}/data"],
        "/preferences/<token>/data.json": [f"{tokens['fresh']}/data.json"],
        "/preferences/<token>/erase": [f"{tokens['fresh']}/erase"],
        "/preferences/<token>/link": [f"{tokens['preferences']}/link", f"{tokens['fresh']}/link"],
        "/newsletters/<slug>": ["/newsletters/weekly", "/newsletters/events?language=en"],
        "/privacy/<slug>": ["/privacy/weekly", "/privacy/events?language=en"],
        "/privacy/<slug>/<sha256>": [f"/privacy/weekly/{tokens['notice']}"],
        "/newsletters/<slug>/inbox": [
            "/newsletters/weekly/inbox?mailbox=gmail",
            "/newsletters/weekly/inbox?attempt=an-attempt-of-22-chars",
        ],
        "/newsletters/<slug>/embed": ["/newsletters/weekly/embed", "/newsletters/events/embed?language=fr"],
        "/receipts/<token>": [tokens["receipt"]],
        "/receipts/<token>/json": [f"{tokens['receipt']}/json"],
        "/api/v1/subscriptions/<subscription>/receipt": [f"/api/v1/subscriptions/{tokens['subscription']}/receipt"],
        "/api/v1/subscribers/<path:who>": [f"/api/v1/subscribers/{who}" for who in (ADA, people[0].id)],
        "/log/consistency": ["/log/consistency?from=1&to=3"],
        "/log/entries": ["/log/entries", "/log/entries?from=1&to=2"],
        # It tries to write, and says 503 here; see test_full_disk.py.
        "/readyz": [],
        "/api/v1/newsletters/<slug>/subscribers": ["/api/v1/newsletters/weekly/subscribers?limit=1"],
    }
    found = []
    for rule in service.app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            assert rule.rule in values or not rule.arguments, f"say here how {rule.rule} is read"
            found += values.get(rule.rule, [rule.rule])
    return found
