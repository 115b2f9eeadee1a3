"""Images from files and tables to batches: the data sources of the core, decoding, and the loader."""
