"""AWS events -> intents, and the procedure woken at once."""
