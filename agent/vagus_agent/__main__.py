"""`python -m vagus_agent`."""

from vagus_agent.main import main

main()
