"""Sweeps under load: SPOTs by their own protocol, jobs by the thousand tasks, and what it costs."""
