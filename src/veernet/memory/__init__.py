"""Memory of a training step: estimated before it runs, and planned for."""
