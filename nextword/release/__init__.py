"""From a checkpoint folder to the two files: one GGUF, one C program, and a model card beside them."""

from nextword.release.gguf_file import Inspection as Inspection
from nextword.release.gguf_file import inspect as inspect
