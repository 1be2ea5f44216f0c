"""One file a verb, ten to thirty lines, no logic."""
