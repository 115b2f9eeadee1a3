"""From a data source to batches: samples, their order, views, quarantine, and the squares that evaluators see."""
