"""A checkpoint becomes the two files: GGUF with quantisation, run.c, and the model card."""
