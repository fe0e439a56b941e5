"""Once a minute: a heartbeat for every instance that waits to leave."""
