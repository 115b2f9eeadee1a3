"""``iwm features``: what an encoder says of each image of a folder or dataset, as a table, and as a map of thumbnails."""
