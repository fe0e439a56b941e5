"""Once a minute: the truth of every cluster, read again."""
