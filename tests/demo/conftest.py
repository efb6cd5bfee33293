"""What tests of running coordinators share."""

from tests.coordinator_project.conftest import folder

__all__ = ["folder"]
