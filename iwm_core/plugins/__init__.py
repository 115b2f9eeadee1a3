"""Finds plugins: the hooks there are, the loader, and what can be wrong with a plugin's hooks; and recipes, as the files that they are."""
