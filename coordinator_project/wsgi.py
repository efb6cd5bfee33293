"""The WSGI application: Django, and in front of it the static files."""

import os
from wsgiref.headers import Headers

from django.contrib.staticfiles.finders import AppDirectoriesFinder
from django.core.wsgi import get_wsgi_application
from whitenoise import WhiteNoise


def _headers(headers: Headers, path: str, url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coordinator_project.settings")
# Not as middleware, which is synchronous and would occupy a thread for every open stream.
application = WhiteNoise(get_wsgi_application(), add_headers_function=_headers)
for storage in AppDirectoriesFinder().storages.values():
    application.add_files(storage.location, prefix="static/")
