"""People watch: how soon open dashboards are told, and what they cost."""
