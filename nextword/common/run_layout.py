"""Where the stages of a run keep their models, for whoever is given a run folder."""

INSIDE_A_RUN = ("model", "base/model")
"""The base model: a stage's own folder, or a whole run's."""
ASSISTANTS = ("current/model", "aligned/model", "finetuned/model")
"""The models that converse: what a round promoted, else the latest stage."""
