"""Programs to copy: what runs tasks for the coordinator, in as few lines as it takes."""
