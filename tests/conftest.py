"""One PostgreSQL for a run of the tests, however many processes run them."""

import tempfile
from pathlib import Path

import pytest
from django.conf import settings

from coordinator_project import databases, embedded, env

FOLDER = pytest.StashKey[str]()


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        config.stash[FOLDER] = config.workerinput["database_folder"]
    else:
        folder = tempfile.TemporaryDirectory(prefix="coordinator-tests-")
        # PostgreSQL does not run as root, so its own user has to pass through.
        Path(folder.name).chmod(0o711)
        config.add_cleanup(folder.cleanup)
        config.stash[FOLDER] = folder.name


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["database_folder"] = node.config.stash[FOLDER]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request, django_db_modify_db_settings_parallel_suffix):
    """Point Django at a PostgreSQL that is started now and shared by all processes of the run."""
    if env.database_url()[1]:
        yield
        return
    with embedded.database(Path(request.config.stash[FOLDER]), durable=False) as database:
        found = databases.settings_for("the embedded PostgreSQL", database.url)
        settings.DATABASES["default"].update(found)
        yield
