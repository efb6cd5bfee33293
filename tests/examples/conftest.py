"""What tests of running coordinators share."""

from tests.coordinator_project.conftest import folder, used_by_module, used_folder

__all__ = ["folder", "used_by_module", "used_folder"]
