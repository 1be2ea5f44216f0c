"""Tools: what an assistant may use to find out what it does not know. The first one searches."""
