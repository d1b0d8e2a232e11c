"""Tools of the project: generated documents, the index of standards, the fuzz runner."""
