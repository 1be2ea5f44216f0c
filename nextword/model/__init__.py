"""The Llama-family transformer and its checkpoint folder."""
