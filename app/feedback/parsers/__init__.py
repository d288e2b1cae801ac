"""Parsers of mails that report a letter's fate: each reads one format, and changes nothing."""
