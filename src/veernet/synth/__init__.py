"""Making logs: layout, curves, paint, wear."""
