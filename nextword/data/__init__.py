"""Pages to clean documents: collect a site or a folder, then keep what is worth reading."""
