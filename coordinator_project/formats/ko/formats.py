"""Times look the same in every language, and sort as they are written."""

from coordinator_project.formats import *  # noqa: F403  (Django reads the names here)
