"""The WSGI application: Django, and in front of it the static files."""

import os

from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder
from django.core.wsgi import get_wsgi_application

from coordinator_project.static_files import StaticFiles

COMPRESSED = "dashboard"

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coordinator_project.settings")
# Not as middleware, which is synchronous and would occupy a thread for every open stream.
application = StaticFiles(get_wsgi_application(), settings.COORDINATOR_DATA_DIR / "static")
for name, storage in AppDirectoriesFinder().storages.items():
    add = application.add_compressed if name == COMPRESSED else application.add_files
    add(str(storage.location), prefix="static/")
