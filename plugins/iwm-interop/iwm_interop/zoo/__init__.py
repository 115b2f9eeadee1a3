"""The models that this project has trained: an entry of facts for each, and, where it is small, the model itself."""
