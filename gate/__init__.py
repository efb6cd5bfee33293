"""`script/gate`: may this be merged? A small fleet, its monitoring and some scenarios, for real."""
