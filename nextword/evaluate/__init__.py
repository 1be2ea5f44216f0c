"""Bits per byte, the baselines beside it, and what the model remembers of a page."""
