"""From a data source to batches: samples, their order, views and quarantine."""
