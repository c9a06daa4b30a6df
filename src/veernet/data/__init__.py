"""Holding logs: pictures, archives, batches, schedules."""
