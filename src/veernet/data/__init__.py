"""Logs as data: pictures, archives, batches, schedules."""
