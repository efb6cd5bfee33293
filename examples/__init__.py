"""Programs to copy: workers that run tasks for the coordinator, in few lines."""
