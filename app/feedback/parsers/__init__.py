"""Mails that report what became of a letter: each parser reads one format, and changes nothing."""
