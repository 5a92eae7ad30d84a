"`GET /metrics`: defines the metrics, counts them, and sums those of several workers."
