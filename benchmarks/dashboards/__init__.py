"""Open dashboards: how soon they receive events, and what they cost."""
