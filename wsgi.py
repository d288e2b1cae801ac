"""The application for any WSGI server: `wsgi:app`."""

import config
from app import create_app

app = create_app(config.load())
