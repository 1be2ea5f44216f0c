"""Byte-level BPE, the chat template, token shards and their loader."""
