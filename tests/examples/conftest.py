"""What tests of running coordinators share."""

from tests.coordinator_project.conftest import first_run, folder, used_folder

__all__ = ["first_run", "folder", "used_folder"]
