"""People's labels: guide, queues, comparisons, agreement, arena (domain and database, no HTTP)."""
