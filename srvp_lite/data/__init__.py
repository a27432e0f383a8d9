"""Data sets. Nothing here knows a model."""
