"""The application for any WSGI server: `wsgi:app`."""

import gc

import config
from app import logs
from app.resources import resources_of
from app.web.application import create_app
from app.web.http import shutdown

logs.make_streams_safe()
app = create_app(config.load())
shutdown.watch(resources_of(app).stopping)

# A request makes some thousand objects and leaves a few in reference cycles. At Python's default the collector looks
# for those several times a request, and now and then walks through all that start-up made.
gc.collect()
gc.freeze()
gc.set_threshold(50_000)
