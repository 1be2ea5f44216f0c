"""Inference behind one door: `engine.open(spec)` gives a LanguageModel."""
