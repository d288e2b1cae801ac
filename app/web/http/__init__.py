"""Requests and answers below the pages: bodies, headers, retries after a deadlock, the server's shutdown."""
