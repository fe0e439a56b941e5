"""The cluster watch: reads every cluster, tells what changed."""
