"""The version, in a file of its own, so that no low room needs the package's face."""

__version__ = "0.2.0"
