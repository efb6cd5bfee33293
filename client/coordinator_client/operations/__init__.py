"""Every request of the API, described once, by what it is about."""
