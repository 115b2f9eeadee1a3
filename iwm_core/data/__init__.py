"""From a data source to batches: samples, their order, views, cache, quarantine, and the squares that evaluators see."""
