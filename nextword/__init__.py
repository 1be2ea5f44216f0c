"""nextword: the whole life of a large language model, from the first web page to the two files that run."""

__version__ = "0.1.0"
