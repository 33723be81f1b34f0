"""Training and generation of subject-to-video models."""
