"""The record of processing as Markdown, JSON and CSV."""

import csv
import io
import json
from dataclasses import asdict, fields

from app.privacy.record import HEADINGS, Activity, Lines, Record
from app.spreadsheets import inert

_ORDER = [each.name for each in fields(Activity)[1:]]


def as_markdown(record: Record) -> str:
    parts = ["# Record of processing activities (GDPR Art. 30)", *_section(2, "controller", record.controller)]
    for activity in record.activities:
        parts.append(f"## {activity.name}")
        for name in _ORDER:
            parts += _section(3, name, getattr(activity, name))
    parts += _section(2, "security", record.security)
    return "\n\n".join(parts) + "\n"


def _section(level: int, name: str, lines: Lines) -> list[str]:
    return [f"{'#' * level} {HEADINGS[name]}", "\n".join(f"- {' '.join(line.split())}" for line in lines)]


def as_json(record: Record) -> str:
    return json.dumps({**asdict(record), "missing": record.missing}, ensure_ascii=False, indent=2) + "\n"


def as_csv(record: Record) -> str:
    """One row per activity; each repeats the shared fields, so that rows can be sorted and filtered."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["activity", *HEADINGS.values()])
    for activity in record.activities:
        own = [getattr(activity, name) for name in _ORDER]
        cells = ["\n".join(lines) for lines in (record.controller, *own, record.security)]
        writer.writerow([inert(cell) for cell in (activity.name, *cells)])
    return text.getvalue()
