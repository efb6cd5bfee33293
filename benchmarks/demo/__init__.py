"""The demonstration: a fleet does real work through the coordinator, and all of it is checked."""
