"""The WSGI half of the door, and an entry for servers that speak WSGI alone."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coordinator_project.settings")
application = get_wsgi_application()
