"""Training: data, network numerics, schedule, and the algorithms that turn them into operations of the chip."""
