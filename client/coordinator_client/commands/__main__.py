"""`python -m coordinator_client.commands`."""

from coordinator_client.commands import main

main()
