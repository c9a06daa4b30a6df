"""Drawing synthetic logs: layout, curves, paint, degradation."""
