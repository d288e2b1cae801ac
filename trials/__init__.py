"""Trials by fire: what the service must stand, each started by one command and judged by what must hold."""
