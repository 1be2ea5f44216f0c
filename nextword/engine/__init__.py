"""Inference behind one door: `engine.open(spec)` gives a LanguageModel.

Importing this imports no torch; opening a checkpoint folder does.
"""

from __future__ import annotations

from nextword.engine.opening import model_folder, wrap
from nextword.engine.opening import open_model as open

__all__ = ["model_folder", "open", "wrap"]
