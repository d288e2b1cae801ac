"""The application for any WSGI server: `wsgi:app`."""

import gc

import config
from app import create_app

app = create_app(config.load())

# What start-up made lives as long as the process. Left alone, the collector walks all of it every few requests.
gc.collect()
gc.freeze()
gc.set_threshold(10_000)
