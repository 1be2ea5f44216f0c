"""run.c, the second of the two files, with its build and its ctypes binding."""
