"""Metrics of subject-to-video and the benchmark."""
