"""What shows the coordinator at work: its speed against its limit, and a demonstration."""
